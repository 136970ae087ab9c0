package ledger_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"keyreeve/pkg/guard"
)

// Ledger is what every ledger must do; testLedger says how.
type Ledger interface {
	Acquire(ctx context.Context, userID, holder string, ttl time.Duration) error
	Release(ctx context.Context, userID, holder string) error
	Recall(ctx context.Context, userID string) (guard.Memory, error)
	RecallAll(ctx context.Context, userIDs []string) (map[string]guard.Memory, error)
	Record(ctx context.Context, userID string, entry guard.Memory) error
	Reserve(ctx context.Context, changes, limit int) (already int, err error)
	Seen(ctx context.Context, digest string) (bool, error)
	Remember(ctx context.Context, digest string, until time.Time) error
	Claim(ctx context.Context, digest, holder string, until time.Time) (held bool, err error)
	WarningsOf(ctx context.Context, userIDs []string) (map[string]guard.KeyWarnings, error)
	RecordWarnings(ctx context.Context, userID string, keyIDs []string, at time.Time) error
	RecallSweeps(ctx context.Context) (guard.SweepMemory, error)
	RecordSweep(ctx context.Context, m guard.SweepMemory) error
}

// clock is a time that a test moves by hand.
type clock struct{ unixNano atomic.Int64 }

func clockAt(t time.Time) *clock {
	c := new(clock)
	c.unixNano.Store(t.UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.unixNano.Load()) }
func (c *clock) advance(d time.Duration) { c.unixNano.Add(int64(d)) }

// noon is the time at which every test begins: the start of a minute.
func noon() time.Time { return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) }

const (
	alice = "3f1c7a52-0000-4000-8000-00000000a11c"
	bob   = "3f1c7a52-0000-4000-8000-000000000b0b"

	// event is a digest as front doors make them.
	event = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
)

// opener returns an empty ledger that goes by the clock.
type opener func(t *testing.T, clock func() time.Time) Ledger

// start opens a ledger at noon.
func (open opener) start(t *testing.T) (*clock, Ledger) {
	t.Helper()
	c := clockAt(noon())
	return c, open(t, c.now)
}

