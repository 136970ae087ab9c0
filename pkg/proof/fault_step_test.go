package proof_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/lifecycle"
)

// step is something that a request asks of the world, by what it is for. One step may take several HTTP calls.
type step string

// The steps of a request, in the order in which they come. The first group is asked of the Cloud API, the second of
// Object Storage and of EventBridge, the third of the ledger.
const (
	findUser     step = "find-user"
	findActor    step = "find-actor"
	readContract step = "contract"
	listKeys     step = "list-keys"
	switchKey    step = "switch"
	secondLook   step = "second-look"
	switchBack   step = "switch-back"
	deleteKey    step = "delete"
	readSecrets  step = "secrets"

	listBuckets step = "buckets"
	announce    step = "announce"

	takeLease step = "acquire"
	recall    step = "recall"
	reserve   step = "reserve"
	setOut    step = "attempt"
	record    step = "record"
	giveBack  step = "give-back"
	dropLease step = "release"
)

// process is one running function as far as it can die: from then on nothing that it asks for reaches anybody.
type process struct {
	mu sync.Mutex
	// dies says whether the process dies before or after the step of the request; nil: never.
	dies func(user string, s step, after bool) bool
	dead bool
	// kill ends what is under way when the process dies.
	kill context.CancelFunc
}

func (p *process) alive(user string, s step, after bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead && p.dies != nil && p.dies(user, s, after) {
		p.dead = true
		p.kill()
	}
	return !p.dead
}

// steps stands between one request's lifecycle and the world and gives each call the name of its step, which travels
// with it to the server, see [labelled].
type steps struct {
	*lifecycle.Lifecycle

	process *process
	req     guard.Request

	mu     sync.Mutex
	listed bool
}

// carryOut carries out the request like l.Do.
func (p *process) carryOut(ctx context.Context, l *lifecycle.Lifecycle, req guard.Request) (guard.Result, error) {
	s := &steps{Lifecycle: l, process: p, req: req}
	stepwise := *l
	stepwise.Users, stepwise.Keys, stepwise.Ledger, stepwise.Leases, stepwise.Buckets, stepwise.Bus = s, s, s, s, s, s
	return stepwise.Do(ctx, req)
}

// label is the name of a call: the step, and the user whom the request is about.
type label struct {
	user string
	step step
}

type labelKey struct{}

func (s *steps) take(ctx context.Context, name step, ask func(context.Context) error) error {
	if !s.process.alive(s.req.User, name, false) {
		return errors.New("the process is dead")
	}
	err := ask(context.WithValue(ctx, labelKey{}, label{s.req.User, name}))
	if !s.process.alive(s.req.User, name, true) {
		return errors.New("the process is dead")
	}
	return err
}

func (s *steps) FindUser(ctx context.Context, ref string) (user guard.User, err error) {
	name := findUser
	if ref != s.req.User {
		name = findActor
	}
	err = s.take(ctx, name, func(ctx context.Context) (err error) {
		user, err = s.Users.FindUser(ctx, ref)
		return err
	})
	return user, err
}

func (s *steps) Administers(ctx context.Context, user guard.User) (administers bool, err error) {
	err = s.take(ctx, readContract, func(ctx context.Context) (err error) {
		administers, err = s.Users.Administers(ctx, user)
		return err
	})
	return administers, err
}

func (s *steps) ListKeys(ctx context.Context, userID string) (keys []guard.Key, err error) {
	s.mu.Lock()
	name := listKeys
	if s.listed {
		name = secondLook
	}
	s.listed = true
	s.mu.Unlock()
	err = s.take(ctx, name, func(ctx context.Context) (err error) {
		keys, err = s.Keys.ListKeys(ctx, userID)
		return err
	})
	return keys, err
}

func (s *steps) SwitchKey(ctx context.Context, userID, keyID string, active bool) error {
	name := switchKey
	if active != (s.req.Action == guard.Activate) {
		name = switchBack
	}
	return s.take(ctx, name, func(ctx context.Context) error { return s.Keys.SwitchKey(ctx, userID, keyID, active) })
}

func (s *steps) DeleteKey(ctx context.Context, userID, keyID string) error {
	return s.take(ctx, deleteKey, func(ctx context.Context) error { return s.Keys.DeleteKey(ctx, userID, keyID) })
}

// Owned is two steps: what it asks of Object Storage is labelled on the way there.
func (s *steps) Owned(ctx context.Context, userID string) guard.Ownership {
	owned := guard.OwnsUnknown
	_ = s.take(ctx, readSecrets, func(ctx context.Context) error {
		owned = s.Buckets.Owned(ctx, userID)
		return nil
	})
	return owned
}

func (s *steps) Announce(ctx context.Context, finished guard.Finished) error {
	return s.take(ctx, announce, func(ctx context.Context) error { return s.Bus.Announce(ctx, finished) })
}

func (s *steps) Acquire(ctx context.Context, userID, holder string, ttl time.Duration) error {
	return s.take(ctx, takeLease, func(ctx context.Context) error { return s.Leases.Acquire(ctx, userID, holder, ttl) })
}

func (s *steps) Release(ctx context.Context, userID, holder string) error {
	return s.take(ctx, dropLease, func(ctx context.Context) error { return s.Leases.Release(ctx, userID, holder) })
}

func (s *steps) Recall(ctx context.Context, userID string) (memory guard.Memory, err error) {
	err = s.take(ctx, recall, func(ctx context.Context) (err error) {
		memory, err = s.Ledger.Recall(ctx, userID)
		return err
	})
	return memory, err
}

func (s *steps) Record(ctx context.Context, userID string, entry guard.Memory) error {
	name := record
	for _, attempt := range entry.Attempts {
		if !attempt.At.IsZero() {
			name = setOut
		}
	}
	if !entry.OffboardedAt.IsZero() {
		name = setOut
	}
	return s.take(ctx, name, func(ctx context.Context) error { return s.Ledger.Record(ctx, userID, entry) })
}

func (s *steps) Reserve(ctx context.Context, changes, limit int) (already int, err error) {
	name := reserve
	if changes < 0 {
		name = giveBack
	}
	err = s.take(ctx, name, func(ctx context.Context) (err error) {
		already, err = s.Ledger.Reserve(ctx, changes, limit)
		return err
	})
	return already, err
}

// The headers in which a label reaches a server.
const (
	userHeader = "X-Proof-User"
	stepHeader = "X-Proof-Step"
)

// labelled puts a call's label into its headers.
type labelled struct {
	next http.RoundTripper
	// step, if not empty, takes the place of the label's.
	step step
}

// RoundTrip implements [http.RoundTripper].
func (l labelled) RoundTrip(r *http.Request) (*http.Response, error) {
	if name, ok := r.Context().Value(labelKey{}).(label); ok {
		if l.step != "" {
			name.step = l.step
		}
		r = r.Clone(r.Context())
		r.Header.Set(userHeader, name.user)
		r.Header.Set(stepHeader, string(name.step))
	}
	return l.next.RoundTrip(r)
}

func labelOf(r *http.Request) label {
	return label{user: r.Header.Get(userHeader), step: step(r.Header.Get(stepHeader))}
}
