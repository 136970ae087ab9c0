package main_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/ionos/ionostest"
)

// responseURL is an address that Slack has, and that takes no answers.
const responseURL = "https://hooks.slack.com/commands/T0/0/gone"

// typed is the form of a command.
func typed(name, text, answerAt string) url.Values {
	return url.Values{
		"command": {"/keys"}, "text": {text}, "user_id": {inSlack(name)}, "team_id": {"T0"}, "channel_id": {commandChannel}, "response_url": {answerAt},
	}
}

// pressedButton is the form of a button that was pressed, of a question that was made for it.
func pressedButton(t *testing.T, name, value, answerAt string) url.Values {
	t.Helper()
	payload := map[string]any{
		"type": "block_actions", "user": map[string]any{"id": inSlack(name)}, "channel": map[string]any{"id": commandChannel},
		"response_url": answerAt, "actions": []any{map[string]any{"type": "button", "action_id": "approve", "value": value}},
	}
	return url.Values{"payload": {encoded(t, payload)}}
}

// slackSender is Slack as one of the senders: what it says makes all keys of a person inactive.
func slackSender(path string, form func(user ionostest.User, name string) url.Values) sender {
	return sender{name: "slack", window: 5 * time.Minute, status: http.StatusOK, says: func(user ionostest.User, name string) call {
		// A colon may stand as it is in a form, and is where the tests put another byte.
		c := post(path, form(user, name).Encode()+"&note=a:b")
		c.header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		return c
	}}
}

// everyCommand holds a slash command against all that may be wrong with a call of Slack's.
func everyCommand(w *workspace) {
	w.everyCall("command", slackSender("/slack/commands", func(user ionostest.User, _ string) url.Values {
		return typed("operator", "offboard "+user.Email, responseURL)
	}))
}

// everyButton does so with an approval: who can forge one needs nobody else.
func everyButton(w *workspace) {
	w.everyCall("button", slackSender("/slack/actions", func(user ionostest.User, name string) url.Values {
		var keys []string
		for _, k := range w.contract.Keys(user.ID) {
			keys = append(keys, k.ID)
		}
		return pressedButton(w.t, "otto", asked(name, user.ID, keys, time.Minute).seal(w.t, secret("slack", "new"), approvals), responseURL)
	}))
}

func (w *workspace) everyCall(kind string, s sender) {
	w.t.Helper()
	var refusals []reply
	for _, a := range s.attempts() {
		name := kind + "-" + strings.ToLower(strings.ReplaceAll(a.name, " ", "-"))
		user, _ := w.person(name, 2)
		c := a.make(s.says(user, name))
		if a.taken {
			w.takes(s, a, c, user)
			continue
		}
		before := len(w.slack.Calls())
		got := w.refuses(a, c, user)
		want(w.t, a.name+": calls of Slack", len(w.slack.Calls())-before, 0)
		got.header.Del("Date")
		refusals = append(refusals, got)
		if diff := cmp.Diff(refusals[0], got, cmp.AllowUnexported(reply{})); diff != "" {
			w.t.Errorf("%s: the answer next to that of another refusal (-that +this):\n%s", a.name, diff)
		}
	}
	if len(refusals) < 8 {
		w.t.Errorf("%d calls were refused, want one for each thing that may be wrong", len(refusals))
	}
}

// elsewhere returns addresses that are not Slack's, by what is odd about them, and reports at the end of the test if
// somebody called the one of them that takes calls.
func elsewhere(t *testing.T) map[string]string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan struct{})
	go func() {
		if _, err := listener.Accept(); err == nil {
			close(called)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		select {
		case <-called:
			t.Error("somebody called an address that is not Slack's")
		default:
		}
	})
	host := listener.Addr().String()
	return map[string]string{
		"another host":       "https://hooks.example.com/commands/T0/1/x",
		"a host that begins": "https://hooks.slack.com.example.com/commands/T0/1/x",
		"http":               "http://hooks.slack.com/commands/T0/1/x",
		"user information":   "https://hooks.slack.com@" + host + "/commands/T0/1/x",
		"a user":             "https://somebody@hooks.slack.com/commands/T0/1/x",
		"an IP address":      "https://" + host + "/commands/T0/1/x",
		"that by http":       "http://" + host + "/commands/T0/1/x",
		"a port":             "https://hooks.slack.com:8443/commands/T0/1/x",
		"nothing":            "",
	}
}

