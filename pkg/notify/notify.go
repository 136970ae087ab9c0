// Package notify tells people in Slack what became of requests: a channel sees every change, refusal and failure, and
// whose keys were changed gets a direct message.
//
// It stands at the end of the flow. Outcomes come from the bus by way of a queue, which gathers them for some seconds, so
// that many at once become one message. Nobody is told the same twice, as far as the memory can help it: what could not be
// posted comes again, and so does what EventBridge and SQS deliver more than once.
package notify

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// Slack is where people are told. Its errors are of type [*guard.Error].
type Slack interface {
	// Post posts a message to the channel, or to the user, with the id.
	Post(ctx context.Context, channel string, m slackapi.Message) error
	// FindByEmail returns the user with the address; an error of kind [guard.NotFound] means that there is none.
	FindByEmail(ctx context.Context, email string) (slackapi.User, error)
}

// Queue is the lambda.Handler of the SQS queue to which a rule of EventBridge sends outcomes. All fields must be set, but
// for Slack and Channel.
type Queue struct {
	// Slack may be nil: then nobody wants notices, and every outcome is done with.
	Slack Slack
	// Channel is the id of the channel that sees what happens; empty: only the owners of keys are told.
	Channel string
	// Repeats remembers what was posted. It must do so for longer than a request, or a message, is tried again.
	Repeats edge.Repeats
	Logger  *slog.Logger
}

const (
	// sendingPatience bounds one post, with the search for whom it is for: three calls of Slack at most.
	sendingPatience = 9 * time.Second
	// answeringTime is what is left for the answer when everything else has ended.
	answeringTime = 300 * time.Millisecond
	// sendingTime is the least that must be left of the invocation's time to begin with a post: one that is cut off may
	// have been posted, and would be posted again.
	sendingTime = sendingPatience + rememberingPatience + answeringTime
)

// Invoke posts what people are to see of a batch of outcomes, and answers which messages to deliver again: those of which
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
	failures := make([]error, len(messages))
	var all notices
	for i, message := range messages {
		outcome, err := edge.Shield(func() (guard.Finished, error) { return readOutcome([]byte(message.Body)) })
		if err != nil {
			failures[i] = edge.GiveUp(ctx, q.Logger, err, slog.String("message", message.MessageId))
			continue
		}
		all.add(outcome, q.Channel, i)
	}
	posts := gather(q.unseen(ctx, all))
	var told notices
	for i, err := range q.sendAll(ctx, posts) {
		if err == nil {
			told = append(told, posts[i].notices...)
			continue
		}
		for _, n := range posts[i].notices {
			for _, place := range n.places {
				failures[place] = err
			}
		}
	}
	q.remember(ctx, told)
	return failures
}

// sendAll sends the posts, in order, and returns an error at the place of each that was not sent. It begins with no
// further one when Slack wants no more calls or the time is short.
func (q *Queue) sendAll(ctx context.Context, posts []post) []error {
	sending, cancel := edge.Until(ctx, sendingTime)
	defer cancel()
	failures := make([]error, len(posts))
	for i, p := range posts {
		err := sending.Err()
		if err == nil {
			_, err = edge.Shield(func() (struct{}, error) { return struct{}{}, q.send(ctx, p) })
		}
		if err == nil {
			continue
		}
		failures[i] = err
		known := guard.AsError(err)
		q.Logger.LogAttrs(ctx, slog.LevelError, "Slack did not get what people are to see; it comes again.",
			slog.String("kind", string(known.Kind)), slog.Any("error", err), slog.String("remedy", known.Remedy),
			slog.Bool("direct", p.owner != ""), slog.Any("requests", p.requests()), slog.Int("postsAfterIt", len(posts)-i-1))
		if sending.Err() != nil || known.Kind == guard.Throttled {
			for rest := i + 1; rest < len(posts); rest++ {
				failures[rest] = failures[i]
			}
			break
		}
	}
	return failures
}

// send sends one post. An owner who is nobody in Slack, or whose account there is not a person's of this organization, is
// told nothing.
func (q *Queue) send(ctx context.Context, p post) error {
	ctx, cancel := context.WithTimeout(ctx, sendingPatience)
	defer cancel()
	if p.owner == "" {
		return q.Slack.Post(ctx, q.Channel, p.message())
	}
	owner, err := q.Slack.FindByEmail(ctx, p.owner)
	if guard.KindOf(err) == guard.NotFound || err == nil && (owner.Deleted || owner.Bot || owner.Stranger) {
		return nil
	}
	if err != nil {
		return err
	}
	return q.Slack.Post(ctx, owner.ID, p.message())
}
