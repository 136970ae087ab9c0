package sweep_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// crowd adds users of whom each has a key that is due, and as many that are not.
func (w *world) crowd(n, rest int) []ionostest.User {
	var all []ionostest.User
	for i := range n {
		u := w.api.AddUser(ionostest.User{Email: fmt.Sprintf("gone%d@example.com", i), Inactive: true})
		w.api.AddKey(u.ID, ionostest.Key{Active: true})
		all = append(all, u)
	}
	for i := range rest {
		u := w.api.AddUser(ionostest.User{Email: fmt.Sprintf("here%d@example.com", i)})
		w.api.AddKey(u.ID, ionostest.Key{Active: true})
		all = append(all, u)
	}
	return all
}

func TestEachBrakeStopsTheSweepBeforeItDoesAnything(t *testing.T) {
	const page, whole = "offset=100", "limit=100"
	onPage := func(query string, fault ionostest.Fault) ionostest.Plan {
		return func(r *http.Request) ionostest.Fault {
			if strings.Contains(r.URL.RawQuery, query) {
				return fault
			}
			return nil
		}
	}
	// seen is what the sweep before read.
	seen := func(users, keys int) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			if err := w.ledger.RecordSweep(t.Context(), guard.SweepMemory{Users: users, Keys: keys}); err != nil {
				t.Fatal(err)
			}
		}
	}
	cases := []struct {
		name    string
		arrange func(t *testing.T, w *world)
		brake   guard.Brake
		says    string
		// reported: there is a report of what was read.
		reported bool
	}{
		{
			name:    "more are due than may change in an hour",
			arrange: func(_ *testing.T, w *world) { w.Policy.MaxChanges = 19 },
			brake:   guard.TooManyDue, says: "20 keys are due to be changed, and 0 were changed in the last hour; a sweep may use three quarters of the limit, which is 19.", reported: true,
		},
		{
			name: "too many were changed in the last hour",
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				if _, err := w.ledger.Reserve(t.Context(), 31, 0); err != nil {
					t.Fatal(err)
				}
			},
			brake: guard.TooManyDue, says: "20 keys are due to be changed, and 31 were changed in the last hour; a sweep may use three quarters of the limit, which is 50.", reported: true,
		},
		{
			name:    "more are due than the share of the contract",
			arrange: func(_ *testing.T, w *world) { w.Rules.MaxShare = 9 },
			brake:   guard.TooManyDue, says: "20 of 220 keys are due to be changed; the limit is 9 % of the contract.", reported: true,
		},
		{
			name:    "there were more users the last time",
			arrange: func(t *testing.T, w *world) { t.Helper(); w.Rules.MaxShare = 20; seen(300, 220)(t, w) },
			brake:   guard.ShrunkReading, says: "The contract was read with 221 users, and the last time with 300: more than 20 % are missing.", reported: true,
		},
		{
			name:    "there were more keys the last time",
			arrange: func(t *testing.T, w *world) { t.Helper(); w.Rules.MaxShare = 20; seen(221, 300)(t, w) },
			brake:   guard.ShrunkReading, says: "The contract was read with 220 keys, and the last time with 300: more than 20 % are missing.", reported: true,
		},
		{
			name:    "a page fails",
			arrange: func(_ *testing.T, w *world) { w.api.Fault = onPage(page, ionostest.Status(http.StatusForbidden, 0)) },
			brake:   guard.BrokenReading, says: "lacks the right to",
		},
		{
			name:    "a page is cut off",
			arrange: func(_ *testing.T, w *world) { w.api.Fault = onPage(page, ionostest.Truncate()) },
			brake:   guard.BrokenReading, says: "broke off",
		},
		{
			name:    "a page is no page",
			arrange: func(_ *testing.T, w *world) { w.api.Fault = onPage(page, ionostest.Malformed()) },
			brake:   guard.BrokenReading, says: "cannot be understood",
		},
		{
			name: "the keys of one user cannot be read",
			arrange: func(_ *testing.T, w *world) {
				w.api.Nesting = func(u ionostest.User) ionostest.Nesting {
					if u.Email == "here150@example.com" {
						return ionostest.NoKeys
					}
					return ionostest.WholeKeys
				}
				w.api.Fault = func(r *http.Request) ionostest.Fault {
					if strings.HasSuffix(r.URL.Path, "/s3keys") {
						return ionostest.Status(http.StatusForbidden, 0)
					}
					return nil
				}
			},
			brake: guard.BrokenReading, says: "lacks the right to",
		},
		{
			name:    "there is nobody",
			arrange: func(_ *testing.T, w *world) { w.api.Fault = onPage(whole, nobody) },
			brake:   guard.BrokenReading, says: "IONOS lists not one user.",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.crowd(20, 200)
			w.mode(guard.Enforce)
			c.arrange(t, w)
			before, err := w.ledger.RecallSweeps(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			result := w.sweep(t.Context(), t, `{}`)
			if result.Stopped == nil || result.Stopped.Brake != c.brake || !strings.Contains(result.Stopped.Message, c.says) || result.Stopped.Remedy == "" {
				t.Fatalf("stopped by %+v, want %s: %s", result.Stopped, c.brake, c.says)
			}
			want(t, "announced", w.bus.Sweeps(), []guard.Sweep{result})
			want(t, "requests", len(w.bus.Requests())+len(w.bus.Warnings()), 0)
			want(t, "writes", w.writes(), 0)
			want(t, "a report", result.Report != "", c.reported)
			after, err := w.ledger.RecallSweeps(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.brake != guard.TooManyDue {
				want(t, "users remembered", after.Users, before.Users)
			}
		})
	}
}

