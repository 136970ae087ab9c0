// Package webhook is the front door for systems that say that somebody left: identity providers, HR systems, GitHub, and
// whatever a customer builds. A message is authenticated, recognised if it came before, translated into requests, put on
// the bus and answered, within the three seconds that senders wait; what becomes of the requests is for the functions
// behind the bus. IONOS is never called from here.
//
// Each sender has a file of its own that says what its messages mean, and a profile in pkg/signature that says how it
// signs. A sender without a secret is off, and answers like a path that does not exist.
//
// Events of partners of EventBridge, which IAM authenticates, mean the same as those senders' webhooks and are translated
// by the same code: [Queue] takes them from a queue.
package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/signature"
)

// Bus takes what is to be carried out.
type Bus interface {
	// Publish puts requests on the bus. After an error some may be there all the same.
	Publish(ctx context.Context, requests ...guard.Request) error
	// PublishUnmapped puts requests on the bus whose user nobody knows yet.
	PublishUnmapped(ctx context.Context, requests ...guard.Unmapped) error
	// Announce puts an outcome on the bus.
	Announce(ctx context.Context, finished guard.Finished) error
}

// People knows the e-mail addresses of those whom a sender names by something else.
type People interface {
	// Email returns the address, and whether it is known. An error means that there might be an answer.
	Email(ctx context.Context, sender, id string) (email string, known bool, err error)
}

// Door is the http.Handler of POST /hooks/{sender} and of GET /hooks/okta. All fields must be set, but for those of
// Settings.
type Door struct {
	// Verifiers holds one for each sender that is switched on, by the sender's name.
	Verifiers map[string]*signature.Verifier
	Settings  Settings
	Desk      Desk
	// Repeats must outlast the age at which the guard refuses events as stale: most senders that sign no time put one into
	// the body. GitHub does not; a message of it that is played back after this time switches off the same keys once more.
	Repeats edge.Repeats
	Clock   func() time.Time
	Logger  *slog.Logger
}

// Settings is what some senders leave to their users.
type Settings struct {
	// OktaGroups are the names or ids of the groups that access depends on: whoever is removed from one, leaves.
	OktaGroups []string
	// BambooHREmail is the field of BambooHR with the e-mail address; "Work Email" where it is empty.
	BambooHREmail string
}

// patience is the time that a call may take. Okta waits for three seconds and tries again once; GitHub waits for ten
// and never tries again.
const patience = 2500 * time.Millisecond

// ServeHTTP answers 202 where requests were put on the bus, also if that was at an earlier call of the same message, and
// 204 where the message asks for nothing, or 200 to senders who expect that in either case. Else it answers with a problem: 503 if the
// bus did not take what it was given, 401 whatever is wrong with a signature, and 404 for a sender that is switched off.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	name, found := strings.CutPrefix(r.URL.Path, "/hooks/")
	if !found {
		name = ""
	}
	answer, err := edge.Shield(func() (reply, error) { return d.serve(ctx, name, r) })
	if err != nil {
		d.refuse(ctx, w, name, err)
		return
	}
	if answer.body == nil {
		edge.Answer(w, answer.status, "", nil)
		return
	}
	body, err := edge.Encode(answer.body)
	if err != nil {
		d.refuse(ctx, w, name, err)
		return
	}
	edge.Answer(w, answer.status, "application/json", body)
}

func (d *Door) refuse(ctx context.Context, w http.ResponseWriter, name string, err error) {
	if guard.KindOf(err) == guard.NotAllowed {
		w.Header().Set("Allow", senders()[name].allowed())
	}
	edge.Refuse(ctx, w, d.Logger, err, slog.String("sender", edge.Clip(name)))
}

// reply is an answer that is no problem.
type reply struct {
	status int
	body   any
}

func (d *Door) serve(ctx context.Context, name string, r *http.Request) (reply, error) {
	sender, known := senders()[name]
	verifier := d.Verifiers[name]
	if !known || verifier == nil {
		return reply{}, edge.NoSuchPath()
	}
	if r.Method == http.MethodGet && sender.handshake != nil {
		return sender.handshake(r.Header)
	}
	if r.Method != http.MethodPost {
		return reply{}, &guard.Error{Kind: guard.NotAllowed, Message: "This path does not take this method."}
	}
	body, err := edge.ReadBody(r)
	if err != nil {
		return reply{}, err
	}
	if sender.test != nil && sender.test(body) {
		return reply{status: http.StatusOK}, nil
	}
	signed, err := verifier.Verify(r.Header, body)
	if err != nil {
		return reply{}, err
	}
	now := d.Clock().UTC()
	orders, err := sender.translate(message{header: r.Header, body: body, signed: signed, now: now, settings: d.Settings})
	if err != nil {
		return reply{}, err
	}
	if len(orders) == 0 {
		d.Desk.ignore(ctx, name)
		return reply{status: sender.ignored}, nil
	}
	dated := !signed.At.IsZero()
	for i, o := range orders {
		dated = dated || !o.request.OccurredAt.IsZero()
		orders[i] = o.complete(name, signed, now)
	}
	if err := d.accept(ctx, name, signed.Digest, dated, orders); err != nil {
		return reply{}, err
	}
	// The ids are there for the sender to find the requests in logs and outcomes.
	return reply{status: sender.accepted, body: struct {
		Accepted []string `json:"accepted"`
	}{ids(orders)}}, nil
}

// accept takes orders once. A message that is sent again because its answer was lost is answered as it was, and so is
// one that somebody recorded and plays back. Where nothing in a message tells it from one that means the same event of
// another day, it is made seen.
func (d *Door) accept(ctx context.Context, name, digest string, dated bool, orders []order) error {
	if d.Repeats.Seen(ctx, digest) {
		d.Logger.LogAttrs(ctx, slog.LevelInfo, "A message came again and was not carried out again.",
			slog.String("sender", name), slog.String("digest", digest))
		if !dated {
			d.Desk.repeat(ctx, orders)
		}
		return nil
	}
	mapped, err := d.Desk.take(ctx, name, orders)
	if err != nil {
		return edge.Later(err)
	}
	if !mapped && dated {
		return nil // It is worth sending again once the map has who is meant. One without a time would be new every time.
	}
	// The requests are on the bus. Where this fails, a repeat is carried out as well, and changes nothing.
	d.Repeats.Remember(ctx, digest)
	return nil
}
