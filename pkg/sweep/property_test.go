package sweep_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// TestEnforceDoesWhatReportSaid makes up contracts and what is remembered of them. Whatever they are, a night in report
// changes nothing, the same night in enforce changes exactly the keys that the report named, and another one nothing.
func TestEnforceDoesWhatReportSaid(t *testing.T) {
	acted := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.api.ModifiedMetadata = rapid.Bool().Draw(rt, "the API tells when keys were switched")
		var people []ionostest.User
		for i := range rapid.IntRange(1, 5).Draw(rt, "users") {
			people = append(people, w.anybody(rt, fmt.Sprintf("user%d", i)))
		}
		before := w.states(people...)
		reported := w.steps(rt, w.night(rt))
		if w.writes() > 0 || len(w.bus.Requests()) > 0 || len(w.bus.Warnings()) > 0 {
			rt.Fatal("a night in report did something")
		}

		w.mode(guard.Enforce)
		w.pass(time.Second)
		enforced := w.steps(rt, w.night(rt))
		want(rt, "due in enforce", enforced, reported)
		want(rt, "changed", changed(before, w.states(people...)), changes(reported))
		acted += len(changes(reported))

		writes, requests, warnings := w.writes(), len(w.bus.Requests()), len(w.bus.Warnings())
		w.pass(time.Minute)
		w.night(rt)
		want(rt, "writes, requests and warnings of a second sweep", []int{w.writes(), len(w.bus.Requests()), len(w.bus.Warnings())}, []int{writes, requests, warnings})
	})
	if acted == 0 {
		t.Error("nothing was ever due: this test proves nothing")
	}
}

// anybody adds a user of any sort.
func (w *world) anybody(rt *rapid.T, name string) ionostest.User {
	u := w.api.AddUser(ionostest.User{Email: name + "@example.com", Inactive: rapid.Bool().Draw(rt, "cannot log in")})
	memory := guard.Memory{Changes: make(map[string]guard.Change)}
	if rapid.Bool().Draw(rt, "owns nothing") {
		memory.Buckets = guard.BucketAnswer{Ownership: guard.OwnsNone, At: w.now().Add(-time.Hour)}
	}
	for i := range rapid.IntRange(0, 5).Draw(rt, "keys") {
		id := fmt.Sprintf("%s-%d", name, i)
		days := func(label string) time.Duration {
			return time.Duration(rapid.SampledFrom([]int{1, 29, 30, 31, 75, 76, 83, 89, 90, 91, 400}).Draw(rt, label)) * day
		}
		key := ionostest.Key{ID: id, Active: rapid.Bool().Draw(rt, "active"), Created: w.now().Add(-days("age"))}
		if rapid.Bool().Draw(rt, "switched") {
			key.Modified = w.now().Add(-days("switched ago"))
		}
		w.api.AddKey(u.ID, key)
		if at := w.now().Add(-days("change ago")); rapid.Bool().Draw(rt, "known") {
			action := rapid.SampledFrom([]guard.Action{guard.Activate, guard.Deactivate}).Draw(rt, "last change")
			memory.Changes[id] = guard.Change{Action: action, At: at, OccurredAt: at, RequestID: "before"}
		}
		for range rapid.IntRange(0, 2).Draw(rt, "warnings") {
			at := w.now().Add(-time.Duration(rapid.IntRange(1, 30).Draw(rt, "warned days ago")) * day)
			if err := w.ledger.RecordWarnings(context.Background(), u.ID, []string{id}, at); err != nil {
				rt.Fatal(err)
			}
		}
	}
	if err := w.ledger.Record(context.Background(), u.ID, memory); err != nil {
		rt.Fatal(err)
	}
	return u
}
