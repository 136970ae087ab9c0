// Package buckets finds out whether a user owns buckets, by listing them with one of the user's own access keys in the
// regions where buckets belong to users. The lifecycle asks before it switches off a user's last active key, and the
// ledger remembers the answer for the deletion that may follow.
//
// It is the only package that ever holds a secret key, for as long as one question takes.
package buckets

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"keyreeve/pkg/guard"
)

// Config says how to ask.
type Config struct {
	// Credentials returns all access keys of the user, active or not. It must return when ctx is done.
	Credentials func(ctx context.Context, userID string) ([]guard.Credential, error)
	// Endpoint is one address for all regions, for a fake; empty for the real ones.
	Endpoint  string
	Transport http.RoundTripper
	// Clock dates the signatures.
	Clock func() time.Time
	// Timeout bounds a whole question; zero means two seconds.
	Timeout time.Duration
	// Logger hears why an answer is not known.
	Logger *slog.Logger
}

// Asker asks who owns buckets. It is safe for concurrent use.
type Asker struct {
	credentials func(ctx context.Context, userID string) ([]guard.Credential, error)
	regions     []region
	client      *http.Client
	clock       func() time.Time
	timeout     time.Duration
	logger      *slog.Logger
}

const defaultTimeout = 2 * time.Second

// New returns an Asker. It calls nobody.
func New(cfg Config) *Asker {
	a := &Asker{
		credentials: cfg.Credentials,
		regions:     userOwned(),
		client: &http.Client{
			Transport: cfg.Transport,
			// A redirect would take the signed request elsewhere; as an answer it is an error.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		clock:   cfg.Clock,
		timeout: cfg.Timeout,
		logger:  cfg.Logger,
	}
	if a.timeout == 0 {
		a.timeout = defaultTimeout
	}
	if cfg.Endpoint != "" {
		for i := range a.regions {
			a.regions[i].endpoint = strings.TrimSuffix(cfg.Endpoint, "/")
		}
	}
	return a
}

// Owned answers whether the user owns buckets: some if any region shows one, none if all of them show that there is
// none, otherwise unknown. It never takes longer than the timeout. Why the answer is not known is logged, as a warning
// unless nobody can have wanted it: the user has no active key, or the caller went away.
func (a *Asker) Owned(caller context.Context, userID string) guard.Ownership {
	ctx, cancel := context.WithTimeout(caller, a.timeout)
	defer cancel()
	credential, err := a.newestActive(ctx, userID)
	var owned guard.Ownership
	if err == nil {
		owned, err = a.ask(ctx, credential)
	}
	if err != nil {
		level := slog.LevelWarn
		if caller.Err() != nil || errors.Is(err, errNoActiveKey) {
			level = slog.LevelDebug
		}
		a.logger.Log(ctx, level, "it is not known whether the user owns buckets", slog.String("user", userID), slog.Any("error", err))
		return guard.OwnsUnknown
	}
	return owned
}

var errNoActiveKey = errors.New("the user has no active access key to list buckets with")

func (a *Asker) newestActive(ctx context.Context, userID string) (guard.Credential, error) {
	credentials, err := a.credentials(ctx, userID)
	if err != nil {
		return guard.Credential{}, fmt.Errorf("read the user's access keys: %w", err)
	}
	keys := make([]guard.Key, len(credentials))
	for i, c := range credentials {
		keys[i] = c.Key
	}
	active := guard.ActiveKeys(keys)
	if len(active) == 0 {
		return guard.Credential{}, errNoActiveKey
	}
	newest := guard.Newest(active)
	return credentials[slices.Index(keys, newest)], nil
}

// ask asks all regions at once and returns as soon as one of them shows a bucket.
func (a *Asker) ask(ctx context.Context, credential guard.Credential) (guard.Ownership, error) {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer func() {
		cancel()
		asking.Wait()
	}()
	type answer struct {
		some bool
		err  error
	}
	answers := make(chan answer, len(a.regions))
	for _, r := range a.regions {
		asking.Go(func() {
			some, err := a.hasBuckets(ctx, r, credential)
			answers <- answer{some, err}
		})
	}
	var failures []error
	for range a.regions {
		got := <-answers
		if got.some {
			return guard.OwnsSome, nil
		}
		if got.err != nil {
			failures = append(failures, got.err)
		}
	}
	if len(failures) > 0 {
		return guard.OwnsUnknown, errors.Join(failures...)
	}
	return guard.OwnsNone, nil
}
