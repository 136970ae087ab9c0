package app_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/app"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/slackapi/slacktest"
)

const signing, bot = "0123456789abcdef", "xoxb-of-the-test"

func TestTheFunctionsForSlackStart(t *testing.T) {
	for name, test := range map[string]struct {
		start   func(context.Context) (lambda.Handler, error)
		changes map[string]string
	}{
		"chatops": {app.NewChatOps, map[string]string{"KEYREEVE_SLACK_SIGNING_SECRET": signing}},
		"chatops with all of it": {app.NewChatOps, map[string]string{
			"KEYREEVE_SLACK_SIGNING_SECRET": signing + ", fedcba9876543210", "KEYREEVE_SLACK_BOT_TOKEN": bot,
			"KEYREEVE_SLACK_COMMAND_CHANNELS": "C0123, D0456", "KEYREEVE_SLACK_NOTICE_CHANNEL": "C0123", "KEYREEVE_APPROVERS": "self",
		}},
		"notify":                {app.NewNotify, map[string]string{"IONOS_TOKEN": "", "KEYREEVE_BUS": ""}},
		"notify with a token":   {app.NewNotify, map[string]string{"KEYREEVE_SLACK_BOT_TOKEN": bot}},
		"notify with a channel": {app.NewNotify, map[string]string{"KEYREEVE_SLACK_BOT_TOKEN": bot, "KEYREEVE_SLACK_NOTICE_CHANNEL": "C0123"}},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, frontDoor(t, test.changes))
			if _, err := test.start(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheFunctionsForSlackNameWhatIsWrong(t *testing.T) {
	const canary = "canary-77d0"
	for name, test := range map[string]struct {
		start   func(context.Context) (lambda.Handler, error)
		changes map[string]string
		want    []string
	}{
		"no signing secret":      {app.NewChatOps, nil, []string{"KEYREEVE_SLACK_SIGNING_SECRET is missing"}},
		"a short secret":         {app.NewChatOps, map[string]string{"KEYREEVE_SLACK_SIGNING_SECRET": canary}, []string{"KEYREEVE_SLACK_SIGNING_SECRET: ", "item 1"}},
		"an empty second secret": {app.NewChatOps, map[string]string{"KEYREEVE_SLACK_SIGNING_SECRET": canary + canary + ","}, []string{"KEYREEVE_SLACK_SIGNING_SECRET: ", "item 2"}},
		"a channel's name":       {app.NewChatOps, map[string]string{"KEYREEVE_SLACK_COMMAND_CHANNELS": "C0123,#keys"}, []string{"KEYREEVE_SLACK_COMMAND_CHANNELS", "item 2"}},
		"somebody who approves":  {app.NewChatOps, map[string]string{"KEYREEVE_APPROVERS": "alice@example.com"}, []string{"KEYREEVE_APPROVERS must be self, or nothing"}},
		"no bus, and no IONOS":   {app.NewChatOps, map[string]string{"KEYREEVE_BUS": "", "IONOS_TOKEN": ""}, []string{"KEYREEVE_BUS is missing", "IONOS_TOKEN", "KEYREEVE_SLACK_SIGNING_SECRET is missing"}},
		"notices and no token":   {app.NewNotify, map[string]string{"KEYREEVE_SLACK_NOTICE_CHANNEL": "C0123"}, []string{"KEYREEVE_SLACK_BOT_TOKEN is missing, for KEYREEVE_SLACK_NOTICE_CHANNEL"}},
		"notices for a name":     {app.NewNotify, map[string]string{"KEYREEVE_SLACK_NOTICE_CHANNEL": "#keys"}, []string{"KEYREEVE_SLACK_NOTICE_CHANNEL must be the id of one channel"}},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, frontDoor(t, test.changes))
			_, err := test.start(t.Context())
			wantNamed(t, err, canary, test.want)
		})
	}
}

