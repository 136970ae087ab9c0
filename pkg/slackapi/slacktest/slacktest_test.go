package slacktest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/signature"
	"keyreeve/pkg/slackapi/slacktest"
)

const (
	bot     = "only-the-bot-has-this"
	private = "only-slack-has-this"
	channel = "C0KEYS"
)

func now() time.Time { return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) }

// world is a workspace and an app that notes what it is sent.
type world struct {
	*slacktest.Slack

	server *httptest.Server
	clock  time.Time
	answer func(w http.ResponseWriter, form url.Values)

	mu   sync.Mutex
	sent []url.Values
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{clock: now(), answer: func(http.ResponseWriter, url.Values) {}}
	verifier, err := signature.New("slack", []guard.Secret{guard.NewSecret(private)}, now)
	if err != nil {
		t.Fatal(err)
	}
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if _, err := verifier.Verify(r.Header, body); err != nil {
			t.Errorf("the call is not signed as Slack signs: %v", err)
		}
		form, err := url.ParseQuery(string(body))
		if err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("the call is no form: %v", err)
		}
		w.mu.Lock()
		w.sent = append(w.sent, form)
		w.mu.Unlock()
		w.answer(rw, form)
	}))
	transport := new(http.Transport)
	w.Slack = slacktest.New(slacktest.Config{
		Token: bot, SigningSecret: private, Team: "T0TEAM", Clock: func() time.Time { return w.clock },
		Users: []slacktest.User{
			{ID: "U0ALICE", Email: "alice@example.com", Name: "alice"},
			{ID: "U0BOB", Team: "T0OTHER", Email: "bob@example.com", Name: "bob", Stranger: true},
		},
		Commands: app.URL + "/slack/commands", Actions: app.URL + "/slack/actions", Transport: transport,
	})
	slack := httptest.NewServer(w.Slack)
	w.server = slack
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(slack.Close)
	t.Cleanup(app.Close)
	return w
}

// call sends a request to the host and returns the answer.
func (w *world) call(t *testing.T, address string, header http.Header, body string) (status int, answer string) {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+target.RequestURI(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = target.Host
	request.Header = header
	response, err := w.server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func asJSON(t *testing.T, text string) map[string]any {
	t.Helper()
	var decoded map[string]any
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		t.Fatalf("%q is no JSON: %v", text, err)
	}
	return decoded
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json; charset=utf-8"
)

func TestWebAPI(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, contentType, authorization, body string
		want                                     string // the error; empty: ok
	}{
		"a form":                     {"users.info", formType, "Bearer " + bot, "user=U0ALICE", ""},
		"the token in the form":      {"users.info", formType, "", "user=U0ALICE&token=" + bot, ""},
		"JSON":                       {"chat.postMessage", jsonType, "Bearer " + bot, `{"channel":"C0KEYS","text":"x","blocks":[{"type":"divider"}]}`, ""},
		"JSON within JSON":           {"chat.postMessage", jsonType, "Bearer " + bot, `{"channel":"C0KEYS","text":"x","blocks":"[{\"type\":\"divider\"}]"}`, ""},
		"no token":                   {"users.info", formType, "", "user=U0ALICE", "not_authed"},
		"the token in JSON":          {"users.info", jsonType, "", `{"user":"U0ALICE","token":"` + bot + `"}`, "not_authed"},
		"another token":              {"users.info", formType, "Bearer x", "user=U0ALICE", "invalid_auth"},
		"no JSON":                    {"users.info", jsonType, "Bearer " + bot, "user=U0ALICE", "invalid_json"},
		"text":                       {"users.info", "text/plain", "Bearer " + bot, "user=U0ALICE", "invalid_post_type"},
		"another method":             {"users.list", formType, "Bearer " + bot, "", "unknown_method"},
		"nobody":                     {"users.info", formType, "Bearer " + bot, "user=U0CAROL", "user_not_found"},
		"nobody by e-mail":           {"users.lookupByEmail", formType, "Bearer " + bot, "email=carol@example.com", "users_not_found"},
		"no e-mail":                  {"users.lookupByEmail", formType, "Bearer " + bot, "", "users_not_found"},
		"somebody by e-mail":         {"users.lookupByEmail", formType, "Bearer " + bot, "email=BOB@example.com", ""},
		"no text":                    {"chat.postMessage", formType, "Bearer " + bot, "channel=C0KEYS&blocks=[]", "no_text"},
		"a text that is not escaped": {"chat.postMessage", formType, "Bearer " + bot, "channel=C0KEYS&text=a<b", "invalid_arguments"},
		"a text that is too long":    {"chat.postMessage", formType, "Bearer " + bot, "channel=C0KEYS&text=" + x(40_001), "msg_too_long"},
		"blocks that are none":       {"chat.postMessage", formType, "Bearer " + bot, `channel=C0KEYS&text=x&blocks=[{"type":"x"}]`, "invalid_blocks"},
		"a channel by name":          {"chat.postMessage", formType, "Bearer " + bot, "channel=keys&text=x", "channel_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			header := http.Header{"Content-Type": {test.contentType}}
			if test.authorization != "" {
				header.Set("Authorization", test.authorization)
			}
			status, body := w.call(t, "https://slack.com/api/"+test.method, header, test.body)
			got := asJSON(t, body)
			if code, _ := got["error"].(string); status != http.StatusOK || code != test.want || got["ok"] != (test.want == "") {
				t.Errorf("answered %d %s, want the error %q", status, body, test.want)
			}
			refusals := 1
			if test.want == "" || strings.HasPrefix(test.want, "user") {
				refusals = 0
			}
			if got := w.Refused(); len(got) != refusals {
				t.Errorf("refused %q, want %d", got, refusals)
			}
		})
	}
}