func TestTheLimitsOfTheBrakes(t *testing.T) {
	cases := []struct {
		name        string
		due, rest   int
		last        guard.SweepMemory
		recent      int
		limit, most int
		stopped     guard.Brake
	}{
		{name: "as many as may change", due: 15, rest: 200, limit: 20, most: 100},
		{name: "one more", due: 16, rest: 200, limit: 20, most: 100, stopped: guard.TooManyDue},
		{name: "as many as are left", due: 20, rest: 200, recent: 18, limit: 50, most: 100},
		{name: "one more than are left", due: 20, rest: 200, recent: 19, limit: 50, most: 100, stopped: guard.TooManyDue},
		{name: "nothing, and the hour is used up", rest: 20, recent: 51, limit: 50, most: 100},
		{name: "just the share", due: 20, rest: 180, limit: 50, most: 10},
		{name: "one more than the share", due: 20, rest: 179, limit: 50, most: 10, stopped: guard.TooManyDue},
		{name: "a few are no share", due: 5, rest: 10, limit: 50, most: 1},
		{name: "six are", due: 6, rest: 10, limit: 50, most: 1, stopped: guard.TooManyDue},
		{name: "users, just the share missing", rest: 199, last: guard.SweepMemory{Users: 250}, limit: 50, most: 20},
		{name: "users, one more", rest: 199, last: guard.SweepMemory{Users: 251}, limit: 50, most: 20, stopped: guard.ShrunkReading},
		{name: "users, a few missing", rest: 4, last: guard.SweepMemory{Users: 10}, limit: 50, most: 1},
		{name: "users, six missing", rest: 4, last: guard.SweepMemory{Users: 11}, limit: 50, most: 1, stopped: guard.ShrunkReading},
		{name: "keys, just the share missing", rest: 200, last: guard.SweepMemory{Keys: 250}, limit: 50, most: 20},
		{name: "keys, one more", rest: 200, last: guard.SweepMemory{Keys: 251}, limit: 50, most: 20, stopped: guard.ShrunkReading},
		{name: "keys, a few missing", rest: 5, last: guard.SweepMemory{Keys: 10}, limit: 50, most: 1},
		{name: "keys, six missing", rest: 5, last: guard.SweepMemory{Keys: 11}, limit: 50, most: 1, stopped: guard.ShrunkReading},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.crowd(c.due, c.rest)
			w.mode(guard.Enforce)
			w.Policy.MaxChanges, w.Rules.MaxShare = c.limit, c.most
			if err := w.ledger.RecordSweep(t.Context(), c.last); err != nil {
				t.Fatal(err)
			}
			if _, err := w.ledger.Reserve(t.Context(), c.recent, 0); err != nil {
				t.Fatal(err)
			}
			var stopped guard.Brake
			if stop := w.sweep(t.Context(), t, `{}`).Stopped; stop != nil {
				stopped = stop.Brake
			}
			want(t, "stopped by", stopped, c.stopped)
		})
	}
}