// testLedger is the contract of a ledger.
func testLedger(t *testing.T, open opener) {
	t.Helper()
	testLeases(t, open)
	testMemory(t, open)
	testCounter(t, open)
	testEvents(t, open)
	testWarnings(t, open)
	testSweeps(t, open)
	t.Run("a cancelled call changes nothing", func(t *testing.T) {
		_, l := open.start(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, recallErr := l.Recall(ctx, alice)
		_, recallAllErr := l.RecallAll(ctx, []string{alice, bob})
		_, warningsErr := l.WarningsOf(ctx, []string{alice, bob})
		_, sweepsErr := l.RecallSweeps(ctx)
		_, reserveErr := l.Reserve(ctx, 1, 0)
		_, seenErr := l.Seen(ctx, event)
		_, claimErr := l.Claim(ctx, event, "first", noon().Add(time.Hour))
		for call, err := range map[string]error{
			"Acquire":        l.Acquire(ctx, alice, "first", time.Minute),
			"Release":        l.Release(ctx, alice, "first"),
			"Record":         l.Record(ctx, alice, guard.Memory{OffboardedAt: noon()}),
			"Recall":         recallErr,
			"RecallAll":      recallAllErr,
			"Reserve":        reserveErr,
			"Seen":           seenErr,
			"Claim":          claimErr,
			"Remember":       l.Remember(ctx, event, noon().Add(time.Hour)),
			"WarningsOf":     warningsErr,
			"RecordWarnings": l.RecordWarnings(ctx, alice, []string{"00e1"}, noon()),
			"RecallSweeps":   sweepsErr,
			"RecordSweep":    l.RecordSweep(ctx, sweepOn(noon())),
		} {
			if guard.KindOf(err) != guard.Unavailable {
				t.Errorf("%s = %v, want an error of kind unavailable", call, err)
			}
		}
		acquire(t, l, alice, "second")
		wantMemory(t, l, alice, guard.Memory{})
		wantReserve(t, l, 0, 0, 0)
		wantSeen(t, l, event, false)
		wantWarnings(t, l, alice, nil)
		wantSweeps(t, l, guard.SweepMemory{})
	})
}

// testLeases is about one lease a user.
func testLeases(t *testing.T, open opener) {
	t.Helper()
	t.Run("a lease has one holder", func(t *testing.T) {
		c, l := open.start(t)
		acquire(t, l, alice, "first")
		c.advance(20 * time.Second)
		wantTaken(t, l.Acquire(t.Context(), alice, "second", time.Minute), 40*time.Second)
		acquire(t, l, bob, "second")
	})
	t.Run("a lease expires", func(t *testing.T) {
		c, l := open.start(t)
		acquire(t, l, alice, "first")
		c.advance(time.Minute - time.Nanosecond)
		wantTaken(t, l.Acquire(t.Context(), alice, "second", time.Minute), time.Nanosecond)
		c.advance(time.Nanosecond)
		acquire(t, l, alice, "second")
		wantTaken(t, l.Acquire(t.Context(), alice, "first", time.Minute), time.Minute)
	})
	t.Run("a lease is renewed by its holder", func(t *testing.T) {
		c, l := open.start(t)
		acquire(t, l, alice, "first")
		c.advance(50 * time.Second)
		acquire(t, l, alice, "first")
		c.advance(50 * time.Second)
		wantTaken(t, l.Acquire(t.Context(), alice, "second", time.Minute), 10*time.Second)
	})
	t.Run("a lease is released by its holder only", func(t *testing.T) {
		c, l := open.start(t)
		release(t, l, alice, "first") // nobody has it

		acquire(t, l, alice, "first")
		release(t, l, bob, "first")
		release(t, l, alice, "second")
		wantTaken(t, l.Acquire(t.Context(), alice, "second", time.Minute), time.Minute)
		release(t, l, alice, "first")
		acquire(t, l, alice, "second")

		c.advance(2 * time.Minute)
		acquire(t, l, alice, "thief")
		release(t, l, alice, "second")
		wantTaken(t, l.Acquire(t.Context(), alice, "second", time.Minute), time.Minute)
	})
	t.Run("one of many gets the lease", func(t *testing.T) {
		_, l := open.start(t)
		var acquired atomic.Int32
		together(16, func(i int) {
			switch err := l.Acquire(t.Context(), alice, fmt.Sprint("holder-", i), time.Minute); guard.KindOf(err) {
			case "":
				acquired.Add(1)
			case guard.Unavailable:
			default:
				t.Errorf("Acquire: %v", err)
			}
		})
		if got := acquired.Load(); got != 1 {
			t.Errorf("%d of 16 got the lease, want 1", got)
		}
	})
}

// testMemory is about what is remembered of a user.
func testMemory(t *testing.T, open opener) {
	t.Helper()
	t.Run("a user never heard of is remembered as nothing", func(t *testing.T) {
		_, l := open.start(t)
		wantMemory(t, l, alice, guard.Memory{})
		record(t, l, alice, guard.Memory{Buckets: guard.BucketAnswer{Ownership: guard.OwnsSome}}) // without a time it is no answer
		wantMemory(t, l, alice, guard.Memory{})
	})
	t.Run("the last refusal of each key is kept", func(t *testing.T) {
		_, l := open.start(t)
		first := guard.Refusal{Rule: guard.LastActiveKey, Message: "No.", Remedy: "Do.", Fingerprint: "1"}
		second, other := first, first
		second.Fingerprint, other.Fingerprint = "2", "3"
		record(t, l, alice, guard.Memory{Refusals: map[string]guard.Refusal{"00e1": first, "00e2": other}})
		record(t, l, alice, guard.Memory{Refusals: map[string]guard.Refusal{"00e1": second}})
		wantMemory(t, l, alice, guard.Memory{Refusals: map[string]guard.Refusal{"00e1": second, "00e2": other}})
	})
	t.Run("an attempt is kept until it is taken back", func(t *testing.T) {
		_, l := open.start(t)
		attempt := func(action guard.Action, at time.Time) guard.Attempt {
			return guard.Attempt{Action: action, At: at, RequestID: "evt-1", Guarded: action == guard.Deactivate}
		}
		attempts := func(all map[string]guard.Attempt) guard.Memory { return guard.Memory{Attempts: all} }
		first, earlier := attempt(guard.Deactivate, noon()), attempt(guard.Delete, noon().Add(-time.Hour))
		record(t, l, alice, attempts(map[string]guard.Attempt{"00e1": first, "00e2": first}))
		record(t, l, alice, guard.Memory{})
		wantMemory(t, l, alice, attempts(map[string]guard.Attempt{"00e1": first, "00e2": first}))
		record(t, l, alice, attempts(map[string]guard.Attempt{"00e2": earlier, "00e3": first, "00e4": {}}))
		wantMemory(t, l, alice, attempts(map[string]guard.Attempt{"00e1": first, "00e2": earlier, "00e3": first}))
		record(t, l, alice, attempts(map[string]guard.Attempt{"00e1": {}, "00e2": {}}))
		wantMemory(t, l, alice, attempts(map[string]guard.Attempt{"00e3": first}))
		record(t, l, alice, attempts(map[string]guard.Attempt{"00e3": {}}))
		wantMemory(t, l, alice, guard.Memory{})
	})
	t.Run("a memory comes back as recorded", func(t *testing.T) {
		_, l := open.start(t)
		east := time.FixedZone("east", 2*60*60)
		want := guard.Memory{
			OffboardedAt: noon().Add(-time.Hour),
			Buckets:      guard.BucketAnswer{Ownership: guard.OwnsNone, At: noon().Add(-time.Minute)},
			Changes: map[string]guard.Change{
				"00e1": {
					Action: guard.Deactivate, At: noon(), OccurredAt: noon().Add(-time.Second + time.Nanosecond),
					Actor:  guard.Actor{Kind: guard.Operator, Name: "Olga", Email: "olga@example.com"},
					Reason: "left the company", Source: "okta", RequestID: "evt-1", Overridden: []guard.Rule{guard.LastActiveKey}, Events: []string{"1f", "2e"},
				},
				"00e2": {Action: guard.Activate, At: noon(), OccurredAt: noon(), Actor: guard.Actor{Kind: guard.Schedule}, RequestID: "evt-2"},
			},
		}
		entry := want
		entry.OffboardedAt = entry.OffboardedAt.In(east)
		entry.Buckets.At = entry.Buckets.At.In(east)
		first := want.Changes["00e1"]
		first.At, first.OccurredAt = first.At.In(east), first.OccurredAt.In(east)
		entry.Changes = map[string]guard.Change{"00e1": first, "00e2": want.Changes["00e2"]}

		record(t, l, alice, entry)
		wantMemory(t, l, alice, want)
		wantMemory(t, l, bob, guard.Memory{})
	})
	t.Run("records merge, and the newer part wins", func(t *testing.T) {
		c, l := open.start(t)
		at := func(minutes int) time.Time { return noon().Add(time.Duration(minutes) * time.Minute) }
		answer := func(o guard.Ownership, at time.Time) guard.Memory {
			return guard.Memory{Buckets: guard.BucketAnswer{Ownership: o, At: at}}
		}
		change := func(action guard.Action, occurred, at time.Time) guard.Change {
			return guard.Change{Action: action, OccurredAt: occurred, At: at}
		}
		changes := func(key string, c guard.Change) guard.Memory {
			return guard.Memory{Changes: map[string]guard.Change{key: c}}
		}
		all := guard.Memory{
			OffboardedAt: at(10),
			Buckets:      guard.BucketAnswer{Ownership: guard.OwnsSome, At: at(10)},
			Changes:      map[string]guard.Change{"k": change(guard.Deactivate, at(10), at(12))},
		}
		with := func(edit func(*guard.Memory)) guard.Memory {
			m := all
			m.Changes = map[string]guard.Change{"k": all.Changes["k"]}
			edit(&m)
			return m
		}
		for _, test := range []struct {
			name        string
			entry, want guard.Memory
		}{
			{"nothing leaves everything", guard.Memory{}, all},
			{"an answer without a time is none", answer(guard.OwnsNone, time.Time{}), all},
			{"an earlier mark", guard.Memory{OffboardedAt: at(9)}, all},
			{"a later mark", guard.Memory{OffboardedAt: at(11)}, with(func(m *guard.Memory) { m.OffboardedAt = at(11) })},
			{"an earlier answer", answer(guard.OwnsNone, at(9)), all},
			{"a later answer", answer(guard.OwnsNone, at(11)), with(func(m *guard.Memory) {
				m.Buckets = guard.BucketAnswer{Ownership: guard.OwnsNone, At: at(11)}
			})},
			{"an older change, though it was made later", changes("k", change(guard.Activate, at(9), at(20))), all},
			{"an equally old change", changes("k", change(guard.Activate, at(10), at(11))), with(func(m *guard.Memory) {
				m.Changes["k"] = change(guard.Activate, at(10), at(11))
			})},
			{"a newer change", changes("k", change(guard.Activate, at(11), at(11))), with(func(m *guard.Memory) {
				m.Changes["k"] = change(guard.Activate, at(11), at(11))
			})},
			{"a change of another key", changes("other", change(guard.Activate, at(1), at(1))), with(func(m *guard.Memory) {
				m.Changes["other"] = change(guard.Activate, at(1), at(1))
			})},
			{
				"an older change beside a newer one",
				guard.Memory{Changes: map[string]guard.Change{
					"k": change(guard.Activate, at(9), at(9)), "other": change(guard.Delete, at(30), at(31)),
				}},
				with(func(m *guard.Memory) { m.Changes["other"] = change(guard.Delete, at(30), at(31)) }),
			},
		} {
			t.Run(test.name, func(t *testing.T) {
				user := "user of: " + test.name
				record(t, l, user, all)
				c.advance(time.Minute) // the ledger goes by the times of the entry, not by its clock
				record(t, l, user, test.entry)
				wantMemory(t, l, user, test.want)
				record(t, l, user, test.entry)
				wantMemory(t, l, user, test.want)
			})
		}
	})
	t.Run("a user's item stays small enough to be stored", func(t *testing.T) {
		_, l := open.start(t)
		long := strings.Repeat("<", 1000) // JSON makes six of each
		change := func(action guard.Action, minute int) guard.Change {
			at := noon().Add(time.Duration(minute) * time.Minute)
			return guard.Change{
				Action: action, At: at, OccurredAt: at, Actor: guard.Actor{Kind: guard.System, Name: long, Email: long},
				Reason: long, Source: long, RequestID: long,
			}
		}
		attempts := map[string]guard.Attempt{}
		for i := range 80 {
			attempts[fmt.Sprint("attempted-", i)] = guard.Attempt{Action: guard.Delete, At: noon(), RequestID: long}
		}
		record(t, l, alice, guard.Memory{Attempts: attempts})
		want := map[string]guard.Change{}
		for i := range 5 {
			id := fmt.Sprint("kept-", i)
			want[id] = change(guard.Deactivate, i)
			record(t, l, alice, guard.Memory{OffboardedAt: noon(), Changes: map[string]guard.Change{id: want[id]}})
		}
		last := ""
		for i := range 20 {
			refusals := map[string]guard.Refusal{}
			for k := range 100 {
				refusals[fmt.Sprint("unheard-of-", i, "-", k)] = guard.Refusal{Rule: guard.Confirmation, Message: long, Fingerprint: "1"}
			}
			last = fmt.Sprint("deleted-", i)
			record(t, l, alice, guard.Memory{Refusals: refusals, Changes: map[string]guard.Change{last: change(guard.Delete, 10+i)}})
		}
		want[last] = change(guard.Delete, 29)

		got, err := l.Recall(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Attempts) != len(attempts) {
			t.Errorf("%d attempts are left of %d", len(got.Attempts), len(attempts))
		}
		if !got.OffboardedAt.Equal(noon()) {
			t.Errorf("offboarded at %s, want %s", got.OffboardedAt, noon())
		}
		if _, oldest := got.Changes["deleted-0"]; oldest {
			t.Error("the oldest change of a deleted key is still there")
		}
		maps.DeleteFunc(got.Changes, func(id string, _ guard.Change) bool { return want[id].Action == "" })
		if diff := cmp.Diff(want, got.Changes); diff != "" {
			t.Errorf("changes of keys that are there, and the newest of others (-want +got):\n%s", diff)
		}
	})
	t.Run("many users are recalled at once", func(t *testing.T) {
		_, l := open.start(t)
		wantMemories(t, l, nil, nil)
		wantMemories(t, l, []string{alice, bob}, nil)
		var asked []string
		want := map[string]guard.Memory{}
		for i := range 250 {
			id := fmt.Sprint("user-", i)
			asked = append(asked, id)
			if i%10 == 0 {
				want[id] = guard.Memory{OffboardedAt: noon().Add(time.Duration(i) * time.Second)}
				record(t, l, id, want[id])
			}
		}
		record(t, l, alice, guard.Memory{OffboardedAt: noon()}) // who is not asked about
		warn(t, l, "user-1", noon(), "00e1")                    // which is no memory
		wantMemories(t, l, asked, want)
		wantMemories(t, l, append(asked, asked[0], asked[240], asked[0]), want)
		wantMemories(t, l, []string{"user-20", "user-21", "user-20"}, map[string]guard.Memory{"user-20": want["user-20"]})
	})
	t.Run("more is recalled at once than one answer holds", func(t *testing.T) {
		_, l := open.start(t)
		var asked []string
		want := map[string]guard.Memory{}
		for i := range 8 { // The emulator ends an answer after 1.4 MB.
			id := fmt.Sprint("user-", i)
			asked = append(asked, id)
			change := guard.Change{Action: guard.Delete, At: noon(), OccurredAt: noon(), Reason: strings.Repeat(fmt.Sprint(i), 300_000)}
			want[id] = guard.Memory{Changes: map[string]guard.Change{"00e1": change}}
			record(t, l, id, want[id])
		}
		wantMemories(t, l, asked, want)
	})
	t.Run("concurrent records all count", func(t *testing.T) {
		_, l := open.start(t)
		want := guard.Memory{OffboardedAt: noon().Add(11 * time.Second), Changes: map[string]guard.Change{}}
		for i := range 12 {
			want.Changes[fmt.Sprint("key-", i)] = guard.Change{Action: guard.Delete, At: noon(), OccurredAt: noon()}
		}
		together(12, func(i int) {
			key := fmt.Sprint("key-", i)
			if err := l.Record(t.Context(), alice, guard.Memory{
				OffboardedAt: noon().Add(time.Duration(i) * time.Second),
				Changes:      map[string]guard.Change{key: want.Changes[key]},
			}); err != nil {
				t.Errorf("Record: %v", err)
			}
		})
		wantMemory(t, l, alice, want)
	})
}

// testCounter is about the number of changes in the last hour.
func testCounter(t *testing.T, open opener) {
	t.Helper()
	t.Run("changes are counted up to the limit", func(t *testing.T) {
		c, l := open.start(t)
		wantReserve(t, l, 3, 10, 0)
		c.advance(time.Minute)
		wantReserve(t, l, 6, 10, 3)
		wantReserve(t, l, 2, 10, 9)   // over the limit: not counted
		wantReserve(t, l, 0, 10, 9)   // only asks
		wantReserve(t, l, 1, 10, 9)   // fills it up
		wantReserve(t, l, 1, 10, 10)  // over
		wantReserve(t, l, 0, 10, 10)  // asks
		wantReserve(t, l, 100, 0, 10) // no limit
		wantReserve(t, l, 1, -1, 110) // no limit
		wantReserve(t, l, 0, 0, 111)
	})
	t.Run("changes that did not happen are given back", func(t *testing.T) {
		c, l := open.start(t)
		wantReserve(t, l, 3, 0, 0)
		c.advance(2 * time.Minute)
		wantReserve(t, l, 2, 0, 3)
		wantReserve(t, l, -4, 1, 5)
		wantReserve(t, l, 0, 0, 1)
		wantReserve(t, l, -9, 0, 1)
		wantReserve(t, l, 0, 0, 0)
	})
	t.Run("the hour slides", func(t *testing.T) {
		c, l := open.start(t)
		c.advance(30 * time.Second)
		wantReserve(t, l, 4, 10, 0) // 12:00:30
		c.advance(10 * time.Minute)
		wantReserve(t, l, 5, 10, 4) // 12:10:30
		c.advance(50 * time.Minute)
		wantReserve(t, l, 2, 10, 9) // 13:00:30, the first is one hour old
		c.advance(30 * time.Second)
		wantReserve(t, l, 2, 10, 5) // 13:01:00, and has gone
		c.advance(24 * time.Hour)
		wantReserve(t, l, 0, 10, 0)
	})
	// The ledger is compared with a list of all that it counted.
	t.Run("the limit holds in every hour", func(t *testing.T) {
		c, l := open.start(t)
		type counted struct {
			at time.Time
			n  int
		}
		within := func(all []counted, span time.Duration) (sum int) {
			for _, r := range all {
				if c.now().Sub(r.at) <= span {
					sum += r.n
				}
			}
			return sum
		}
		rapid.Check(t, func(t *rapid.T) {
			c.advance(2 * time.Hour) // so that each run begins with an empty hour
			var all []counted
			for range rapid.IntRange(1, 12).Draw(t, "calls") {
				c.advance(time.Duration(rapid.IntRange(0, 40*60).Draw(t, "seconds")) * time.Second)
				changes, limit := rapid.IntRange(0, 8).Draw(t, "changes"), rapid.IntRange(1, 20).Draw(t, "limit")
				already, err := l.Reserve(context.Background(), changes, limit)
				if err != nil {
					t.Fatal(err)
				}
				if least, most := within(all, time.Hour), within(all, time.Hour+time.Minute); already < least || already > most {
					t.Fatalf("already = %d, but %d were counted in the last hour and %d in the last 61 minutes", already, least, most)
				}
				if already+changes <= limit {
					all = append(all, counted{c.now(), changes})
				}
			}
		})
	})
	t.Run("the limit holds against concurrent reservations", func(t *testing.T) {
		_, l := open.start(t)
		const limit = 10
		var counted atomic.Int32
		together(12, func(int) {
			already, err := l.Reserve(t.Context(), 2, limit)
			if err != nil {
				t.Errorf("Reserve: %v", err)
				return
			}
			if already+2 <= limit {
				counted.Add(2)
			}
		})
		if got := counted.Load(); got != limit {
			t.Errorf("%d changes were counted, want %d", got, limit)
		}
		wantReserve(t, l, 0, limit, limit)
	})
}

// testEvents is about the events that front doors have accepted.
func testEvents(t *testing.T, open opener) {
	t.Helper()
	t.Run("an event never heard of was not seen", func(t *testing.T) {
		_, l := open.start(t)
		wantSeen(t, l, event, false)
		remember(t, l, "another", noon().Add(time.Hour))
		wantSeen(t, l, event, false)
	})
	for _, test := range []struct {
		name string
		// untils are the times until which it is remembered, one call after the other, from noon on.
		untils []time.Duration
		want   time.Duration
	}{
		{"once", []time.Duration{time.Hour}, time.Hour},
		{"twice alike", []time.Duration{time.Hour, time.Hour}, time.Hour},
		{"for longer", []time.Duration{time.Hour, 2 * time.Hour}, 2 * time.Hour},
		{"for less long", []time.Duration{time.Hour, time.Minute}, time.Hour},
		{"for longer and less long", []time.Duration{time.Minute, time.Hour, time.Second}, time.Hour},
		{"until a moment that has passed", []time.Duration{time.Hour, -time.Hour}, time.Hour},
		{"for a nanosecond", []time.Duration{time.Nanosecond}, time.Nanosecond},
		{"no longer at all", []time.Duration{0}, 0},
		{"until a moment that has passed, and no other", []time.Duration{-time.Hour}, 0},
	} {
		t.Run("an event is remembered "+test.name, func(t *testing.T) {
			c, l := open.start(t)
			for _, until := range test.untils {
				remember(t, l, event, noon().Add(until))
			}
			if test.want > 0 {
				c.advance(test.want - time.Nanosecond)
				wantSeen(t, l, event, true)
				c.advance(time.Nanosecond)
			}
			wantSeen(t, l, event, false)
		})
	}
	t.Run("an event that was forgotten is remembered anew", func(t *testing.T) {
		c, l := open.start(t)
		remember(t, l, event, noon().Add(time.Hour))
		c.advance(2 * time.Hour)
		remember(t, l, event, noon().Add(3*time.Hour))
		wantSeen(t, l, event, true)
		c.advance(time.Hour)
		wantSeen(t, l, event, false)
	})
	t.Run("events are remembered apart, and apart from all else", func(t *testing.T) {
		c, l := open.start(t)
		remember(t, l, event, noon().Add(time.Hour))
		remember(t, l, alice, noon().Add(2*time.Hour))
		acquire(t, l, event, "first")
		record(t, l, event, guard.Memory{OffboardedAt: noon()})
		c.advance(90 * time.Minute)
		wantSeen(t, l, event, false)
		wantSeen(t, l, alice, true)
		remember(t, l, "another", noon().Add(2*time.Hour))
		wantSeen(t, l, alice, true)
		wantMemory(t, l, event, guard.Memory{OffboardedAt: noon()})
		wantMemory(t, l, alice, guard.Memory{})
		acquire(t, l, alice, "second")
	})
	t.Run("an event is claimed by the first, and by nobody else until it is forgotten", func(t *testing.T) {
		c, l := open.start(t)
		until := noon().Add(time.Hour)
		wantClaim(t, l, "first", until, true)
		wantClaim(t, l, "second", until, false)
		wantClaim(t, l, "first", until.Add(time.Hour), true)
		wantSeen(t, l, event, true)
		c.advance(2*time.Hour - time.Nanosecond)
		wantClaim(t, l, "second", until.Add(2*time.Hour), false)
		c.advance(time.Nanosecond)
		wantClaim(t, l, "second", until.Add(2*time.Hour), true)
		wantClaim(t, l, "first", until.Add(2*time.Hour), false)
	})
	t.Run("an event that was remembered cannot be claimed", func(t *testing.T) {
		_, l := open.start(t)
		remember(t, l, event, noon().Add(time.Hour))
		wantClaim(t, l, "first", noon().Add(time.Hour), false)
	})
	t.Run("of many who claim an event at once one holds it", func(t *testing.T) {
		const many = 12
		_, l := open.start(t)
		var holders atomic.Int64
		together(many, func(i int) {
			held, err := l.Claim(t.Context(), event, fmt.Sprint(i), noon().Add(time.Hour))
			if err != nil {
				t.Errorf("Claim: %v", err)
			}
			if held {
				holders.Add(1)
			}
		})
		if got := holders.Load(); got != 1 {
			t.Errorf("%d hold the event, want 1", got)
		}
	})
	t.Run("of many who remember an event at once the longest counts", func(t *testing.T) {
		const many = 12
		c, l := open.start(t)
		together(many, func(i int) {
			if err := l.Remember(t.Context(), event, noon().Add(time.Duration(i+1)*time.Hour)); err != nil {
				t.Errorf("Remember: %v", err)
			}
		})
		c.advance(many*time.Hour - time.Nanosecond)
		wantSeen(t, l, event, true)
	})
}

// testWarnings is about when the owners of keys were warned.
func testWarnings(t *testing.T, open opener) {
	t.Helper()
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	at := func(after time.Duration) time.Time { return noon().Add(after) }
	t.Run("a user who never was has no warnings", func(t *testing.T) {
		_, l := open.start(t)
		record(t, l, alice, guard.Memory{OffboardedAt: noon()})
		wantWarnings(t, l, alice, nil)
		warn(t, l, alice, noon())
		wantWarnings(t, l, alice, nil)
	})
	t.Run("warnings are kept by user and by key", func(t *testing.T) {
		_, l := open.start(t)
		warn(t, l, alice, noon().In(time.FixedZone("east", 2*60*60)), "00e1", "00e2", "00e1")
		warn(t, l, alice, at(7*day), "00e2", "00e3")
		warn(t, l, bob, at(time.Nanosecond), "00e1")
		wantWarnings(t, l, alice, guard.KeyWarnings{"00e1": {noon()}, "00e2": {noon(), at(7 * day)}, "00e3": {at(7 * day)}})
		wantWarnings(t, l, bob, guard.KeyWarnings{"00e1": {at(time.Nanosecond)}})
		wantMemory(t, l, alice, guard.Memory{})
	})
	t.Run("the warnings of many users are read at once", func(t *testing.T) {
		_, l := open.start(t)
		var asked []string
		want := map[string]guard.KeyWarnings{}
		for i := range 130 {
			id := fmt.Sprint("user-", i)
			asked = append(asked, id, id)
			if i%10 == 0 {
				want[id] = guard.KeyWarnings{"00e1": {at(time.Duration(i) * time.Second)}}
				warn(t, l, id, at(time.Duration(i)*time.Second), "00e1")
			}
		}
		warn(t, l, alice, noon(), "00e1") // who is not asked about
		got, err := l.WarningsOf(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, printed()); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
	})
	for _, test := range []struct {
		name string
		// warned are the times of the warnings, in the order of the calls, from noon on.
		warned, want []time.Duration
	}{
		{"once", []time.Duration{0}, []time.Duration{0}},
		{"twice at the same time", []time.Duration{0, 0}, []time.Duration{0}},
		{"just too soon", []time.Duration{0, 6*day - time.Nanosecond}, []time.Duration{0}},
		{"just late enough", []time.Duration{0, 6 * day}, []time.Duration{0, 6 * day}},
		{"just too soon, and told later", []time.Duration{6*day - time.Nanosecond, 0}, []time.Duration{6*day - time.Nanosecond}},
		{"just late enough, and told later", []time.Duration{6 * day, 0}, []time.Duration{0, 6 * day}},
		{"between two", []time.Duration{0, 7 * day, 4 * day}, []time.Duration{0, 7 * day}},
		{"between two that are far apart", []time.Duration{0, 14 * day, 7 * day}, []time.Duration{0, 7 * day, 14 * day}},
		{"every day", []time.Duration{0, day, 2 * day, 3 * day, 4 * day, 5 * day, 6 * day, 7 * day}, []time.Duration{0, 6 * day}},
		{
			"more often than is kept",
			[]time.Duration{0, 7 * day, 100 * day, 107 * day, 200 * day, 207 * day},
			[]time.Duration{100 * day, 107 * day, 200 * day, 207 * day},
		},
		{
			"before all that are kept",
			[]time.Duration{100 * day, 107 * day, 200 * day, 207 * day, 0},
			[]time.Duration{100 * day, 107 * day, 200 * day, 207 * day},
		},
		{"again after years", []time.Duration{0, 3 * year}, []time.Duration{0, 3 * year}},
	} {
		t.Run("a key is warned of "+test.name, func(t *testing.T) {
			_, l := open.start(t)
			for _, after := range test.warned {
				warn(t, l, alice, at(after), "00e1")
			}
			var want []time.Time
			for _, after := range test.want {
				want = append(want, at(after))
			}
			wantWarnings(t, l, alice, guard.KeyWarnings{"00e1": want})
		})
	}
	t.Run("keys that were warned of years ago are forgotten", func(t *testing.T) {
		_, l := open.start(t)
		warn(t, l, alice, noon(), "00e1", "00e2", "00e3")
		warn(t, l, alice, at(7*day), "00e2")
		warn(t, l, alice, at(2*year), "00e3")
		wantWarnings(t, l, alice, guard.KeyWarnings{"00e1": {noon()}, "00e2": {noon(), at(7 * day)}, "00e3": {noon(), at(2 * year)}})
		warn(t, l, alice, at(2*year+time.Nanosecond), "00e4")
		wantWarnings(t, l, alice, guard.KeyWarnings{
			"00e2": {noon(), at(7 * day)}, "00e3": {noon(), at(2 * year)}, "00e4": {at(2*year + time.Nanosecond)},
		})
	})
	t.Run("of many who record the same warning at once it is one", func(t *testing.T) {
		_, l := open.start(t)
		want := guard.KeyWarnings{"00e1": {noon()}}
		for i := range 12 {
			want[fmt.Sprint("key-", i)] = []time.Time{noon()}
		}
		together(12, func(i int) {
			if err := l.RecordWarnings(t.Context(), alice, []string{"00e1", fmt.Sprint("key-", i)}, noon()); err != nil {
				t.Errorf("RecordWarnings: %v", err)
			}
		})
		wantWarnings(t, l, alice, want)
	})
}

// testSweeps is about what the last sweep counted.
func testSweeps(t *testing.T, open opener) {
	t.Helper()
	t.Run("there was no sweep yet", func(t *testing.T) {
		_, l := open.start(t)
		wantSweeps(t, l, guard.SweepMemory{})
	})
	t.Run("the last record replaces the one before, whatever it says", func(t *testing.T) {
		_, l := open.start(t)
		first := sweepOn(noon().Add(time.Nanosecond))
		earlier := guard.SweepMemory{Day: "2026-11-21", DayBegan: noon().Add(-24 * time.Hour), Users: 1}
		record := func(m guard.SweepMemory) {
			if err := l.RecordSweep(t.Context(), m); err != nil {
				t.Fatalf("RecordSweep: %v", err)
			}
		}
		local := first
		local.DayBegan = local.DayBegan.In(time.FixedZone("east", 2*60*60))
		record(local)
		wantSweeps(t, l, first)
		record(first)
		wantSweeps(t, l, first)
		record(earlier)
		wantSweeps(t, l, earlier)
		record(guard.SweepMemory{})
		wantSweeps(t, l, guard.SweepMemory{})
	})
}

// together calls fn n times at once and returns when all calls have.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-start; fn(i) })
	}
	close(start)
	wg.Wait()
}

