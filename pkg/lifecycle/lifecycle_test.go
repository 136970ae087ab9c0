package lifecycle_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestOffboardingSwitchesOffEveryKeyOnce(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer, off, legacy)
	first := w.now()

	want(t, "outcomes", w.do(t, w.leaving()), map[string]string{older: "changed", newer: "changed", legacy: "changed", off: "unchanged"})
	want(t, "keys", w.active(alice), map[string]bool{older: false, newer: false, legacy: false, off: false})
	memory := w.recall(t, alice)
	want(t, "offboarded", memory.OffboardedAt, first)
	want(t, "buckets", memory.Buckets.Ownership, guard.OwnsNone)
	want(t, "remembered", memory.Changes[newer], guard.Change{
		Action: guard.Deactivate, At: first, OccurredAt: first, Actor: guard.Actor{Kind: guard.System, Name: "hr"},
		Reason: "left the company", Source: "hr", RequestID: "e1", Events: []string{w.leaving().Event()},
	})
	if len(w.bus.Finished()) != 1 || w.bus.Finished()[0].Reason != "left the company" || len(w.bus.Finished()[0].Keys) != 4 {
		t.Errorf("announced: %+v", w.bus.Finished())
	}

	writes := w.calls(http.MethodPut)
	again := w.leaving()
	w.pass(time.Hour)
	want(t, "outcomes of the same event", w.do(t, again), map[string]string{older: "unchanged", newer: "unchanged", legacy: "unchanged", off: "unchanged"})
	want(t, "writes", w.calls(http.MethodPut), writes)
	want(t, "remembered after the same event", w.recall(t, alice), memory)
}

func TestTheSameEventChangesNothingTheSecondTime(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	event := w.request()
	want(t, "at first", w.do(t, event), map[string]string{older: "changed", newer: "last_active_key"})
	w.pass(time.Minute)
	activation := w.request(older)
	activation.Action, activation.ID = guard.Activate, "e2"
	want(t, "activation", w.do(t, activation), map[string]string{older: "changed"})
	w.pass(time.Minute)
	want(t, "again, though it would pass by now", w.do(t, event), map[string]string{older: "superseded", newer: "last_active_key"})

	w.pass(time.Minute)
	event = w.request(older)
	want(t, "another event", w.do(t, event), map[string]string{older: "changed"})
	w.api.SwitchKey(alice.ID, older, true) // As a person does in the console.
	w.pass(2 * time.Minute)
	want(t, "again, after a person undid it", w.do(t, event), map[string]string{older: "unchanged"})
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: true})

	leaving := w.leaving()
	want(t, "offboarding", w.do(t, leaving), map[string]string{older: "changed", newer: "changed"})
	w.api.SwitchKey(alice.ID, older, true)
	w.pass(2 * time.Minute)
	want(t, "offboarding again, after a person undid it", w.do(t, leaving), map[string]string{older: "changed", newer: "unchanged"})
}

func TestAnEventThatFoundNothingToDoChangesNothingLater(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	events := []guard.Request{w.request(older)}
	want(t, "the first event", w.do(t, events[0]), map[string]string{older: "changed"})
	for i := range 3 { // One of them in the same second as the first.
		w.pass(time.Duration(i) * time.Hour)
		event := w.request(older)
		event.ID = fmt.Sprint("later ", i)
		events = append(events, event)
		want(t, "another event", w.do(t, event), map[string]string{older: "unchanged"})
	}
	w.pass(time.Hour)
	w.api.SwitchKey(alice.ID, older, true) // As a person does in the console.
	for _, event := range events {
		want(t, "again, after a person undid it", w.do(t, event), map[string]string{older: "unchanged"})
	}
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: true})
	want(t, "remembered", w.recall(t, alice).Changes[older].RequestID, "e1")

	for range 10 {
		event := w.request(off)
		event.ID = fmt.Sprint("event ", w.now())
		w.pass(time.Second)
		event.Keys = []string{newer}
		want(t, "more events", w.do(t, event), map[string]string{newer: "changed"})
		event.Action, event.OccurredAt = guard.Activate, w.now()
		want(t, "more events", w.do(t, event), map[string]string{newer: "changed"})
	}
	if remembered := len(w.recall(t, alice).Changes[newer].Events); remembered != 8 {
		t.Errorf("%d events are remembered, want 8", remembered)
	}
}

