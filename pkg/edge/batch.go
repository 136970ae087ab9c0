package edge

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/guard"
)

// Batch hands the messages of an SQS batch to deliver, in order, and returns the answer that tells Lambda which of them
// to deliver again: those for which deliver returned an error. Its own error is of kind [guard.Invalid].
func Batch(payload []byte, deliver func(events.SQSMessage) error) ([]byte, error) {
	return WholeBatch(payload, func(messages []events.SQSMessage) []error {
		failures := make([]error, len(messages))
		for i, message := range messages {
			failures[i] = deliver(message)
		}
		return failures
	})
}

// WholeBatch is [Batch] for messages that are judged together: deliver gets all of them, and returns as many errors, each
// at the place of its message.
func WholeBatch(payload []byte, deliver func([]events.SQSMessage) []error) ([]byte, error) {
	var batch events.SQSEvent
	if err := DecodeEnvelope(payload, &batch); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(batch.Records, func(r events.SQSMessage) bool { return r.MessageId == "" }) {
		// Such a message could not be reported as failed, and so would be lost.
		return nil, &guard.Error{Kind: guard.Invalid, Message: "A record of the queue has no messageId."}
	}
	var answer events.SQSEventResponse
	for i, err := range deliver(batch.Records) {
		if err != nil {
			answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: batch.Records[i].MessageId})
		}
	}
	return Encode(answer)
}

// GiveUp logs err whole and returns what a caller of Lambda may see of it: the message and the remedy, not the cause.
func GiveUp(ctx context.Context, logger *slog.Logger, err error, attrs ...slog.Attr) error {
	known := guard.AsError(err)
	attrs = append(attrs, slog.String("kind", string(known.Kind)), slog.Any("error", err))
	logger.LogAttrs(ctx, slog.LevelError, "The request was not carried out.", attrs...)
	return &guard.Error{
		Kind:       known.Kind,
		Message:    strings.TrimSpace(known.Message + " " + known.Remedy),
		RetryAfter: known.RetryAfter,
	}
}