// acquire takes a lease for a minute.
func acquire(t *testing.T, l Ledger, userID, holder string) {
	t.Helper()
	if err := l.Acquire(t.Context(), userID, holder, time.Minute); err != nil {
		t.Fatalf("Acquire for %s: %v", holder, err)
	}
}

func release(t *testing.T, l Ledger, userID, holder string) {
	t.Helper()
	if err := l.Release(t.Context(), userID, holder); err != nil {
		t.Fatalf("Release by %s: %v", holder, err)
	}
}

func wantTaken(t *testing.T, err error, rest time.Duration) {
	t.Helper()
	if err == nil {
		t.Fatal("the lease was given, want it to be taken")
	}
	if got := guard.AsError(err); got.Kind != guard.Unavailable || got.RetryAfter != rest {
		t.Fatalf("got kind %s, retry after %s (%v); want unavailable, %s", got.Kind, got.RetryAfter, err, rest)
	}
}

func record(t *testing.T, l Ledger, userID string, entry guard.Memory) {
	t.Helper()
	if err := l.Record(t.Context(), userID, entry); err != nil {
		t.Fatalf("Record: %v", err)
	}
}

// wantMemory compares times as they are printed too: they come back in UTC.
func wantMemory(t *testing.T, l Ledger, userID string, want guard.Memory) {
	t.Helper()
	got, err := l.Recall(t.Context(), userID)
	if err != nil {
		t.Fatalf("Recall: %v", err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), printed()); diff != "" {
		t.Fatalf("memory (-want +got):\n%s", diff)
	}
}

