package chatops_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/signature/signaturetest"
)

const hook = "https://hooks.slack.com/commands/T0HERE/1/abc"

// command is the form of a slash command.
func command(text string, change ...string) url.Values {
	form := url.Values{
		"team_id": {"T0HERE"}, "channel_id": {room}, "user_id": {olga}, "command": {"/keys"}, "text": {text}, "response_url": {hook},
	}
	for i := 0; i+1 < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}

// action is the form of a press of a button.
func action(payload string) url.Values { return url.Values{"payload": {payload}} }

const press = `{"type":"block_actions","user":{"id":"U0OLGA"},"team":{"id":"T0HERE"},"channel":{"id":"C0KEYS"},` +
	`"response_url":"` + hook + `","actions":[{"type":"button","action_id":"cancel","value":"x"}]}`

// call hands a form to the door, signed as Slack does at the time unless change spoils it.
func (w *world) call(method, path string, form url.Values, at time.Time, change func(http.Header) (body string)) *httptest.ResponseRecorder {
	w.t.Helper()
	body := form.Encode()
	header := signaturetest.Sign("slack", signed, at, "", []byte(body))
	if change != nil {
		if spoilt := change(header); spoilt != "" {
			body = spoilt
		}
	}
	request := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	request.Header = header
	answer := httptest.NewRecorder()
	w.door.ServeHTTP(answer, request)
	return answer
}

// What Slack did not sign, and just now, is answered alike whatever is wrong, and goes nowhere.
func TestForgedAndLateCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var refusals []string
	for name, tt := range map[string]struct {
		at     time.Duration
		change func(http.Header) string
	}{
		"another secret": {0, func(h http.Header) string {
			forged := signaturetest.Sign("slack", "another-secret-of-somebody", w.now(), "", []byte(command("help").Encode()))
			h.Set("X-Slack-Signature", forged.Get("X-Slack-Signature"))
			return ""
		}},
		"another body":           {0, func(http.Header) string { return command("offboard alice@example.com").Encode() }},
		"no signature":           {0, func(h http.Header) string { h.Del("X-Slack-Signature"); return "" }},
		"no time":                {0, func(h http.Header) string { h.Del("X-Slack-Request-Timestamp"); return "" }},
		"another time":           {0, func(h http.Header) string { h.Set("X-Slack-Request-Timestamp", "1795348801"); return "" }},
		"two signatures":         {0, func(h http.Header) string { h.Add("X-Slack-Signature", h.Get("X-Slack-Signature")); return "" }},
		"too old":                {-301 * time.Second, nil},
		"too far in the future":  {301 * time.Second, nil},
		"as old as it may be":    {-300 * time.Second, nil},
		"a signature of nothing": {0, func(h http.Header) string { h.Set("X-Slack-Signature", "v0="); return "" }},
	} {
		for path, form := range map[string]url.Values{"/slack/commands": command("alice@example.com"), "/slack/actions": action(press)} {
			got := w.call(http.MethodPost, path, form, w.now().Add(tt.at), tt.change)
			if name == "as old as it may be" {
				if got.Code != http.StatusOK {
					t.Errorf("%s, %s: %d %s, want 200", path, name, got.Code, got.Body)
				}
				continue
			}
			if got.Code != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d %s, want 401", path, name, got.Code, got.Body)
			}
			refusals = append(refusals, got.Body.String())
		}
	}
	if slices.Sort(refusals); len(slices.Compact(refusals)) != 1 {
		t.Errorf("the refusals differ: %q", slices.Compact(refusals))
	}
	if got := len(w.bus.Chat()); got != 2 {
		t.Errorf("%d messages on the bus, want the two that are genuine", got)
	}
}

// A call that is played back while its signature still holds is answered as it was, and does nothing more.
func TestReplays(t *testing.T) {
	t.Parallel()
	for path, form := range map[string]url.Values{"/slack/commands": command("alice@example.com"), "/slack/actions": action(press)} {
		w := newWorld(t)
		first := w.call(http.MethodPost, path, form, w.now(), nil)
		again := w.call(http.MethodPost, path, form, w.now(), nil)
		if again.Code != http.StatusOK || again.Body.String() != first.Body.String() {
			t.Errorf("%s: answered %d %q, then %d %q", path, first.Code, first.Body, again.Code, again.Body)
		}
		if got := len(w.bus.Chat()); got != 1 {
			t.Errorf("%s: %d messages on the bus, want 1", path, got)
		}
	}
}

// Where the memory fails, what is played back asks for what was asked then: its request is that of the same event.
func TestReplaysThatAreForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.door.Repeats.Memory = forgetful{}
	signedAt := w.now()
	for range 2 {
		w.call(http.MethodPost, "/slack/commands", command("alice@example.com"), signedAt, nil)
		w.pass(2 * time.Minute)
	}
	if got := w.bus.Chat(); len(got) != 2 || string(got[0]) != string(got[1]) {
		t.Errorf("on the bus: %s", got)
	}
}

