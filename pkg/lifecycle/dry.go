package lifecycle

import (
	"context"

	"keyreeve/pkg/guard"
)

// dryWriter is the [Writer] of a dry run: every change succeeds and none is sent.
type dryWriter struct{}

func (dryWriter) SwitchKey(context.Context, string, string, bool) error { return nil }
func (dryWriter) DeleteKey(context.Context, string, string) error       { return nil }

// dryLedger is the [Ledger] of a dry run: it remembers what the real one does, and learns nothing.
type dryLedger struct{ Ledger }

func (dryLedger) Record(context.Context, string, guard.Memory) error { return nil }

func (d dryLedger) Reserve(ctx context.Context, _, limit int) (already int, err error) {
	return d.Ledger.Reserve(ctx, 0, limit)
}