func TestTheLimitIsThatOfTheSweepAndNotOfEachUser(t *testing.T) {
	w := newWorld(t)
	w.mode(guard.Enforce)
	gone := w.api.AddUser(ionostest.User{Email: "gone@example.com", Inactive: true})
	w.keys(gone, 10, 20)
	w.Policy.MaxChanges = 1
	result := w.sweep(t.Context(), t, `{}`)
	want(t, "due", w.steps(t, result), map[string]string{"gone-0": "deactivate", "gone-1": "deactivate"})
	want(t, "stopped", result.Stopped != nil && result.Stopped.Brake == guard.TooManyDue, true)
}

func TestDeletionsCountAsChanges(t *testing.T) {
	w := newWorld(t)
	w.crowd(3, 0)
	w.mode(guard.Enforce)
	for i := range 3 {
		u := w.user(fmt.Sprint("off", i), -100, 10)
		w.inactive(t, u, fmt.Sprintf("off%d-0", i), 31*day)
	}
	w.Policy.MaxChanges = 5
	stopped := w.sweep(t.Context(), t, `{}`).Stopped
	if stopped == nil || !strings.Contains(stopped.Message, "6 keys are due to be changed") {
		t.Errorf("stopped by %+v", stopped)
	}
}

// nobody answers with an empty list of users.
func nobody(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"id":"users","type":"collection","items":[],"_links":{}}`)
	})
}

func TestAContractThatIsMeantToBeSmaller(t *testing.T) {
	w := newWorld(t)
	w.Rules.MaxShare = 20
	w.crowd(0, 50)
	if err := w.ledger.RecordSweep(t.Context(), guard.SweepMemory{Users: 500, Keys: 500}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // The second sweep must not take the smaller reading for the right one.
		if w.night(t).Stopped == nil {
			t.Error("not stopped")
		}
	}
	if stopped := w.sweep(t.Context(), t, `{"override": ["shrunk_reading"]}`).Stopped; stopped != nil {
		t.Errorf("stopped by %+v", stopped)
	}
	if stopped := w.night(t).Stopped; stopped != nil {
		t.Errorf("the next one is stopped by %+v", stopped)
	}
}

func TestAFewKeysAreNoShare(t *testing.T) {
	w := newWorld(t)
	w.Rules.MaxShare = 1
	w.mode(guard.Enforce)
	people := w.crowd(5, 5)
	if stopped := w.night(t).Stopped; stopped != nil {
		t.Errorf("stopped by %+v", stopped)
	}
	want(t, "keys of one", w.api.Keys(people[0].ID)[0].Active, false)
}

func TestTheReportTellsWhatWouldStop(t *testing.T) {
	w := newWorld(t)
	w.Policy.MaxChanges = 3
	w.crowd(4, 0)
	result := w.night(t)
	if result.Stopped != nil || result.WouldStop == nil || result.WouldStop.Brake != guard.TooManyDue {
		t.Errorf("stopped %+v, would stop %+v", result.Stopped, result.WouldStop)
	}
	w.mode(guard.Enforce)
	want(t, "stopped, enforced", w.night(t).Stopped, result.WouldStop)
}
