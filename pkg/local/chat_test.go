package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/slackapi/slacktest"
)

// The channels of the test's workspace: where people type commands, and where everybody hears of changes.
const (
	commandChannel = "C0KEYS"
	newsChannel    = "C0NEWS"

	everybody = ""
)

// workspace is a laptop with people in Slack, where the test can look at all that they see.
type workspace struct {
	*laptop

	slack *slacktest.Slack
	line  *line
	// down tells that IONOS cannot be reached.
	down *atomic.Bool
	// refused is how much Slack had refused before this part of the test.
	refused int
}

// line is how Slack reaches the laptop. It keeps the last call, to be made again.
type line struct {
	host string // and port, of the laptop
	last call
}

// RoundTrip makes the call at the laptop.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	l.last = call{r.Method, r.URL.Path, r.Header.Clone(), string(body)}
	there := r.Clone(r.Context())
	there.URL.Host, there.Host, there.Body = l.host, l.host, io.NopCloser(bytes.NewReader(body))
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(there)
}

// inSlack is the id in Slack of the person of that name.
func inSlack(name string) string { return "U0" + strings.ToUpper(name) }

// startWorkspace runs the program with a workspace that has people of these names in it, and two administrators:
// operator and otto.
func startWorkspace(t *testing.T, names []string, variables ...string) *workspace {
	t.Helper()
	w := &workspace{line: new(line), down: new(atomic.Bool)}
	config := slacktest.Config{
		Token: "bot-token", SigningSecret: secret("slack", "new"), Team: "T0", Channels: []string{commandChannel, newsChannel},
		Clock: time.Now, Commands: "http://keyreeve.example.com/slack/commands", Actions: "http://keyreeve.example.com/slack/actions",
		Transport: w.line,
	}
	for _, name := range append(names, "operator", "otto") {
		config.Users = append(config.Users, slacktest.User{ID: inSlack(name), Name: name, Email: email(name)})
	}
	w.slack = slacktest.New(config)
	server := httptest.NewServer(w.slack)
	t.Cleanup(server.Close)
	w.laptop = startLaptop(t, new(ionostest.Server), append([]string{
		"KEYREEVE_SLACK_ENDPOINT=" + server.URL, "KEYREEVE_SLACK_BOT_TOKEN=" + config.Token,
		"KEYREEVE_SLACK_SIGNING_SECRET=" + secret("slack", "new") + "," + secret("slack", "old"),
		"KEYREEVE_SLACK_NOTICE_CHANNEL=" + newsChannel, "LOCAL_RETRY=10ms",
	}, variables...)...)
	w.line.host = strings.TrimPrefix(w.address, "http://")
	w.contract.AddUser(ionostest.User{Email: email("otto"), Administrator: true})
	w.contract.Fault = func(r *http.Request) ionostest.Fault {
		if w.down.Load() {
			return ionostest.Status(http.StatusServiceUnavailable, time.Hour) // nobody waits for that
		}
		return w.effects.plan(r)
	}
	return w
}

// during returns the workspace for a part of the test.
func (w *workspace) during(t *testing.T) *workspace {
	t.Helper()
	mine, l := *w, *w.laptop
	mine.laptop, l.t, mine.refused = &l, t, len(w.slack.Refused())
	return &mine
}

// types lets somebody type /keys and the text, and returns what is shown in that channel until all is done, without the
// acknowledgement.
func (w *workspace) types(name, text string) []slacktest.Shown {
	w.t.Helper()
	_, told := w.commands(name, text)
	return told
}

// commands is types, with the acknowledgement, which only the asker sees.
func (w *workspace) commands(name, text string) (acknowledged slacktest.Shown, told []slacktest.Shown) {
	w.t.Helper()
	before := len(w.slack.Shown())
	got, err := w.slack.Type(w.t.Context(), inSlack(name), commandChannel, text)
	w.answered(got, err)
	shown := w.shownSince(before, commandChannel)
	// It need not come first: it is on its way while others are at work.
	answer := decode[struct {
		Text string `json:"text"`
	}](w.t, got.Body).Text
	i := slices.IndexFunc(shown, func(m slacktest.Shown) bool { return m.Text == answer && m.To == inSlack(name) })
	if i < 0 {
		w.t.Fatalf("%s is not told %q", name, answer)
	}
	return shown[i], slices.Delete(slices.Clone(shown), i, i+1)
}

