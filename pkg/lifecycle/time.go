package lifecycle

import (
	"context"
	"time"
)

// What is left of the invocation's time when each of its last steps has to end.
const (
	// finishingTime: no more reading and writing begins, and what is under way is given up.
	finishingTime = 3 * time.Second
	// lookingTime: the second look stops reading, and if it could not make sure, a key goes back on.
	lookingTime = 2500 * time.Millisecond
	// recordingTime: no more key goes back on, and the ledger has its turn.
	recordingTime = 2 * time.Second
	// announcingTime: the ledger gives up, and the bus has its turn.
	announcingTime = time.Second
	// answeringTime: the bus gives up, and the function answers.
	answeringTime = 300 * time.Millisecond
)

// until returns a context that ends when only left remains of the time of ctx.
func until(ctx context.Context, left time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-left))
}
