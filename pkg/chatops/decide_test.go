package chatops_test

import (
	"net/http"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/identity"
	"keyreeve/pkg/slackapi/slacktest"
)

// maps makes another identity map count.
func (w *world) maps(setting string) {
	w.t.Helper()
	people, err := identity.Open(w.t.Context(), identity.Config{Setting: setting, Clock: w.now})
	must(w.t, err)
	w.worker.People = people
}

// One person is one, by whatever id or address they come.
func TestASecondPersonIsAnother(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ by, people string }{
		"the same account with another address": {olga, "slack:" + olga + "=otto@example.com"},
		"another account with the same address": {bob, "slack:" + bob + "=OLGA@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			question := asked(t, w)
			w.maps(tt.people)
			told := last(t, w.presses(tt.by, question, "approve"))
			if told.To != tt.by || !says(told, "a second person must approve") {
				t.Errorf("shown to %q: %s", told.To, told.Text)
			}
			if got, want := w.keys(alice), "1 off, 2 on, 3 off"; got != want {
				t.Errorf("keys %s, want %s", got, want)
			}
		})
	}
}

// What counts is when the button was pressed, also if that is carried out later, and again.
func TestAnApprovalThatIsDeliveredLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tolerated = "expired_url"
	question := asked(t, w)
	w.pass(9 * time.Minute)
	first := w.approved(question)
	pressed := w.now()
	w.pass(time.Second)
	second := w.approved(question)
	w.pass(20 * time.Minute)
	w.deliver("Chat Message Received", first)
	w.deliver("Chat Message Received", second)
	w.pass(12 * time.Hour)
	w.deliver("Chat Message Received", second)
	w.deliver("Chat Message Received", first)
	requests := w.bus.Requests()[w.requests:]
	if len(requests) != 2 || requests[0].Event() != requests[1].Event() {
		t.Fatalf("requests %+v, want that of the first press, twice", requests)
	}
	if r := requests[0]; !r.OccurredAt.Equal(pressed) || r.User != w.users[alice].ID || r.Keys[0] != older || r.Actor.Email != "olga@example.com" || r.ApprovedBy.Email != "otto@example.com" {
		t.Errorf("the request is %+v; want Alice's key by her UUID, at %s", r, pressed)
	}
	w.settle()
	if got := w.deletions(); got != 1 {
		t.Errorf("%d deletions, want 1", got)
	}
}

// A command that is delivered late, or again, gives nobody more time.
func TestAQuestionThatIsAskedLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.slack.Type(t.Context(), olga, room, "deactivate bob@example.com moved --override last_active_key")
	must(t, err)
	w.pass(6 * time.Minute)
	w.settle()
	question := last(t, w.slack.Shown())
	w.pass(5 * time.Minute)
	if told := last(t, w.presses(otto, question, "approve")); told.To != otto || !says(told, "expired") || w.keys(bob) != "9 on" {
		t.Errorf("shown to %q: %s; the key is %s", told.To, told.Text, w.keys(bob))
	}
}

// Between the question and the approval everything may change, and then the guard says no.
func TestAnApprovalIsJudgedAnew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		then func(w *world)
		rule guard.Rule
		keys string
	}{
		"the key is active":        {func(w *world) { w.api.SwitchKey(w.users[alice].ID, older, true) }, guard.StillActive, "1 on, 2 on, 3 off"},
		"it was active in between": {onAndOff, guard.GracePeriod, "1 off, 2 on, 3 off"},
		"the user is exempt": {func(w *world) {
			exempt, err := guard.ParseExemption("alice@example.com")
			must(w.t, err)
			w.life.Policy.Exemptions = []guard.Exemption{exempt}
		}, guard.Exempt, "1 off, 2 on, 3 off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.api.ModifiedMetadata = true
			question := asked(t, w)
			tt.then(w)
			w.presses(otto, question, "approve")
			finished := w.bus.Finished()
			if got := finished[len(finished)-1]; got.Keys[0].Rule != tt.rule || w.keys(alice) != tt.keys {
				t.Errorf("finished %+v, keys %s; want %s and %s", got, w.keys(alice), tt.rule, tt.keys)
			}
		})
	}
}

func onAndOff(w *world) {
	w.api.SwitchKey(w.users[alice].ID, older, true)
	w.pass(time.Minute)
	w.api.SwitchKey(w.users[alice].ID, older, false)
}

// Two questions about one key are decided each by itself.
func TestTwoQuestionsAboutOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := asked(t, w)
	second := last(t, w.types(olga, "delete alice@example.com "+older+" once more"))
	w.presses(otto, first, "cancel")
	if got, want := w.keys(alice), "1 off, 2 on, 3 off"; got != want {
		t.Fatalf("keys %s, want %s", got, want)
	}
	w.presses(otto, second, "approve")
	if got, want := w.keys(alice), "2 on, 3 off"; got != want || w.deletions() != 1 {
		t.Errorf("keys %s after %d deletions, want %s", got, w.deletions(), want)
	}
	for i, verb := range []string{"Cancelled", "Approved"} {
		if after := w.slack.Shown()[[]slacktest.Shown{first, second}[i].Index]; !says(after, verb+" by") {
			t.Errorf("the question is %s, want it %s", after.Blocks, verb)
		}
	}
}

func (w *world) deletions() (n int) {
	for _, call := range w.api.Calls() {
		if call.Method == http.MethodDelete {
			n++
		}
	}
	return n
}
