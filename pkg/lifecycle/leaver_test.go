package lifecycle_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// TestALeaverAgainstANewerEventThatFailed: nobody knows whether it took place, and the leaver's key goes off.
func TestALeaverAgainstANewerEventThatFailed(t *testing.T) {
	refused := ionostest.Status(http.StatusUnprocessableEntity, 0)
	for name, test := range map[string]struct {
		fails func(*world, guard.Request)
		newer func(*world) guard.Request
		again string
	}{
		"a deletion": {
			func(w *world, req guard.Request) {
				w.api.Fault = ionostest.On(http.MethodDelete, refused)
				want(t, "outcomes", w.do(t, req), map[string]string{off: "failed"})
				w.api.Fault = nil
			},
			func(w *world) guard.Request {
				deletion := w.as("newer", w.deletion(off))
				deletion.Override = []guard.Rule{guard.GracePeriod, guard.OnlyKeyWithBuckets}
				return deletion
			}, "changed",
		},
		"an activation that was refused": {
			func(w *world, req guard.Request) {
				w.api.Fault = ionostest.On(http.MethodPut, refused)
				want(t, "outcomes", w.do(t, req), map[string]string{off: "failed"})
				w.api.Fault = nil
			},
			func(w *world) guard.Request { return w.activation(off) }, "offboarded",
		},
		"an activation that was not recorded": {
			func(w *world, req guard.Request) { _ = w.fails(t, req, brokenLedger{fails: outcomes}) },
			func(w *world) guard.Request { return w.activation(off) }, "offboarded",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.alice(off)
			leaving := w.leaving()
			w.pass(time.Minute)
			newer := test.newer(w)
			test.fails(w, newer)
			w.api.SwitchKey(alice.ID, off, true)
			w.pass(5 * time.Minute)
			want(t, "leaving", w.do(t, leaving), map[string]string{off: "changed"})
			want(t, "left", w.recall(t, alice).OffboardedAt, leaving.OccurredAt)
			w.pass(2 * time.Minute)
			want(t, "the newer event again", w.do(t, newer), map[string]string{off: test.again})
			if w.active(alice)[off] {
				t.Error("the leaver's key is on")
			}
		})
	}
}

func TestALeaverCannotMakeTheirEventTooLate(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older)
	leaving := w.leaving()
	w.api.Fault = ionostest.On(http.MethodPut, ionostest.Status(http.StatusForbidden, 0))
	want(t, "leaving", w.do(t, leaving), map[string]string{older: "failed"})
	w.api.Fault = nil
	w.pass(2 * time.Minute)
	own := w.activation(older)
	own.Actor = guard.Actor{Kind: guard.Operator, Email: "alice@example.com"}
	want(t, "activation of the active key", w.do(t, own), map[string]string{older: "offboarded"})
	w.pass(2 * time.Minute)
	want(t, "leaving again", w.do(t, leaving), map[string]string{older: "changed"})
	want(t, "keys", w.active(alice), map[string]bool{older: false})
}

func TestALeaverWhoseKeyWasOffAlreadyHasLeft(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older)
	leaving := w.leaving()
	w.pass(time.Minute)
	deactivation := w.as("e2", w.request(older))
	deactivation.Override = []guard.Rule{guard.LastActiveKey}
	w.do(t, deactivation)
	w.pass(5 * time.Minute)
	want(t, "leaving", w.do(t, leaving), map[string]string{older: "superseded"})
	want(t, "left", w.recall(t, alice).OffboardedAt, leaving.OccurredAt)
	w.pass(5 * time.Minute)
	want(t, "activation", w.do(t, w.activation(older)), map[string]string{older: "offboarded"})
}

func TestALeaverOverTheLimitHasNotLeftYet(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer, off)
	w.Policy.MaxChanges = 1
	want(t, "leaving", w.do(t, w.leaving()), map[string]string{older: "blast_radius", newer: "blast_radius", off: "unchanged"})
	want(t, "left", w.recall(t, alice).OffboardedAt, time.Time{})
}

func TestALeaverWhoseClockIsAhead(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older)
	leaving := w.leaving()
	leaving.OccurredAt = w.now().Add(2 * time.Minute)
	w.do(t, leaving)
	want(t, "left", w.recall(t, alice).OffboardedAt, w.now())
}

// TestALeaverWhoseKeysAreNotFound: that is no news of a user who does not exist, which would end the request.
func TestALeaverWhoseKeysAreNotFound(t *testing.T) {
	w := newWorld(t)
	w.alice(older)
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if strings.HasSuffix(r.URL.Path, "/s3keys") {
			return ionostest.Status(http.StatusNotFound, 0)
		}
		return nil
	}
	inChat := w.leaving()
	inChat.Actor, inChat.ReplyTo = guard.Actor{Kind: guard.ChatOps, Email: "eve@example.com"}, guard.ReplyTo{Slack: "https://hooks.slack.com/commands/1"}
	for name, req := range map[string]guard.Request{"a system": w.leaving(), "somebody in chat": inChat} {
		_, err := w.Do(t.Context(), req)
		want(t, "kind of the error of "+name, guard.KindOf(err), guard.Unavailable)
	}
}

func TestALeaversKeyDoesNotGoBackOn(t *testing.T) {
	for name, before := range map[string]func(*world){
		"of one whose other key was not named": func(w *world) {
			leaving := w.leaving()
			leaving.Keys = []string{older}
			w.do(t, leaving)
		},
		"of one who was active long ago": func(w *world) {
			w.do(t, w.activation(older))
			w.pass(time.Hour)
			w.api.Fault = ionostest.On(http.MethodPut, ionostest.Status(http.StatusForbidden, 0))
			w.do(t, w.leaving())
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.alice(older, newer)
			before(w)
			w.pass(time.Hour)
			w.api.SwitchKey(alice.ID, older, true)
			w.api.Fault = ionostest.Nth(1, ionostest.On(http.MethodPut, ionostest.Meanwhile(func() { w.api.SwitchKey(alice.ID, newer, false) })))
			want(t, "guarded deactivation", w.do(t, w.as("e2", w.request(older))), map[string]string{older: "changed"})
			want(t, "keys", w.active(alice), map[string]bool{older: false, newer: false})
		})
	}
}
