package lifecycle_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/lifecycle"
)

// dies carries out the request until IONOS has applied the write that the plan picks: no later call is made, but
// for giving back the lease, and nothing is told.
func (w *world) dies(t *testing.T, req guard.Request, plan func(ionostest.Fault) ionostest.Plan) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w.api.Fault = plan(ionostest.Applied(ionostest.Meanwhile(cancel)))
	if result, err := w.Do(ctx, req); err == nil && !result.Any(guard.Failed) {
		t.Fatalf("it did not die: %+v", result)
	}
	w.api.Fault = nil
}

func TestWhoDiesBeforeTheSecondLookIsFollowedUp(t *testing.T) {
	onPut := func(f ionostest.Fault) ionostest.Plan { return ionostest.Nth(1, ionostest.On(http.MethodPut, f)) }
	for name, test := range map[string]struct {
		then       func(*world, ionostest.User)
		next       func(*world) guard.Request
		want       map[string]string
		wantActive map[string]bool
	}{
		"the same request again": {
			next: func(w *world) guard.Request { return w.request(older) },
			want: map[string]string{older: "unchanged"}, wantActive: map[string]bool{older: false, newer: true, off: false},
		},
		"the same request again, the other key is off": {
			then: func(w *world, alice ionostest.User) { w.api.SwitchKey(alice.ID, newer, false) },
			next: func(w *world) guard.Request { return w.request(older) },
			want: map[string]string{older: "last_active_key"}, wantActive: map[string]bool{older: true, newer: false, off: false},
		},
		"another request, the other key is off": {
			then: func(w *world, alice ionostest.User) { w.api.SwitchKey(alice.ID, newer, false) },
			next: func(w *world) guard.Request { return w.request(off) },
			want: map[string]string{off: "unchanged"}, wantActive: map[string]bool{older: true, newer: false, off: false},
		},
		"an offboarding": {
			then: func(w *world, alice ionostest.User) { w.api.SwitchKey(alice.ID, newer, false) },
			next: (*world).leaving,
			want: map[string]string{older: "unchanged", newer: "unchanged", off: "unchanged"}, wantActive: map[string]bool{older: false, newer: false, off: false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.alice(older, newer, off)
			w.dies(t, w.request(older), onPut)
			want(t, "keys after the death", w.active(alice), map[string]bool{older: false, newer: true, off: false})
			want(t, "attempt", w.recall(t, alice).Attempts, map[string]guard.Attempt{older: {Action: guard.Deactivate, At: w.now(), OccurredAt: w.now(), RequestID: "e1", Guarded: true}})
			if test.then != nil {
				test.then(w, alice)
			}
			w.pass(2 * time.Minute)
			want(t, "outcomes", w.do(t, test.next(w)), test.want)
			want(t, "keys", w.active(alice), test.wantActive)
			for id, attempt := range w.recall(t, alice).Attempts {
				if attempt.Guarded {
					t.Errorf("an attempt is left of key %s", id)
				}
			}
			writes := w.calls(http.MethodPut)
			w.do(t, test.next(w))
			want(t, "writes of the next request", w.calls(http.MethodPut), writes)
		})
	}
}

func TestWhoDiesAfterADeletionIsFollowedUp(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(off, newer)
	deletion := w.deletion(off) // The ledger has never heard of the key.
	deletion.Override = []guard.Rule{guard.GracePeriod}
	w.dies(t, deletion, func(f ionostest.Fault) ionostest.Plan { return ionostest.On(http.MethodDelete, f) })
	want(t, "keys", w.active(alice), map[string]bool{newer: true})
	want(t, "again", w.do(t, deletion), map[string]string{off: "unchanged"})
	want(t, "remembered", w.recall(t, alice).Changes[off].Action, guard.Delete)
	want(t, "attempts left", len(w.recall(t, alice).Attempts), 0)
}

// brokenLedger fails to record what fails picks, after it recorded it where it is only deaf.
type brokenLedger struct {
	lifecycle.Ledger

	fails func(guard.Memory) bool
	deaf  bool
}

func (l brokenLedger) Record(ctx context.Context, userID string, entry guard.Memory) error {
	var err error
	if l.deaf || !l.fails(entry) {
		err = l.Ledger.Record(ctx, userID, entry)
	}
	if err == nil && l.fails(entry) {
		err = &guard.Error{Kind: guard.Unavailable, Message: "The ledger's table cannot be used.", Err: errors.New("down")}
	}
	return err
}

