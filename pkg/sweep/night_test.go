package sweep_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/report"
)

// town has somebody for each policy, and each rule of the guard that may stand in a sweep's way.
func town(t *testing.T, w *world) []ionostest.User {
	t.Helper()
	w.Policy.Exemptions = []guard.Exemption{{Pattern: "exempt@*"}}
	w.lifecycle.Policy.Exemptions = w.Policy.Exemptions
	young := w.user("young", 10, 20)
	old := w.user("old", 200, 10, 120)
	single := w.user("single", 300)
	exempt := w.user("exempt", 300, 10)
	off := w.user("off", -100, 20, -100)
	bucketless := w.user("bucketless", -100)
	gone := w.api.AddUser(ionostest.User{Email: "gone@example.com", Inactive: true})
	w.keys(gone, 300, 10)
	for _, u := range []ionostest.User{old, single, exempt} {
		for _, k := range w.api.Keys(u.ID) {
			w.warnedTwice(t, u, k.ID)
		}
	}
	w.inactive(t, off, "off-0", 31*day)
	w.inactive(t, off, "off-2", 29*day)
	w.inactive(t, bucketless, "bucketless-0", 31*day)
	return []ionostest.User{young, old, single, exempt, off, bucketless, gone}
}

// townDue is what is due there.
func townDue() map[string]string {
	return map[string]string{
		"old-0": "deactivate", "old-2": "deactivate", "single-0": "deactivate: last_active_key", "exempt-0": "deactivate: exempt",
		"off-0": "delete", "bucketless-0": "delete: only_key_with_buckets", "gone-0": "deactivate", "gone-1": "deactivate",
	}
}

