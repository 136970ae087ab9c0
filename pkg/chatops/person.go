package chatops

import (
	"context"
	"sync"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// knownFor is how long it is believed who somebody in Slack is.
const knownFor = 5 * time.Minute

// directory remembers whom Slack knows. It is safe for concurrent use.
type directory struct {
	mu    sync.Mutex
	users map[string]known
}

type known struct {
	user  slackapi.User
	until time.Time
}

// find returns the user with the id, as ask has it, which is called only where nobody did a moment ago.
func (d *directory) find(id string, now time.Time, ask func() (slackapi.User, error)) (slackapi.User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.users[id]; now.Before(k.until) {
		return k.user, nil
	}
	user, err := ask()
	if err != nil {
		return slackapi.User{}, err
	}
	if d.users == nil {
		d.users = make(map[string]known)
	}
	d.users[id] = known{user: user, until: now.Add(knownFor)}
	return user, nil
}

// actor returns who the user in Slack is to the guard.
func (w *Worker) actor(ctx context.Context, userID string) (guard.Actor, error) {
	email, err := w.email(ctx, userID)
	return guard.Actor{Kind: guard.ChatOps, Name: userID, Email: email}, err
}

// email returns the address of a user in Slack: that of the identity map, else the one that Slack itself has. An address
// is an identity here, so it counts only where the workspace that the app belongs to vouches for it.
func (w *Worker) email(ctx context.Context, userID string) (string, error) {
	email, mapped, err := w.People.Email(ctx, source, userID)
	if mapped || err != nil {
		return email, err
	}
	user, err := w.directory.find(userID, w.Clock(), func() (slackapi.User, error) { return w.Slack.User(ctx, userID) })
	switch {
	case err != nil:
		return "", err
	case user.Deleted || user.Bot:
		return "", stranger(userID+" is no person with an active account in Slack.", "Ask somebody who is.")
	case user.Stranger:
		return "", stranger(userID+" belongs to another workspace.", "Ask somebody of this one.")
	case !guard.IsEmail(user.Email):
		return "", stranger(
			"Slack shows no e-mail address of "+userID+", so nobody knows who that is.",
			"Give the Slack app the scope users:read.email, or add "+source+":"+userID+"=ADDRESS to KEYREEVE_IDENTITY_MAP.",
		)
	}
	return user.Email, nil
}

func stranger(message, remedy string) error {
	return &guard.Error{Kind: guard.Forbidden, Message: message, Remedy: remedy}
}
