package notify

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

const (
	// sendingPatience bounds one post, with the search for whom it is for: three calls of Slack at most.
	sendingPatience = 9 * time.Second
	// answeringTime is what is left for the answer when everything else has ended.
	answeringTime = 300 * time.Millisecond
	// sendingTime is the least that must be left of the invocation's time to begin with a post: one that is cut off may
	// have been posted, and would be posted again.
	sendingTime = sendingPatience + rememberingPatience + answeringTime
)

// batch is what becomes of the messages that came together.
type batch struct {
	queue *Queue
	// failures has an error at the place of each message that is to be delivered again.
	failures []error
	// told are the notices that were posted.
	told notices
	// halt is why no further post is begun with: Slack wants no more calls, or the time is short.
	halt error
}

// read returns what the messages hold. One that cannot be read has failed.
func (b *batch) read(ctx context.Context, messages []events.SQSMessage) notices {
	var all notices
	for i, message := range messages {
		e, err := edge.Shield(func() (event, error) { return readEvent([]byte(message.Body)) })
		if err != nil {
			b.failures[i] = edge.GiveUp(ctx, b.queue.Logger, err, slog.String("message", message.MessageId))
			continue
		}
		all.add(e, b.queue.Channel, i)
	}
	return all
}

// sendAll sends the posts, in order, until there is a reason to halt.
func (b *batch) sendAll(ctx context.Context, posts []post) {
	sending, cancel := edge.Until(ctx, sendingTime)
	defer cancel()
	for i, p := range posts {
		if b.halt != nil {
			b.fail(b.halt, p.notices...)
			continue
		}
		err := sending.Err()
		if err == nil {
			_, err = edge.Shield(func() (struct{}, error) { return struct{}{}, b.queue.send(ctx, p) })
		}
		if err == nil {
			b.told = append(b.told, p.notices...)
			continue
		}
		b.fail(err, p.notices...)
		known := guard.AsError(err)
		b.queue.Logger.LogAttrs(ctx, slog.LevelError, "Slack did not get what people are to see; it comes again.",
			slog.String("kind", string(known.Kind)), slog.Any("error", err), slog.String("remedy", known.Remedy),
			slog.Bool("direct", p.owner != ""), slog.Any("ids", p.ids()), slog.Int("postsAfterIt", len(posts)-i-1))
		if sending.Err() != nil || known.Kind == guard.Throttled {
			b.halt = err
		}
	}
}

// fail has the messages delivered again that hold the notices.
func (b *batch) fail(err error, failed ...*notice) {
	for _, n := range failed {
		for _, place := range n.places {
			b.failures[place] = err
		}
	}
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