func TestAnOlderEventUndoesNothing(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(newer)
	late := w.request(newer)
	late.Action = guard.Activate
	w.pass(time.Minute)
	want(t, "offboarding", w.do(t, w.leaving()), map[string]string{newer: "changed"})
	want(t, "the older activation", w.do(t, late), map[string]string{newer: "superseded"})
	want(t, "keys", w.active(alice), map[string]bool{newer: false})
}

func TestEventsOfOneSecondPassInAnyOrder(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(off)
	leaving := w.leaving() // In whole seconds, as EventBridge tells the time.
	w.pass(700 * time.Millisecond)
	activation := w.request(off)
	activation.Action = guard.Activate
	want(t, "activation", w.do(t, activation), map[string]string{off: "changed"})
	want(t, "offboarding", w.do(t, leaving), map[string]string{off: "changed"})
	want(t, "keys", w.active(alice), map[string]bool{off: false})
	want(t, "remembered", w.recall(t, alice).Changes[off].Action, guard.Deactivate)

	w.pass(time.Hour)
	leaving = w.leaving()
	leaving.OccurredAt = leaving.OccurredAt.Truncate(time.Second)
	activation = w.request(off)
	activation.Action, activation.Actor, activation.Override = guard.Activate, operator(), []guard.Rule{guard.Offboarded}
	want(t, "activation", w.do(t, activation), map[string]string{off: "changed"})
	w.pass(time.Hour)
	w.api.SwitchKey(alice.ID, off, false)
	want(t, "offboarding of a key that is off", w.do(t, leaving), map[string]string{off: "unchanged"})
	want(t, "remembered", w.recall(t, alice).Changes[off].Action, guard.Deactivate)
}

func TestAClockThatIsAheadHoldsNobodyUp(t *testing.T) {
	w := newWorld(t)
	w.alice(off, newer)
	ahead := w.request(off)
	ahead.Action, ahead.OccurredAt = guard.Activate, w.now().Add(guard.ClockSkew)
	want(t, "activation", w.do(t, ahead), map[string]string{off: "changed"})
	w.pass(time.Minute)
	want(t, "deactivation a minute later", w.do(t, w.request(off)), map[string]string{off: "changed"})
}

func TestADeactivationLeavesAKey(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	want(t, "all keys", w.do(t, w.request()), map[string]string{older: "changed", newer: "last_active_key"})
	overriding := w.request(newer)
	overriding.Override = []guard.Rule{guard.LastActiveKey}
	want(t, "override", w.do(t, overriding), map[string]string{newer: "changed"})
	want(t, "keys", w.active(alice), map[string]bool{older: false, newer: false})
	want(t, "recorded override", w.recall(t, alice).Changes[newer].Overridden, []guard.Rule{guard.LastActiveKey})
}

func TestTheSecondLookSwitchesBackOn(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	// The other key goes off in the console just after ours.
	w.api.Fault = ionostest.Nth(1, ionostest.On(http.MethodPut, ionostest.Applied(ionostest.Meanwhile(func() {
		w.api.SwitchKey(alice.ID, newer, false)
	}))))
	want(t, "outcomes", w.do(t, w.request(older)), map[string]string{older: "last_active_key"})
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: false})
	if change, known := w.recall(t, alice).Changes[older]; known {
		t.Errorf("remembered a change that is undone: %+v", change)
	}
}

func TestTheSecondLookMindsLegacyKeysAndLaggingReads(t *testing.T) {
	w := newWorld(t)
	w.api.Lag = 2 // Our own write does not show in the second look.
	alice := w.alice(older, newer, legacy)
	w.api.Fault = ionostest.Nth(1, ionostest.On(http.MethodPut, ionostest.Applied(ionostest.Meanwhile(func() {
		w.api.RemoveKey(alice.ID, newer)
	}))))
	want(t, "outcomes", w.do(t, w.request(older)), map[string]string{older: "last_active_key"})
	want(t, "keys", w.active(alice), map[string]bool{older: true, legacy: true})
}

func TestAKeyThatWasSwitchedBackOnIsNotTakenForInactive(t *testing.T) {
	w := newWorld(t)
	w.api.Lag = 1 // The switch back on does not show in the next reading.
	alice := w.alice(older, newer)
	w.api.Fault = ionostest.Nth(1, ionostest.On(http.MethodPut, ionostest.Meanwhile(func() { w.api.SwitchKey(alice.ID, newer, false) })))
	want(t, "outcomes", w.do(t, w.request(older)), map[string]string{older: "last_active_key"})
	req := w.deletion(older)
	req.Override = []guard.Rule{guard.GracePeriod}
	want(t, "deletion", w.do(t, req), map[string]string{older: "still_active"})
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: false})
}

