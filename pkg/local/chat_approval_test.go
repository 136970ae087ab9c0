package main_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/errgroup"

	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/signature/signaturetest"
	"keyreeve/pkg/slackapi/slacktest"
)

// signed is the call of Slack with the form, as Slack signs it at that time.
func signed(path string, form url.Values, at time.Time) call {
	body := form.Encode()
	header := signaturetest.Sign("slack", secret("slack", "new"), at, "", []byte(body))
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	return call{http.MethodPost, path, header, body}
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pressed is a call that tells of a button with something changed, signed again: as if Slack had said so.
func (c call) pressed(t *testing.T, change func(payload map[string]any)) call {
	t.Helper()
	form, err := url.ParseQuery(c.body)
	if err != nil {
		t.Fatal(err)
	}
	payload := decode[map[string]any](t, form.Get("payload"))
	change(payload)
	form.Set("payload", encoded(t, payload))
	return signed(c.path, form, time.Now())
}

// by makes somebody else press the button.
func (c call) by(t *testing.T, name string) call {
	t.Helper()
	return c.pressed(t, func(payload map[string]any) { payload["user"] = map[string]any{"id": inSlack(name)} })
}

// with gives the button another value.
func (c call) with(t *testing.T, value string) call {
	t.Helper()
	return c.pressed(t, func(payload map[string]any) {
		payload["actions"] = []any{map[string]any{"type": "button", "action_id": "approve", "value": value}}
	})
}

// value returns that of the button.
func (c call) value(t *testing.T) string {
	t.Helper()
	form, err := url.ParseQuery(c.body)
	if err != nil {
		t.Fatal(err)
	}
	actions := decode[struct {
		Actions []struct {
			Value string `json:"value"`
		} `json:"actions"`
	}](t, form.Get("payload")).Actions
	if len(actions) != 1 {
		t.Fatalf("%d buttons are pressed, want 1", len(actions))
	}
	return actions[0].Value
}

// calls makes a call as Slack does, and returns what is shown because of it.
func (w *workspace) calls(c call) []slacktest.Shown {
	w.t.Helper()
	before := len(w.slack.Shown())
	want(w.t, "status", w.deliver(c).status, http.StatusOK)
	return w.shownSince(before, commandChannel)
}

// deletions returns how many calls there have been to delete the key.
func (w *workspace) deletions(key string) int {
	count := 0
	for _, c := range w.contract.Calls() {
		if c.Method == http.MethodDelete && strings.HasSuffix(c.Path, "/"+key) {
			count++
		}
	}
	return count
}

// deletable is a person with a key that may be deleted and one that is active.
func (w *workspace) deletable(name string) (user ionostest.User, keys []string) {
	w.t.Helper()
	user, keys = w.person(name, 2)
	w.types("operator", "deactivate "+user.Email+" "+keys[0])
	want(w.t, "writes before the question", w.effects.of(keys[0]), []string{"off"})
	return user, keys
}

// asks lets the operator ask to delete the key, and returns the question.
func (w *workspace) asks(address, key string) slacktest.Shown {
	w.t.Helper()
	question := w.one("the question", w.types("operator", "delete "+address+" "+key+" not needed"), everybody,
		"<@"+inSlack("operator")+">", "*delete* 1 access key of "+address, key, "not needed", "cannot be brought back")
	w.offers("the question", question, "approve", "cancel")
	want(w.t, "deletions before it is approved", w.deletions(key), 0)
	return question
}

// deletionApproved goes from a question to a key that is gone, once, past all who may not approve.
func deletionApproved(w *workspace) {
	user, keys := w.deletable("carol")
	question := w.asks(user.Email, keys[0])
	for name, why := range map[string]string{"operator": "You asked for this yourself", "paul": "neither the owner nor an administrator"} {
		w.one(name, w.presses(name, question, "approve"), name, why)
		want(w.t, name+": deletions", w.deletions(keys[0]), 0)
	}
	w.offers("the question that was not decided", w.slack.Shown()[question.Index], "approve", "cancel")

	w.one("the outcome", w.presses("otto", question, "approve"), everybody,
		"*Deleted* 1 access key of "+user.Email, keys[0], "Asked by operator@example.com", "approved by otto@example.com", "not needed")
	approval := w.line.last
	question = w.slack.Shown()[question.Index]
	w.says("the question that was decided", question, "Approved by <@"+inSlack("otto")+">", keys[0])
	w.offers("the question that was decided", question)

	w.none("messages because of the very same call", w.calls(approval))
	for _, name := range []string{"otto", "carol"} { // Both are answered where otto was, and only he sees it.
		w.one("the button again", w.calls(approval.by(w.t, name)), "otto", "approved or cancelled before")
	}
	want(w.t, "deletions", w.deletions(keys[0]), 1)
	want(w.t, "writes that took effect", w.effects.of(keys[0]), []string{"off", "gone"})
	want(w.t, "writes to the other key", w.effects.of(keys[1]), []string(nil))
	w.nothingRefused()
}

// approvedByTheOwner has the owner of a key agree, who is no administrator.
func approvedByTheOwner(w *workspace) {
	user, keys := w.deletable("alice")
	question := w.asks(user.Email, keys[0])
	w.one("the outcome", w.presses("alice", question, "approve"), everybody, "*Deleted* 1 access key", "approved by "+user.Email)
	want(w.t, "writes that took effect", w.effects.of(keys[0]), []string{"off", "gone"})
	w.nothingRefused()
}

// approvedAtOnce has several people press the same button at the same time.
func approvedAtOnce(w *workspace) {
	user, keys := w.deletable("ada")
	question := w.asks(user.Email, keys[0])
	var presses []call
	for _, name := range []string{"otto", "ada", "otto", "ada"} {
		w.presses("operator", question, "approve") // which is refused, and shows how the button is pressed
		presses = append(presses, w.line.last.by(w.t, name))
	}
	before, requested := len(w.slack.Shown()), w.requested()
	var people errgroup.Group
	for _, c := range presses {
		people.Go(func() error {
			_, err := w.exchange(c)
			return err
		})
	}
	if err := people.Wait(); err != nil {
		w.t.Fatal(err)
	}
	told := make(map[string]int)
	for _, m := range w.shownSince(before, commandChannel) {
		told[m.To]++
	}
	want(w.t, "who is told something", told, map[string]int{everybody: 1, inSlack("operator"): len(presses) - 1})
	want(w.t, "messages and requests on the bus", w.requested()-requested, len(presses)+1)
	want(w.t, "deletions", w.deletions(keys[0]), 1)
	w.nothingRefused()
}

// questionCancelled approves what was cancelled.
func questionCancelled(w *workspace) {
	user, keys := w.deletable("dora")
	question := w.asks(user.Email, keys[0])
	w.presses("operator", question, "cancel")
	cancelled := w.line.last
	w.says("the question", w.slack.Shown()[question.Index], "Cancelled by <@"+inSlack("operator")+">")
	w.offers("the question", w.slack.Shown()[question.Index])
	approval := cancelled.by(w.t, "otto").with(w.t, cancelled.value(w.t))
	w.one("an approval", w.calls(approval), "operator", "approved or cancelled before")
	want(w.t, "deletions", w.deletions(keys[0]), 0)
	want(w.t, "writes that took effect", w.effects.of(keys[0]), []string{"off"})
	w.nothingRefused()
}

// question is what a button's token says, as a test writes it.
type question struct {
	jwt.RegisteredClaims

	Request map[string]any `json:"request"`
	Asker   string         `json:"asker"`
}

// seal makes a token with a key of that purpose made of a signing secret. It is written from what the tokens are, and
// shares nothing with the functions.
func (q question) seal(t *testing.T, signingSecret, purpose string) string {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(signingSecret), nil, purpose, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, q).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// approvals is what the key and the audience of approvals are named after.
const approvals = "keyreeve approval"

// asked is a question of the operator's that can be approved for that long, or could be that long ago.
func asked(id, address string, keys []string, lasts time.Duration) question {
	return question{
		RegisteredClaims: jwt.RegisteredClaims{
			ID: id, Audience: jwt.ClaimStrings{approvals}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(lasts)),
		},
		Request: map[string]any{
			"action": "deactivate", "user": address, "keys": keys, "offboarding": true, "reason": "left",
			"actor": map[string]any{"kind": "chatops", "name": inSlack("operator"), "email": "operator@example.com"},
		},
		Asker: inSlack("operator"),
	}
}