// printed compares times as they are printed.
func printed() cmp.Option {
	return cmp.Transformer("printed", func(at time.Time) string { return at.Format(time.RFC3339Nano) })
}

// wantMemories wants all that is known of the users, and no entry for anybody else.
func wantMemories(t *testing.T, l Ledger, userIDs []string, want map[string]guard.Memory) {
	t.Helper()
	got, err := l.RecallAll(t.Context(), userIDs)
	if err != nil {
		t.Fatalf("RecallAll: %v", err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), printed()); diff != "" {
		t.Fatalf("memories (-want +got):\n%s", diff)
	}
}

func warn(t *testing.T, l Ledger, userID string, at time.Time, keyIDs ...string) {
	t.Helper()
	if err := l.RecordWarnings(t.Context(), userID, keyIDs, at); err != nil {
		t.Fatalf("RecordWarnings: %v", err)
	}
}

func wantWarnings(t *testing.T, l Ledger, userID string, want guard.KeyWarnings) {
	t.Helper()
	got, err := l.WarningsOf(t.Context(), []string{userID})
	if err != nil {
		t.Fatalf("WarningsOf: %v", err)
	}
	if diff := cmp.Diff(want, got[userID], cmpopts.EquateEmpty(), printed()); diff != "" {
		t.Fatalf("warnings (-want +got):\n%s", diff)
	}
}