func TestWithoutASecondLookTheKeyGoesBackOn(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	written := false
	forbidden := ionostest.Status(http.StatusForbidden, 0)
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		written = written || r.Method == http.MethodPut
		if written && r.Method == http.MethodGet {
			return forbidden
		}
		return nil
	}
	result, err := w.Do(t.Context(), w.request(older))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "outcomes", said(result), map[string]string{older: "failed"})
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: true})
	if message := result.Keys[0].Message; !strings.Contains(message, "off and on again") {
		t.Errorf("message: %q", message)
	}
}

func TestTheSecondLookTriesEveryKeyItCouldSwitchBackOn(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer, legacy)
	third := w.api.AddKey(alice.ID, ionostest.Key{Active: true, Created: w.now().AddDate(0, 0, -1)})
	puts := 0
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if r.Method != http.MethodPut {
			return nil
		}
		if puts++; puts != 2 {
			return nil
		}
		return ionostest.Applied(ionostest.Meanwhile(func() {
			w.api.RemoveKey(alice.ID, newer)
			w.api.SwitchKey(alice.ID, third.ID, false)
		}))
	}
	want(t, "outcomes", w.do(t, w.request(older, newer)), map[string]string{older: "last_active_key", newer: "failed"})
	want(t, "keys", w.active(alice), map[string]bool{older: true, legacy: true, third.ID: false})
}

func TestTheSecondLookCountsOnNoKeyThatItTried(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	puts := 0
	// The write fails, as far as anybody knows: it may still be carried out. Meanwhile the other key goes off.
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if r.Method != http.MethodPut {
			return nil
		}
		if puts++; puts > 1 {
			return nil
		}
		w.api.SwitchKey(alice.ID, newer, false)
		return ionostest.Status(http.StatusForbidden, 0)
	}
	want(t, "outcomes", w.do(t, w.request(older)), map[string]string{older: "last_active_key"})
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: false})
	want(t, "writes: off, and on again", puts, 2)
}

func TestAFailedDeactivationThatLeftAKeyNeedsNoFollowUp(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	w.api.Fault = ionostest.On(http.MethodPut, ionostest.Status(http.StatusForbidden, 0))
	want(t, "outcomes", w.do(t, w.request(older)), map[string]string{older: "failed"})
	want(t, "attempt", w.recall(t, alice).Attempts, map[string]guard.Attempt{older: {Action: guard.Deactivate, At: w.now(), OccurredAt: w.now(), RequestID: "e1"}})
}

func TestAKeyThatCannotBeSwitchedBackOnIsLoud(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	puts := 0
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if r.Method != http.MethodPut {
			return nil
		}
		if puts++; puts == 1 {
			return ionostest.Applied(ionostest.Meanwhile(func() { w.api.SwitchKey(alice.ID, newer, false) }))
		}
		return ionostest.Status(http.StatusForbidden, 0)
	}
	result, err := w.Do(t.Context(), w.request(older))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "to be followed up", w.recall(t, alice).Attempts[older].Guarded, true)
	got := result.Keys[0]
	if got.Outcome != guard.Failed || got.Active || !strings.Contains(got.Message, "could not be switched back on") || !strings.Contains(got.Remedy, "at once") {
		t.Errorf("result: %+v", got)
	}
}

func TestOneKeysFailureStopsNoOther(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer, legacy)
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, newer) {
			return ionostest.Status(http.StatusForbidden, 0)
		}
		return nil
	}
	want(t, "outcomes", w.do(t, w.leaving()), map[string]string{older: "changed", newer: "failed", legacy: "changed"})
	want(t, "keys", w.active(alice), map[string]bool{older: false, newer: true, legacy: false})
	if _, known := w.recall(t, alice).Changes[newer]; known {
		t.Error("remembered a change that did not happen")
	}
	w.api.Fault = nil
	want(t, "again", w.do(t, w.leaving()), map[string]string{older: "unchanged", newer: "changed", legacy: "unchanged"})
}

