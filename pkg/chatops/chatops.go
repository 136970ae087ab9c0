// Package chatops is how people run access keys from Slack: a slash command, buttons, and for what cannot be undone a
// second person's approval.
//
// Slack waits three seconds for an answer, and IONOS may take longer. So there are two halves with the bus between them.
// The [Door] verifies what Slack sends, reads it, puts it on the bus and answers at once. The [Worker] takes it from a
// queue, finds out whose e-mail address the person in Slack has, and lists keys, asks for approval, or publishes a
// request; it answers by the response_url that came along. What the functions behind the bus made of a request comes back
// to the Worker the same way, as an outcome.
//
// Who may do what is the guard's to say, once it knows the actor. Only the second person is asked for here.
package chatops

import (
	"context"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// Bus takes what people wrote, and what is to be carried out.
type Bus interface {
	// PublishChat puts what somebody wrote on the bus, as a value that can be written as JSON.
	PublishChat(ctx context.Context, message any) error
	// Publish puts requests on the bus. After an error some may be there all the same.
	Publish(ctx context.Context, requests ...guard.Request) error
	// Announce puts an outcome on the bus.
	Announce(ctx context.Context, finished guard.Finished) error
}

// Claims remembers who was first.
type Claims interface {
	// Claim reports whether the event is holder's until then: of several who claim it, it is the first one's.
	Claim(ctx context.Context, digest, holder string, until time.Time) (held bool, err error)
}

// People knows the e-mail addresses of those whom Slack may not show one of.
type People interface {
	// Email returns the address, and whether it is known. An error means that there might be an answer.
	Email(ctx context.Context, sender, id string) (email string, known bool, err error)
}

// Slack is asked who somebody is, and told the answers.
type Slack interface {
	User(ctx context.Context, id string) (slackapi.User, error)
	Respond(ctx context.Context, responseURL string, r slackapi.Response) error
}

// Keys reads what a judgement rests on, and changes nothing.
type Keys interface {
	// Inventory shows the keys of a user to the actor: an error of kind [guard.Forbidden] if they may not see them.
	Inventory(ctx context.Context, user string, actor guard.Actor) (guard.Inventory, error)
	// Preview says what would become of a request.
	Preview(ctx context.Context, req guard.Request) (guard.Result, error)
	// Admit is an error of kind [guard.Forbidden] if the actor may not act on the user's keys.
	Admit(ctx context.Context, user string, actor guard.Actor) error
}

// source is what requests from here name as their sender, and under which the identity map has people.
const source = "slack"
