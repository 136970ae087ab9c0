package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/sweep"
)

// mortal is all that a sweep works with. At the call with its number the process dies: before the call, or after it, so
// that nobody hears of what it did.
type mortal struct {
	sweep.Ledger
	sweep.Past
	sweep.Leases
	sweep.Archive
	sweep.Bus

	dies  int
	after bool

	mu    sync.Mutex
	calls int
}

func (m *mortal) live(call func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	dead := errors.New("the process is dead")
	if m.calls > m.dies || m.calls == m.dies && !m.after {
		return dead
	}
	if err := call(); m.calls < m.dies {
		return err
	}
	return dead
}

func (m *mortal) RecallAll(ctx context.Context, users []string) (memories map[string]guard.Memory, err error) {
	return memories, m.live(func() (err error) { memories, err = m.Ledger.RecallAll(ctx, users); return err })
}

func (m *mortal) WarningsOf(ctx context.Context, users []string) (warnings map[string]guard.KeyWarnings, err error) {
	return warnings, m.live(func() (err error) { warnings, err = m.Ledger.WarningsOf(ctx, users); return err })
}

func (m *mortal) Record(ctx context.Context, user string, entry guard.Memory) error {
	return m.live(func() error { return m.Ledger.Record(ctx, user, entry) })
}

func (m *mortal) RecallSweeps(ctx context.Context) (past guard.SweepMemory, err error) {
	return past, m.live(func() (err error) { past, err = m.Past.RecallSweeps(ctx); return err })
}

func (m *mortal) RecordSweep(ctx context.Context, past guard.SweepMemory) error {
	return m.live(func() error { return m.Past.RecordSweep(ctx, past) })
}

func (m *mortal) Reserve(ctx context.Context, changes, limit int) (already int, err error) {
	return already, m.live(func() (err error) { already, err = m.Past.Reserve(ctx, changes, limit); return err })
}

func (m *mortal) Acquire(ctx context.Context, id, holder string, ttl time.Duration) error {
	return m.live(func() error { return m.Leases.Acquire(ctx, id, holder, ttl) })
}

func (m *mortal) Release(ctx context.Context, id, holder string) error {
	return m.live(func() error { return m.Leases.Release(ctx, id, holder) })
}

func (m *mortal) Put(ctx context.Context, name, contentType string, content io.ReadSeeker) error {
	return m.live(func() error { return m.Archive.Put(ctx, name, contentType, content) })
}

func (m *mortal) Get(ctx context.Context, name string) (content io.ReadCloser, err error) {
	return content, m.live(func() (err error) { content, err = m.Archive.Get(ctx, name); return err })
}

func (m *mortal) Remove(ctx context.Context, name string) error {
	return m.live(func() error { return m.Archive.Remove(ctx, name) })
}

func (m *mortal) Publish(ctx context.Context, requests ...guard.Request) error {
	return m.live(func() error { return m.Bus.Publish(ctx, requests...) })
}

func (m *mortal) PublishWarnings(ctx context.Context, warnings ...guard.OwnerWarning) error {
	return m.live(func() error { return m.Bus.PublishWarnings(ctx, warnings...) })
}

func (m *mortal) AnnounceSweep(ctx context.Context, swept guard.Sweep) error {
	return m.live(func() error { return m.Bus.AnnounceSweep(ctx, swept) })
}

// TestASweepMayDieAtAnyMoment has the sweep die at each of its calls, and its message come again. In the end the same is
// done as if it had lived, and nothing twice.
func TestASweepMayDieAtAnyMoment(t *testing.T) {
	for _, after := range []bool{false, true} {
		for dies := 1; ; dies++ {
			calls := 0
			t.Run(fmt.Sprintf("at call %d, after it: %t", dies, after), func(t *testing.T) { calls = testDeath(t, dies, after) })
			if calls < dies {
				break
			}
		}
	}
}

func testDeath(t *testing.T, dies int, after bool) (calls int) {
	t.Helper()
	w := newWorld(t)
	people := append(town(t, w), w.user("aging", 80, 1), w.user("unseen", -5, 1))
	w.mode(guard.Enforce)
	before := w.states(people...)

	m := &mortal{Ledger: w.Ledger, Past: w.Past, Leases: w.Leases, Archive: w.Archive, Bus: w.Bus, dies: dies, after: after}
	w.Ledger, w.Past, w.Leases, w.Archive, w.Bus = m, m, m, m, m
	_, _ = w.Invoke(t.Context(), []byte(`{}`)) // Whatever it answers, nobody hears it.
	w.Ledger, w.Past, w.Leases, w.Archive, w.Bus = m.Ledger, m.Past, m.Leases, m.Archive, m.Bus
	w.carryOut(t)
	w.deliver(t)
	due, writes := changes(townDue()), len(changes(townDue()))
	w.pass(90 * time.Minute)
	if gone := people[6]; w.states(gone)["gone-1"] == "inactive" { // Somebody undoes it, and it is not done twice.
		w.switchOn(t, gone, "gone-1")
		delete(due, "gone-1")
		writes++
	}
	w.night(t)
	want(t, "changed", changed(before, w.states(people...)), due)
	want(t, "writes", w.writes(), writes)
	want(t, "warned of", len(w.recallWarnings(t, people[7])["aging-0"]), 1)
	want(t, "found inactive", w.recall(t, people[8]).Changes["unseen-0"].Reason, "found inactive")
	return m.calls
}

func (w *world) recallWarnings(t tb, u ionostest.User) guard.KeyWarnings {
	t.Helper()
	warnings, err := w.ledger.WarningsOf(context.Background(), []string{u.ID})
	if err != nil {
		t.Fatal(err)
	}
	return warnings[u.ID]
}