func TestAKeyThatVanishesIsOff(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	w.api.Fault = ionostest.Nth(1, ionostest.On(http.MethodPut, ionostest.Meanwhile(func() { w.api.RemoveKey(alice.ID, older) })))
	want(t, "outcomes", w.do(t, w.request(older)), map[string]string{older: "unchanged"})
	want(t, "keys", w.active(alice), map[string]bool{newer: true})
}

func TestAKeyThatIsOnlyNotFoundIsNotOff(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	// A write that does not find a key which the list shows, as may happen just after it was made.
	notFound := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
			answer.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(answer, `{"httpStatus":422,"messages":[{"errorCode":"422","message":"The access key cannot be found, please double-check the key id and try again."}]}`)
		})
	}
	w.api.Fault = ionostest.On(http.MethodPut, notFound)
	want(t, "outcomes", w.do(t, w.leaving()), map[string]string{older: "failed", newer: "failed"})
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: true})
}

func TestWorkEndsBeforeTheInvocationDoes(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer, legacy)
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, newer) {
			return ionostest.Hang()
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	result, err := w.Do(ctx, w.leaving())
	if err != nil || ctx.Err() != nil {
		t.Fatalf("no result in time: %v", err)
	}
	want(t, "outcomes", said(result), map[string]string{older: "changed", newer: "failed", legacy: "changed"})
	want(t, "remembered", w.recall(t, alice).Changes[older].Action, guard.Deactivate)
	want(t, "announced", len(w.bus.Finished()), 1)
}

func TestChangesThatDoNotShowYet(t *testing.T) {
	w := newWorld(t)
	w.api.Lag = 3
	alice := w.alice(off, newer)
	activation := w.request(off)
	activation.Action = guard.Activate
	want(t, "activation", w.do(t, activation), map[string]string{off: "changed"})
	deletion := w.deletion(off)
	deletion.Override = []guard.Rule{guard.GracePeriod}
	want(t, "deletion", w.do(t, deletion), map[string]string{off: "still_active"})
	want(t, "offboarding", w.do(t, w.leaving()), map[string]string{off: "changed", newer: "changed"})
	want(t, "keys", w.active(alice), map[string]bool{off: false, newer: false})
}

func TestALeaverIsMarkedWhateverKeysAreNamed(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(newer)
	req := w.leaving()
	req.Keys = []string{older}
	want(t, "outcomes", w.do(t, req), map[string]string{older: "failed"})
	want(t, "offboarded", w.recall(t, alice).OffboardedAt, w.now())
}

func TestWhoWasLeftAloneIsNotMarked(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(newer)
	w.Policy.Exemptions = []guard.Exemption{{Pattern: "alice@*"}}
	want(t, "exempt", w.do(t, w.leaving()), map[string]string{newer: "exempt"})
	want(t, "offboarded", w.recall(t, alice).OffboardedAt, time.Time{})
	w.Policy.Exemptions = nil
	late := w.leaving()
	late.ID = "e2"
	w.pass(time.Minute)
	w.do(t, w.activation(newer))
	w.pass(2 * time.Minute)
	want(t, "too late", w.do(t, late), map[string]string{newer: "superseded"})
	want(t, "offboarded", w.recall(t, alice).OffboardedAt, time.Time{})
}

func TestANewerEventThatChangesNothingStillCounts(t *testing.T) {
	w := newWorld(t)
	w.alice(off, newer)
	want(t, "deactivation", w.do(t, w.request(off)), map[string]string{off: "unchanged"})
	w.pass(time.Hour)
	between := w.request(off)
	between.Action = guard.Activate
	w.pass(time.Hour)
	want(t, "deactivation by a newer event", w.do(t, w.request(off)), map[string]string{off: "unchanged"})
	want(t, "an activation from between", w.do(t, between), map[string]string{off: "superseded"})
}

func TestADeletionThatCouldNotBeRecordedIsSentAgain(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(off, newer)
	want(t, "seen inactive", w.do(t, w.request(off)), map[string]string{off: "unchanged"})
	w.pass(31 * 24 * time.Hour)
	w.api.RemoveKey(alice.ID, off) // Deleted, as far as IONOS goes.
	want(t, "again", w.do(t, w.deletion(off)), map[string]string{off: "unchanged"})
	want(t, "remembered", w.recall(t, alice).Changes[off].Action, guard.Delete)
}

func TestAKeyThatWasDeletedElsewhereIsRememberedAsDeleted(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(off, newer)
	want(t, "seen inactive", w.do(t, w.request(off)), map[string]string{off: "unchanged"})
	w.api.RemoveKey(alice.ID, off)
	want(t, "deactivation", w.do(t, w.request(off)), map[string]string{off: "unchanged"})
	want(t, "remembered", w.recall(t, alice).Changes[off].Action, guard.Delete)
}

