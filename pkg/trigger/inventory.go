package trigger

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// Inventory is the lambda.Handler of the function that shows a user's keys. It is asked over HTTP, or directly with
// {"user": …, "actor": {…}}.
type Inventory struct {
	// Show returns what is to be shown of a user's keys, as a value that can be written as JSON. The user is an
	// e-mail address or a UUID.
	Show   func(ctx context.Context, user string, actor guard.Actor) (any, error)
	Logger *slog.Logger
}

// question is the payload of a direct invocation.
type question struct {
	User  string      `json:"user"`
	Actor guard.Actor `json:"actor"`
}

// Invoke answers with an HTTP response or, if asked directly, with what Show returned. Errors are of type
// [*guard.Error]; an HTTP call never has one.
func (i *Inventory) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	kind, err := shapeOf(payload)
	if err != nil {
		return nil, edge.GiveUp(ctx, i.Logger, err)
	}
	if kind == httpCall {
		return endpoint{answer: i.answer, logger: i.Logger}.serve(ctx, payload)
	}
	answer, err := i.showDirectly(ctx, kind, payload)
	if err != nil {
		return nil, edge.GiveUp(ctx, i.Logger, err)
	}
	return answer, nil
}

func (i *Inventory) answer(ctx context.Context, c call) (int, any, error) {
	answer, err := i.show(ctx, question{User: c.user, Actor: c.actor})
	return http.StatusOK, answer, err
}

func (i *Inventory) showDirectly(ctx context.Context, kind shape, payload []byte) ([]byte, error) {
	if kind != direct {
		return nil, &guard.Error{
			Kind:    guard.Invalid,
			Message: "The inventory does not take messages or events: nobody would read the answer.",
			Remedy:  "Ask over HTTP or invoke the function directly.",
		}
	}
	if err := edge.WithinLimit(payload); err != nil {
		return nil, err
	}
	var q question
	if err := edge.DecodeStrictly(payload, &q, edge.Form{Name: "The question", Members: "user and actor (kind, name, email)"}); err != nil {
		return nil, err
	}
	if q.Actor == (guard.Actor{}) {
		q.Actor = guard.Actor{Kind: guard.System, Name: directSource}
	}
	answer, err := i.show(ctx, q)
	if err != nil {
		return nil, err
	}
	return edge.Encode(answer)
}

// show asks a valid question: one whose user and actor would do for a request.
func (i *Inventory) show(ctx context.Context, q question) (any, error) {
	request := guard.Request{Action: guard.Deactivate, User: q.User, Actor: q.Actor}
	if err := request.Validate(time.Time{}); err != nil {
		return nil, err
	}
	return edge.Shield(func() (any, error) { return i.Show(ctx, q.User, q.Actor) })
}
