//go:build nobolt

package app

import (
	"context"

	"keyreeve/pkg/guard"
)

// openBolt refuses: on Lambda no file outlives a process, so what is built for it leaves out the code for one.
func openBolt(context.Context, string) (memory, error) {
	return nil, &guard.Error{
		Kind: guard.Invalid, Message: "KEYREEVE_LEDGER must be dynamodb:TABLE: this function was built for Lambda, where no file lasts.",
	}
}