func TestTheDoor(t *testing.T) {
	t.Parallel()
	noChannel := strings.Replace(press, "C0KEYS", "", 1)
	for name, tt := range map[string]struct {
		method, path string
		form         url.Values
		status       int
		says         string
		taken        int
	}{
		"a command":                     {"POST", "/slack/commands", command("alice@example.com"), 200, "Looking up the access keys of alice@example.com", 1},
		"a button":                      {"POST", "/slack/actions", action(press), 200, "", 1},
		"help":                          {"POST", "/slack/commands", command("help"), 200, "/keys deactivate", 0},
		"an error":                      {"POST", "/slack/commands", command("deactivat alice@example.com"), 200, "Did you mean", 0},
		"another path":                  {"POST", "/slack/events", command("help"), 404, "", 0},
		"a path below":                  {"POST", "/slack/commands/", command("help"), 404, "", 0},
		"another method":                {"GET", "/slack/commands", command("help"), 405, "", 0},
		"an answer elsewhere":           {"POST", "/slack/commands", command("alice@example.com", "response_url", "https://hooks.slack.com.example.com/x"), 400, "hooks.slack.com", 0},
		"an answer in the clear":        {"POST", "/slack/commands", command("alice@example.com", "response_url", "http://hooks.slack.com/x"), 400, "hooks.slack.com", 0},
		"an answer inside":              {"POST", "/slack/commands", command("alice@example.com", "response_url", "https://169.254.169.254/latest"), 400, "hooks.slack.com", 0},
		"an answer nowhere":             {"POST", "/slack/commands", command("alice@example.com", "response_url", ""), 400, "hooks.slack.com", 0},
		"a button's answer elsewhere":   {"POST", "/slack/actions", action(strings.Replace(press, hook, "https://example.com/x", 1)), 400, "hooks.slack.com", 0},
		"nobody":                        {"POST", "/slack/commands", command("alice@example.com", "user_id", ""), 400, "", 0},
		"a button from nowhere":         {"POST", "/slack/actions", action(noChannel), 400, "", 0},
		"a payload that is none":        {"POST", "/slack/actions", action("{"), 400, "", 0},
		"no payload":                    {"POST", "/slack/actions", command("help"), 400, "", 0},
		"another interaction":           {"POST", "/slack/actions", action(`{"type":"view_closed","user":{"id":"U0OLGA"}}`), 200, "", 0},
		"another element than a button": {"POST", "/slack/actions", action(strings.Replace(press, `"type":"button"`, `"type":"static_select"`, 1)), 200, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			got := w.call(tt.method, tt.path, tt.form, w.now(), nil)
			if got.Code != tt.status || !strings.Contains(got.Body.String(), tt.says) {
				t.Errorf("answered %d %s, want %d with %q", got.Code, got.Body, tt.status, tt.says)
			}
			if tt.status == http.StatusOK && tt.says != "" && !strings.Contains(got.Body.String(), `"response_type":"ephemeral"`) {
				t.Errorf("everybody would see %s", got.Body)
			}
			if taken := len(w.bus.Chat()); taken != tt.taken {
				t.Errorf("%d messages on the bus, want %d", taken, tt.taken)
			}
		})
	}
}

func TestChannels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.door.Channels = []string{"C0OPS", "C0KEYS"}
	if got := w.call(http.MethodPost, "/slack/commands", command("alice@example.com"), w.now(), nil); len(w.bus.Chat()) != 1 {
		t.Errorf("in an allowed channel: %d %s", got.Code, got.Body)
	}
	got := w.call(http.MethodPost, "/slack/commands", command("bob@example.com", "channel_id", "C0RANDOM"), w.now(), nil)
	if body, err := io.ReadAll(got.Body); err != nil || got.Code != http.StatusOK || !strings.Contains(string(body), `\u003c#C0OPS\u003e or \u003c#C0KEYS\u003e`) {
		t.Errorf("elsewhere: %d %s, %v", got.Code, body, err)
	}
	if got := w.call(http.MethodPost, "/slack/actions", action(strings.Replace(press, "C0KEYS", "C0RANDOM", 1)), w.now(), nil); got.Code != http.StatusForbidden {
		t.Errorf("a button elsewhere: %d %s, want 403", got.Code, got.Body)
	}
	if got := len(w.bus.Chat()); got != 1 {
		t.Errorf("%d messages on the bus, want 1", got)
	}
}

// Only what the bus did not take is answered 5xx, and then it may be sent again.
func TestTheBusRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bus.Refuse()
	got := w.call(http.MethodPost, "/slack/commands", command("alice@example.com"), w.now(), nil)
	if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d %s", got.Code, got.Body)
	}
	if seen, err := w.ledger.Seen(t.Context(), "anything"); err != nil || seen {
		t.Errorf("remembered: %t, %v", seen, err)
	}
}
