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
			brake:   guard.TooManyDue, says: "20 keys are due to be changed, and 0 were changed in the last hour; the limit is 19.", reported: true,
		},
		{
			name: "too many were changed in the last hour",
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				if _, err := w.ledger.Reserve(t.Context(), 31, 0); err != nil {
					t.Fatal(err)
				}
			},
			brake: guard.TooManyDue, says: "20 keys are due to be changed, and 31 were changed in the last hour; the limit is 50.", reported: true,
		},
		{
			name:    "more are due than the share of the contract",
			arrange: func(_ *testing.T, w *world) { w.Rules.MaxShare = 9 },
			brake:   guard.TooManyDue, says: "20 keys are due to be changed, of 220; the limit is 9 % of the contract.", reported: true,
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
