// Package trigger is the edge of the action functions and of the inventory: it translates what Lambda hands over
// into a [guard.Request], and the [guard.Result] back into what that caller understands.
//
// It stands between the Lambda runtime and the lifecycle. What was invoked is recognised by its structure: an HTTP
// call, a batch from a queue, a notification, an event, or a request by itself. The envelopes are AWS's and are read
// leniently; the request inside them is a person's or a program's and is read strictly.
package trigger

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// Handler is the lambda.Handler of one action function.
type Handler struct {
	// Action is the one action of this function.
	Action guard.Action
	// Do carries out a valid request of that action. Its error means that there is no result.
	Do func(context.Context, guard.Request) (guard.Result, error)
	// DeadLetters gets the messages of a queue that fail at their last try; nil: SQS moves them, without a reason.
	DeadLetters DeadLetters
	// Bus hears of the requests in them; nil: nobody does.
	Bus    Announcer
	Clock  func() time.Time
	Logger *slog.Logger
}

// Invoke carries out what the payload asks for and answers in the way its sender expects: an HTTP response, the list
// of messages to deliver again, or the result. Errors are of type [*guard.Error]; an HTTP call never has one.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	kind, err := shapeOf(payload)
	if err != nil {
		return nil, edge.GiveUp(ctx, h.Logger, err)
	}
	switch kind {
	case httpCall:
		return endpoint{action: h.Action, answer: h.answer, logger: h.Logger}.serve(ctx, payload)
	case queueBatch:
		return h.invokeQueue(ctx, payload)
	case topicBatch:
		return h.invokeTopic(ctx, payload)
	case busEvent:
		return h.invokeEvent(ctx, payload)
	default:
		return h.invokeDirect(ctx, payload)
	}
}

// invokeDirect carries out a request whose sender may be waiting for the result, or may be Lambda's own queue for
// asynchronous invocations, which tries again after an error. Such a second try has the id of the first, but no time
// of its own: a request that leaves out occurredAt counts as made when it is tried.
func (h *Handler) invokeDirect(ctx context.Context, payload []byte) ([]byte, error) {
	request, err := h.read(message{id: invocationID(ctx), source: directSource, body: payload})
	if err != nil {
		return nil, edge.GiveUp(ctx, h.Logger, err)
	}
	result, err := h.carryOut(ctx, request)
	if err == nil {
		err = failure(result)
	}
	if err != nil {
		return nil, edge.GiveUp(ctx, h.Logger, err, slog.String("id", request.ID))
	}
	return edge.Encode(result)
}

// read takes the request out of a message and completes it.
func (h *Handler) read(m message) (guard.Request, error) {
	m, err := m.unwrap()
	if err != nil {
		return guard.Request{}, err
	}
	request, err := edge.ReadRequest(m.body)
	if err != nil {
		return guard.Request{}, err
	}
	request.Source = cmp.Or(request.Source, m.source)
	request.ID = cmp.Or(request.ID, m.id)
	if request.OccurredAt.IsZero() {
		request.OccurredAt = m.at
	}
	if request.Actor == (guard.Actor{}) {
		request.Actor = guard.Actor{Kind: guard.System, Name: request.Source}
	}
	return h.complete(request)
}

// complete fills in what every request of this function has, and validates the whole.
func (h *Handler) complete(request guard.Request) (guard.Request, error) {
	request.Action = cmp.Or(request.Action, h.Action)
	if request.Action != h.Action {
		return guard.Request{}, &guard.Error{
			Kind:    guard.Invalid,
			Message: fmt.Sprintf("The request's action is %q, and this function does %q only.", edge.Clip(string(request.Action)), h.Action),
			Remedy:  "Send the request to the function of its action.",
		}
	}
	now := h.Clock()
	if request.OccurredAt.IsZero() {
		request.OccurredAt = now
	}
	request.OccurredAt = request.OccurredAt.UTC()
	if err := request.Validate(now); err != nil {
		return guard.Request{}, err
	}
	return request, nil
}

func (h *Handler) carryOut(ctx context.Context, request guard.Request) (guard.Result, error) {
	return edge.Shield(func() (guard.Result, error) { return h.Do(ctx, request) })
}

// failure returns an error that lists the outcomes, key by key, if one of them is failed.
func failure(result guard.Result) error {
	if !result.Any(guard.Failed) {
		return nil
	}
	outcomes := make([]string, len(result.Keys))
	for i, k := range result.Keys {
		outcomes[i] = k.ID + " " + string(k.Outcome)
		if k.Message != "" {
			outcomes[i] += " (" + k.Message + ")"
		}
	}
	return &guard.Error{
		Kind: guard.Upstream,
		Message: fmt.Sprintf("Not every key of %s could be handled (%s): %s.",
			cmp.Or(result.User.Email, result.User.ID), result.Action, strings.Join(outcomes, "; ")),
		Remedy: "Send the same request again: what is done stays done.",
	}
}

func invocationID(ctx context.Context) string {
	if lambda, ok := lambdacontext.FromContext(ctx); ok {
		return lambda.AwsRequestID
	}
	return ""
}
