// Package lifecycle carries out one request: it takes the user's lease, reads keys and memory, lets the guard
// judge, switches or deletes, verifies, records and announces.
//
// It stands between the trigger package, which makes requests of payloads, and the packages that speak to the
// world; of these it knows only the small interfaces below.
package lifecycle

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"keyreeve/pkg/guard"
)

// Users finds users in the IONOS API.
type Users interface {
	// FindUser looks a user up by e-mail address or UUID. Nobody is an error of kind [guard.NotFound].
	FindUser(ctx context.Context, ref string) (guard.User, error)
	// Administers reports whether the user is the owner or an administrator of the contract.
	Administers(ctx context.Context, user guard.User) (bool, error)
}

// Keys reads and changes access keys in the IONOS API.
type Keys interface {
	// ListKeys returns all keys of the user.
	ListKeys(ctx context.Context, userID string) ([]guard.Key, error)
	SwitchKey(ctx context.Context, userID, keyID string, active bool) error
	// DeleteKey deletes a key. One that IONOS does not find is an error of kind [guard.NotFound].
	DeleteKey(ctx context.Context, userID, keyID string) error
}

// Leases keep two requests from judging the same user at once.
type Leases interface {
	// Acquire takes the user's lease for ttl. One that another holds is an error of kind [guard.Unavailable], which says
	// when to try again.
	Acquire(ctx context.Context, userID, holder string, ttl time.Duration) error
	// Release gives the lease back if the holder still has it.
	Release(ctx context.Context, userID, holder string) error
}

// Ledger remembers what the API does not.
type Ledger interface {
	Recall(ctx context.Context, userID string) (guard.Memory, error)
	// Record adds to the memory: zero fields change nothing, and no change takes the place of a newer one.
	Record(ctx context.Context, userID string, entry guard.Memory) error
	// Reserve counts changes if no more than limit are counted in an hour, or if limit is zero, and returns how
	// many were counted before. A negative number gives changes back.
	Reserve(ctx context.Context, changes, limit int) (already int, err error)
}

// Buckets answers whether a user owns buckets, by means of one of the user's active keys. It never takes more
// than a moment, and answers that it cannot be known where it fails.
type Buckets interface {
	Owned(ctx context.Context, userID string) guard.Ownership
}

// Announcer puts outcomes on the bus.
type Announcer interface {
	Announce(ctx context.Context, finished guard.Finished) error
}

// Lifecycle carries out requests. All fields must be set, but for Bus.
type Lifecycle struct {
	Reader
	Leases  Leases
	Buckets Buckets
	// Bus is where outcomes are announced; nil: nowhere.
	Bus Announcer
	// Holder makes a name for the holder of a lease, different at each call.
	Holder func() string
	Logger *slog.Logger
}

// writesAtOnce bounds the writes of one request. A user has at most five keys.
const writesAtOnce = 5

// Do carries out one valid request. The result has one outcome a key. An error means that there is no result:
// nothing was changed, unless its message says so.
func (l *Lifecycle) Do(ctx context.Context, req guard.Request) (guard.Result, error) {
	working, cancel := until(ctx, finishingTime)
	defer cancel()
	if working.Err() != nil {
		return guard.Result{}, &guard.Error{Kind: guard.Unavailable, Message: "Too little time was left to begin with this request.", Remedy: "Send it again.", Err: working.Err()}
	}
	user, administers, err := l.who(working, req)
	if err != nil {
		if req.Offboarding && guard.KindOf(err) == guard.NotFound && waits(req) {
			l.announce(ctx, req.Told(guard.UnknownUser, req.User+" left and is no user of the IONOS contract."))
		}
		return guard.Result{}, err
	}
	result, err := l.underLease(ctx, req, user, administers)
	if req.Offboarding && waits(req) && guard.KindOf(err) == guard.NotFound {
		// The user was found a moment ago: this is not somebody who never had any keys, whom nobody needs to look at.
		err = &guard.Error{
			Kind: guard.Unavailable, Message: user.Email + " left, and IONOS found the user but not their keys.", Remedy: "Send the request again.", Err: err,
		}
	}
	if err != nil {
		return guard.Result{}, err
	}
	l.log(ctx, req, result)
	if warning, failed := l.announce(ctx, req.Finish(result)); failed {
		result.Warnings = append(result.Warnings, warning)
	}
	return result, nil
}

// waits reports whether whoever asked hears of what is announced alone, and of no error: systems, and people in chat.
func waits(req guard.Request) bool { return !req.Actor.Person() || req.ReplyTo != (guard.ReplyTo{}) }

func (l *Lifecycle) underLease(ctx context.Context, req guard.Request, user guard.User, administers bool) (guard.Result, error) {
	release, err := l.lease(ctx, user)
	if err != nil {
		return guard.Result{}, err
	}
	defer release()

	run := run{Lifecycle: *l, req: req}
	if req.DryRun {
		run.Ledger, run.Keys = dryLedger{l.Ledger}, &dryKeys{Keys: l.Keys}
	}
	return run.carryOut(ctx, user, administers)
}

// announce puts the outcome on the bus. That it could not be put there is a warning: the work itself is done and
// recorded, and doing it again would tell a different story.
func (l *Lifecycle) announce(ctx context.Context, finished guard.Finished) (guard.Warning, bool) {
	if l.Bus == nil {
		return guard.Warning{}, false
	}
	telling, cancel := until(ctx, answeringTime)
	defer cancel()
	err := l.Bus.Announce(telling, finished)
	if err == nil {
		return guard.Warning{}, false
	}
	l.Logger.ErrorContext(ctx, "outcome not announced", slog.String("request", finished.ID), slog.Any("error", err))
	return guard.Warning{Code: guard.NotAnnounced, Message: "The bus did not confirm that it has the outcome; it is in the function's log, and changes are in the ledger."}, true
}

// log writes a line for each key: what became of it, who asked and why.
func (l *Lifecycle) log(ctx context.Context, req guard.Request, result guard.Result) {
	asked := []slog.Attr{
		slog.String("action", string(req.Action)), slog.String("user", result.User.ID), slog.String("request", req.ID),
		slog.String("actor", req.Actor.String()), slog.String("source", req.Source), slog.String("reason", req.Reason),
		slog.Bool("offboarding", req.Offboarding), slog.Bool("dryRun", req.DryRun),
	}
	for _, key := range result.Keys {
		level := slog.LevelInfo
		if key.Outcome == guard.Failed {
			level = slog.LevelError
		}
		attrs := append(slices.Clone(asked), slog.String("key", key.ID), slog.String("outcome", string(key.Outcome)), slog.Bool("active", key.Active))
		if key.Rule != "" {
			attrs = append(attrs, slog.String("rule", string(key.Rule)))
		}
		if key.Message != "" {
			attrs = append(attrs, slog.String("message", key.Message))
		}
		if len(key.Overridden) > 0 {
			attrs = append(attrs, slog.Any("overridden", key.Overridden))
		}
		l.Logger.LogAttrs(ctx, level, "key finished", attrs...)
	}
}
