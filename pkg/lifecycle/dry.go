package lifecycle

import (
	"context"
	"sync"

	"keyreeve/pkg/guard"
)

// dryKeys is the [Keys] of a dry run: no change is sent, and all of them show.
type dryKeys struct {
	Keys
	mu sync.Mutex
	// switched holds the states of the keys that were switched, by key id.
	switched map[string]bool
}

// SwitchKey remembers the key's state.
func (d *dryKeys) SwitchKey(_ context.Context, _, keyID string, active bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.switched == nil {
		d.switched = make(map[string]bool)
	}
	d.switched[keyID] = active
	return nil
}

// DeleteKey does nothing: no request looks for a key that it deleted.
func (*dryKeys) DeleteKey(context.Context, string, string) error { return nil }

// ListKeys returns the real keys in the states they would have.
func (d *dryKeys) ListKeys(ctx context.Context, userID string) ([]guard.Key, error) {
	keys, err := d.Keys.ListKeys(ctx, userID)
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, k := range keys {
		if active, switched := d.switched[k.ID]; switched {
			keys[i].Active = active
		}
	}
	return keys, err
}

// dryLedger is the [Ledger] of a dry run: it remembers what the real one does, and learns nothing.
type dryLedger struct{ Ledger }

func (dryLedger) Record(context.Context, string, guard.Memory) error { return nil }

func (d dryLedger) Reserve(ctx context.Context, _, limit int) (already int, err error) {
	return d.Ledger.Reserve(ctx, 0, limit)
}
