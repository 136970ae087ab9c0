// Package scim is the front door for identity providers that provision users over SCIM 2.0 (RFC 7643, RFC 7644), such as
// Okta and Entra ID. To them it is a provider of users: those of the IONOS contract, of whom it keeps nothing itself.
//
// It changes no IONOS user. What it takes from a sender is one attribute: whoever is set to active false or is deleted
// has left, and a request to switch off all their keys goes on the bus, to the function that carries it out. Every other
// change is accepted and ignored, because a sender that is refused a display name stops sending, and one day the change
// that it no longer sends is that somebody left.
//
// It answers with whole users: attributes and excludedAttributes are ignored. A user has nine small attributes, none of
// which costs a sender anything, and the senders only leave out the members of groups, which there are none of.
package scim

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// Users finds users and their access keys in the IONOS API.
type Users interface {
	// FindUser looks a user up by e-mail address or UUID. Nobody is an error of kind [guard.NotFound], several users with
	// the address are one of kind [guard.Invalid].
	FindUser(ctx context.Context, ref string) (guard.User, error)
	// ListUsers returns all users of the contract.
	ListUsers(ctx context.Context) ([]guard.User, error)
	// ListKeys returns all keys of the user.
	ListKeys(ctx context.Context, userID string) ([]guard.Key, error)
}

// Memory is what the ledger remembers of a user.
type Memory interface {
	Recall(ctx context.Context, userID string) (guard.Memory, error)
}

// Bus takes requests to the functions that carry them out.
type Bus interface {
	Publish(ctx context.Context, requests ...guard.Request) error
}

// Provider is an [http.Handler] for everything below [Root]. All fields must be set, but for Verify.
type Provider struct {
	// Verify says whether a call is the sender's, by its header and its body: nil if it is. Without Verify, SCIM is
	// switched off, and there is nothing at any path.
	Verify func(http.Header, []byte) error
	Users  Users
	Memory Memory
	Bus    Bus
	// Activate lets active true switch on the keys that active false, or a deletion, had switched off.
	Activate bool
	Clock    func() time.Time
	Logger   *slog.Logger

	listing listing
}

const (
	// Root is the path that all others are below.
	Root        = "/scim/v2"
	contentType = "application/scim+json"
	// patience is how long a call may take: API Gateway answers 503 after thirty seconds, whatever still happens.
	patience = 25 * time.Second
)

// call is a call by the sender.
type call struct {
	method, path string
	// user is the id in the path, where it has one.
	user  string
	query string
	body  []byte
}

// answer is what a call is answered with. Without a body it is nil.
type answer struct {
	status int
	body   any
}

// endpoint answers calls with one method to one path.
type endpoint func(context.Context, call) (answer, error)

// ServeHTTP answers a call.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	a, err := edge.Shield(func() (answer, error) { return p.serve(ctx, r) })
	var body []byte
	if err == nil && a.body != nil {
		body, err = edge.Encode(a.body)
	}
	if err != nil {
		p.refuse(ctx, w, r, err)
		return
	}
	edge.Answer(w, a.status, contentType, body)
}

// serve reads the body and then asks who sent it. Nothing else is done for a caller who is not known.
func (p *Provider) serve(ctx context.Context, r *http.Request) (answer, error) {
	if p.Verify == nil {
		return answer{}, nothingThere()
	}
	body, err := edge.ReadBody(r)
	if err != nil {
		return answer{}, err
	}
	if err := p.Verify(r.Header, body); err != nil {
		return answer{}, unauthenticated(err)
	}
	c := call{method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, body: body}
	endpoints, err := p.route(&c)
	if err != nil {
		return answer{}, err
	}
	serve, ok := endpoints[c.method]
	if !ok {
		return answer{}, notAllowed(c.method, endpoints)
	}
	return serve(ctx, c)
}

// route returns what can be done at the path of a call, by method, and tells the call whom the path names.
func (p *Provider) route(c *call) (map[string]endpoint, error) {
	rest, ok := strings.CutPrefix(c.path, Root+"/")
	if !ok {
		return nil, nothingThere()
	}
	if body, ok := describe(rest); ok {
		return map[string]endpoint{http.MethodGet: func(context.Context, call) (answer, error) {
			return answer{http.StatusOK, body}, nil
		}}, nil
	}
	first, _, _ := strings.Cut(rest, "/")
	id, isUser := strings.CutPrefix(rest, "Users/")
	switch {
	case rest == "Users":
		return map[string]endpoint{http.MethodGet: p.list, http.MethodPost: p.create}, nil
	case first == "Bulk", first == "Me", rest == ".search", rest == "Users/.search":
		return nil, notImplemented(rest)
	case !isUser:
		return nil, nothingThere()
	case !guard.IsUUID(id):
		return nil, nobody(id)
	}
	c.user = id
	return map[string]endpoint{
		http.MethodGet: p.show, http.MethodPut: p.replace, http.MethodPatch: p.patch, http.MethodDelete: p.remove,
	}, nil
}