// presses lets somebody press the first button with that action in a message, and returns what is shown because of it.
func (w *workspace) presses(name string, m slacktest.Shown, action string) []slacktest.Shown {
	w.t.Helper()
	before := len(w.slack.Shown())
	w.answered(w.slack.Press(w.t.Context(), inSlack(name), m.Index, action, 0))
	return w.shownSince(before, commandChannel)
}

// answered makes sure that Slack got its answer in time. It waits three seconds; these functions have been called before.
func (w *workspace) answered(got slacktest.Answer, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	want(w.t, "status", got.Status, http.StatusOK)
	if got.Took >= time.Second {
		w.t.Errorf("Slack waited %v for an answer, want less than a second", got.Took)
	}
}

// shownSince waits until all is done, and returns the messages of a channel but for those first ones.
func (w *workspace) shownSince(first int, channel string) []slacktest.Shown {
	w.t.Helper()
	w.idle()
	return slices.DeleteFunc(w.slack.Shown()[first:], func(m slacktest.Shown) bool { return m.Channel != channel })
}

// one returns the only message. It makes sure who sees it, the person of that name or everybody, and that it says so much.
func (w *workspace) one(what string, messages []slacktest.Shown, reader string, parts ...string) slacktest.Shown {
	w.t.Helper()
	if len(messages) != 1 {
		w.t.Fatalf("%s: %d messages, want 1: %v", what, len(messages), readAll(w.t, messages))
	}
	to := ""
	if reader != everybody {
		to = inSlack(reader)
	}
	want(w.t, what+": who sees it", messages[0].To, to)
	w.says(what, messages[0], parts...)
	return messages[0]
}

// none makes sure that there are no messages.
func (w *workspace) none(what string, messages []slacktest.Shown) {
	w.t.Helper()
	if len(messages) > 0 {
		w.t.Errorf("%s: %q", what, readAll(w.t, messages))
	}
}

// read returns the text of a message as people see it, a line for each block, and the action ids of its buttons.
func read(t *testing.T, m slacktest.Shown) (text string, buttons []string) {
	t.Helper()
	if len(m.Blocks) == 0 {
		return m.Text, nil
	}
	var lines []string
	for _, b := range decode[[]struct {
		Text struct {
			Text string `json:"text"`
		} `json:"text"`
		Elements []struct {
			ActionID string          `json:"action_id"`
			Text     json.RawMessage `json:"text"`
		} `json:"elements"`
	}](t, string(m.Blocks)) {
		if b.Text.Text != "" {
			lines = append(lines, b.Text.Text)
		}
		for _, e := range b.Elements {
			if e.ActionID != "" {
				buttons = append(buttons, e.ActionID)
			} else {
				lines = append(lines, decode[string](t, string(e.Text)))
			}
		}
	}
	return strings.Join(lines, "\n"), buttons
}

func readAll(t *testing.T, messages []slacktest.Shown) []string {
	t.Helper()
	var texts []string
	for _, m := range messages {
		text, _ := read(t, m)
		texts = append(texts, text)
	}
	return texts
}

// says makes sure that a message holds each of the parts.
func (w *workspace) says(what string, m slacktest.Shown, parts ...string) {
	w.t.Helper()
	text, _ := read(w.t, m)
	for _, part := range parts {
		if !strings.Contains(text, part) {
			w.t.Errorf("%s does not say %q:\n%s", what, part, text)
		}
	}
}

// offers makes sure that a message has those buttons, in that order.
func (w *workspace) offers(what string, m slacktest.Shown, actions ...string) {
	w.t.Helper()
	_, buttons := read(w.t, m)
	want(w.t, what+": buttons", buttons, actions)
}

// nothingRefused makes sure that Slack took all that it was sent.
func (w *workspace) nothingRefused() {
	w.t.Helper()
	if refused := w.slack.Refused()[w.refused:]; len(refused) > 0 {
		w.t.Errorf("Slack refused %q", refused)
	}
}

