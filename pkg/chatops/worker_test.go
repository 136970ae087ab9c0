package chatops_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/slackapi/slacktest"
)

// outcome lets Olga switch a key off and carries its request out, and returns its outcome with nobody told yet.
func (w *world) outcome() guard.Finished {
	w.t.Helper()
	_, err := w.slack.Type(w.t.Context(), olga, room, "deactivate alice@example.com "+older)
	must(w.t, err)
	for len(w.bus.Finished()) == w.finished {
		w.carry(w.deliver)
	}
	finished := w.bus.Finished()
	w.finished = len(finished)
	return finished[len(finished)-1]
}

func TestAnOutcomeIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	finished := w.outcome()
	before := len(w.slack.Shown())
	for range 3 {
		w.deliver("Key Operation Finished", finished)
	}
	if got := len(w.slack.Shown()) - before; got != 1 {
		t.Errorf("told %d times, want once", got)
	}
}

// Slack may be down, or ask for patience. The key is switched by then, and the queue tries again to tell.
func TestAnOutcomeWaitsForSlack(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*slacktest.Slack){
		"down":      func(s *slacktest.Slack) { s.Down(true) },
		"throttled": func(s *slacktest.Slack) { s.Throttle(1, 30*time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			finished := w.outcome()
			before := len(w.slack.Shown())
			trouble(w.slack)
			if w.offer(t.Context(), "Key Operation Finished", finished) {
				t.Error("the outcome is taken, though nobody was told")
			}
			w.slack.Down(false)
			w.deliver("Key Operation Finished", finished)
			if got := len(w.slack.Shown()) - before; got != 1 {
				t.Errorf("told %d times, want once", got)
			}
		})
	}
}

// After half an hour nobody can be told any more; that is no reason to try again.
func TestAnOutcomeThatNobodyHears(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	finished := w.outcome()
	w.pass(31 * time.Minute)
	w.tolerated = "expired_url"
	before := len(w.slack.Shown())
	w.deliver("Key Operation Finished", finished)
	if got := len(w.slack.Shown()) - before; got != 0 || !strings.Contains(w.log.String(), "came too late") {
		t.Errorf("told %d times, and logged %s", got, w.log.String())
	}
}

// A program of somebody else's may put a response_url into its request, and no channel.
func TestAnOutcomeForAnUnknownChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	finished := w.outcome()
	finished.ReplyTo.Channel = ""
	w.deliver("Key Operation Finished", finished)
	if got := last(t, w.slack.Shown()); got.To != "" {
		t.Errorf("shown to %q, want everybody", got.To)
	}
}

func TestAnOutcomeForSomewhereElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	finished := w.outcome()
	finished.ReplyTo.Slack = "https://example.com/commands/1"
	calls := len(w.slack.Calls())
	if w.offer(t.Context(), "Key Operation Finished", finished) || len(w.slack.Calls()) != calls {
		t.Error("an answer to an address that is not Slack's is taken")
	}
}

// Where everybody reads of outcomes anyway, only who asked gets an answer of their own.
func TestInTheChannelOfNotices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.worker.NoticeChannel = room
	if got := last(t, w.types(olga, "deactivate alice@example.com "+older)); got.To != olga {
		t.Errorf("everybody sees the outcome twice: %+v", got)
	}
}

// The answer goes to who approved. Where no notice says so either, who asked would wait for ever.
func TestWhoAskedHearsOfWhatWasApproved(t *testing.T) {
	t.Parallel()
	unchanged := func(f *guard.Finished) { f.Keys = []guard.KeyResult{{ID: older, Outcome: guard.Unchanged}} }
	for name, tt := range map[string]struct {
		become func(*guard.Finished)
		by     guard.Actor
		to     string
	}{
		"deactivated, which is a notice":          {func(*guard.Finished) {}, guard.Actor{Kind: guard.ChatOps, Email: "otto@example.com"}, olga},
		"unchanged":                               {unchanged, guard.Actor{Kind: guard.ChatOps, Email: "otto@example.com"}, ""},
		"a dry run, as all are of this Keyreeve":  {func(f *guard.Finished) { f.DryRun = true }, guard.Actor{Kind: guard.ChatOps, Email: "otto@example.com"}, ""},
		"a dry run that nobody needed to approve": {func(f *guard.Finished) { f.DryRun = true }, guard.Actor{}, olga},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.worker.NoticeChannel = room
			finished := w.outcome()
			finished.ApprovedBy = tt.by
			tt.become(&finished)
			w.deliver("Key Operation Finished", finished)
			if got := last(t, w.slack.Shown()); got.To != tt.to {
				t.Errorf("shown to %q, want %q: %s", got.To, tt.to, got.Text)
			}
		})
	}
}

