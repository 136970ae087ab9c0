package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/signature/signaturetest"
)

// app is a function that answers Slack: a command with a question for everybody, a button with nothing.
type app struct {
	// heard are the calls of Slack, in the order they came.
	heard []slackCall
}

type slackCall struct {
	path string
	// said is a command with its channel and user, or the value of a button with its user.
	said   string
	signed bool
}

func (a *app) invoke(_ context.Context, _ string, payload []byte) ([]byte, error) {
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	body, err := base64.StdEncoding.DecodeString(event.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseInt(event.Headers["x-slack-request-timestamp"], 10, 64)
	if err != nil {
		return nil, err
	}
	want := signaturetest.Sign("slack", "only-for-make-run-slack", time.Unix(seconds, 0), "", body).Get("X-Slack-Signature")
	call := slackCall{event.RawPath, strings.Join([]string{form.Get("channel_id"), form.Get("user_id"), form.Get("text")}, " "), event.Headers["x-slack-signature"] == want}
	if event.RawPath != "/slack/commands" {
		var pressed struct {
			User struct {
				ID string `json:"id"`
			} `json:"user"`
			Actions []struct {
				Value string `json:"value"`
			} `json:"actions"`
		}
		if err := json.Unmarshal([]byte(form.Get("payload")), &pressed); err != nil {
			return nil, err
		}
		if n := len(pressed.Actions); n != 1 {
			return nil, fmt.Errorf("%d buttons were pressed", n)
		}
		call.said = pressed.User.ID + " " + pressed.Actions[0].Value
		a.heard = append(a.heard, call)
		return []byte(`{"statusCode":200}`), nil
	}
	a.heard = append(a.heard, call)
	said := `{"response_type":"in_channel","text":"Delete it?","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"Delete it?"}},{"type":"actions","elements":[` +
		`{"type":"button","action_id":"approve","value":"one","text":{"type":"plain_text","text":"Approve"}}]},` +
		`{"type":"actions","elements":[{"type":"button","action_id":"approve","value":"two","text":{"type":"plain_text","text":"Approve all"}}]}]}`
	return json.Marshal(events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK, Headers: map[string]string{"Content-Type": "application/json"}, Body: said})
}

// startApp starts a workspace in Slack with the app, and returns its control routes.
func startApp(t *testing.T) (*app, http.Handler) {
	t.Helper()
	a := &app{}
	var routes []route
	for _, key := range []string{"POST /slack/commands", "POST /slack/actions"} {
		r, err := parseRoute(key)
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, r)
	}
	server := httptest.NewServer(&gateway{routes: routes, invoke: a.invoke, console: &console{out: io.Discard}})
	t.Cleanup(server.Close)
	fake, err := startSlack(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fake.close(); err != nil {
			t.Error(err)
		}
	})
	return a, (&control{slack: fake.workspace}).handler()
}

// asked calls the control route of Slack.
func asked(t *testing.T, handler http.Handler, method, body string) (status int, answer string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, "/_slack", strings.NewReader(body)))
	return recorder.Code, strings.TrimSpace(recorder.Body.String())
}