func (w *world) warnedTwice(t tb, u ionostest.User, keyID string) {
	t.Helper()
	for _, ago := range []time.Duration{14 * day, 7 * day} {
		if err := w.ledger.RecordWarnings(context.Background(), u.ID, []string{keyID}, w.now().Add(-ago)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestANightInReportChangesNothingAndInEnforceWhatTheReportSaid(t *testing.T) {
	w := newWorld(t)
	people := town(t, w)
	before := w.states(people...)

	reported := w.night(t)
	want(t, "due, in report", w.steps(t, reported), townDue())
	want(t, "writes", w.writes(), 0)
	want(t, "requests", len(w.bus.Requests()), 0)
	want(t, "warnings", len(w.bus.Warnings()), 0)
	want(t, "keys", w.states(people...), before)

	w.mode(guard.Enforce)
	enforced := w.night(t)
	want(t, "due, in enforce", w.steps(t, enforced), townDue())
	want(t, "changed", changed(before, w.states(people...)), changes(townDue()))
	for _, finished := range w.bus.Finished() {
		for _, k := range finished.Keys {
			want(t, "outcome of "+k.ID, k.Outcome, guard.Changed)
		}
	}
	want(t, "tallies", enforced.Policies, []guard.SweepTally{
		{Policy: guard.MaxAge, Mode: guard.Enforce, Deactivate: 2, Refused: 2},
		{Policy: guard.InactiveUser, Mode: guard.Enforce, Deactivate: 2},
		{Policy: guard.DeleteAfterGrace, Mode: guard.Enforce, Delete: 1, Refused: 1},
	})

	after, writes, requests := w.states(people...), w.writes(), len(w.bus.Requests())
	w.night(t)
	want(t, "keys after a second sweep", w.states(people...), after)
	want(t, "writes of a second sweep", w.writes(), writes)
	want(t, "requests of a second sweep", len(w.bus.Requests()), requests)
}

func TestEachPolicyHasItsOwnSwitch(t *testing.T) {
	for _, policy := range guard.SweepPolicies() {
		t.Run(string(policy), func(t *testing.T) {
			w := newWorld(t)
			people := town(t, w)
			w.Rules.Modes[policy] = guard.Enforce
			before := w.states(people...)
			w.night(t)
			due := map[guard.SweepPolicy]map[string]string{
				guard.MaxAge:           {"old-0": "deactivate", "old-2": "deactivate"},
				guard.InactiveUser:     {"gone-0": "deactivate", "gone-1": "deactivate"},
				guard.DeleteAfterGrace: {"off-0": "delete"},
			}[policy]
			want(t, "changed", changed(before, w.states(people...)), due)
		})
	}
}

func TestAnOrderOfOnePolicy(t *testing.T) {
	w := newWorld(t)
	people := town(t, w)
	w.mode(guard.Enforce)
	before := w.states(people...)
	result := w.sweep(t.Context(), t, `{"policy": "inactive_user"}`)
	w.carryOut(t)
	want(t, "changed", changed(before, w.states(people...)), map[string]string{"gone-0": "deactivate", "gone-1": "deactivate"})
	want(t, "policies", result.Policies, []guard.SweepTally{{Policy: guard.InactiveUser, Mode: guard.Enforce, Deactivate: 2}})
}

func TestOneRequestAUserAndPolicy(t *testing.T) {
	w := newWorld(t)
	people := town(t, w)
	w.mode(guard.Enforce)
	w.night(t)
	old, off, gone := people[1].ID, people[4].ID, people[6].ID
	want(t, "requests", w.requested(), map[string][]string{
		"sweep-2026-11-23-max_age-" + old:            {"old-0", "old-2"},
		"sweep-2026-11-23-inactive_user-" + gone:     {"gone-0", "gone-1"},
		"sweep-2026-11-23-delete_after_grace-" + off: {"off-0"},
	})
	for _, req := range w.bus.Requests() {
		want(t, "actor", req.Actor, guard.Actor{Kind: guard.Schedule, Name: "sweep"})
		want(t, "time", req.OccurredAt, w.now())
		if err := req.Validate(w.now()); err != nil {
			t.Error(err)
		}
	}
}

func TestTheReasonsOfRequests(t *testing.T) {
	for limit, said := range map[time.Duration]string{
		90 * day: "90 days", 2 * day: "2 days", 47 * time.Hour: "47h0m0s", day: "24h0m0s", 60 * time.Hour: "60h0m0s",
	} {
		t.Run(said, func(t *testing.T) {
			w := newWorld(t)
			town(t, w)
			w.mode(guard.Enforce)
			w.Rules.MaxKeyAge, w.Policy.DeleteGrace = limit, limit
			w.inactive(t, w.user("long", -400, 1), "long-0", 399*day)
			w.night(t)
			reasons := make(map[string]bool)
			for _, req := range w.bus.Requests() {
				reasons[req.Reason] = true
			}
			want(t, "reasons", reasons, map[string]bool{
				"older than " + said + ", and the owner was warned twice": true,
				"the user is inactive in IONOS":                           true,
				"inactive for longer than " + said:                        true,
			})
		})
	}
}

func TestWhatWasUndoneStaysUndoneForTheDay(t *testing.T) {
	w := newWorld(t)
	people := town(t, w)
	w.mode(guard.Enforce)
	w.night(t)
	gone := people[6]
	w.pass(2 * time.Hour)
	w.switchOn(t, gone, "gone-1")
	w.pass(time.Hour)
	w.night(t)
	want(t, "the same day", w.states(gone), map[string]string{"gone-0": "inactive", "gone-1": "active"})
	w.pass(21 * time.Hour)
	w.night(t)
	want(t, "the next night", w.states(gone), map[string]string{"gone-0": "inactive", "gone-1": "inactive"})
}

func TestAPolicyThatIsEnforcedGoesBeforeOneThatIsNot(t *testing.T) {
	w := newWorld(t)
	gone := w.api.AddUser(ionostest.User{Email: "gone@example.com", Inactive: true})
	w.keys(gone, 300, 10)
	w.warnedTwice(t, gone, "gone-0")
	w.Rules.Modes[guard.MaxAge] = guard.Enforce
	result := w.night(t)
	want(t, "due", w.steps(t, result), map[string]string{"gone-0": "deactivate", "gone-1": "deactivate"})
	want(t, "keys", w.states(gone), map[string]string{"gone-0": "inactive", "gone-1": "active"})
}

func TestADryRunRemembersNothing(t *testing.T) {
	for name, arrange := range map[string]func(w *world) string{
		"of all of Keyreeve": func(w *world) string { w.Rules.DryRun = true; return `{}` },
		"of one sweep":       func(*world) string { return `{"dryRun": true}` },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			town(t, w)
			unseen := w.user("unseen", -50)
			w.mode(guard.Enforce)
			payload := arrange(w)
			want(t, "due", w.steps(t, w.sweep(t.Context(), t, payload)), townDue())
			want(t, "requests", len(w.bus.Requests())+len(w.bus.Warnings()), 0)
			memory, err := w.ledger.Recall(t.Context(), unseen.ID)
			want(t, "memory of a key that nobody knew", memory.Changes, map[string]guard.Change(nil))
			past, pastErr := w.ledger.RecallSweeps(t.Context())
			if err != nil || pastErr != nil || past != (guard.SweepMemory{}) {
				t.Errorf("remembered %+v, %v, %v", past, err, pastErr)
			}
		})
	}
}

func TestTheClockStartsWhenAKeyIsFirstSeenInactive(t *testing.T) {
	w := newWorld(t)
	w.Rules.Modes[guard.DeleteAfterGrace] = guard.Enforce
	w.Policy.DeleteGrace, w.lifecycle.Policy.DeleteGrace = 5*day, 5*day
	alice := w.user("alice", -50, 10)
	for night := range 5 {
		want(t, "due", w.steps(t, w.night(t)), map[string]string{})
		if night == 2 { // A night is missed, and nothing begins anew.
			w.pass(day)
		}
		w.pass(day - time.Minute)
	}
	w.pass(day)
	want(t, "due in the end", w.steps(t, w.night(t)), map[string]string{"alice-0": "delete"})
	want(t, "keys", w.states(alice), map[string]string{"alice-1": "active"})
}

func TestTheClockOfAnAPIThatTellsTheTimeOfTheSwitch(t *testing.T) {
	w := newWorld(t)
	w.api.ModifiedMetadata = true
	alice := w.user("alice", 10)
	w.api.AddKey(alice.ID, ionostest.Key{ID: "switched", Created: w.now().Add(-90 * day), Modified: w.now().Add(-31 * day)})
	want(t, "due", w.steps(t, w.night(t)), map[string]string{"switched": "delete"})
}

func TestAKeyThatWasSwitchedOnElsewhereLosesItsClock(t *testing.T) {
	w := newWorld(t)
	w.mode(guard.Enforce)
	alice := w.user("alice", -50, 10)
	w.night(t)
	w.pass(20 * day)
	w.api.SwitchKey(alice.ID, "alice-0", true)
	w.night(t)
	w.pass(day)
	w.api.SwitchKey(alice.ID, "alice-0", false)
	w.night(t)
	w.pass(15 * day) // More than a grace period after it was first seen inactive.
	want(t, "due", w.steps(t, w.night(t)), map[string]string{})
	w.pass(16 * day)
	want(t, "due in the end", w.steps(t, w.night(t)), map[string]string{"alice-0": "delete"})
}

func TestASightingNeverTakesThePlaceOfAChange(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", 50, 10)
	w.inactive(t, alice, "alice-0", time.Hour-time.Second) // The list of keys does not show it yet.
	w.night(t)
	want(t, "the last change", w.recall(t, alice).Changes["alice-0"].RequestID, "before")
	w.pass(time.Second)
	w.night(t)
	want(t, "the last change, an hour later", w.recall(t, alice).Changes["alice-0"].Reason, "found active")
}

func TestWhatASightingSays(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", 50)
	at := w.now().Add(-5 * day)
	before := guard.Change{
		Action: guard.Deactivate, At: at, OccurredAt: at, RequestID: "before", Reason: "lost", Source: "api", Events: []string{"e0"},
		Actor: guard.Actor{Kind: guard.Operator, Email: "operator@example.com"}, ApprovedBy: guard.Actor{Kind: guard.ChatOps, Email: "carol@example.com"},
		Overridden: []guard.Rule{guard.LastActiveKey},
	}
	if err := w.ledger.Record(t.Context(), alice.ID, guard.Memory{Changes: map[string]guard.Change{"alice-0": before}}); err != nil {
		t.Fatal(err)
	}
	swept := w.night(t)
	want(t, "change", w.recall(t, alice).Changes["alice-0"], guard.Change{
		Action: guard.Activate, At: w.now(), OccurredAt: at, RequestID: swept.ID, Reason: "found active", Source: "sweep", Events: []string{"e0"},
		Actor: guard.Actor{Kind: guard.Schedule, Name: "sweep"}, Seen: true,
	})
}

func TestASightingIsNobodysDecision(t *testing.T) {
	t.Run("that the key of somebody who left may be on", func(t *testing.T) {
		w := newWorld(t)
		alice := w.user("alice", 50, 10)
		w.inactive(t, alice, "alice-0", 5*day)
		if err := w.ledger.Record(t.Context(), alice.ID, guard.Memory{OffboardedAt: w.now().Add(-10 * day)}); err != nil {
			t.Fatal(err)
		}
		w.night(t)
		memory := w.recall(t, alice)
		want(t, "reason", memory.Changes["alice-0"].Reason, "found active")
		want(t, "may be on", guard.MayBeOn(guard.Reading{User: guard.User{ID: alice.ID}, Memory: memory}, "alice-0"), false)
	})
	t.Run("that somebody did not leave", func(t *testing.T) {
		w := newWorld(t)
		alice := w.user("alice", 50)
		left := w.now().Add(-3 * time.Hour)
		w.inactive(t, alice, "alice-0", 2*time.Hour) // And somebody switched it on in the console.
		w.night(t)
		late := guard.Request{
			Action: guard.Deactivate, User: alice.ID, ID: "e1", Source: "okta", OccurredAt: left, Offboarding: true,
			Actor: guard.Actor{Kind: guard.System, Name: "okta"},
		}
		if _, err := w.lifecycle.Do(t.Context(), late); err != nil {
			t.Fatal(err)
		}
		want(t, "left at", w.recall(t, alice).OffboardedAt, left)
	})
	t.Run("until somebody decides the same", func(t *testing.T) {
		w := newWorld(t)
		alice := w.user("alice", 50)
		w.inactive(t, alice, "alice-0", 5*day)
		w.night(t)
		want(t, "decided", w.recall(t, alice).Changes["alice-0"].Activated(), false)
		w.switchOn(t, alice, "alice-0")
		want(t, "decided, after a request", w.recall(t, alice).Changes["alice-0"].Activated(), true)
	})
}

// recall is what the ledger knows of the user.
func (w *world) recall(t tb, u ionostest.User) guard.Memory {
	t.Helper()
	memory, err := w.ledger.Recall(context.Background(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return memory
}

func TestWhatWasAttemptedDelaysASighting(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice", -50, 10)
	attempt := guard.Attempt{Action: guard.Activate, At: w.now(), RequestID: "failed"}
	if err := w.ledger.Record(t.Context(), alice.ID, guard.Memory{Attempts: map[string]guard.Attempt{"alice-0": attempt}}); err != nil {
		t.Fatal(err)
	}
	for _, night := range []struct {
		after time.Duration
		since time.Time
	}{
		{after: time.Hour - time.Second},
		{after: time.Second, since: w.now().Add(time.Hour)},
	} {
		w.pass(night.after)
		since := w.report(t, w.night(t))["alice-0"].InactiveSince
		want(t, "inactive since, at "+w.now().String(), since, night.since)
		want(t, "the clock, at "+w.now().String(), w.recall(t, alice).Changes["alice-0"].At, night.since)
	}
}

func TestNoSecretAnywhere(t *testing.T) {
	w := newWorld(t)
	people := town(t, w)
	var secrets []string
	for _, u := range people {
		for _, k := range w.api.Keys(u.ID) {
			secrets = append(secrets, k.Secret)
		}
	}
	w.mode(guard.Enforce)
	w.night(t)
	look := func(where string, content []byte) {
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("a secret is in %s", where)
			}
		}
	}
	look("the log", []byte(w.log.String()))
	folder := os.DirFS(w.reports)
	files, err := fs.Glob(folder, "*/*/*")
	if err != nil || len(files) != 2 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, name := range files {
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			t.Error(err)
		}
		look(name, content)
	}
}