func TestNoBucketsIsNotSaidWhileAKeyIsOn(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, older) {
			return ionostest.Status(http.StatusForbidden, 0)
		}
		return nil
	}
	want(t, "outcomes", w.do(t, w.leaving()), map[string]string{older: "failed", newer: "changed"})
	want(t, "buckets", w.recall(t, alice).Buckets.Ownership, guard.OwnsUnknown)
}

func TestARequestRefusedOutrightLeavesNoTrace(t *testing.T) {
	w := newWorld(t)
	alice := w.alice()
	w.api.AddUser(ionostest.User{Email: "bob@example.com"})
	req := w.leaving()
	req.Actor = guard.Actor{Kind: guard.Operator, Email: "bob@example.com"}
	want(t, "outcomes without keys", w.do(t, req), map[string]string{})
	want(t, "offboarded", w.recall(t, alice).OffboardedAt, time.Time{})

	w.api.AddKey(alice.ID, ionostest.Key{ID: newer, Active: true})
	lists := w.calls(http.MethodGet)
	want(t, "outcomes", w.do(t, req), map[string]string{newer: "not_permitted"})
	want(t, "buckets asked for", len(w.api.S3Calls()), 0)
	want(t, "reads: the user, the actor, the contract, the keys", w.calls(http.MethodGet)-lists, 4)
	want(t, "offboarded", w.recall(t, alice).OffboardedAt, time.Time{})
}

func TestADryRunChangesNothing(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer, off)
	before := w.recall(t, alice)
	for name, req := range map[string]guard.Request{"offboarding": w.leaving(), "guarded": w.request(older), "activation": w.request(off), "deletion": w.deletion(off)} {
		req.DryRun = true
		switch name {
		case "activation":
			req.Action = guard.Activate
		case "deletion":
			req.Override = []guard.Rule{guard.GracePeriod}
		}
		result, err := w.Do(t.Context(), req)
		if err != nil || !result.DryRun || !result.Any(guard.Changed) {
			t.Errorf("%s: %+v, %v: want what a real run would do", name, result, err)
		}
	}
	want(t, "writes", w.calls(http.MethodPut)+w.calls(http.MethodDelete), 0)
	want(t, "ledger", w.recall(t, alice), before)
	if already, err := w.Ledger.Reserve(t.Context(), 0, 0); err != nil || already != 0 {
		t.Errorf("changes counted = %d, %v", already, err)
	}
	if len(w.bus.Finished()) != 4 || !w.bus.Finished()[0].DryRun {
		t.Errorf("announced: %+v", w.bus.Finished())
	}
}

func TestTheLastKeyWaitsForTheBuckets(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer, legacy)
	w.api.SetBuckets(alice.ID, ionostest.Berlin, "backups")
	var mu sync.Mutex
	var stillOn []map[string]bool
	w.api.S3Fault = ionostest.Always(ionostest.Meanwhile(func() {
		mu.Lock()
		defer mu.Unlock()
		stillOn = append(stillOn, w.active(alice))
	}))
	want(t, "outcomes", w.do(t, w.leaving()), map[string]string{older: "changed", newer: "changed", legacy: "changed"})
	if len(stillOn) == 0 || slices.ContainsFunc(stillOn, func(on map[string]bool) bool { return !on[newer] }) {
		t.Errorf("keys while the buckets were listed: %v, want the newest on", stillOn)
	}
	want(t, "buckets", w.recall(t, alice).Buckets.Ownership, guard.OwnsSome)

	w.pass(31 * 24 * time.Hour)
	want(t, "deletion of all but one", w.do(t, w.deletion(older, legacy)), map[string]string{older: "changed", legacy: "changed"})
	want(t, "deletion of the only one", w.do(t, w.deletion(newer)), map[string]string{newer: "only_key_with_buckets"})
	req := w.deletion(newer)
	req.Override = []guard.Rule{guard.OnlyKeyWithBuckets}
	want(t, "override", w.do(t, req), map[string]string{newer: "changed"})
	want(t, "deleted again", w.do(t, req), map[string]string{newer: "unchanged"})
}

