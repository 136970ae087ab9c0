// Package notify tells people in Slack what became of requests and of sweeps: a channel sees every change, refusal and
// failure, and what each sweep found; whose keys were changed, or will be for their age, gets a direct message.
//
// It stands at the end of the flow. Events come from the bus by way of a queue, which gathers them for some seconds, so
// that many at once become few messages. Nobody is told the same twice, as far as the memory can help it: what could not
// be posted comes again, and so does what EventBridge and SQS deliver more than once.
//
// Warnings are the exception to being the end: once one has been posted the ledger records it, and from that record the
// next sweeps count until a key may be switched off. The channel is asked to pass on a warning whose owner is nobody in
// Slack, which counts as well.
package notify

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/slackapi"
)

// Slack is where people are told. Its errors are of type [*guard.Error].
type Slack interface {
	// Post posts a message to the channel, or to the user, with the id.
	Post(ctx context.Context, channel string, m slackapi.Message) error
	// FindByEmail returns the user with the address; an error of kind [guard.NotFound] means that there is none.
	FindByEmail(ctx context.Context, email string) (slackapi.User, error)
}

// Queue is the lambda.Handler of the SQS queue to which a rule of EventBridge sends outcomes, sweeps and warnings. All
// fields must be set, but for Slack and Channel.
type Queue struct {
	// Slack may be nil: then nobody wants notices, and every event is done with.
	Slack Slack
	// Channel is the id of the channel that sees what happens; empty: only the owners of keys are told.
	Channel string
	// Repeats remembers what was posted. It must do so for longer than a request, or a message, is tried again.
	Repeats  edge.Repeats
	Warnings Warnings
	Clock    func() time.Time
	Logger   *slog.Logger
}

// Invoke posts what people are to see of a batch of events, and answers which messages to deliver again: those of which
// something was not posted. What can never be posted so ends in the dead letters.
func (q *Queue) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if q.Slack == nil {
		return edge.Encode(events.SQSEventResponse{})
	}
	answer, err := edge.WholeBatch(payload, func(messages []events.SQSMessage) []error { return q.deliver(ctx, messages) })
	if err != nil {
		return nil, edge.GiveUp(ctx, q.Logger, err)
	}
	return answer, nil
}

// deliver returns an error at the place of each message that is to be delivered again.
func (q *Queue) deliver(ctx context.Context, messages []events.SQSMessage) []error {
	b := &batch{queue: q, failures: make([]error, len(messages))}
	news, warnings := b.read(ctx, messages)
	b.sendAll(ctx, gather(slices.Concat(q.unseen(ctx, news), b.unwarned(ctx, warnings))))
	b.passOn(ctx)
	q.remember(ctx, b.told)
	return b.failures
}
