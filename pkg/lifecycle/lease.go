package lifecycle

import (
	"context"
	"log/slog"
	"time"

	"github.com/sethvargo/go-retry"

	"keyreeve/pkg/guard"
)

const (
	// leaseWait bounds how long a request waits for others on the same user. Gateways give up at 30 s.
	leaseWait = 15 * time.Second
	// leasePoll is how soon it asks again, give or take half: twice as long each time, because many may be asking, up
	// to leasePollMax.
	leasePoll    = 25 * time.Millisecond
	leasePollMax = 400 * time.Millisecond
	// leaseRetry is when the caller of a request that waited in vain should try again.
	leaseRetry = 2 * time.Second
	// leaseTTL is the life of a lease where the invocation has no deadline.
	leaseTTL = time.Minute
	// leaseMargin is what a lease outlives the invocation's deadline by, so that no writer is left without it.
	leaseMargin = 10 * time.Second
)

// lease takes the user's lease, waiting a while for others, and returns how to give it back.
func (l *Lifecycle) lease(ctx context.Context, user guard.User) (release func(), err error) {
	holder := l.Holder()
	release = func() { l.release(ctx, user, holder) }
	waiting, cancel := until(ctx, finishingTime)
	defer cancel()
	var taken *guard.Error
	poll := retry.WithCappedDuration(leasePollMax, retry.NewExponential(leasePoll))
	err = retry.Do(waiting, retry.WithMaxDuration(leaseWait, retry.WithJitterPercent(50, poll)), func(waiting context.Context) error {
		ttl := leaseTTL
		if deadline, ok := ctx.Deadline(); ok {
			ttl = deadline.Sub(l.Clock()) + leaseMargin
		}
		err := l.Leases.Acquire(waiting, user.ID, holder, ttl)
		if err != nil && guard.AsError(err).RetryAfter > 0 {
			taken = guard.AsError(err)
			return retry.RetryableError(err)
		}
		return err
	})
	if err == nil {
		return release, nil
	}
	release() // It may have been given, and only the answer was lost.
	if taken == nil || guard.AsError(err).RetryAfter == 0 && waiting.Err() == nil {
		return nil, err
	}
	// Who has it is more than that time ran out. But few requests take as long as their leases last.
	said := *taken
	said.RetryAfter = min(said.RetryAfter, leaseRetry)
	return nil, &said
}

// release gives the lease back even if the caller has gone, since the next request would wait for it to expire; but
// where little is left of the invocation, that is for the announcement.
func (l *Lifecycle) release(ctx context.Context, user guard.User, holder string) {
	limit := leaseMargin / 2
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, max(answeringTime, deadline.Sub(l.Clock())-announcingTime))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if err := l.Leases.Release(ctx, user.ID, holder); err != nil {
		l.Logger.WarnContext(ctx, "lease not given back, it expires by itself", slog.String("user", user.ID), slog.Any("error", err))
	}
}