func TestTheReportIsWhereTheEventSays(t *testing.T) {
	w := newWorld(t)
	people := town(t, w)
	result := w.night(t)
	announced := w.bus.Sweeps()
	want(t, "announced", announced, []guard.Sweep{result})
	path, local := strings.CutPrefix(result.Report, "file://")
	page, err := os.ReadFile(path)
	if err != nil || !local || !bytes.Contains(page, []byte("old@example.com")) {
		t.Errorf("%s: %v", result.Report, err)
	}
	rows := w.report(t, result)
	want(t, "keys in the report", len(rows), len(w.states(people...)))
	want(t, "an inactive user's", rows["gone-0"], report.Row{
		User: "gone@example.com", UserID: people[6].ID, UserInactive: true, Key: "gone-0", Active: true,
		Created: w.now().AddDate(0, 0, -300), Policy: guard.InactiveUser, Step: guard.StepDeactivate, Mode: guard.Report,
	})
	want(t, "an active user's", rows["off-0"], report.Row{
		User: "off@example.com", UserID: people[4].ID, Key: "off-0", Created: w.now().AddDate(0, 0, -100),
		InactiveSince: w.now().Add(-31 * day), Policy: guard.DeleteAfterGrace, Step: guard.StepDelete, Mode: guard.Report,
	})
	want(t, "keys", result.Keys, len(w.states(people...)))
	want(t, "users, with Keyreeve's own", result.Users, len(people)+1)
}