func everything(guard.Memory) bool { return true }

func outcomes(entry guard.Memory) bool { return len(entry.Changes) > 0 }

// fails carries out the request with the broken ledger, which makes it fail.
func (w *world) fails(t *testing.T, req guard.Request, ledger brokenLedger) error {
	t.Helper()
	ledger.Ledger = w.Ledger
	w.Ledger = ledger
	defer func() { w.Ledger = ledger.Ledger }()
	_, err := w.Do(t.Context(), req)
	if err == nil {
		t.Fatal("it was recorded")
	}
	return err
}

// leaveOff switches older off without recording it, and then lets somebody switch off the user's other keys.
func (w *world) leaveOff(t *testing.T, alice ionostest.User, others ...string) guard.Request {
	t.Helper()
	req := w.request(older)
	_ = w.fails(t, req, brokenLedger{fails: outcomes})
	for _, id := range others {
		w.api.SwitchKey(alice.ID, id, false)
	}
	w.pass(2 * time.Minute)
	return req
}

// activation of the keys, at this moment.
func (w *world) activation(keys ...string) guard.Request {
	req := w.as("activation", w.request(keys...))
	req.Action = guard.Activate
	return req
}

// as is the request as another event, of this moment.
func (w *world) as(id string, req guard.Request) guard.Request {
	req.ID, req.OccurredAt = id, w.now()
	return req
}

func TestAFollowUpIsTold(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer, off)
	w.leaveOff(t, alice, newer)
	result, err := w.Do(t.Context(), w.as("e2", w.deletion(off)))
	if err != nil || len(result.Warnings) != 1 || result.Warnings[0].Code != guard.SwitchedBackOn || !strings.Contains(result.Warnings[0].Message, older) {
		t.Errorf("result = %+v, %v", result, err)
	}
	want(t, "announced with a warning", len(w.bus.Finished()[len(w.bus.Finished())-1].Warnings), 1)
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: false, off: false})
}

func TestAFollowUpIsToldWhereTheRequestFails(t *testing.T) {
	setsOut := func(entry guard.Memory) bool { return entry.Attempts[newer].Action == guard.Activate }
	for name, fails := range map[string]func(guard.Memory) bool{"in between": everything, "afterwards": setsOut} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.alice(older, newer)
			w.leaveOff(t, alice, newer)
			err := w.fails(t, w.activation(newer), brokenLedger{fails: fails})
			want(t, "keys", w.active(alice), map[string]bool{older: true, newer: false})
			if !strings.Contains(guard.AsError(err).Message, older+" was switched back on") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestNothingIsFollowedUpAgainstAnOverride(t *testing.T) {
	for name, keys := range map[string][]string{"of the other key": {newer}, "of all keys": nil, "of a key that is off": {off}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.alice(older, newer, off)
			event := w.leaveOff(t, alice)
			overriding := w.as("e2", w.request(keys...))
			overriding.Actor, overriding.Override = operator(), []guard.Rule{guard.LastActiveKey}
			w.do(t, overriding)
			w.api.SwitchKey(alice.ID, newer, false)
			w.pass(4 * time.Minute)
			w.do(t, event)
			w.do(t, w.as("e3", w.deletion(off)))
			want(t, "keys", w.active(alice), map[string]bool{older: false, newer: false, off: false})
		})
	}
}

func TestWhatWasNeverSwitchedOffIsNotSwitchedOn(t *testing.T) {
	w := newWorld(t)
	w.api.ModifiedMetadata = true
	alice := w.alice(older, newer, off)
	_ = w.fails(t, w.request(older), brokenLedger{fails: everything, deaf: true})
	want(t, "writes", w.calls(http.MethodPut), 0)
	w.pass(20 * time.Minute)
	w.api.SwitchKey(alice.ID, older, false) // By hand, in the console.
	w.api.SwitchKey(alice.ID, newer, false)
	w.pass(30 * time.Minute)
	w.do(t, w.as("e2", w.deletion(off)))
	want(t, "keys", w.active(alice), map[string]bool{older: false, newer: false, off: false})
}

func TestAFollowUpLeavesTheExemptAlone(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	w.leaveOff(t, alice, newer)
	w.Policy.Exemptions = []guard.Exemption{{Pattern: "alice@example.com"}}
	w.do(t, w.as("e2", w.request(newer)))
	want(t, "keys", w.active(alice), map[string]bool{older: false, newer: false})
}