func TestUserAsSlackTells(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, body := w.call(t, "https://slack.com/api/users.info", http.Header{"Content-Type": {formType}}, "user=U0BOB&token="+bot)
	want := map[string]any{"ok": true, "user": map[string]any{
		"id": "U0BOB", "team_id": "T0OTHER", "name": "bob", "deleted": false, "is_bot": false, "is_stranger": true, "updated": 1.7e9,
		"profile": map[string]any{"email": "bob@example.com", "real_name": "bob", "team": "T0OTHER"},
	}}
	if diff := cmp.Diff(want, asJSON(t, body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// typed types a command and returns what the app was sent.
func (w *world) typed(t *testing.T, user, text string) url.Values {
	t.Helper()
	if _, err := w.Type(t.Context(), user, channel, text); err != nil {
		t.Fatal(err)
	}
	return w.last()
}

func (w *world) last() url.Values {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent[len(w.sent)-1]
}

func TestType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.typed(t, "U0BOB", "deactivate <@U0ALICE|alice> left &amp; gone")
	want := map[string]string{
		"team_id": "T0OTHER", "team_domain": "example", "channel_id": channel, "channel_name": "keys", "user_id": "U0BOB", "user_name": "bob",
		"command": "/keys", "text": "deactivate <@U0ALICE|alice> left &amp; gone", "api_app_id": "A0KEYS", "is_enterprise_install": "false",
	}
	for name, value := range want {
		if got.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, got.Get(name), value)
		}
	}
	for _, name := range []string{"token", "trigger_id"} {
		if got.Get(name) == "" {
			t.Errorf("there is no %s", name)
		}
	}
	if !strings.HasPrefix(got.Get("response_url"), "https://hooks.slack.com/commands/T0TEAM/") {
		t.Errorf("response_url is %q", got.Get("response_url"))
	}
	if again := w.typed(t, "U0BOB", "help"); again.Get("response_url") == got.Get("response_url") {
		t.Error("two commands have the same response_url")
	}
	if _, err := w.Type(t.Context(), "U0NOBODY", channel, "help"); err == nil {
		t.Error("nobody typed a command")
	}
}

func TestWhatTheAppAnswersAtOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status            int
		contentType, body string
		took              time.Duration
		want              []slacktest.Shown
		refused           string
	}{
		"nothing":      {200, "", "", 0, nil, ""},
		"text":         {200, "text/plain", "Hello", 0, []slacktest.Shown{{Channel: channel, To: "U0ALICE", Text: "Hello", Versions: 1}}, ""},
		"JSON":         {200, jsonType, `{"text":"Hello"}`, 0, []slacktest.Shown{{Channel: channel, To: "U0ALICE", Text: "Hello", Versions: 1}}, ""},
		"for all":      {200, jsonType, `{"text":"Hello","response_type":"in_channel"}`, 0, []slacktest.Shown{{Channel: channel, Text: "Hello", Versions: 1}}, ""},
		"no JSON":      {200, jsonType, "Hello", 0, nil, "/keys: invalid_payload"},
		"no text":      {200, jsonType, `{"blocks":[{"type":"divider"}]}`, 0, nil, "/keys: no_text"},
		"no blocks":    {200, jsonType, `{"text":"x","blocks":[]}`, 0, nil, "/keys: invalid_blocks"},
		"another type": {200, jsonType, `{"text":"x","response_type":"public"}`, 0, nil, "/keys: invalid_payload"},
		"a failure":    {500, "text/plain", "Oh no", 0, nil, "/slack/commands: the app answered with status 500"},
		"too late":     {200, "", "", 3*time.Second + 1, nil, "/slack/commands: the app took 3.000000001s"},
		"just in time": {200, "", "", 3 * time.Second, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.answer = func(rw http.ResponseWriter, _ url.Values) {
				w.clock = w.clock.Add(test.took)
				rw.Header().Set("Content-Type", test.contentType)
				rw.WriteHeader(test.status)
				_, _ = io.WriteString(rw, test.body)
			}
			got, err := w.Type(t.Context(), "U0ALICE", channel, "help")
			if diff := cmp.Diff(slacktest.Answer{Status: test.status, Body: test.body, Took: test.took}, got); diff != "" || err != nil {
				t.Errorf("answer (-want +got), %v:\n%s", err, diff)
			}
			if diff := cmp.Diff(test.want, w.Shown()); diff != "" {
				t.Errorf("shown (-want +got):\n%s", diff)
			}
			if refused := strings.Join(w.Refused(), "; "); !strings.HasPrefix(refused, test.refused) || (refused == "") != (test.refused == "") {
				t.Errorf("refused %q, want %q", refused, test.refused)
			}
		})
	}
}

// respond posts to a response_url.
func (w *world) respond(t *testing.T, responseURL, body string) (status int, answer string) {
	t.Helper()
	return w.call(t, responseURL, http.Header{"Content-Type": {"application/json"}}, body)
}

func TestResponseURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	responseURL := w.typed(t, "U0ALICE", "help").Get("response_url")
	for i := range 5 {
		if status, body := w.respond(t, responseURL, fmt.Sprintf(`{"text":"answer %d"}`, i)); status != http.StatusOK || body != "ok" {
			t.Fatalf("answer %d: %d %s", i, status, body)
		}
	}
	if status, body := w.respond(t, responseURL, `{"text":"answer 5"}`); status != http.StatusNotFound || asJSON(t, body)["error"] != "used_url" {
		t.Errorf("the sixth answer: %d %s, want 404 used_url", status, body)
	}
	if got := w.Shown(); len(got) != 5 || got[4].Text != "answer 4" || got[4].To != "U0ALICE" {
		t.Errorf("shown %+v, want five answers for U0ALICE", got)
	}
	later := w.typed(t, "U0ALICE", "help").Get("response_url")
	w.clock = w.clock.Add(30 * time.Minute)
	if status, body := w.respond(t, later, `{"text":"in time"}`); status != http.StatusOK {
		t.Errorf("half an hour: %d %s, want 200", status, body)
	}
	w.clock = w.clock.Add(time.Nanosecond)
	if status, body := w.respond(t, later, `{"text":"late"}`); status != http.StatusNotFound || asJSON(t, body)["error"] != "expired_url" {
		t.Errorf("more than half an hour: %d %s, want 404 expired_url", status, body)
	}
	if status, _ := w.respond(t, "https://hooks.slack.com/commands/T0TEAM/1/guessed", `{"text":"x"}`); status != http.StatusNotFound {
		t.Errorf("a guess: %d, want 404", status)
	}
}

func TestResponseURLRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ contentType, body, want string }{
		"a form":                 {formType, "text=x", "invalid_payload"},
		"no JSON":                {jsonType, "x", "invalid_payload"},
		"no text":                {jsonType, `{"blocks":[{"type":"divider"}]}`, "no_text"},
		"blocks that are none":   {jsonType, `{"text":"x","blocks":[{}]}`, "invalid_blocks"},
		"nothing to delete":      {jsonType, `{"delete_original":true}`, "invalid_payload"},
		"a text, not escaped":    {jsonType, `{"text":"a < b"}`, "invalid_arguments"},
		"an unknown kind of one": {jsonType, `{"text":"x","response_type":"x"}`, "invalid_payload"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			responseURL := w.typed(t, "U0ALICE", "help").Get("response_url")
			status, body := w.call(t, responseURL, http.Header{"Content-Type": {test.contentType}}, test.body)
			if status != http.StatusBadRequest || body != test.want {
				t.Errorf("answered %d %s, want 400 %s", status, body, test.want)
			}
			if len(w.Refused()) != 1 || len(w.Shown()) != 0 {
				t.Errorf("refused %q and shown %+v, want one and none", w.Refused(), w.Shown())
			}
		})
	}
}