// TestSlack drives everything that people do in Slack through one running program; each part has people of its own.
func TestSlack(t *testing.T) {
	t.Parallel()
	parts := map[string]func(*workspace){
		"a command":                     aCommand,
		"a list with buttons":           aList,
		"no administrator":              noAdministrator,
		"a refusal, and its override":   refusedAndOverridden,
		"a deletion approved":           deletionApproved,
		"approved by the owner":         approvedByTheOwner,
		"approved by several at once":   approvedAtOnce,
		"a question cancelled":          questionCancelled,
		"approvals that were tampered":  tamperedApprovals,
		"IONOS is down":                 givenUp,
		"every command":                 everyCommand,
		"every button":                  everyButton,
		"a response_url elsewhere":      responseURLElsewhere,
		"a request that answers there":  requestAnsweredElsewhere,
		"an outcome that answers there": outcomeAnsweredElsewhere,
	}
	names := []string{"wendy", "bella", "mallory", "victor", "rufus", "carol", "alice", "ada", "dora", "paul", "tamara", "gina", "elsa"}
	w := startWorkspace(t, names, "KEYREEVE_DELETE_GRACE=1ms", "LOCAL_WINDOW=20ms")
	w.types("operator", "help")
	for name, part := range parts {
		t.Run(name, func(t *testing.T) { part(w.during(t)) })
	}
}

// aCommand deactivates a key, and looks what everybody is told, and what is remembered.
func aCommand(w *workspace) {
	user, keys := w.person("wendy", 2)
	acknowledged, told := w.commands("operator", "deactivate "+user.Email+" "+keys[0]+" laptop stolen")
	w.says("the acknowledgement", acknowledged, "deactivate", "1 access key", user.Email)
	w.one("the outcome", told, everybody, "*Deactivated* 1 access key of "+user.Email, keys[0], "Asked by operator@example.com", "laptop stolen")
	want(w.t, "keys", w.active(user), map[string]bool{keys[0]: false, keys[1]: true})
	want(w.t, "writes that took effect", w.effects.of(keys[0]), []string{"off"})

	_, answer := w.call(http.MethodGet, "/v1/users/"+user.Email+"/keys", user.Email, "")
	type change struct {
		Action string            `json:"action"`
		Reason string            `json:"reason"`
		Source string            `json:"source"`
		Actor  map[string]string `json:"actor"`
	}
	remembered := decode[struct {
		Keys []struct {
			LastChange *change `json:"lastChange"`
		} `json:"keys"`
	}](w.t, answer).Keys[0].LastChange
	want(w.t, "what is remembered", remembered, &change{
		"deactivate", "laptop stolen", "slack", map[string]string{"kind": "chatops", "name": inSlack("operator"), "email": "operator@example.com"},
	})
	w.nothingRefused()
}

// aList shows keys with the buttons that the guard allows, and works them.
func aList(w *workspace) {
	user, keys := w.person("bella", 2)
	w.contract.SwitchKey(user.ID, keys[0], false)
	list := func(what string) slacktest.Shown {
		return w.one(what, w.types("operator", user.Email), "operator", "*2 access keys of "+user.Email+"*", keys[0], keys[1])
	}
	first := list("the list")
	w.offers("the list", first, "activate") // none below the last active key, and nobody knows since when the other is off
	w.one("what became of it", w.presses("operator", first, "activate"), everybody,
		"*Activated* 1 access key of "+user.Email, keys[0], "Asked by operator@example.com")
	want(w.t, "keys after it", w.active(user), map[string]bool{keys[0]: true, keys[1]: true})

	second := list("the next list")
	w.offers("the next list", second, "deactivate", "deactivate")
	w.one("what became of that", w.presses("operator", second, "deactivate"), everybody,
		"*Deactivated* 1 access key of "+user.Email, keys[0])
	want(w.t, "keys in the end", w.active(user), map[string]bool{keys[0]: false, keys[1]: true})

	// The second list is out of date: the other key is the last active one.
	before := len(w.slack.Shown())
	w.answered(w.slack.Press(w.t.Context(), inSlack("operator"), second.Index, "deactivate", 1))
	w.one("a button that is out of date", w.shownSince(before, commandChannel), everybody, "*Refused to deactivate*", "the last active key")
	want(w.t, "keys after a button that is out of date", w.active(user), map[string]bool{keys[0]: false, keys[1]: true})

	third := list("the last list")
	w.offers("the last list", third, "activate", "delete")
	w.offers("the question", w.one("the question", w.presses("operator", third, "delete"), everybody, keys[0]), "approve", "cancel")
	want(w.t, "writes that took effect", w.effects.of(keys[0]), []string{"on", "off"})
	w.nothingRefused()
}

