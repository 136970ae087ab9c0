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

const (
	// sendingPatience bounds one post, with the search for whom it is for: three calls of Slack at most.
	sendingPatience = 9 * time.Second
	// answeringTime is what is left for the answer when everything else has ended.
	answeringTime = 300 * time.Millisecond
	// sendingTime is the least that must be left of the invocation's time to begin with a post: one that is cut off may
	// have been posted, and would be posted again.
	sendingTime = sendingPatience + recordingPatience + rememberingPatience + answeringTime
)

// batch is what becomes of the messages that came together.
type batch struct {
	queue *Queue
	// failures has an error at the place of each message that is to be delivered again.
	failures []error
	// told are the notices, but for warnings, of which whoever can be told has been.
	told notices
	// unreached are the warnings whose owners are nobody in Slack.
	unreached notices
	// halt is why no further post is begun with: Slack wants no more calls, or the time is short.
	halt error
}

// read returns what the messages hold. One that cannot be read has failed.
func (b *batch) read(ctx context.Context, messages []events.SQSMessage) (news, warnings notices) {
	for i, message := range messages {
		e, err := edge.Shield(func() (event, error) { return readEvent([]byte(message.Body)) })
		switch {
		case err != nil:
			b.failures[i] = edge.GiveUp(ctx, b.queue.Logger, err, slog.String("message", message.MessageId))
		case e.warning != nil:
			warnings.warn(*e.warning, i)
		default:
			news.add(e, b.queue.Channel, i)
		}
	}
	return news, warnings
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
		reached, err := false, sending.Err()
		if err == nil {
			reached, err = edge.Shield(func() (bool, error) { return b.queue.send(ctx, p) })
		}
		if err == nil {
			b.done(ctx, p, reached)
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

// done sees to what follows from a post that reached somebody, or whose owner is nobody in Slack.
func (b *batch) done(ctx context.Context, p post, reached bool) {
	switch {
	case !p.warns():
		b.told = append(b.told, p.notices...)
	case reached:
		b.record(ctx, p.notices)
	default:
		b.unreached = append(b.unreached, p.notices...)
	}
}

// passOn tells the channel of the warnings whose owners could not be reached. Without a channel nobody is warned.
func (b *batch) passOn(ctx context.Context) {
	if b.queue.Channel != "" {
		b.sendAll(ctx, inChannel(b.unreached, slackapi.MaxPassedOn))
		return
	}
	for _, n := range b.unreached {
		b.queue.Logger.LogAttrs(ctx, slog.LevelWarn, "The owner of keys is nobody in Slack, and there is no channel: nobody was warned.",
			slog.String("user", n.warning.User.ID), slog.String("sweep", n.warning.SweepID))
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

// send sends one post and reports whether it reached somebody: an owner may be nobody in Slack, or have an account there
// that is not a person's of this organization.
func (q *Queue) send(ctx context.Context, p post) (reached bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendingPatience)
	defer cancel()
	if p.owner == "" {
		return true, q.Slack.Post(ctx, q.Channel, p.message())
	}
	owner, err := q.Slack.FindByEmail(ctx, p.owner)
	if guard.KindOf(err) == guard.NotFound || err == nil && (owner.Deleted || owner.Bot || owner.Stranger) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, q.Slack.Post(ctx, owner.ID, p.message())
}
