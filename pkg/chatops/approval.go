package chatops

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"keyreeve/pkg/guard"
)

// Lifetime is how long a second person has to approve.
const Lifetime = 10 * time.Minute

// Pending is what a second person is asked to approve, and all that they approve.
type Pending struct {
	// ID is different for every question. It becomes that of the request.
	ID string
	// Request names its keys, and is no dry run. Of it only these are sealed: Action, User, Keys, Reason, Actor, Override and
	// Offboarding. One that was opened has the ID too, and where it deletes, Confirm.
	Request guard.Request
	// Email is the address of the user whose keys these are.
	Email string
	// Asker is Slack's id of who asked.
	Asker string
	// Expires is in whole seconds, at most [Lifetime] after the question. At this very moment it is too late.
	Expires time.Time
}

// claims is a Pending as a token holds it.
type claims struct {
	jwt.RegisteredClaims

	Request guard.Request `json:"request"`
	Email   string        `json:"email,omitempty"`
	Asker   string        `json:"asker"`
}

// purpose is what the keys and the tokens of approvals are for, and for nothing else: Slack's signing secret vouches for
// calls as well, and neither must pass for the other.
const purpose = "keyreeve approval"

// mostToken is how many characters Slack takes as the value of a button.
//
// Source: Slack's documentation of the button element.
const mostToken = 2000

// Sealer turns pending requests into tokens that nobody else can make. A token is the value of a button, so that the
// question needs no store; everybody in the channel can read what is in it.
type Sealer struct {
	// keys are those of the secrets, in their order.
	keys []guard.Secret
}

// NewSealer returns one that seals with a key made of the first of Slack's signing secrets, and opens what was sealed with
// that of any. An error is of kind [guard.Invalid]: there is no secret, or an empty one.
func NewSealer(secrets []guard.Secret) (*Sealer, error) {
	empty := func(secret guard.Secret) bool { return secret.Reveal() == "" }
	if len(secrets) == 0 || slices.ContainsFunc(secrets, empty) {
		return nil, &guard.Error{
			Kind: guard.Invalid, Message: "Approvals cannot be sealed: there is no signing secret, or an empty one.",
			Remedy: "Set KEYREEVE_SLACK_SIGNING_SECRET.",
		}
	}
	s := new(Sealer)
	for _, secret := range secrets {
		key, err := hkdf.Key(sha256.New, []byte(secret.Reveal()), nil, purpose, sha256.Size)
		if err != nil {
			return nil, guard.AsError(fmt.Errorf("make the key of approvals: %w", err))
		}
		s.keys = append(s.keys, guard.NewSecret(string(key)))
	}
	return s, nil
}

// Seal returns the token of a pending request. An error of kind [guard.Invalid] says that it is too long for a button.
func (s *Sealer) Seal(p Pending) (string, error) {
	asked := p.Request
	if p.ID == "" || len(asked.Keys) == 0 || asked.DryRun {
		// Opened again it would be another question, one about all keys, or about a real change.
		return "", guard.AsError(fmt.Errorf("seal an approval with the id %q of %d keys, dry run: %t", p.ID, len(asked.Keys), asked.DryRun))
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID: p.ID, Audience: jwt.ClaimStrings{purpose}, ExpiresAt: jwt.NewNumericDate(p.Expires),
		},
		Request: guard.Request{
			Action: asked.Action, User: asked.User, Keys: asked.Keys, Reason: asked.Reason, Actor: asked.Actor,
			Override: asked.Override, Offboarding: asked.Offboarding,
		},
		Email: p.Email, Asker: p.Asker,
	}).SignedString([]byte(s.keys[0].Reveal()))
	if err != nil {
		return "", guard.AsError(fmt.Errorf("seal an approval: %w", err))
	}
	if len(token) > mostToken {
		return "", &guard.Error{
			Kind: guard.Invalid, Message: "This is too much for one approval: Slack has no room for so many keys and so long a reason.",
			Remedy: "Name fewer keys at a time, or give a shorter reason.",
		}
	}
	return token, nil
}

// Open returns what was sealed, at the moment when the button was pressed. An error of kind [guard.Invalid] says that it
// has expired by then; one of kind [guard.Forbidden] that nobody here sealed it, or that it was altered.
func (s *Sealer) Open(token string, at time.Time) (Pending, error) {
	var sealed claims
	err := s.verify(token, &sealed, at)
	if errors.Is(err, jwt.ErrTokenExpired) {
		return Pending{}, &guard.Error{
			Kind: guard.Invalid, Message: "This was not approved in time: it expired at " + sealed.ExpiresAt.UTC().Format("15:04:05 UTC") + ".",
			Remedy: "Ask again if it is still meant.", Err: err,
		}
	}
	if err != nil {
		return Pending{}, &guard.Error{
			Kind: guard.Forbidden, Message: "This is no question of Keyreeve's, or it was altered.",
			Remedy: "Ask again if it is still meant.", Err: err,
		}
	}
	asked := sealed.Request
	asked.ID = sealed.ID
	if asked.Action == guard.Delete {
		asked.Confirm = slices.Clone(asked.Keys)
	}
	return Pending{ID: sealed.ID, Request: asked, Email: sealed.Email, Asker: sealed.Asker, Expires: sealed.ExpiresAt.UTC()}, nil
}

// verify reads a token, an error unless it was sealed here and is valid at that time. Times are looked at only in what
// was sealed here.
func (s *Sealer) verify(token string, sealed *claims, at time.Time) error {
	// The decoder of base64 skips line breaks, so one token could be written in many ways.
	if len(token) > mostToken || strings.ContainsAny(token, "\r\n") {
		return errors.New("it is too long, or has line breaks")
	}
	var keys jwt.VerificationKeySet
	for _, key := range s.keys {
		keys.Keys = append(keys.Keys, []byte(key.Reveal()))
	}
	_, err := jwt.ParseWithClaims(
		token, sealed, func(*jwt.Token) (any, error) { return keys, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(), jwt.WithAudience(purpose),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(func() time.Time { return at }),
	)
	return err
}
