package trigger

import (
	"cmp"
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// Tries is how often the request in a message of a queue is tried before the message is buried. SQS must deliver it once
// more before it moves the message itself: that is for functions that died, and for messages that could not be buried.
const Tries = 5

// What is left of the invocation's time when each of the last steps of a last try has to end.
const (
	// buryingTime: the request itself.
	buryingTime = 2300 * time.Millisecond
	// answeringTime: burying the message, so that the batch is answered in any case.
	answeringTime = 300 * time.Millisecond
)

// DeadLetters keeps messages whose requests were tried in vain, for people.
type DeadLetters interface {
	// Bury puts the body of the message with the id there, and why its request was given up after so many tries.
	Bury(ctx context.Context, id, body string, why *guard.Error, tries int) error
}

// Announcer puts outcomes on the bus.
type Announcer interface {
	Announce(ctx context.Context, finished guard.Finished) error
}

// invokeQueue carries out the requests of an SQS batch, in order, and answers which messages to deliver again.
func (h *Handler) invokeQueue(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := edge.Batch(payload, func(record events.SQSMessage) error { return h.settle(ctx, record) })
	if err != nil {
		return nil, edge.GiveUp(ctx, h.Logger, err)
	}
	return answer, nil
}

// settle carries out the request in a message of a queue, and buries the message if that fails for the last time. An error
// means: deliver it again.
func (h *Handler) settle(ctx context.Context, record events.SQSMessage) error {
	tries, err := strconv.Atoi(record.Attributes["ApproximateReceiveCount"])
	if h.DeadLetters == nil || err != nil || tries < Tries {
		return h.deliver(ctx, queueMessage(record))
	}
	working, cancel := edge.Until(ctx, buryingTime)
	defer cancel()
	failed := h.deliver(working, queueMessage(record))
	if failed == nil {
		return nil
	}
	// A function that dies from here on leaves the message buried and queued. That is harmless: the other one is tried
	// again, and ends as done or with the dead letters, too.
	burying, cancel := edge.Until(ctx, answeringTime)
	defer cancel()
	if err := h.DeadLetters.Bury(burying, record.MessageId, record.Body, guard.AsError(failed), tries); err != nil {
		h.Logger.LogAttrs(ctx, slog.LevelError, "The message was not buried, and so counts as failed.",
			slog.String("message", record.MessageId), slog.Any("error", err))
		return failed
	}
	h.tellGivenUp(burying, record, guard.AsError(failed))
	return nil
}

// tellGivenUp announces that a request is with the dead letters, for those who wait for its outcome. Of a message that
// holds no request there is nobody to tell.
func (h *Handler) tellGivenUp(ctx context.Context, record events.SQSMessage, failed *guard.Error) {
	request, err := h.read(queueMessage(record))
	if h.Bus == nil || err != nil {
		return
	}
	finished := request.Told(guard.GivenUp, "The request failed too often and waits with the dead letters: "+failed.Message)
	if err := h.Bus.Announce(ctx, finished); err != nil {
		h.Logger.LogAttrs(ctx, slog.LevelError, "That a request was given up could not be announced.",
			slog.String("id", request.ID), slog.Any("error", err))
	}
}

// invokeTopic carries out the requests of SNS notifications. Lambda delivers all of them again after an error, which
// changes nothing for those that are done.
func (h *Handler) invokeTopic(ctx context.Context, payload []byte) ([]byte, error) {
	var batch events.SNSEvent
	if err := edge.DecodeEnvelope(payload, &batch); err != nil {
		return nil, edge.GiveUp(ctx, h.Logger, err)
	}
	var failed error
	for _, record := range batch.Records {
		if err := h.deliver(ctx, topicMessage(record.SNS)); err != nil {
			failed = err
		}
	}
	return []byte("null"), failed
}

// invokeEvent carries out the request in an EventBridge event.
func (h *Handler) invokeEvent(ctx context.Context, payload []byte) ([]byte, error) {
	return []byte("null"), h.deliver(ctx, message{id: invocationID(ctx), source: directSource, body: payload})
}

// deliver carries out the request in a message whose sender does not wait. An error means: deliver it again; it has
// been logged. A refused key is done with, for it would be refused again; but see leftOn.
func (h *Handler) deliver(ctx context.Context, m message) error {
	request, err := h.read(m)
	if err != nil {
		return edge.GiveUp(ctx, h.Logger, err, slog.String("message", m.id))
	}
	result, err := h.carryOut(ctx, request)
	switch {
	case err == nil:
		err = cmp.Or(failure(result), leftOn(request, result))
	case request.Offboarding && guard.KindOf(err) == guard.NotFound:
		// Most people who leave a company have never had an IONOS user.
		h.Logger.LogAttrs(ctx, slog.LevelInfo, "Nothing to do for somebody who left.",
			slog.String("id", request.ID), slog.Any("reason", err))
		return nil
	}
	if err != nil {
		return edge.GiveUp(ctx, h.Logger, err, slog.String("message", m.id), slog.String("id", request.ID))
	}
	return nil
}

// leftOn returns an error if somebody who left keeps a key because their event came too late or with too many others.
// That is about the moment, not about the key: the request has to end where somebody sees it.
func leftOn(request guard.Request, result guard.Result) error {
	for _, k := range result.Keys {
		late := k.Rule == guard.Stale || k.Outcome == guard.Superseded && k.Active
		if request.Offboarding && (late || k.Rule == guard.BlastRadius) {
			return &guard.Error{
				Kind: guard.Unavailable, Message: k.ID + " of somebody who left stays as it is. " + k.Message,
				Remedy: cmp.Or(k.Remedy, "Find out whether they are back; if not, send the offboarding again as a new event."),
			}
		}
	}
	return nil
}

// message is a request as it arrived, with what its envelopes say of it: defaults for what it leaves out itself.
type message struct {
	id     string
	source string
	at     time.Time
	body   []byte
}

// queueMessage takes the time at which SQS received the message: unlike the clock, it stays when a message is
// delivered again. Not so when it is moved back from the dead letters: then it has another id and another time.
func queueMessage(record events.SQSMessage) message {
	m := message{id: record.MessageId, source: queueSource, body: []byte(record.Body)}
	if sent, err := strconv.ParseInt(record.Attributes["SentTimestamp"], 10, 64); err == nil {
		m.at = time.UnixMilli(sent)
	}
	return m
}

func topicMessage(notification events.SNSEntity) message {
	return message{id: notification.MessageID, source: topicSource, at: notification.Timestamp, body: []byte(notification.Message)}
}

// unwrap takes off an SNS notification and then an EventBridge event, each at most once. The innermost envelope
// knows best what happened and when. A notification may be as a topic sends it, or as Lambda puts it into the dead letters.
func (m message) unwrap() (message, error) {
	if err := edge.WithinLimit(m.body); err != nil {
		return m, err
	}
	var notification events.SNSEntity
	if err := edge.DecodeEnvelope(m.body, &notification); err != nil {
		return m, err
	}
	if notification.Type == "" {
		var undelivered events.SNSEvent
		if err := edge.DecodeEnvelope(m.body, &undelivered); err != nil {
			return m, err
		}
		if len(undelivered.Records) == 1 {
			notification = undelivered.Records[0].SNS
		}
	}
	if notification.Type == "Notification" && notification.TopicArn != "" {
		m = topicMessage(notification).within(m)
	}
	var event events.EventBridgeEvent
	if err := edge.DecodeEnvelope(m.body, &event); err != nil {
		return m, err
	}
	if event.DetailType != "" && event.Detail != nil {
		m = message{id: event.ID, source: event.Source, at: event.Time, body: event.Detail}.within(m)
	}
	return m, nil
}

// within takes from the outer message what m does not know itself.
func (m message) within(outer message) message {
	m.id = cmp.Or(m.id, outer.id)
	m.source = cmp.Or(m.source, outer.source)
	if m.at.IsZero() {
		m.at = outer.at
	}
	return m
}