// While IONOS tells nothing, a command that needs nobody's approval waits in the queue of its action. Others are told.
func TestIONOSTurnsKeyreeveAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.Fault = ionostest.Always(ionostest.Status(http.StatusForbidden, 0))
	for _, text := range []string{"alice@example.com", "delete alice@example.com " + off, "delete alice@example.com --dry-run", "deactivate alice@example.com --override last_active_key"} {
		if got := last(t, w.types(olga, text)); got.To != olga || !says(got, ":warning:") {
			t.Errorf("%s: shown %+v", text, got)
		}
	}
	if got := len(w.bus.Requests()); got != 0 {
		t.Errorf("%d requests, want none", got)
	}
	_, err := w.slack.Type(t.Context(), olga, room, "deactivate alice@example.com "+older)
	must(t, err)
	for _, m := range w.bus.Chat()[w.chat:] {
		w.deliver("Chat Message Received", m)
	}
	if got := len(w.bus.Requests()); got != 1 {
		t.Errorf("%d requests, want that of the deactivation", got)
	}
}

// However long IONOS takes, there is time left to say so.
func TestIONOSDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.Fault = ionostest.Always(ionostest.Hang())
	_, err := w.slack.Type(t.Context(), olga, room, "alice@example.com")
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5200*time.Millisecond)
	defer cancel()
	if !w.offer(ctx, "Chat Message Received", w.bus.Chat()[0]) {
		t.Error("the message is not taken")
	}
	if got := last(t, w.slack.Shown()); got.To != olga || !says(got, ":warning:") {
		t.Errorf("shown to %q: %s", got.To, got.Text)
	}
}

// What the bus does not take is delivered again, and so is what the ledger does not.
func TestTheBusIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	question := asked(t, w)
	approval := w.approved(question)
	_, err := w.slack.Type(t.Context(), olga, room, "activate alice@example.com "+off)
	must(t, err)
	messages := w.bus.Chat()
	typed := messages[len(messages)-1]
	w.chat = len(messages)
	w.bus.Refuse()
	if w.offer(t.Context(), "Chat Message Received", approval) || w.offer(t.Context(), "Chat Message Received", typed) {
		t.Error("a message is taken whose request is nowhere")
	}
	w.bus.Accept()
	w.deliver("Chat Message Received", approval)
	w.deliver("Chat Message Received", typed)
	w.settle()
	if got, want := w.keys(alice), "2 on, 3 on"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
}

// Slack is asked who somebody is once in a while, not with every command.
func TestPeopleAreRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := func() (n int) {
		for _, call := range w.slack.Calls() {
			if strings.Contains(call, "users.info") {
				n++
			}
		}
		return n
	}
	w.types(olga, "alice@example.com")
	w.types(olga, "bob@example.com")
	if got := asked(); got != 1 {
		t.Errorf("asked %d times, want once", got)
	}
	w.pass(6 * time.Minute)
	w.types(olga, "alice@example.com")
	if got := asked(); got != 2 {
		t.Errorf("asked %d times after a while, want twice", got)
	}
}

func TestEventsThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for detailType, detail := range map[string]any{
		"Something Else":         map[string]any{},
		"Chat Message Received":  map[string]any{"id": "1", "surprise": true},
		"Key Operation Finished": []string{"none"},
	} {
		if w.offer(t.Context(), detailType, detail) {
			t.Errorf("%s: %v is taken", detailType, detail)
		}
	}
	if w.offer(t.Context(), "Chat Message Received", map[string]any{"id": "1", "user": olga, "channel": room}) {
		t.Error("a message that asks for nothing is taken")
	}
}
