package lifecycle

import (
	"context"
	"log/slog"
	"time"

	"github.com/sethvargo/go-retry"

	"keyreeve/pkg/guard"
)

const (
	// leaseWait bounds how long a request waits for another one on the same user. Gateways give up at 30 s.
	leaseWait = 10 * time.Second
	// leasePoll is how often it asks, give or take half.
	leasePoll = 50 * time.Millisecond
	// leaseTTL is the life of a lease where the invocation has no deadline.
	leaseTTL = time.Minute
	// leaseMargin is what a lease outlives the invocation's deadline by, so that no writer is left without it.
	leaseMargin = 10 * time.Second
)

// lease takes the user's lease, waiting a while for another holder, and returns how to give it back.
func (l *Lifecycle) lease(ctx context.Context, user guard.User) (release func(), err error) {
	ttl := leaseTTL
	if deadline, ok := ctx.Deadline(); ok {
		ttl = deadline.Sub(l.Clock()) + leaseMargin
	}
	holder := l.Holder()
	var taken error
	poll := retry.WithMaxDuration(leaseWait, retry.WithJitterPercent(50, retry.NewConstant(leasePoll)))
	err = retry.Do(ctx, poll, func(ctx context.Context) error {
		err := l.Leases.Acquire(ctx, user.ID, holder, ttl)
		if guard.KindOf(err) == guard.Unavailable {
			taken = err
			return retry.RetryableError(err)
		}
		return err
	})
	if err != nil && taken != nil {
		return nil, taken // It says more than that time ran out.
	}
	if err != nil {
		return nil, err
	}
	return func() {
		// The lease goes back even if the caller has gone: the next request would wait for it to expire.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseMargin/2)
		defer cancel()
		if err := l.Leases.Release(ctx, user.ID, holder); err != nil {
			l.Logger.WarnContext(ctx, "lease not given back, it expires by itself", slog.String("user", user.ID), slog.Any("error", err))
		}
	}, nil
}
