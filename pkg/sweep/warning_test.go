package sweep_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// told are the warnings on the bus, by day: which key, the how manieth, and for when.
func (w *world) told() []string {
	var lines []string
	for _, warning := range w.bus.Warnings() {
		for _, k := range warning.Keys {
			lines = append(lines, fmt.Sprintf("%s last=%v off %s", k.ID, k.Last, k.DeactivateAfter.Format(time.DateOnly)))
		}
	}
	return lines
}

// nights lets nights pass until the first key of alice is off, and returns how many that were.
func (w *world) nights(t tb, u ionostest.User, each func(night int)) int {
	t.Helper()
	for night := range 60 {
		each(night)
		if w.states(u)["alice-0"] == "inactive" {
			return night
		}
		w.pass(day)
	}
	return -1
}

func TestAKeyIsWarnedOfTwice(t *testing.T) {
	cases := []struct {
		name  string
		age   int // in days, where the limit is 90
		slept func(night int) bool
		// off is the night in which the key goes off; told are the warnings.
		off  int
		told []string
	}{
		{name: "in time", age: 76, off: 14, told: []string{"alice-0 last=false off 2026-12-07", "alice-0 last=true off 2026-12-07"}},
		{name: "long before", age: 60, off: 30, told: []string{"alice-0 last=false off 2026-12-23", "alice-0 last=true off 2026-12-23"}},
		{name: "when the policy is armed too late", age: 400, off: 14, told: []string{"alice-0 last=false off 2026-12-07", "alice-0 last=true off 2026-12-07"}},
		{
			name: "the night of the first is missed", age: 76, slept: func(n int) bool { return n < 3 },
			off: 17, told: []string{"alice-0 last=false off 2026-12-10", "alice-0 last=true off 2026-12-10"},
		},
		{
			name: "the night of the second is missed", age: 76, slept: func(n int) bool { return n >= 5 && n < 9 },
			off: 16, told: []string{"alice-0 last=false off 2026-12-07", "alice-0 last=true off 2026-12-09"},
		},
		{
			name: "the last night is missed", age: 76, slept: func(n int) bool { return n == 14 },
			off: 15, told: []string{"alice-0 last=false off 2026-12-07", "alice-0 last=true off 2026-12-07"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.mode(guard.Enforce)
			alice := w.user("alice", c.age, 1)
			off := w.nights(t, alice, func(night int) {
				if c.slept == nil || !c.slept(night) {
					w.night(t)
				}
			})
			want(t, "night", off, c.off)
			want(t, "warnings", w.told(), c.told)
		})
	}
}

func TestAWarningThatWasNotDeliveredDoesNotCount(t *testing.T) {
	w := newWorld(t)
	w.mode(guard.Enforce)
	alice := w.user("alice", 100, 1)
	off := w.nights(t, alice, func(night int) {
		w.sweep(t.Context(), t, `{}`)
		if night < 5 {
			w.warned = len(w.bus.Warnings()) // lost on the way
		}
		w.deliver(t)
		w.carryOut(t)
	})
	want(t, "night", off, 5+14)
}

func TestARunAtAnotherHourCutsNoWarningShort(t *testing.T) {
	w := newWorld(t)
	w.mode(guard.Enforce)
	alice := w.user("alice", 400, 1)
	w.night(t)
	w.pass(7 * day)
	w.night(t)
	w.pass(7*day - 3*time.Hour) // the evening before
	w.night(t)
	want(t, "before", w.states(alice)["alice-0"], "active")
	w.pass(3*time.Hour - 4*time.Second) // a little earlier than two weeks ago
	w.night(t)
	want(t, "after", w.states(alice)["alice-0"], "inactive")
}

func TestWhoeverGotAKeyBackIsWarnedAnew(t *testing.T) {
	w := newWorld(t)
	w.mode(guard.Enforce)
	alice := w.user("alice", 400, 1)
	w.nights(t, alice, func(int) { w.night(t) })
	w.pass(time.Hour)
	w.switchOn(t, alice, "alice-0")
	w.pass(day - time.Hour)
	want(t, "nights until it is off again", w.nights(t, alice, func(int) { w.night(t) }), 14)
	want(t, "warnings", len(w.bus.Warnings()), 4)
}