// responseURLElsewhere has Slack, as it seems, send response_urls that are not its own.
func responseURLElsewhere(w *workspace) {
	user, keys := w.person("elsa", 2)
	for name, address := range elsewhere(w.t) {
		token := asked("elsewhere", user.ID, keys, time.Minute).seal(w.t, secret("slack", "new"), approvals)
		for path, form := range map[string]url.Values{
			"/slack/commands": typed("operator", "deactivate "+user.Email+" "+keys[0], address),
			"/slack/actions":  pressedButton(w.t, "otto", token, address),
		} {
			what := name + " at " + path
			calls, requested, said := len(w.contract.Calls()), w.requested(), len(w.slack.Calls())
			got := w.deliver(signed(path, form, time.Now()))
			w.idle()
			want(w.t, what+": status", got.status, http.StatusBadRequest)
			if !strings.Contains(got.body, "https://hooks.slack.com/") || address != "" && strings.Contains(got.body, address) {
				w.t.Errorf("%s: it is told %s", what, got.body)
			}
			want(w.t, what+": messages on the bus", w.requested()-requested, 0)
			want(w.t, what+": calls to IONOS", len(w.contract.Calls())-calls, 0)
			want(w.t, what+": calls of Slack", len(w.slack.Calls())-said, 0)
		}
	}
	want(w.t, "keys", w.active(user), map[string]bool{keys[0]: true, keys[1]: true})
}

// requestAnsweredElsewhere puts requests on the bus whose outcome is to be told to somebody else.
func requestAnsweredElsewhere(w *workspace) {
	user, keys := w.person("elsewhere-request", 2)
	for name, address := range elsewhere(w.t) {
		if address == "" {
			continue
		}
		calls, said := len(w.contract.Calls()), len(w.slack.Calls())
		outcomes, dead := w.event("script", "Key Operation Requested",
			fmt.Sprintf(`{"action":"deactivate","user":%q,"keys":[%q],"replyTo":{"slack":%q}}`, user.Email, keys[0], address))
		want(w.t, name+": outcomes and dead letters", []int{len(outcomes), dead}, []int{0, 1})
		_, waiting := w.queue("DeactivateDeadLetters")
		letter := waiting[len(waiting)-1]
		want(w.t, name+": kind", letter.Attributes["Kind"], "invalid")
		if why := letter.Attributes["Why"]; !strings.Contains(why, "replyTo.slack must be an https address on hooks.slack.com") {
			w.t.Errorf("%s: the letter says %q", name, why)
		}
		want(w.t, name+": calls to IONOS", len(w.contract.Calls())-calls, 0)
		want(w.t, name+": calls of Slack", len(w.slack.Calls())-said, 0)
	}
	want(w.t, "keys", w.active(user), map[string]bool{keys[0]: true, keys[1]: true})
}

// outcomeAnsweredElsewhere puts outcomes on the bus, as Keyreeve does, that are to be told to somebody else.
func outcomeAnsweredElsewhere(w *workspace) {
	for name, address := range elsewhere(w.t) {
		if address == "" {
			continue
		}
		before := w.answers()
		_, dead := w.event("keyreeve", "Key Operation Finished", fmt.Sprintf(`{"id":"finished elsewhere, %s","action":"deactivate",
			"user":{"email":"nobody@example.com"},"keys":[{"id":"k","outcome":"changed"}],"actor":{"kind":"system"},"replyTo":{"slack":%q}}`, name, address))
		want(w.t, name+": dead letters", dead, 1)
		want(w.t, name+": answers", w.answers()-before, 0)
	}
	for _, letter := range w.deadLetters("chat") {
		if !strings.Contains(letter, "finished elsewhere, ") {
			w.t.Errorf("there is another dead letter: %s", letter)
		}
	}
}

// answers returns how often something was posted to a response_url.
func (w *workspace) answers() int {
	count := 0
	for _, c := range w.slack.Calls() {
		if strings.Contains(c, "hooks.slack.com") {
			count++
		}
	}
	return count
}