// sweepOn is what is remembered of a sweep that began then.
func sweepOn(began time.Time) guard.SweepMemory {
	return guard.SweepMemory{Day: began.UTC().Format(time.DateOnly), DayBegan: began, Users: 3, Keys: 7}
}

func wantSweeps(t *testing.T, l Ledger, want guard.SweepMemory) {
	t.Helper()
	got, err := l.RecallSweeps(t.Context())
	if err != nil {
		t.Fatalf("RecallSweeps: %v", err)
	}
	if diff := cmp.Diff(want, got, printed()); diff != "" {
		t.Fatalf("sweeps (-want +got):\n%s", diff)
	}
}

func wantReserve(t *testing.T, l Ledger, changes, limit, wantAlready int) {
	t.Helper()
	got, err := l.Reserve(t.Context(), changes, limit)
	if err != nil {
		t.Fatalf("Reserve(%d, %d): %v", changes, limit, err)
	}
	if got != wantAlready {
		t.Fatalf("Reserve(%d, %d) = %d, want %d", changes, limit, got, wantAlready)
	}
}

func remember(t *testing.T, l Ledger, digest string, until time.Time) {
	t.Helper()
	if err := l.Remember(t.Context(), digest, until); err != nil {
		t.Fatalf("Remember %s: %v", digest, err)
	}
}

func wantClaim(t *testing.T, l Ledger, holder string, until time.Time, want bool) {
	t.Helper()
	got, err := l.Claim(t.Context(), event, holder, until)
	if err != nil {
		t.Fatalf("Claim by %s: %v", holder, err)
	}
	if got != want {
		t.Fatalf("Claim by %s = %t, want %t", holder, got, want)
	}
}

func wantSeen(t *testing.T, l Ledger, digest string, want bool) {
	t.Helper()
	got, err := l.Seen(t.Context(), digest)
	if err != nil {
		t.Fatalf("Seen %s: %v", digest, err)
	}
	if got != want {
		t.Fatalf("Seen %s = %t, want %t", digest, got, want)
	}
}
