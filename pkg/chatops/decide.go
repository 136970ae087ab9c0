package chatops

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// The buttons below a question.
const (
	approve = "approve"
	cancel  = "cancel"
)

// decidedFor is how long it is remembered that a question was decided. It must outlast the time for which its token is
// valid, and what the queue needs to deliver a press of its buttons.
const decidedFor = 7 * 24 * time.Hour

// decide answers a question by the button that was pressed below it: once, by whoever is first.
func (w *Worker) decide(ctx context.Context, m message) (*slackapi.Response, error) {
	pending, err := w.Sealer.Open(m.Button.Value, m.At)
	if err != nil {
		return w.told(ctx, m, err), nil
	}
	who, err := w.actor(ctx, m.User)
	if err != nil {
		return w.told(ctx, m, err), nil
	}
	if m.Button.Action == cancel {
		if first, err := w.claim(ctx, m, pending); err != nil || !first {
			return w.late(ctx, m, err)
		}
		return &slackapi.Response{Message: decided(pending, "Cancelled", m.User), Replace: true}, nil
	}
	if err := w.mayApprove(ctx, who, pending); err != nil {
		return w.told(ctx, m, err), nil
	}
	if first, err := w.claim(ctx, m, pending); err != nil || !first {
		return w.late(ctx, m, err)
	}
	req := pending.Request
	req.Source, req.OccurredAt, req.ApprovedBy = source, m.At, who
	req.ReplyTo = guard.ReplyTo{Slack: m.ResponseURL, Channel: m.Channel}
	if err := w.Bus.Publish(ctx, req); err != nil {
		return nil, edge.Later(err)
	}
	if err := w.respond(ctx, m.ResponseURL, slackapi.Response{Message: decided(pending, "Approved", m.User), Replace: true}); err != nil {
		// The request is on its way. Delivering this again would make a second one of it, for no more than its buttons.
		w.Logger.LogAttrs(ctx, slog.LevelError, "A question that was approved still shows its buttons.", slog.Any("error", err))
	}
	return nil, nil
}

// mayApprove is an error if the person may not be the second one.
func (w *Worker) mayApprove(ctx context.Context, second guard.Actor, pending Pending) error {
	same := second.Name == pending.Asker || strings.EqualFold(second.Email, pending.Request.Actor.Email)
	if same && !w.Alone {
		return &guard.Error{
			Kind: guard.Forbidden, Message: "You asked for this yourself: a second person must approve it.",
			Remedy: "Ask somebody else who may act on these keys.",
		}
	}
	return w.Keys.Admit(ctx, pending.Request.User, second)
}

// claim reports whether this press of a button is the first that decides the question. When it is delivered again, it
// still is.
func (w *Worker) claim(ctx context.Context, m message, pending Pending) (first bool, err error) {
	return w.Claims.Claim(ctx, "approval-"+pending.ID, m.ID, w.Clock().Add(decidedFor))
}

// late is the answer to a press of a button that is not the first, unless err keeps that from being known.
func (w *Worker) late(ctx context.Context, m message, err error) (*slackapi.Response, error) {
	if err != nil {
		return nil, err
	}
	return w.told(ctx, m, &guard.Error{
		Kind: guard.Forbidden, Message: "This was approved or cancelled before, and each question is decided once.",
		Remedy: "Ask again if it is still meant.",
	}), nil
}
