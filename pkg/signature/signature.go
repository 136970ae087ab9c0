// Package signature answers who sent a message. A front door hands over what arrived before it reads any of it, and
// goes on only if somebody who has one of the configured secrets vouches for it.
//
// What senders sign, and how, is one table of profiles. One verifier reads them all.
package signature

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"keyreeve/pkg/guard"
)

// Signed is what a sender vouches for beside the body.
type Signed struct {
	// ID is the sender's id of the message; empty where the profile signs none.
	ID string
	// At is when the sender signed, in UTC; zero where the profile signs no time.
	At time.Time
	// Digest is the same for a repeat of a message and differs for all others: SHA-256 in lower-case hex. It covers the
	// profile and what is signed, but of a message with an id not the time, as a sender who tries again signs a new
	// one. Where the secret itself is sent nothing is signed, and it covers the body. Method and path are never signed.
	Digest string
}

// Verifier verifies the messages of one sender, for several goroutines at once.
type Verifier struct {
	profile profile
	// keys hide what they hold, because fmt looks into unexported fields, and into a function it cannot.
	keys  []func(message []byte) check
	clock func() time.Time
}

// New returns the verifier for a profile: slack, standard, workos, bamboohr, github, hibob, okta or scim. Each of the
// secrets is accepted, so that they can be rotated; the newest comes first. Errors are of kind [guard.Invalid] and name
// a secret by its place in the list, from 1.
func New(name string, secrets []guard.Secret, clock func() time.Time) (*Verifier, error) {
	p, ok := find(name)
	if !ok {
		return nil, invalid(fmt.Sprintf("There is no signature profile %.80q.", name))
	}
	if len(secrets) == 0 {
		return nil, invalid(fmt.Sprintf("The signature profile %s has no secret.", name))
	}
	v := &Verifier{profile: p, clock: clock}
	for i, secret := range secrets {
		key, err := p.key(secret.Reveal())
		if slices.ContainsFunc(secrets[:i], func(earlier guard.Secret) bool { return earlier.Reveal() == secret.Reveal() }) {
			err = errors.New("must differ from those before it")
		}
		if err != nil {
			return nil, invalid(fmt.Sprintf("The signature profile %s cannot use its secrets: item %d %v.", name, i+1, err))
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

func invalid(message string) error {
	return &guard.Error{Kind: guard.Invalid, Message: message, Remedy: "Correct the configuration."}
}

// Timed reports whether a profile signs a time.
func Timed(name string) bool {
	p, ok := find(name)
	return ok && p.instant != nil
}

func find(name string) (profile, bool) {
	all := profiles()
	i := slices.IndexFunc(all, func(p profile) bool { return p.name == name })
	if i < 0 {
		return profile{}, false
	}
	return all[i], true
}

// Verify checks who sent a message, given its header with canonical names and its body as it arrived. Errors are of
// kind [guard.Unauthenticated] and tell the sender the same, whatever was wrong; which check failed is for the log.
func (v *Verifier) Verify(header http.Header, body []byte) (Signed, error) {
	signed, err := v.verify(header, body)
	if err != nil {
		return Signed{}, &guard.Error{
			Kind: guard.Unauthenticated, Message: "Nobody who is known here vouches for this message.",
			Remedy: "Compare the sender's secret with the configured one, and the sender's clock with the time.", Err: err,
		}
	}
	return signed, nil
}

func (v *Verifier) verify(header http.Header, body []byte) (Signed, error) {
	c, err := v.profile.read(header)
	if err != nil {
		return Signed{}, err
	}
	at, err := v.profile.when(c.time, v.clock)
	if err != nil {
		return Signed{}, err
	}
	message := c.fill(v.profile.signed, body)
	known := false
	for _, key := range v.keys {
		right := key(message)
		for _, signature := range c.signatures {
			// All are tried, so that the time it takes does not tell which secret is in use.
			if right(signature) {
				known = true
			}
		}
	}
	if !known {
		return Signed{}, errors.New("no signature goes with a secret")
	}
	repeated := slices.Concat([]byte(v.profile.name+"\n"), c.fill(v.profile.repeated, body))
	return Signed{ID: c.id, At: at, Digest: fmt.Sprintf("%x", sha256.Sum256(repeated))}, nil
}

// claim is what the header says about a message.
type claim struct {
	id, time   string
	signatures []string
}

// fill puts the parts of a message into a template. What it puts in is not searched again.
func (c claim) fill(template string, body []byte) []byte {
	return []byte(strings.NewReplacer("{id}", c.id, "{time}", c.time, "{body}", string(body)).Replace(template))
}
