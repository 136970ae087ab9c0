package chatops

import (
	"context"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// command does what somebody typed, or pressed a key's button for.
func (w *Worker) command(ctx context.Context, m message, command Command) (*slackapi.Response, error) {
	asker, err := w.actor(ctx, m.User)
	if err != nil {
		return w.told(ctx, m, err), nil
	}
	if command.Mention != "" {
		command.User, err = w.email(ctx, command.Mention)
		if guard.KindOf(err) == guard.Forbidden {
			err = stranger(guard.AsError(err).Message, "Name the user by e-mail address instead.")
		}
		if err != nil {
			return w.told(ctx, m, err), nil
		}
	}
	if command.Verb == List {
		return w.list(ctx, m, command.User, asker), nil
	}
	req := command.Request()
	req.Actor, req.Source, req.ID, req.OccurredAt = asker, source, m.ID, m.At
	req.ReplyTo = guard.ReplyTo{Slack: m.ResponseURL, Channel: m.Channel}
	return w.order(ctx, m, command, req)
}

func (w *Worker) list(ctx context.Context, m message, user string, asker guard.Actor) *slackapi.Response {
	inventory, err := w.Keys.Inventory(ctx, user, asker)
	if err != nil {
		return w.told(ctx, m, err)
	}
	return &slackapi.Response{Message: listing(inventory, w.Clock())}
}

// order has a request carried out, or approved first. What the guard would refuse in whole needs nobody's approval: it is
// announced as it would be if the request had been made.
func (w *Worker) order(ctx context.Context, m message, command Command, req guard.Request) (*slackapi.Response, error) {
	if err := req.Validate(w.Clock()); err != nil {
		return w.told(ctx, m, err), nil
	}
	preview, err := w.preview(ctx, &req)
	switch {
	case guard.KindOf(err) == guard.NotFound, err != nil && (command.NeedsApproval() || req.DryRun):
		return w.told(ctx, m, err), nil
	case !command.NeedsApproval():
		// Whatever else keeps this from being judged, the queue of the action outlasts it.
		return nil, edge.Later(w.Bus.Publish(ctx, req))
	case req.Offboarding && !preview.Any(guard.Changed) && !preview.Any(guard.Refused):
		req.Override = nil // There is nothing to override, and it has to be remembered that somebody left.
		return nil, edge.Later(w.Bus.Publish(ctx, req))
	case !preview.Any(guard.Changed):
		preview.DryRun = false
		return nil, edge.Later(w.Bus.Announce(ctx, req.Finish(preview)))
	}
	response, err := w.ask(m, req, preview)
	if err != nil {
		return w.told(ctx, m, err), nil
	}
	return response, nil
}

// preview says what would become of the request. A deletion of all keys becomes one of those that there are, by name: it
// is these that are confirmed, and approved.
func (w *Worker) preview(ctx context.Context, req *guard.Request) (guard.Result, error) {
	if req.Action == guard.Delete && len(req.Keys) == 0 {
		all, err := w.Keys.Preview(ctx, *req)
		if err != nil || len(all.Keys) == 0 {
			return all, err
		}
		for _, k := range all.Keys {
			req.Keys = append(req.Keys, k.ID)
		}
	}
	if req.Action == guard.Delete {
		req.Confirm = req.Keys
	}
	return w.Keys.Preview(ctx, *req)
}

// ask makes the question to a second person: about those keys alone that the guard would let through.
func (w *Worker) ask(m message, req guard.Request, preview guard.Result) (*slackapi.Response, error) {
	req.Keys = nil
	for _, k := range preview.Keys {
		if k.Outcome == guard.Changed {
			req.Keys = append(req.Keys, k.ID)
		}
	}
	req.User = preview.User.ID
	pending := Pending{ID: m.ID, Request: req, Email: preview.User.Email, Asker: m.User, Expires: m.At.Add(Lifetime)}
	token, err := w.Sealer.Seal(pending)
	if err != nil {
		return nil, err
	}
	return &slackapi.Response{Message: question(pending, preview, token, w.Alone), Public: true}, nil
}
