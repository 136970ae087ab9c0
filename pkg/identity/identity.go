// Package identity knows whose e-mail address the id is that a sender uses for a person: GitHub sends a login, an HR
// system its own number. The front doors ask it when they translate what such a sender says into a request.
package identity

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// readInterval is the least time between two readings of a source.
const readInterval = time.Minute

// Config says where the items are, and how to reach them.
type Config struct {
	// Setting is the items themselves, as [Parse] reads them; or file:PATH; or ssm:NAME, a parameter of Parameter Store.
	// Where NAME ends in a slash it is a path: all parameters below it are put together, in the order of their names.
	// Empty: nobody is known.
	Setting string

	// The rest is for Parameter Store.
	Region string
	// Endpoint is the address of an emulator; empty for the real Parameter Store.
	Endpoint    string
	Credentials aws.CredentialsProvider
	Transport   http.RoundTripper

	// Clock says when a source may be read again.
	Clock func() time.Time
}

// Map knows the e-mail addresses of people. It is safe for concurrent use.
type Map struct {
	// read is nil where the items are in the setting itself, so that they never change.
	read   source
	clock  func() time.Time
	emails atomic.Pointer[map[Person]string]

	// turn holds one token; whoever has it may read the source and use what is below.
	turn   chan struct{}
	readAt time.Time
	// failure is why the last reading was in vain; nil where it was not.
	failure error
}

// Open reads the items that cfg names. An error is of kind [guard.Invalid] where they are not right, and
// [guard.Unavailable] where they cannot be read.
func Open(ctx context.Context, cfg Config) (*Map, error) {
	m := &Map{clock: cfg.Clock, turn: make(chan struct{}, 1), readAt: cfg.Clock()}
	setting := strings.TrimSpace(cfg.Setting)
	if path, named := strings.CutPrefix(setting, "file:"); named {
		m.read = fromFile(path)
	}
	if name, named := strings.CutPrefix(setting, "ssm:"); named {
		m.read = fromParameterStore(cfg, name)
	}
	var err error
	if m.read == nil {
		err = m.take(setting)
	} else {
		err = m.load(ctx)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Email returns the e-mail address of the person whom the sender calls id, and whether it is known. The sender counts as
// it is, the id without regard to the case of ASCII letters, because logins are so.
//
// Where an id is not known and the items come from a file or from Parameter Store, they are read again, at most once a
// minute: so what is added counts without a new start. If that reading fails, or what it finds is not right, the items
// read before still count, and until the next one its error, of a kind as in [Open], is the answer for everybody who is
// not among them: it is not known that they are unknown.
func (m *Map) Email(ctx context.Context, sender, id string) (email string, known bool, err error) {
	person := personOf(sender, id)
	if email, known = (*m.emails.Load())[person]; known || m.read == nil {
		return email, known, nil
	}
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return "", false, unreadable(context.Cause(ctx))
	}
	if now := m.clock(); now.Sub(m.readAt) >= readInterval {
		m.readAt = now
		m.failure = m.load(ctx)
	}
	if email, known = (*m.emails.Load())[person]; known {
		return email, true, nil
	}
	return "", false, m.failure
}

// load reads the source, and takes over what it finds if that is right.
func (m *Map) load(ctx context.Context) error {
	text, err := m.read(ctx)
	if err != nil {
		return err
	}
	return m.take(text)
}

func (m *Map) take(text string) error {
	emails, err := Parse(text)
	if err == nil {
		m.emails.Store(&emails)
	}
	return err
}
