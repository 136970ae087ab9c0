package webhook

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/signature"
)

// Queue is the lambda.Handler of the messages of an SQS queue to which rules of EventBridge send what has to be
// translated: events of partners, and requests whose user nobody knew when they came.
type Queue struct {
	Desk     Desk
	Settings Settings
	Clock    func() time.Time
	Logger   *slog.Logger
}

// ownSource is the source of events that Keyreeve itself put on the bus. Of these only the unmapped requests come here.
const ownSource = "keyreeve"

// Invoke translates the events of a batch and answers which of them to deliver again. What cannot be translated, and
// whoever is still unknown, so ends in the dead letters, to be sent round again when the reason is gone.
func (q *Queue) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := edge.Batch(payload, func(record events.SQSMessage) error {
		_, err := edge.Shield(func() (struct{}, error) { return struct{}{}, q.deliver(ctx, record) })
		if err != nil {
			err = edge.GiveUp(ctx, q.Logger, err, slog.String("message", record.MessageId))
		}
		return err
	})
	if err != nil {
		return nil, edge.GiveUp(ctx, q.Logger, err)
	}
	return answer, nil
}

func (q *Queue) deliver(ctx context.Context, record events.SQSMessage) error {
	var event events.EventBridgeEvent
	if err := edge.DecodeEnvelope([]byte(record.Body), &event); err != nil {
		return err
	}
	if event.Source == ownSource {
		return q.retry(ctx, event)
	}
	name, translate := partner(event.Source)
	if translate == nil {
		return &guard.Error{
			Kind: guard.Invalid, Message: "Nobody here understands events of " + edge.Clip(event.Source) + ".",
			Remedy: "Let the rule send only events of the partners that Keyreeve knows.",
		}
	}
	orders, err := translate(event.Detail, q.Settings)
	if err != nil {
		return err
	}
	if len(orders) == 0 {
		q.Desk.ignore(ctx, name)
		return nil
	}
	// EventBridge gives every event an id. Whoever sends one to the queue by hand may not, and the queue's is the same at
	// each delivery.
	signed := signature.Signed{ID: cmp.Or(event.ID, record.MessageId), At: event.Time}
	for i, o := range orders {
		orders[i] = o.complete(name, signed, q.Clock().UTC())
	}
	_, err = q.Desk.take(ctx, name, orders)
	return err
}

// retry looks once more for somebody whom nobody knew. It announces nothing: that was done when the request came.
func (q *Queue) retry(ctx context.Context, event events.EventBridgeEvent) error {
	var u guard.Unmapped
	form := edge.Form{Name: "The event", Members: "sender, people and request"}
	if err := edge.DecodeStrictly(event.Detail, &u, form); err != nil {
		return err
	}
	email, err := q.Desk.whoIs(ctx, u.Sender, u.People)
	if email == "" {
		return &guard.Error{
			Kind: guard.NotFound, Message: "Nobody knows the e-mail address of " + whom(u) + ".", Err: err,
			Remedy: "Add it to KEYREEVE_IDENTITY_MAP, and send the dead letters round again.",
		}
	}
	u.Request.User = email
	return q.Desk.Bus.Publish(ctx, u.Request)
}

// partner returns a partner's name as a sender and what an event of it means, by the event's source; nil where it is none.
func partner(source string) (name string, translate func(detail []byte, settings Settings) ([]order, error)) {
	switch {
	case strings.HasPrefix(source, "aws.partner/okta.com/"):
		return "okta", oktaPartner
	case strings.HasPrefix(source, "aws.partner/auth0.com/"):
		return "auth0", auth0Partner
	default:
		return "", nil
	}
}