// TestWhoApproves runs the whole function, from what somebody types to the request on the bus.
func TestWhoApproves(t *testing.T) {
	for name, test := range map[string]struct {
		changes  map[string]string
		by, says string
		requests int
	}{
		"who asked":                       {nil, "U0OLGA", "a second person must approve", 0},
		"another":                         {nil, "U0OTTO", "Approved by", 1},
		"who asked, where they may":       {map[string]string{"KEYREEVE_APPROVERS": "self"}, "U0OLGA", "Approved by", 1},
		"nobody, in a channel for others": {map[string]string{"KEYREEVE_SLACK_COMMAND_CHANNELS": "C0OTHERS"}, "", "takes no commands in this channel", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newChat(t, test.changes)
			if _, err := w.slack.Type(t.Context(), "U0OLGA", "C0KEYS", "deactivate bob@example.com moved --override last_active_key"); err != nil {
				t.Fatal(err)
			}
			w.carry()
			if test.by != "" {
				shown := w.slack.Shown()
				if _, err := w.slack.Press(t.Context(), test.by, len(shown)-1, "approve", 0); err != nil {
					t.Fatal(err)
				}
				w.carry()
			}
			said, err := json.Marshal(w.slack.Shown())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(said), test.says) || len(w.taken.Requests()) != test.requests {
				t.Errorf("%d requests, and shown %s; want %d, and %q", len(w.taken.Requests()), said, test.requests, test.says)
			}
		})
	}
}

// chat is the function for Slack, with Slack, IONOS and the bus around it.
type chat struct {
	t       *testing.T
	handler lambda.Handler
	slack   *slacktest.Slack
	taken   *bustest.Bus
	carried int
}

func newChat(t *testing.T, changes map[string]string) *chat {
	t.Helper()
	w := &chat{t: t, taken: new(bustest.Bus)}
	serve := func(handler http.Handler) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	ionos := new(ionostest.Server)
	for _, administrator := range []string{"olga@example.com", "otto@example.com"} {
		ionos.AddUser(ionostest.User{Email: administrator, Administrator: true})
	}
	ionos.AddKey(ionos.AddUser(ionostest.User{Email: "bob@example.com"}).ID, ionostest.Key{ID: "00000000000000000001", Active: true})
	door := serve(http.HandlerFunc(w.forward))
	w.slack = slacktest.New(slacktest.Config{
		Token: bot, SigningSecret: signing, Team: "T0HERE", Clock: time.Now, Commands: door + "/slack/commands", Actions: door + "/slack/actions",
		Users: []slacktest.User{{ID: "U0OLGA", Name: "olga", Email: "olga@example.com"}, {ID: "U0OTTO", Name: "otto", Email: "otto@example.com"}},
	})
	environment := frontDoor(t, map[string]string{
		"IONOS_API_URL": serve(ionos), "AWS_ENDPOINT_URL_EVENTBRIDGE": serve(w.taken), "KEYREEVE_SLACK_ENDPOINT": serve(w.slack),
		"KEYREEVE_SLACK_SIGNING_SECRET": signing, "KEYREEVE_SLACK_BOT_TOKEN": bot, "KEYREEVE_LOG_LEVEL": "error",
	})
	maps.Copy(environment, changes)
	setenv(t, environment)
	handler, err := app.NewChatOps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.handler = handler
	return w
}

// forward calls the function as API Gateway does.
func (w *chat) forward(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
	}
	var answer events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(w.invoke(r.Context(), call(r.Method, r.URL.Path, string(body), r.Header)), &answer); err != nil {
		w.t.Error(err)
	}
	rw.WriteHeader(answer.StatusCode)
	_, _ = io.WriteString(rw, answer.Body) // a caller who has gone will say so
}

// carry delivers what was put on the bus for the function itself.
func (w *chat) carry() {
	w.t.Helper()
	for _, message := range w.taken.Chat()[w.carried:] {
		w.carried++
		event, err := json.Marshal(events.EventBridgeEvent{ID: "e1", Source: "keyreeve", DetailType: "Chat Message Received", Detail: message})
		if err != nil {
			w.t.Fatal(err)
		}
		answer := w.invoke(w.t.Context(), events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m1", Body: string(event)}}})
		if got, want := string(answer), `{"batchItemFailures":[]}`; got != want {
			w.t.Fatalf("answered %s, want %s", got, want)
		}
	}
}

func (w *chat) invoke(ctx context.Context, event any) []byte {
	payload, err := json.Marshal(event)
	if err != nil {
		w.t.Error(err)
	}
	answer, err := w.handler.Invoke(ctx, payload)
	if err != nil {
		w.t.Error(err)
	}
	return answer
}
