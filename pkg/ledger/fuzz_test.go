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
// for nothing has forgotten who left, who is at work and how much was changed.
func FuzzItem(f *testing.F) {
	for _, item := range []string{
		`{"offboardedAt":"2026-11-22T12:00:00Z","buckets":{"ownership":"none","at":"2026-11-22T12:00:00Z"},"changes":{"00e1":
			{"action":"deactivate","at":"2026-11-22T12:00:00Z","occurredAt":"2026-11-22T12:00:00Z","actor":{"kind":"system"},"requestId":"evt-1"}}}`,
		`{"refusals":{"00e1":{"rule":"exempt","message":"m","remedy":"r","fingerprint":"f"}}}`,
		`{"holder":"first","until":"2026-11-22T12:01:00Z"}`,
		`{"29694960":7}`,
		`{"29694960":-7}`,
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
		for name, err := range map[string]error{
			"Recall": err, "Record": l.Record(t.Context(), alice, guard.Memory{OffboardedAt: noon()}),
			"Acquire": l.Acquire(t.Context(), alice, "second", time.Minute), "Reserve": counted,
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

// store puts the item in all three places that the ledger reads.
func store(t *testing.T, path string, item []byte) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, place := range [][2]string{{"users", alice}, {"leases", alice}, {"counters", "changes"}} {
			if err := tx.Bucket([]byte(place[0])).Put([]byte(place[1]), item); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
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
