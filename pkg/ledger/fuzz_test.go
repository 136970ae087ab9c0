package ledger_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ledger"
)

// FuzzItem puts arbitrary bytes where the items of a ledger are. What cannot be read is an error: a ledger that takes it
// for nothing has forgotten who left, who is at work, how much was changed, what was accepted, who was warned and what
// was counted.
func FuzzItem(f *testing.F) {
	for _, item := range []string{
		`{"offboardedAt":"2026-11-22T12:00:00Z","buckets":{"ownership":"none","at":"2026-11-22T12:00:00Z"},"changes":{"00e1":
			{"action":"deactivate","at":"2026-11-22T12:00:00Z","occurredAt":"2026-11-22T12:00:00Z","actor":{"kind":"system"},"requestId":"evt-1"}}}`,
		`{"refusals":{"00e1":{"rule":"exempt","message":"m","remedy":"r","fingerprint":"f"}}}`,
		`{"holder":"first","until":"2026-11-22T12:01:00Z"}`,
		`{"until":"2026-11-22T13:00:00Z"}`,
		`{"until":"2026-11-22T13:00:00+02:00"}`,
		`{"29694960":7}`,
		`{"29694960":-7}`,
		`{"00e1":["2026-11-15T12:00:00Z","2026-11-22T12:00:00Z"],"00e2":["2024-11-22T11:59:59Z"]}`,
		`{"00e1":[],"00e2":null}`,
		`{"00e1":["2026-11-22T12:00:00+02:00","2026-11-01T12:00:00Z"],"00e1":[]}`,
		`{"day":"2026-11-22","dayBegan":"2026-11-22T12:00:00Z","users":3,"keys":7}`,
		`{"day":"","dayBegan":"0001-01-01T00:00:00Z","users":-3,"keys":1e3}`,
		`{}`, `null`, `[]`, `"x"`, `{`, `{"offboardedAt":null}`, ``,
	} {
		f.Add([]byte(item))
	}
	f.Fuzz(func(t *testing.T, item []byte) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		l := openBolt(t, path, clockAt(noon()).now)
		store(t, path, item)
		var object map[string]any
		readable := json.Unmarshal(item, &object) == nil && object != nil
		memory, err := l.Recall(t.Context(), alice)
		if err == nil {
			mustBeKept(t, l, memory)
		}
		_, counted := l.Reserve(t.Context(), 1, 0)
		_, seen := l.Seen(t.Context(), event)
		_, together := l.RecallAll(t.Context(), []string{bob, alice})
		_, sweeps := l.RecallSweeps(t.Context())
		_, warnings := l.WarningsOf(t.Context(), []string{bob, alice})
		warned := l.RecordWarnings(t.Context(), alice, []string{"00e1"}, noon())
		_, again := l.WarningsOf(t.Context(), []string{alice})
		if warnings == nil && errors.Join(warned, again) != nil {
			t.Errorf("%q can be read, and neither written nor read again: %v", item, errors.Join(warned, again))
		}
		remember(t, l, "another", noon().Add(time.Hour))
		for name, err := range map[string]error{
			"Recall": err, "Record": l.Record(t.Context(), alice, guard.Memory{OffboardedAt: noon()}),
			"Acquire": l.Acquire(t.Context(), alice, "second", time.Minute), "Reserve": counted,
			"Seen": seen, "Remember": l.Remember(t.Context(), event, noon().Add(time.Hour)),
			"RecallAll": together, "WarningsOf": warnings, "RecordWarnings": warned,
			"RecallSweeps": sweeps, "RecordSweep": l.RecordSweep(t.Context(), sweepOn(noon())),
		} {
			if err == nil && !readable {
				t.Errorf("%s: %q was taken for nothing", name, item)
			}
			if err != nil && guard.KindOf(err) != guard.Unavailable {
				t.Errorf("%s: %v is of kind %q, want %q", name, err, guard.KindOf(err), guard.Unavailable)
			}
		}
	})
}

// store puts the item in all places that the ledger reads.
func store(t *testing.T, path string, item []byte) {
	t.Helper()
	edit(t, path, func(tx *bbolt.Tx) error {
		for _, place := range [][2]string{{"users", alice}, {"leases", alice}, {"counters", "changes"}, {"events", event}, {"warnings", alice}, {"sweeps", "last"}} {
			if err := tx.Bucket([]byte(place[0])).Put([]byte(place[1]), item); err != nil {
				return err
			}
		}
		return nil
	})
}

// mustBeKept checks that what was recalled is still there when something else is recorded.
func mustBeKept(t *testing.T, l *ledger.Bolt, before guard.Memory) {
	t.Helper()
	if err := l.Record(t.Context(), alice, guard.Memory{Buckets: guard.BucketAnswer{}}); err != nil {
		t.Errorf("%+v cannot be written again: %v", before, err)
		return
	}
	wantMemory(t, l, alice, before)
}