func TestNotKnowingTheBucketsKeepsNoLeaversKeyOn(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(newer)
	w.api.S3Fault = ionostest.Always(ionostest.Status(http.StatusServiceUnavailable, 0))
	want(t, "outcomes", w.do(t, w.leaving()), map[string]string{newer: "changed"})
	want(t, "keys", w.active(alice), map[string]bool{newer: false})
	w.pass(31 * 24 * time.Hour)
	want(t, "deletion", w.do(t, w.deletion(newer)), map[string]string{newer: "only_key_with_buckets"})
}

func TestAnActivationForgetsTheBuckets(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(newer)
	overriding := w.request(newer)
	overriding.Override = []guard.Rule{guard.LastActiveKey}
	want(t, "deactivation", w.do(t, overriding), map[string]string{newer: "changed"})
	want(t, "buckets", w.recall(t, alice).Buckets.Ownership, guard.OwnsNone)
	w.pass(time.Minute)
	activation := w.request(newer)
	activation.Action = guard.Activate
	want(t, "activation", w.do(t, activation), map[string]string{newer: "changed"})
	want(t, "buckets", w.recall(t, alice).Buckets.Ownership, guard.OwnsUnknown)
}

func TestADeletedKeyThatWasUsedLeavesNobodySureOfTheBuckets(t *testing.T) {
	w := newWorld(t)
	w.api.ModifiedMetadata = true
	alice := w.alice(older, newer)
	w.do(t, w.leaving())
	want(t, "buckets", w.recall(t, alice).Buckets.Ownership, guard.OwnsNone)
	w.pass(time.Hour)
	w.api.SwitchKey(alice.ID, older, true)
	w.pass(time.Hour)
	w.api.SwitchKey(alice.ID, older, false)
	w.pass(31 * 24 * time.Hour)
	want(t, "deletion of the key that was used", w.do(t, w.deletion(older)), map[string]string{older: "changed"})
	want(t, "deletion of the only one", w.do(t, w.deletion(newer)), map[string]string{newer: "only_key_with_buckets"})
}

func TestTheGracePeriodStartsWithTheSwitch(t *testing.T) {
	w := newWorld(t)
	w.alice(off, newer)
	want(t, "nobody knows since when", w.do(t, w.deletion(off)), map[string]string{off: "grace_period"})
	want(t, "seen inactive", w.do(t, w.request(off)), map[string]string{off: "unchanged"})
	w.pass(719 * time.Hour)
	want(t, "too early", w.do(t, w.deletion(off)), map[string]string{off: "grace_period"})
	want(t, "seen inactive again", w.do(t, w.request(off)), map[string]string{off: "unchanged"})
	w.pass(time.Hour)
	want(t, "after it", w.do(t, w.deletion(off)), map[string]string{off: "changed"})
}

func TestWhoMay(t *testing.T) {
	for name, test := range map[string]struct {
		actor guard.Actor
		want  string
	}{
		"an administrator":       {operator(), "changed"},
		"the owner":              {guard.Actor{Kind: guard.Operator, Email: "Owner@example.com"}, "changed"},
		"a colleague":            {guard.Actor{Kind: guard.Operator, Email: "bob@example.com"}, "not_permitted"},
		"nobody IONOS knows":     {guard.Actor{Kind: guard.ChatOps, Email: "eve@example.org"}, "not_permitted"},
		"one without an address": {guard.Actor{Kind: guard.Operator, Name: "arn:aws:iam::1:user/ci"}, "not_permitted"},
		"an operator by policy":  {guard.Actor{Kind: guard.Operator, Email: "sre@ops.example.org"}, "changed"},
		"alice herself":          {guard.Actor{Kind: guard.ChatOps, Email: "Alice@example.com"}, "changed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Policy.Operators = []guard.Pattern{"*@ops.example.org"}
			w.api.AddUser(ionostest.User{Email: "bob@example.com"})
			w.api.AddUser(ionostest.User{Email: ionostest.DefaultOwner})
			w.alice(older, newer)
			req := w.request(older)
			req.Actor = test.actor
			want(t, "outcomes", w.do(t, req), map[string]string{older: test.want})
			if test.want == "not_permitted" && w.calls(http.MethodPut) > 0 {
				t.Error("refused, and written all the same")
			}
		})
	}
}

