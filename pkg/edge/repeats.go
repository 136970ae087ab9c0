package edge

import (
	"context"
	"log/slog"
	"time"

	"keyreeve/pkg/guard"
)

// Memory remembers what came, by digests.
type Memory interface {
	Seen(ctx context.Context, digest string) (bool, error)
	Remember(ctx context.Context, digest string, until time.Time) error
}

// Repeats tells what comes again from what is new.
type Repeats struct {
	Memory Memory
	// For is how long something is remembered.
	For    time.Duration
	Clock  func() time.Time
	Logger *slog.Logger
}

// memoryPatience bounds the question whether something came before: taking it for new does less harm than losing it.
const memoryPatience = 500 * time.Millisecond

// Seen reports whether this is remembered. Where that is not known in time, it counts as new.
func (r Repeats) Seen(ctx context.Context, digest string) bool {
	ctx, cancel := context.WithTimeout(ctx, memoryPatience)
	defer cancel()
	seen, err := r.Memory.Seen(ctx, digest)
	if err != nil {
		r.Logger.LogAttrs(ctx, slog.LevelError, "Whether a message came before is not known; it counts as new.",
			slog.String("digest", digest), slog.Any("error", err))
	}
	return seen
}

// Remember remembers what has been dealt with. Where that fails, a repeat counts as new.
func (r Repeats) Remember(ctx context.Context, digest string) {
	if err := r.Memory.Remember(ctx, digest, r.Clock().Add(r.For)); err != nil {
		r.Logger.LogAttrs(ctx, slog.LevelError, "A message could not be remembered.", slog.String("digest", digest), slog.Any("error", err))
	}
}

// retryAfter is how long a sender should wait whose message the bus did not take.
const retryAfter = 10 * time.Second

// Later tells a sender when to try again what the bus did not take. What is wrong with the bus is for the log.
func Later(err error) error {
	if guard.KindOf(err) != guard.Unavailable {
		return err
	}
	return &guard.Error{
		Kind: guard.Unavailable, Message: "The message could not be taken.", Remedy: "Send it again.",
		RetryAfter: retryAfter, Err: err,
	}
}