func TestAnActivationFollowsUpTooWhateverBecomesOfIt(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(*world, ionostest.User) guard.Request
		want string
	}{
		"of the key that was left off": {func(w *world, alice ionostest.User) guard.Request {
			w.leaveOff(t, alice, newer)
			return w.activation(older)
		}, "unchanged"},
		"of an older event": {func(w *world, alice ionostest.User) guard.Request {
			before := w.activation(older)
			w.pass(time.Minute)
			w.leaveOff(t, alice, newer)
			return before
		}, "unchanged"},
		"carried out before": {func(w *world, alice ionostest.User) guard.Request {
			before := w.activation(older)
			w.do(t, before)
			w.pass(time.Minute)
			w.leaveOff(t, alice, newer)
			return before
		}, "unchanged"},
		"over the limit": {func(w *world, alice ionostest.User) guard.Request {
			w.leaveOff(t, alice, newer)
			w.Policy.MaxChanges = 1
			return w.activation(newer)
		}, "blast_radius"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.alice(older, newer)
			activation := test.do(w, alice)
			want(t, "outcomes", w.do(t, activation), map[string]string{activation.Keys[0]: test.want})
			want(t, "keys", w.active(alice), map[string]bool{older: true, newer: false})
			warnings := w.bus.Finished()[len(w.bus.Finished())-1].Warnings
			if len(warnings) != 1 || warnings[0].Code != guard.SwitchedBackOn {
				t.Errorf("warnings: %+v", warnings)
			}
		})
	}
}

func TestAnActivationThatFailsLeavesTheFollowUpToOthers(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	event := w.leaveOff(t, alice, newer)
	w.api.Fault = ionostest.On(http.MethodPut, ionostest.Status(http.StatusUnprocessableEntity, 0))
	want(t, "activation", w.do(t, w.activation(older)), map[string]string{older: "failed"})
	w.api.Fault = nil
	w.pass(5 * time.Minute)
	w.do(t, event)
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: false})
}

func TestARepeatedOverrideWaivesNothing(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	override := w.as("override", w.request(older))
	override.Override = []guard.Rule{guard.LastActiveKey}
	w.do(t, override)
	w.pass(2 * time.Minute)
	w.api.SwitchKey(alice.ID, older, true)
	event := w.as("e2", w.request(newer))
	_ = w.fails(t, event, brokenLedger{fails: outcomes})
	w.api.SwitchKey(alice.ID, older, false)
	w.pass(2 * time.Minute)
	want(t, "again", w.do(t, override), map[string]string{older: "unchanged"})
	w.do(t, event)
	want(t, "keys", w.active(alice), map[string]bool{older: false, newer: true})
}

func TestARefusedOverrideWaivesNothing(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	w.api.AddUser(ionostest.User{Email: "bob@example.com"})
	event := w.leaveOff(t, alice, newer)
	override := w.as("override", w.request(older))
	override.Actor, override.Override = guard.Actor{Kind: guard.Operator, Email: "bob@example.com"}, []guard.Rule{guard.LastActiveKey}
	want(t, "override by a stranger", w.do(t, override), map[string]string{older: "not_permitted"})
	w.do(t, event)
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: false})
}

func TestAKeyThatAFollowUpSwitchedOnIsNotTakenForInactive(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	w.leaveOff(t, alice, newer)
	w.do(t, w.as("e2", w.request(newer)))
	w.api.Lag = 1
	w.api.SwitchKey(alice.ID, older, true) // Readings do not show that it is on.
	deletion := w.deletion(older)
	deletion.Override = []guard.Rule{guard.GracePeriod}
	want(t, "deletion", w.do(t, deletion), map[string]string{older: "still_active"})
}

func TestAFollowUpThatFailsDoesNotStandInTheWay(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	w.leaveOff(t, alice, newer)
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, older) {
			return ionostest.Status(http.StatusUnprocessableEntity, 0)
		}
		return nil
	}
	cure := w.as("e2", w.request(newer))
	cure.Action, cure.Actor = guard.Activate, operator()
	want(t, "activation", w.do(t, cure), map[string]string{newer: "changed"})
	want(t, "keys", w.active(alice), map[string]bool{older: false, newer: true})
}