func TestOwnIdentity(t *testing.T) {
	w := newWorld(t)
	req := w.request()
	req.User = "keyreeve@example.com"
	user, err := w.Users.FindUser(t.Context(), req.User)
	if err != nil {
		t.Fatal(err)
	}
	w.api.AddKey(user.ID, ionostest.Key{ID: newer, Active: true})
	w.api.AddKey(user.ID, ionostest.Key{ID: older, Active: true})
	want(t, "outcomes", w.do(t, req), map[string]string{older: "own_identity", newer: "own_identity"})
}

func TestUnknownUser(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Do(t.Context(), w.request()); guard.KindOf(err) != guard.NotFound || len(w.bus.Finished()) != 0 {
		t.Errorf("error = %v, announced %v", err, w.bus.Finished())
	}
	if _, err := w.Do(t.Context(), w.leaving()); guard.KindOf(err) != guard.NotFound {
		t.Errorf("leaver: error = %v", err)
	}
	if len(w.bus.Finished()) != 1 || w.bus.Finished()[0].Warnings[0].Code != guard.UnknownUser {
		t.Errorf("a leaver whom IONOS does not know is no visible outcome: %+v", w.bus.Finished())
	}
	byHand := w.leaving()
	byHand.Actor = guard.Actor{Kind: guard.Operator, Email: "eve@example.com"}
	if _, err := w.Do(t.Context(), byHand); guard.KindOf(err) != guard.NotFound || len(w.bus.Finished()) != 1 {
		t.Errorf("a person's mistake is announced: %v, %+v", err, w.bus.Finished())
	}
	inChat := byHand
	inChat.Actor.Kind, inChat.ReplyTo = guard.ChatOps, guard.ReplyTo{Slack: "https://hooks.slack.com/commands/1"}
	if _, err := w.Do(t.Context(), inChat); guard.KindOf(err) != guard.NotFound || len(w.bus.Finished()) != 2 || w.bus.Finished()[1].ReplyTo != inChat.ReplyTo {
		t.Errorf("who waits for an answer is told nothing: %v, %+v", err, w.bus.Finished())
	}
}

func TestUnknownKey(t *testing.T) {
	w := newWorld(t)
	w.alice(older, newer)
	if _, err := w.Do(t.Context(), w.request(off)); guard.KindOf(err) != guard.NotFound || w.calls(http.MethodPut) > 0 {
		t.Errorf("error = %v", err)
	}
	want(t, "beside one that exists", w.do(t, w.request(off, older)), map[string]string{off: "failed", older: "changed"})
}

func TestConcurrentRequestsLeaveOneKey(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	requests := []guard.Request{w.request(older), w.request(newer), w.request(older), w.request(newer)}
	results := make([]map[string]string, len(requests))
	var all sync.WaitGroup
	for i, req := range requests {
		all.Go(func() {
			result, err := w.Do(t.Context(), req)
			if err != nil {
				t.Errorf("request %d: %v", i, err)
			}
			results[i] = said(result)
		})
	}
	all.Wait()
	on := 0
	for _, active := range w.active(alice) {
		if active {
			on++
		}
	}
	if on != 1 {
		t.Errorf("%d keys are active, want exactly one; results %v", on, results)
	}
}

func TestALeaseThatIsNotFreeIsNoJudgement(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	if err := w.Leases.Acquire(t.Context(), alice.ID, "somebody else", time.Hour); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	_, err := w.Do(ctx, w.request(older))
	if after := guard.AsError(err).RetryAfter; guard.KindOf(err) != guard.Unavailable || after <= 0 || after > 2*time.Second {
		t.Errorf("error = %v, to be tried again in %s; want unavailable, and soon", err, after)
	}
	want(t, "writes", w.calls(http.MethodPut), 0)
}

func TestAWriteThatCouldNotBeRecordedIsSentAgain(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	var intact []byte
	w.api.Fault = ionostest.Nth(1, ionostest.On(http.MethodPut, ionostest.Applied(ionostest.Meanwhile(func() {
		intact, _ = os.ReadFile(w.ledger)
		if err := os.WriteFile(w.ledger, []byte("no ledger"), 0o600); err != nil {
			t.Error(err)
		}
	}))))
	_, err := w.Do(t.Context(), w.request(older))
	if guard.KindOf(err) != guard.Unavailable || !strings.Contains(err.Error(), older+" changed") {
		t.Fatalf("error = %v, want unavailable and what was written", err)
	}
	if err := os.WriteFile(w.ledger, intact, 0o600); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour) // The lease could not be given back.
	again := w.request(older)
	want(t, "again", w.do(t, again), map[string]string{older: "unchanged"})
	want(t, "remembered", w.recall(t, alice).Changes[older].At, w.now())
}

