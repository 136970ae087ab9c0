package notify

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// askingPatience bounds the question which notices of a batch were posted before, for all of them together: twice is
	// better than late.
	askingPatience = 500 * time.Millisecond
	// rememberingPatience bounds the remembering of all that were posted.
	rememberingPatience = 2 * time.Second
)

// unseen returns the notices that were not posted before, as far as that is known.
func (q *Queue) unseen(ctx context.Context, all notices) notices {
	ctx, cancel := context.WithTimeout(ctx, askingPatience)
	defer cancel()
	seen := make([]bool, len(all))
	forEach(all, func(i int) { seen[i] = q.Repeats.Seen(ctx, all[i].digest) })
	var fresh notices
	for i, n := range all {
		if !seen[i] {
			fresh = append(fresh, n)
		}
	}
	return fresh
}

// remember remembers notices that were posted.
func (q *Queue) remember(ctx context.Context, posted notices) {
	ctx, cancel := context.WithTimeout(ctx, rememberingPatience)
	defer cancel()
	forEach(posted, func(i int) { q.Repeats.Remember(ctx, posted[i].digest) })
}

// forEach calls do for the index of each notice, for some at a time.
func forEach(all notices, do func(i int)) {
	const atATime = 10
	var group errgroup.Group
	group.SetLimit(atATime)
	for i := range all {
		group.Go(func() error {
			do(i)
			return nil
		})
	}
	_ = group.Wait() // what fails is logged where it does
}