func TestWhoLeftAndCameBackIsFollowedUp(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	w.do(t, w.leaving())
	w.pass(24 * time.Hour)
	back := w.as("back", w.request())
	back.Action, back.Actor, back.Override = guard.Activate, operator(), []guard.Rule{guard.Offboarded}
	want(t, "back", w.do(t, back), map[string]string{older: "changed", newer: "changed"})
	w.pass(24 * time.Hour)
	event := w.leaveOff(t, alice, newer)
	w.do(t, event)
	want(t, "keys", w.active(alice), map[string]bool{older: true, newer: false})
}

func TestAnOlderEventMeetsANewerAttempt(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	before := w.as("activation", w.request(older))
	before.Action = guard.Activate
	w.pass(time.Minute)
	w.leaveOff(t, alice)
	want(t, "the older event", w.do(t, before), map[string]string{older: "superseded"})
	want(t, "keys", w.active(alice), map[string]bool{older: false, newer: true})
}

func TestTheSameEventOfAClockThatIsAhead(t *testing.T) {
	for name, later := range map[string]time.Duration{"soon": 30 * time.Second, "after a visibility timeout": 6 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.alice(older, off)
			activation := w.request(off)
			activation.Action, activation.OccurredAt = guard.Activate, w.now().Add(2*time.Minute)
			want(t, "at first", w.do(t, activation), map[string]string{off: "changed"})
			w.pass(30 * time.Second)
			want(t, "deactivation", w.do(t, w.as("e2", w.request(off))), map[string]string{off: "changed"})
			w.pass(later)
			want(t, "again", w.do(t, activation), map[string]string{off: "superseded"})
			want(t, "keys", w.active(alice), map[string]bool{older: true, off: false})
		})
	}
}

func TestAttemptsOnKeysThatAreGoneEnd(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	w.leaveOff(t, alice)
	w.api.RemoveKey(alice.ID, older)
	w.pass(time.Hour)
	w.do(t, w.as("e2", w.request(newer)))
	want(t, "attempts", len(w.recall(t, alice).Attempts), 0)
}

func TestARepeatTakesNoOthersAttemptBack(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	event := w.request(older)
	w.do(t, event)
	w.pass(time.Hour)
	w.api.SwitchKey(alice.ID, older, true)
	attempt := guard.Attempt{Action: guard.Deactivate, At: w.now(), RequestID: "e2", Guarded: true}
	if err := w.Ledger.Record(t.Context(), alice.ID, guard.Memory{Attempts: map[string]guard.Attempt{older: attempt}}); err != nil {
		t.Fatal(err)
	}
	w.pass(10 * time.Second) // The switch does not show yet.
	want(t, "repeat", w.do(t, event), map[string]string{older: "unchanged"})
	want(t, "attempts", w.recall(t, alice).Attempts, map[string]guard.Attempt{older: attempt})
}

func TestADryRunFollowsNothingUp(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer)
	w.leaveOff(t, alice, newer)
	before := w.recall(t, alice)
	dry := w.as("dry", w.request(newer))
	dry.DryRun = true
	w.do(t, dry)
	want(t, "ledger", w.recall(t, alice), before)
	want(t, "keys", w.active(alice), map[string]bool{older: false, newer: false})
}

func TestWhatNeverBeganIsNotCounted(t *testing.T) {
	w := newWorld(t)
	w.alice(older, newer)
	for range 5 {
		_ = w.fails(t, w.leaving(), brokenLedger{fails: everything})
	}
	if counted, err := w.Ledger.Reserve(t.Context(), 0, 0); err != nil || counted != 0 {
		t.Errorf("%d changes are counted, %v", counted, err)
	}
}

func TestADeletionIsDoneWhenTheKeyIsGone(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(off, newer)
	w.api.Fault = ionostest.On(http.MethodDelete, ionostest.Status(http.StatusNotFound, 0))
	deletion := w.deletion(off)
	deletion.Override = []guard.Rule{guard.GracePeriod}
	want(t, "not found, and there", w.do(t, deletion), map[string]string{off: "failed"})
	w.api.Fault = ionostest.Nth(1, ionostest.On(http.MethodDelete, ionostest.Applied(ionostest.Reset())))
	want(t, "gone, and the answer lost", w.do(t, deletion), map[string]string{off: "changed"})
	want(t, "keys", w.active(alice), map[string]bool{newer: true})
}