const twoButtons = `[{"type":"section","text":{"type":"mrkdwn","text":"one"},"accessory":{"type":"button","action_id":"off","text":{"type":"plain_text","text":"Off"},"value":"1"}},` +
	`{"type":"actions","block_id":"mine","elements":[{"type":"button","action_id":"off","text":{"type":"plain_text","text":"Off"},"value":"2","style":"danger"}]}]`

// shows lets the app show everybody, or only Alice, two buttons.
func (w *world) shows(t *testing.T, responseType string) {
	t.Helper()
	responseURL := w.typed(t, "U0ALICE", "list").Get("response_url")
	if status, body := w.respond(t, responseURL, `{"text":"Press","response_type":"`+responseType+`","blocks":`+twoButtons+`}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
}

func TestPress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shows(t, "in_channel")
	if _, err := w.Press(t.Context(), "U0BOB", 0, "off", 1); err != nil {
		t.Fatal(err)
	}
	got := asJSON(t, w.last().Get("payload"))
	for _, random := range []string{"response_url", "trigger_id", "token"} {
		if text, _ := got[random].(string); text == "" {
			t.Errorf("there is no %s", random)
		}
		delete(got, random)
	}
	var blocks any
	if err := json.Unmarshal([]byte(twoButtons), &blocks); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"type": "block_actions", "api_app_id": "A0KEYS", "enterprise": nil, "is_enterprise_install": false,
		"team":      map[string]any{"id": "T0TEAM", "domain": "example"},
		"user":      map[string]any{"id": "U0BOB", "username": "bob", "name": "bob", "team_id": "T0OTHER"},
		"channel":   map[string]any{"id": channel, "name": "keys"},
		"container": map[string]any{"type": "message", "message_ts": "1700000000.000001", "channel_id": channel, "is_ephemeral": false},
		"message": map[string]any{
			"type": "message", "bot_id": "B0KEYS", "app_id": "A0KEYS", "ts": "1700000000.000001", "text": "Press", "blocks": blocks,
		},
		"state": map[string]any{"values": map[string]any{}},
		"actions": []any{map[string]any{
			"type": "button", "action_id": "off", "block_id": "mine", "value": "2", "style": "danger", "action_ts": "1795348800.000000",
			"text": map[string]any{"type": "plain_text", "text": "Off"},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
}

// pressed presses the first button as Alice and returns what the app was sent.
func (w *world) pressed(t *testing.T, message int) map[string]any {
	t.Helper()
	if _, err := w.Press(t.Context(), "U0ALICE", message, "off", 0); err != nil {
		t.Fatal(err)
	}
	return asJSON(t, w.last().Get("payload"))
}

// Slack does not repeat to the app what it showed to one user alone.
func TestPressWhatOnlyOneSees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shows(t, "ephemeral")
	got := w.pressed(t, 0)
	container, _ := got["container"].(map[string]any)
	if _, tells := got["message"]; tells || container["is_ephemeral"] != true {
		t.Errorf("the payload is %v, want no message, and is_ephemeral", got)
	}
	status, body := w.call(t, "https://slack.com/api/chat.postMessage", http.Header{"Content-Type": {formType}},
		url.Values{"token": {bot}, "channel": {"U0ALICE"}, "text": {"Press"}, "blocks": {twoButtons}}.Encode())
	if status != http.StatusOK || asJSON(t, body)["channel"] != "D0ALICE" {
		t.Fatalf("%d %s", status, body)
	}
	if got := w.pressed(t, 1); got["message"] == nil {
		t.Errorf("the payload is %v, want the direct message in it", got)
	}
}

func TestPressWhatCannotBePressed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shows(t, "ephemeral")
	before := len(w.sent)
	for name, press := range map[string]struct {
		user    string
		message int
		action  string
		n       int
	}{
		"somebody else's message": {"U0BOB", 0, "off", 0},
		"nobody":                  {"U0NOBODY", 0, "off", 0},
		"no such message":         {"U0ALICE", 1, "off", 0},
		"a message before":        {"U0ALICE", -1, "off", 0},
		"no such button":          {"U0ALICE", 0, "on", 0},
		"not so many":             {"U0ALICE", 0, "off", 2},
	} {
		if _, err := w.Press(t.Context(), press.user, press.message, press.action, press.n); err == nil {
			t.Errorf("%s: pressed", name)
		}
	}
	if len(w.sent) != before {
		t.Error("the app was told of it")
	}
}

func TestReplaceAndDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shows(t, "in_channel")
	first, _ := w.pressed(t, 0)["response_url"].(string)
	second, _ := w.pressed(t, 0)["response_url"].(string)
	if !strings.HasPrefix(first, "https://hooks.slack.com/actions/T0TEAM/") || first == second {
		t.Fatalf("response_url is %q, then %q", first, second)
	}
	if status, body := w.respond(t, first, `{"text":"Done","replace_original":true}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := w.respond(t, first, `{"text":"Only you see this","replace_original":false}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	want := []slacktest.Shown{
		{Channel: channel, Text: "Done", Versions: 2},
		{Index: 1, Channel: channel, To: "U0ALICE", Text: "Only you see this", Versions: 1},
	}
	if diff := cmp.Diff(want, w.Shown()); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	if status, body := w.respond(t, second, `{"text":"Again","replace_original":true,"blocks":`+twoButtons+`}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := w.respond(t, second, `{"text":"Nothing is said of the original"}`); status != http.StatusOK || w.Shown()[0].Text != "Nothing is said of the original" {
		t.Errorf("%d %s, shown %+v, want it replaced", status, body, w.Shown()[0])
	}
	if status, body := w.respond(t, second, `{"delete_original":true}`); status != http.StatusOK || !w.Shown()[0].Deleted {
		t.Errorf("%d %s, shown %+v, want it deleted", status, body, w.Shown()[0])
	}
	if _, err := w.Press(t.Context(), "U0ALICE", 0, "off", 0); err == nil {
		t.Error("a button was pressed in a message that was deleted")
	}
}

func TestDownAndThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	post := func() int {
		status, _ := w.call(t, "https://slack.com/api/chat.postMessage", http.Header{"Content-Type": {formType}}, "channel=C0KEYS&text=x&token="+bot)
		return status
	}
	w.Down(true)
	if got := post(); got != http.StatusServiceUnavailable {
		t.Errorf("down: %d, want 503", got)
	}
	w.Down(false)
	w.Throttle(2, 30*time.Second)
	if got := []int{post(), post(), post()}; !cmp.Equal(got, []int{429, 429, 200}) {
		t.Errorf("throttled twice: %d", got)
	}
	if len(w.Shown()) != 1 {
		t.Errorf("shown %d, want 1", len(w.Shown()))
	}
	w.Throttle(1, 30*time.Second)
	if status, _ := w.respond(t, "https://hooks.slack.com/commands/T0TEAM/1/guessed", "{}"); status != http.StatusTooManyRequests {
		t.Errorf("a response_url: %d, want 429", status)
	}
	const posted = "POST slack.com/api/chat.postMessage"
	want := []string{posted, posted, posted, posted, "POST hooks.slack.com/commands"}
	if diff := cmp.Diff(want, w.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestAnotherHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if status, _ := w.call(t, "https://example.com/api/users.info", http.Header{}, ""); status != http.StatusNotImplemented {
		t.Errorf("answered %d, want 501", status)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const people = 20
	var group sync.WaitGroup
	for range people {
		group.Go(func() {
			if _, err := w.Type(t.Context(), "U0ALICE", channel, "help"); err != nil {
				t.Error(err)
			}
			w.call(t, "https://slack.com/api/chat.postMessage", http.Header{"Content-Type": {formType}}, "channel=C0KEYS&text=x&token="+bot)
			w.Refused()
		})
	}
	group.Wait()
	if got := len(w.Shown()); got != people {
		t.Errorf("%d messages are shown, want %d", got, people)
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shows(t, "in_channel")
	w.shows(t, "ephemeral") // to Alice
	for _, tt := range []struct {
		user, action string
		message      int
		found        bool
	}{
		{"U0ALICE", "off", 1, true},
		{"U0BOB", "off", 0, true},
		{"U0BOB", "explode", 0, false},
	} {
		if message, found := w.Newest(tt.user, tt.action); message != tt.message || found != tt.found {
			t.Errorf("%s sees %s in %d, %t; want %d, %t", tt.user, tt.action, message, found, tt.message, tt.found)
		}
	}
}