// tamperedApprovals presses the button of a question with values that Keyreeve never gave it.
func tamperedApprovals(w *workspace) {
	user, keys := w.deletable("tamara")
	// A press that is refused shows how the button is pressed. What it is answered to takes five answers.
	button := func() call {
		w.presses("operator", w.asks(user.Email, keys[0]), "approve")
		return w.line.last.by(w.t, "otto")
	}
	token := button().value(w.t)
	head, rest, _ := strings.Cut(token, ".")
	body, signature, _ := strings.Cut(rest, ".")
	for name, tt := range map[string]struct{ value, why string }{
		"another question":  {head + "." + otherwise(body) + "." + signature, "or it was altered"},
		"another signature": {head + "." + body + "." + otherwise(signature), "or it was altered"},
		"no signature":      {head + "." + body + ".", "or it was altered"},
		"nothing":           {"", "or it was altered"},
		"expired":           {asked("expired", user.ID, keys, -time.Second).seal(w.t, secret("slack", "new"), approvals), "it expired at"},
		"a wrong secret":    {asked("wrong", user.ID, keys, time.Minute).seal(w.t, secret("slack", "no"), approvals), "or it was altered"},
		"another purpose":   {asked("purpose", user.ID, keys, time.Minute).seal(w.t, secret("slack", "new"), "another"), "or it was altered"},
	} {
		w.one(name, w.calls(button().with(w.t, tt.value)), "operator", tt.why)
	}
	want(w.t, "keys", w.active(user), map[string]bool{keys[0]: false, keys[1]: true})
	want(w.t, "deletions", w.deletions(keys[0]), 0)

	// What this test makes itself is as good as what Keyreeve made, but for what is wrong with it.
	for _, which := range []string{"new", "old"} {
		user, keys := w.person("tamara-"+which, 2)
		w.calls(button().with(w.t, asked(user.Email, user.ID, keys, time.Minute).seal(w.t, secret("slack", which), approvals)))
		want(w.t, "keys, with the "+which+" secret", w.active(user), map[string]bool{keys[0]: false, keys[1]: false})
	}
	w.nothingRefused()
}