// noAdministrator tries what one may not do with the keys of others, and does it with their own.
func noAdministrator(w *workspace) {
	mallory, own := w.person("mallory", 2)
	victor, keys := w.person("victor", 2)
	w.contract.SwitchKey(victor.ID, keys[0], false)
	before := len(w.slack.Shown())
	w.one("a list", w.types("mallory", victor.Email), "mallory", "neither the owner nor an administrator")
	for _, text := range []string{
		"deactivate " + victor.Email + " a grudge", "activate " + victor.Email, "delete " + victor.Email,
		"offboard " + victor.Email, "deactivate " + victor.Email + " --override last_active_key", "deactivate " + victor.Email + " --dry-run",
	} {
		reader := everybody
		if strings.Contains(text, "--dry-run") {
			reader = "mallory"
		}
		w.offers(text, w.one(text, w.types("mallory", text), reader, "efuse", victor.Email, "neither the owner nor an administrator"))
	}
	for _, text := range readAll(w.t, w.slack.Shown()[before:]) {
		if strings.Contains(text, keys[0]) || strings.Contains(text, keys[1]) {
			w.t.Errorf("a key of somebody else is shown:\n%s", text)
		}
	}
	want(w.t, "keys", w.active(victor), map[string]bool{keys[0]: false, keys[1]: true})

	list := w.one("a list of one's own", w.types("mallory", mallory.Email), "mallory")
	w.offers("a list of one's own", list, "deactivate", "deactivate")
	w.presses("mallory", list, "deactivate")
	want(w.t, "one's own keys", w.active(mallory), map[string]bool{own[0]: false, own[1]: true})

	// A button that otto sees and mallory does not, pressed as if it were there.
	w.presses("otto", w.one("otto's list", w.types("otto", victor.Email), "otto"), "activate")
	button := w.line.last
	w.types("otto", "deactivate "+victor.Email+" "+keys[0])
	w.one("otto's button", w.calls(button.by(w.t, "mallory")), everybody, "*Refused to activate*", "neither the owner nor an administrator")
	want(w.t, "writes to the key of otto's button", w.effects.of(keys[0]), []string{"on", "off"})
	w.nothingRefused()
}

// refusedAndOverridden is told how to get past a rule, and does, with the owner's approval.
func refusedAndOverridden(w *workspace) {
	user, keys := w.person("rufus", 1)
	w.one("the refusal", w.types("operator", "deactivate "+user.Email+" moved on"), everybody, "*Refused to deactivate*", "the last active key", "`--override last_active_key`")
	want(w.t, "keys", w.active(user), map[string]bool{keys[0]: true})

	question := w.one("the question", w.types("operator", "deactivate "+user.Email+" moved on --override last_active_key"), everybody,
		"overriding `last_active_key`", keys[0], "moved on")
	w.offers("the question", question, "approve", "cancel")
	want(w.t, "keys before it is approved", w.active(user), map[string]bool{keys[0]: true})
	w.one("the outcome", w.presses("rufus", question, "approve"), everybody,
		"*Deactivated* 1 access key", "overridden: last_active_key", "Asked by operator@example.com", "approved by "+user.Email)
	want(w.t, "keys in the end", w.active(user), map[string]bool{keys[0]: false})
	w.nothingRefused()
}

// givenUp has IONOS down for as long as anybody tries: whoever asked hears of that.
func givenUp(w *workspace) {
	user, keys := w.person("gina", 2)
	w.down.Store(true)
	defer w.down.Store(false)
	w.one("the outcome", w.types("operator", "deactivate "+user.Email+" "+keys[0]+" laptop stolen"), everybody,
		"*Gave up*", "could not deactivate access keys of "+user.Email, "IONOS", "Asked by operator@example.com", "laptop stolen")
	dead := w.deadLetters("deactivate")
	if len(dead) == 0 || !strings.Contains(dead[len(dead)-1], keys[0]) {
		w.t.Errorf("dead letters: %q, want the request among them", dead)
	}
	w.one("a list", w.types("operator", user.Email), "operator", "IONOS")
	w.one("a deletion", w.types("operator", "delete "+user.Email+" "+keys[0]), "operator", "IONOS")
	want(w.t, "keys", w.active(user), map[string]bool{keys[0]: true, keys[1]: true})
	w.nothingRefused()
}
