//go:build !nobolt

package app

import (
	"context"
	"time"

	"keyreeve/pkg/ledger"
)

// openBolt opens the ledger that is a file, for the processes of one machine.
func openBolt(ctx context.Context, path string) (memory, error) {
	return ledger.OpenBolt(ctx, path, time.Now)
}
