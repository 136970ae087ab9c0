package proof_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/lifecycle"
)

// mutant breaks one of the things that the invariants rest on, in what the lifecycle is given, not in its code.
type mutant struct {
	name  string
	apply func(*lifecycle.Lifecycle)
}

func withoutLease() mutant {
	return mutant{"without the lease", func(l *lifecycle.Lifecycle) { l.Leases = everybodysLease{} }}
}

func withoutSecondLook() mutant {
	return mutant{"without the second look", func(l *lifecycle.Lifecycle) { l.Keys = &firstLook{Keys: l.Keys} }}
}

func withoutAttempts() mutant {
	return mutant{"without attempts", func(l *lifecycle.Lifecycle) { l.Ledger = forgetful{l.Ledger} }}
}

// forgetful knows nothing of what dead requests had begun.
type forgetful struct{ lifecycle.Ledger }

// Recall implements [lifecycle.Ledger].
func (f forgetful) Recall(ctx context.Context, userID string) (guard.Memory, error) {
	memory, err := f.Ledger.Recall(ctx, userID)
	memory.Attempts = nil
	return memory, err
}

// everybodysLease is granted to all who ask.
type everybodysLease struct{}

// Acquire implements [lifecycle.Leases].
func (everybodysLease) Acquire(context.Context, string, string, time.Duration) error { return nil }

// Release implements [lifecycle.Leases].
func (everybodysLease) Release(context.Context, string, string) error { return nil }

// firstLook shows, once its request has switched a key, what the request read before and its own switches: a second
// look at it sees nothing of what others did.
type firstLook struct {
	lifecycle.Keys

	mu    sync.Mutex
	shown []guard.Key
	wrote bool
}

// ListKeys implements [lifecycle.Keys].
func (f *firstLook) ListKeys(ctx context.Context, userID string) ([]guard.Key, error) {
	f.mu.Lock()
	wrote, shown := f.wrote, slices.Clone(f.shown)
	f.mu.Unlock()
	if wrote {
		return shown, nil
	}
	keys, err := f.Keys.ListKeys(ctx, userID)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shown = slices.Clone(keys)
	return keys, err
}

// SwitchKey implements [lifecycle.Keys].
func (f *firstLook) SwitchKey(ctx context.Context, userID, keyID string, active bool) error {
	err := f.Keys.SwitchKey(ctx, userID, keyID, active)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wrote = true
	for i, k := range f.shown {
		if k.ID == keyID && err == nil {
			f.shown[i].Active = active
		}
	}
	return err
}

// TestTheExplorerFinds shows that the explorer finds what breaks without the lease and without the second look, and
// tells how it came to that.
func TestTheExplorerFinds(t *testing.T) {
	for _, test := range []struct {
		mutant    mutant
		scenario  string
		invariant int
	}{
		{withoutSecondLook(), "each key its deactivation, and the hand takes both", 1},
		{withoutSecondLook(), "two of three keys, a legacy one among them", 1},
		{withoutLease(), "a deletion against an activation", 2},
		{withoutLease(), "the only two keys go, nobody knows of buckets", 2},
		{withoutLease(), "an older event against a newer one", 3},
		{withoutLease(), "the same event twice", 3},
	} {
		t.Run(test.mutant.name+", "+test.scenario, func(t *testing.T) {
			t.Parallel()
			all := scenarios()
			s := all[slices.IndexFunc(all, func(s scenario) bool { return s.name == test.scenario })]
			s.change = test.mutant.apply
			e := newExplorer(t, s)
			_, found := e.explore()
			if found == nil {
				t.Fatal("nothing was found")
			}
			if found.invariant != test.invariant {
				t.Errorf("invariant %d is broken, want %d", found.invariant, test.invariant)
			}
			t.Logf("%s, found after %d runs:\n%s", found.how, e.runs, e.story(found.way))
		})
	}
}

// TestTheHistoriesFind shows the same of the histories, and what breaks where nobody remembers what the dead had begun.
func TestTheHistoriesFind(t *testing.T) {
	for _, test := range []struct {
		mutant
		from int // is where to begin among the histories, so that this takes a moment.
	}{{withoutLease(), 0}, {withoutSecondLook(), 0}, {withoutAttempts(), 550}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(memoryDir(t), "ledger.db")
			for i := range 3000 {
				seed := test.from + i
				h := histories().Example(seed)
				h.change = test.apply
				if broke, told := h.run(t, file); broke != nil {
					t.Logf("invariant %d is broken: %s; by history %d:\n%s", broke.invariant, broke.how, seed, strings.Join(told, "\n"))
					return
				}
			}
			t.Error("nothing was found")
		})
	}
}