func TestWarningsOfAnotherLimitDoNotCount(t *testing.T) {
	w := newWorld(t)
	w.mode(guard.Enforce)
	alice := w.user("alice", 200, 1)
	w.warnedTwice(t, alice, "alice-0")
	w.Rules.MaxKeyAge = 300 * day
	w.pass(86 * day)
	want(t, "step", w.steps(t, w.night(t)), map[string]string{"alice-0": "warn"})
}

func TestTheOnlyKeyStaysUntilItsOwnerCouldMove(t *testing.T) {
	for name, c := range map[string]struct {
		// made is the night in which there is another key, off the one in which the old one goes off.
		made, off, warnings int
	}{
		"soon after the warnings": {made: 12, off: 12 + 7, warnings: 2},
		// The warnings are forgotten by then, and there are two new ones.
		"long after the warnings": {made: 30, off: 30 + 15, warnings: 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mode(guard.Enforce)
			alice := w.user("alice", 400)
			off := w.nights(t, alice, func(night int) {
				if night == c.made {
					w.api.AddKey(alice.ID, ionostest.Key{ID: "another", Active: true, Created: w.now()})
				}
				w.night(t)
			})
			want(t, "night", off, c.off)
			warnings := w.bus.Warnings()
			want(t, "warnings", len(warnings), c.warnings)
			want(t, "told that it is the only one", warnings[0].Keys[0].OnlyActive, true)
		})
	}
}

func TestOfSeveralKeysThatAgeEachIsWarnedOfAsOneThatMayGo(t *testing.T) {
	w := newWorld(t)
	w.mode(guard.Enforce)
	alice := w.user("alice", 200, 100)
	first := w.night(t)
	want(t, "due, before", w.steps(t, first), map[string]string{"alice-0": "warn", "alice-1": "warn"})
	want(t, "tally, before", first.Policies[0], guard.SweepTally{Policy: guard.MaxAge, Mode: guard.Enforce, Warn: 2})
	for _, k := range w.bus.Warnings()[0].Keys {
		want(t, "said to be the only one: "+k.ID, k.OnlyActive, false)
	}
	w.pass(day)
	second := w.night(t)
	want(t, "due, between", w.steps(t, second), map[string]string{"alice-0": "wait", "alice-1": "wait"})
	want(t, "tally, between", second.Policies[0], guard.SweepTally{Policy: guard.MaxAge, Mode: guard.Enforce, Wait: 2})
	for _, row := range w.report(t, second) {
		want(t, "said about "+row.Key, row.Message, "")
	}
	w.nights(t, alice, func(int) { w.night(t) })
	want(t, "in the end the newest one stays", w.states(alice), map[string]string{"alice-0": "inactive", "alice-1": "active"})
}

func TestNobodyIsWarnedOfWhatTheGuardWouldRefuse(t *testing.T) {
	w := newWorld(t)
	w.mode(guard.Enforce)
	w.user("alice", 400, 1)
	w.Policy.Exemptions = []guard.Exemption{{Pattern: "alice@*"}}
	want(t, "due", w.steps(t, w.night(t)), map[string]string{"alice-0": "warn: exempt"})
	want(t, "warnings", len(w.bus.Warnings()), 0)
}

func TestAKeyOfUnknownAgeIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.mode(guard.Enforce)
	w.user("alice", 400, 1)
	w.api.Fault = ionostest.Always(undated)
	want(t, "due", w.steps(t, w.night(t)), map[string]string{})
}

// undated leaves out when keys and users were made.
func undated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		w.WriteHeader(answer.Code)
		_, _ = w.Write(bytes.ReplaceAll(answer.Body.Bytes(), []byte("createdDate"), []byte("bakedDate")))
	})
}
