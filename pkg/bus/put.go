package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/sethvargo/go-retry"

	"keyreeve/pkg/awscall"
	"keyreeve/pkg/guard"
)

// The limits of one PutEvents call. EventBridge takes more by now; 256 KB is what every target and emulator takes.
const (
	maxCallEntries = 10
	maxCallSize    = 256 * 1024
)

const (
	// patience bounds everything that one Announce or Publish does, attemptPatience one exchange with EventBridge.
	patience        = 10 * time.Second
	attemptPatience = 3 * time.Second
	// attempts is how often a call is made that fails as a whole, in a way that may pass.
	attempts   = 3
	maxBackoff = 500 * time.Millisecond
	// entryRetries is how often entries are sent again that EventBridge turned down although it took the call.
	entryRetries   = 3
	entryRetryWait = 100 * time.Millisecond
)

// put sends all entries, in as many calls as that takes. It goes on after a call that failed.
func (b *Bus) put(ctx context.Context, entries []types.PutEventsRequestEntry) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var lost int
	var causes []error
	for rest := entries; len(rest) > 0; {
		n := fitting(rest)
		if left, err := b.putCall(ctx, rest[:n]); err != nil {
			lost += left
			causes = append(causes, err)
		}
		rest = rest[n:]
	}
	if lost == 0 {
		return nil
	}
	return &guard.Error{
		Kind:    guard.Unavailable,
		Message: fmt.Sprintf("The event bus did not take %d of %d events.", lost, len(entries)),
		Remedy:  "Try again; if it stays so, check that the bus named by KEYREEVE_BUS exists and that the function may put events on it.",
		Err:     errors.Join(causes...),
	}
}

// fitting returns how many of the first entries fit in one call: at least one, because each fits by itself.
func fitting(entries []types.PutEventsRequestEntry) int {
	size := 0
	for i, entry := range entries {
		size += sizeOf(entry)
		if i == maxCallEntries || size > maxCallSize {
			return i
		}
	}
	return len(entries)
}

// sizeOf is the size of an entry in bytes as EventBridge reckons it.
func sizeOf(entry types.PutEventsRequestEntry) int {
	const timeSize = 14
	return timeSize + len(*entry.Source) + len(*entry.DetailType) + len(*entry.Detail)
}

// putCall sends at most one call's worth of entries, and those of them again that were turned down. It returns how
// many were not taken in the end.
func (b *Bus) putCall(ctx context.Context, entries []types.PutEventsRequestEntry) (left int, err error) {
	backoff := retry.WithMaxRetries(entryRetries, retry.NewExponential(entryRetryWait))
	err = retry.Do(ctx, backoff, func(ctx context.Context) error {
		out, err := b.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
		if err != nil {
			return awscall.Describe("PutEvents", err)
		}
		if len(out.Entries) != len(entries) {
			return fmt.Errorf("PutEvents answered for %d of %d entries", len(out.Entries), len(entries))
		}
		var refused []types.PutEventsRequestEntry
		var code string
		for i, answer := range out.Entries {
			if aws.ToString(answer.EventId) == "" {
				refused = append(refused, entries[i])
				code = awscall.Code(aws.ToString(answer.ErrorCode))
			}
		}
		entries = refused
		if len(refused) > 0 {
			return retry.RetryableError(fmt.Errorf("PutEvents refused %d entries, one of them for %s", len(refused), code))
		}
		return nil
	})
	return len(entries), err
}