// What people do in Slack reaches the app through the gateway, signed, and what the app says shows in Slack.
func TestPeopleInSlack(t *testing.T) {
	t.Parallel()
	a, handler := startApp(t)
	for _, step := range []struct {
		body string
		want slackCall
	}{
		{`{"user":"U0BOB","text":"alice@example.com"}`, slackCall{"/slack/commands", "C0KEYS U0BOB alice@example.com", true}},
		{`{"user":"U0BOB","text":""}`, slackCall{"/slack/commands", "C0KEYS U0BOB ", true}},
		{`{"user":"U0CAROL","channel":"D0CAROL","text":"help"}`, slackCall{"/slack/commands", "D0CAROL U0CAROL help", true}},
		{`{"user":"U0OPERATOR","message":0,"press":"approve"}`, slackCall{"/slack/actions", "U0OPERATOR one", true}},
		{`{"user":"U0ALICE","message":1,"press":"approve","nth":1}`, slackCall{"/slack/actions", "U0ALICE two", true}},
		{`{"user":"U0ALICE","press":"approve"}`, slackCall{"/slack/actions", "U0ALICE one", true}},
	} {
		a.heard = nil
		status, answer := asked(t, handler, http.MethodPost, step.body)
		if status != http.StatusOK || !strings.HasPrefix(answer, `{"status":200,"body":"`) || !strings.Contains(answer, `"took":"`) {
			t.Errorf("%s: got %d %s", step.body, status, answer)
		}
		if diff := cmp.Diff([]slackCall{step.want}, a.heard, cmp.AllowUnexported(slackCall{})); diff != "" {
			t.Errorf("%s: what the app heard (-want +got):\n%s", step.body, diff)
		}
	}
	_, answer := asked(t, handler, http.MethodGet, "")
	var shown struct {
		Messages []struct {
			Index   int    `json:"index"`
			Channel string `json:"channel"`
			Text    string `json:"text"`
			Blocks  []any  `json:"blocks"`
		} `json:"messages"`
		Refused []string `json:"refused"`
	}
	if err := json.Unmarshal([]byte(answer), &shown); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range shown.Messages {
		got = append(got, strings.Join([]string{strconv.Itoa(m.Index), m.Channel, m.Text, strconv.Itoa(len(m.Blocks))}, " "))
	}
	if diff := cmp.Diff([]string{"0 C0KEYS Delete it? 3", "1 C0KEYS Delete it? 3", "2 D0CAROL Delete it? 3"}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if len(shown.Refused) != 0 {
		t.Errorf("Slack refused %v", shown.Refused)
	}
}

func TestNothingHappensInSlack(t *testing.T) {
	t.Parallel()
	a, handler := startApp(t)
	if _, answer := asked(t, handler, http.MethodGet, ""); answer != `{"messages":[],"refused":[]}` {
		t.Errorf("before anything happened: got %s", answer)
	}
	for name, body := range map[string]string{
		"no JSON":               `{`,
		"misspelt":              `{"user":"U0BOB","command":"help"}`,
		"nobody":                `{"user":"U0MALLORY","text":"help"}`,
		"no message":            `{"user":"U0BOB","message":0,"press":"approve"}`,
		"a button of nothing":   `{"user":"U0BOB","press":"approve"}`,
		"nothing of a message":  `{"user":"U0BOB","message":0}`,
		"a message that is odd": `{"user":"U0BOB","message":"0","press":"approve"}`,
	} {
		if status, answer := asked(t, handler, http.MethodPost, body); status != http.StatusBadRequest || !strings.Contains(answer, `"message":"`) {
			t.Errorf("%s: got %d %s, want 400 and why", name, status, answer)
		}
	}
	if len(a.heard) != 0 {
		t.Errorf("the app heard %+v", a.heard)
	}
	if status, _ := asked(t, (&control{}).handler(), http.MethodGet, ""); status != http.StatusNotFound {
		t.Errorf("without a workspace: got %d, want 404", status)
	}
}

// Slack is on where somebody can be there: people of the fake contract, or those whom the app's secrets stand for. What
// everybody knows is for the fake contract alone.
func TestWhichSlack(t *testing.T) {
	t.Parallel()
	const botVariable = "KEYREEVE_SLACK_BOT_TOKEN"
	contract := map[string]string{"IONOS_TOKEN": "x"}
	tests := []struct {
		name            string
		ionos, keyreeve map[string]string
		fake            bool
		slack, channel  string
	}{
		{"the fake contract", nil, nil, true, "on", "C0KEYS"},
		{"the fake contract, an app of one's own", nil, map[string]string{botVariable: "x"}, false, "on", ""},
		{"a real contract", contract, nil, false, "", ""},
		{"a real contract, a token", contract, map[string]string{botVariable: "x"}, false, "on", ""},
		{"a real contract, a signing secret", contract, map[string]string{"KEYREEVE_SLACK_SIGNING_SECRET": "x"}, false, "on", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options{ionos: tt.ionos, keyreeve: tt.keyreeve}
			parameters := templateParameters(o)
			if o.fakeSlack() != tt.fake || parameters["Slack"] != tt.slack || parameters["SlackNoticeChannel"] != tt.channel {
				t.Errorf("got %v and %v, want %v, %q and %q", o.fakeSlack(), parameters, tt.fake, tt.slack, tt.channel)
			}
		})
	}
}

// The people in Slack are the people of the contract: by their addresses the app knows who asks.
func TestSlackPeopleAreInTheContract(t *testing.T) {
	t.Parallel()
	contract := &ionostest.Server{Authorize: func(*http.Request) bool { return true }}
	addPeople(contract)
	users := httptest.NewRecorder()
	contract.ServeHTTP(users, httptest.NewRequestWithContext(t.Context(), http.MethodGet, ionostest.BasePath+"/um/users?depth=1", nil))
	var ids []string
	for _, person := range slackPeople() {
		ids = append(ids, person.ID)
		if !bytes.Contains(users.Body.Bytes(), []byte(strconv.Quote(person.Email))) {
			t.Errorf("%s is not in the contract", person.Email)
		}
	}
	if diff := cmp.Diff([]string{"U0ALICE", "U0BOB", "U0CAROL", "U0OPERATOR"}, ids); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}
}