func TestAnOutcomeThatCannotBeAnnouncedIsAWarning(t *testing.T) {
	w := newWorld(t)
	w.alice(older, newer)
	w.bus.Refuse()
	result, err := w.Do(t.Context(), w.request(older))
	if err != nil || len(result.Warnings) != 1 || result.Warnings[0].Code != guard.NotAnnounced || !result.Any(guard.Changed) {
		t.Errorf("result = %+v, %v", result, err)
	}
}

func TestBlastRadiusCountsEveryUsersChanges(t *testing.T) {
	w := newWorld(t)
	w.Policy.MaxChanges = 3
	alice := w.alice(older, newer, legacy)
	want(t, "up to the limit", w.do(t, w.leaving()), map[string]string{older: "changed", newer: "changed", legacy: "changed"})
	bob := w.api.AddUser(ionostest.User{Email: "bob@example.com"})
	w.api.AddKey(bob.ID, ionostest.Key{ID: off, Active: true})
	req := w.leaving()
	req.User = bob.Email
	want(t, "over it", w.do(t, req), map[string]string{off: "blast_radius"})
	req.Actor, req.Override = operator(), []guard.Rule{guard.BlastRadius}
	want(t, "override", w.do(t, req), map[string]string{off: "changed"})
	w.pass(62 * time.Minute)
	req = w.request(older)
	req.Action, req.Actor, req.Override = guard.Activate, operator(), []guard.Rule{guard.Offboarded}
	want(t, "an hour later", w.do(t, req), map[string]string{older: "changed"})
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: false, legacy: false})
}

func TestBlastRadiusCountsWhatHappened(t *testing.T) {
	w := newWorld(t)
	w.Policy.MaxChanges = 2
	w.alice(older, newer)
	w.api.Fault = ionostest.On(http.MethodPut, ionostest.Status(http.StatusForbidden, 0))
	for range 3 {
		want(t, "failing", w.do(t, w.leaving()), map[string]string{older: "failed", newer: "failed"})
	}
	w.api.Fault = nil
	want(t, "at last", w.do(t, w.leaving()), map[string]string{older: "changed", newer: "changed"})

	req := w.leaving()
	req.User, req.DryRun = "bob@example.com", true
	bob := w.api.AddUser(ionostest.User{Email: req.User})
	for range 3 {
		w.api.AddKey(bob.ID, ionostest.Key{Active: true})
	}
	result, err := w.Do(t.Context(), req)
	if err != nil || result.Keys[0].Rule != guard.BlastRadius || !strings.Contains(result.Keys[0].Message, "2 keys were changed") {
		t.Errorf("a dry run over the limit: %+v, %v", result, err)
	}
}

func TestInventory(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer, off, legacy)
	w.do(t, w.request(older))
	inventory, err := w.Inventory(t.Context(), alice.ID, operator())
	if err != nil {
		t.Fatal(err)
	}
	allowed := make(map[string][]guard.Action)
	for _, k := range inventory.Keys {
		allowed[k.ID] = k.Allowed
	}
	want(t, "allowed", allowed, map[string][]guard.Action{
		legacy: {guard.Deactivate}, older: {guard.Activate}, off: {guard.Activate}, newer: {},
	})
	first := inventory.Keys[0]
	if first.ID != legacy || !first.Legacy || !first.Active || first.LastChange != nil || !first.InactiveSince.IsZero() {
		t.Errorf("oldest key: %+v", first)
	}
	second := inventory.Keys[1]
	if second.ID != older || second.LastChange == nil || second.LastChange.Reason != "left the company" || !second.InactiveSince.Equal(w.now()) {
		t.Errorf("deactivated key: %+v", second)
	}

	w.pass(31 * 24 * time.Hour)
	inventory, err = w.Inventory(t.Context(), alice.ID, operator())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "allowed after the grace period", inventory.Keys[1].Allowed, []guard.Action{guard.Activate, guard.Delete})

	for email, kind := range map[string]guard.Kind{"bob@example.com": guard.Forbidden, "alice@example.com": ""} {
		if _, err := w.Inventory(t.Context(), alice.ID, guard.Actor{Kind: guard.Operator, Email: email}); guard.KindOf(err) != kind {
			t.Errorf("%s: error = %v, want kind %q", email, err, kind)
		}
	}
}
