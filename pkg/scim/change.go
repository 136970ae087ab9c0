package scim

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"keyreeve/pkg/guard"
)

// source is that of all requests, and by it the ledger knows the keys that were switched off from here.
const source = "scim"

// readPatience is how long IONOS may take to say whether there is the user of whom the sender says that they left.
const readPatience = 2 * time.Second

// patch does what the attribute active of a PATCH asks for.
func (p *Provider) patch(ctx context.Context, c call) (answer, error) {
	wanted, err := readPatch(c.body)
	switch {
	case err != nil:
		return answer{}, err
	case wanted == active && p.Activate:
		return p.bringBack(ctx, c)
	case wanted != inactive:
		return p.show(ctx, c)
	}
	user, known, err := p.order(ctx, c, p.offboarding(c, "deactivated by the identity provider (SCIM)"))
	if err != nil {
		return answer{}, err
	}
	if !known {
		return answer{status: http.StatusNoContent}, nil
	}
	shown := newResource(user)
	shown.Active = false
	return answer{http.StatusOK, shown}, nil
}

// replace does what the attribute active of a PUT asks for.
func (p *Provider) replace(ctx context.Context, c call) (answer, error) {
	body, err := readUser(c.body)
	if err != nil {
		return answer{}, err
	}
	switch {
	case body.active == inactive:
		user, known, err := p.order(ctx, c, p.offboarding(c, "deactivated by the identity provider (SCIM)"))
		if err != nil {
			return answer{}, err
		}
		shown := stub(c.user, body.userName)
		if known {
			shown = newResource(user)
			shown.Active = false
		}
		return answer{http.StatusOK, shown}, nil
	case body.active == active && p.Activate:
		return p.bringBack(ctx, c)
	default:
		return p.show(ctx, c)
	}
}

// bringBack switches those of the user's keys on that SCIM switched off and nobody switched since. Keys that somebody
// else switched off stay off: active true comes along with every change of a profile, and a key that leaked must not
// come back with a name.
func (p *Provider) bringBack(ctx context.Context, c call) (answer, error) {
	user, err := p.Users.FindUser(ctx, c.user)
	if err != nil {
		return answer{}, err
	}
	keys, err := p.switchedOff(ctx, user.ID)
	if err != nil {
		return answer{}, err
	}
	if len(keys) == 0 {
		return p.show(ctx, c)
	}
	request := p.request(c, guard.Activate, "activated by the identity provider (SCIM)")
	request.Keys, request.Override = keys, []guard.Rule{guard.Offboarded}
	if err := p.publish(ctx, request); err != nil {
		return answer{}, err
	}
	shown := newResource(user)
	shown.Active = true
	return answer{http.StatusOK, shown}, nil
}

// switchedOff returns the user's inactive keys whose last change was that SCIM switched them off.
func (p *Provider) switchedOff(ctx context.Context, userID string) ([]string, error) {
	memory, err := p.Memory.Recall(ctx, userID)
	if err != nil || len(memory.Changes) == 0 {
		return nil, err
	}
	keys, err := p.Users.ListKeys(ctx, userID)
	var ours []string
	for _, k := range keys {
		last := memory.Changes[k.ID]
		if !k.Active && last.Action == guard.Deactivate && last.Source == source {
			ours = append(ours, k.ID)
		}
	}
	return ours, err
}

// remove takes a deletion for somebody's leaving. The IONOS user stays, and goes on being shown, inactive.
func (p *Provider) remove(ctx context.Context, c call) (answer, error) {
	if _, _, err := p.order(ctx, c, p.offboarding(c, "deleted by the identity provider (SCIM)")); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

// order puts the request on the bus and returns its user, unless there is none. Where IONOS cannot say, the user is not
// known, and the request goes on the bus all the same: the queue behind it waits for IONOS, and the sender might not.
func (p *Provider) order(ctx context.Context, c call, request guard.Request) (user guard.User, known bool, err error) {
	reading, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	user, err = p.Users.FindUser(reading, c.user)
	if guard.KindOf(err) == guard.NotFound {
		return guard.User{}, false, err
	}
	if err != nil {
		p.Logger.LogAttrs(ctx, slog.LevelWarn, "The user could not be read; the request goes on the bus unseen.",
			slog.String("user", c.user), slog.String("request", request.ID), slog.Any("error", err))
	}
	return user, err == nil, p.publish(ctx, request)
}

func (p *Provider) publish(ctx context.Context, request guard.Request) error {
	if err := p.Bus.Publish(ctx, request); err != nil {
		return notTaken(err)
	}
	p.Logger.LogAttrs(ctx, slog.LevelInfo, "A request of the identity provider is on the bus.",
		slog.String("action", string(request.Action)), slog.String("user", request.User), slog.String("request", request.ID))
	return nil
}

func (p *Provider) offboarding(c call, reason string) guard.Request {
	request := p.request(c, guard.Deactivate, reason)
	request.Offboarding = true
	return request
}

// request makes a request of a call. Each call is an event of its own: the calls by which somebody leaves twice are the
// same but for the time, and nothing in them tells a repeat. No memory of earlier calls is kept for that. A bearer token
// is no signature: whoever could repeat a call could as well make a new one. And a repeat changes nothing, because the
// keys are off by then.
//
// The user is named by UUID, as the sender named them: an e-mail address might be another's by the time that the request
// is carried out.
func (p *Provider) request(c call, action guard.Action, reason string) guard.Request {
	now := p.Clock()
	said := fmt.Appendf(nil, "%s %s %s\n%s", c.method, c.path, now.UTC().Format(time.RFC3339Nano), c.body)
	return guard.Request{
		Action: action, User: c.user, Reason: reason, Actor: guard.Actor{Kind: guard.System, Name: source}, Source: source,
		ID: fmt.Sprintf("%x", sha256.Sum256(said)), OccurredAt: now,
	}
}
