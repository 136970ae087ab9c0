package lifecycle

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"keyreeve/pkg/guard"
)

// run is one request on its way, with the keys and the ledger it may change: the real ones, or those of a dry run.
type run struct {
	Lifecycle
	req guard.Request
}

// carryOut does the work between taking and giving back the lease.
func (r run) carryOut(ctx context.Context, user guard.User, administers bool) (guard.Result, error) {
	working, cancel := until(ctx, finishingTime)
	defer cancel()
	refused := guard.RefusedOutright(r.req, guard.Reading{User: user, ActorAdministers: administers}, r.Policy, r.Clock())
	buckets, stop := r.askBuckets(working, user, refused)
	defer stop()

	reading, err := r.read(working, user, administers)
	if err != nil {
		return guard.Result{}, err
	}
	backOn, err := r.followUp(working, &reading, refused)
	if err != nil {
		return guard.Result{}, err
	}
	result, err := r.decide(ctx, working, reading, refused, buckets)
	if err != nil {
		return guard.Result{}, mention(backOn, err)
	}
	if backOn != "" {
		result.Warnings = append(result.Warnings, guard.Warning{Code: guard.SwitchedBackOn, Message: backOnAgain(backOn)})
	}
	return result, nil
}

// decide judges by what was read and does what the guard lets through. Ctx is the invocation's, working ends before it.
func (r run) decide(ctx, working context.Context, reading guard.Reading, refused bool, buckets func() guard.Ownership) (guard.Result, error) {
	verdicts, err := r.judge(working, &reading)
	if err != nil {
		return guard.Result{}, err
	}
	if err := r.setOut(working, &reading, verdicts, refused); err != nil {
		r.giveBack(ctx, count(verdicts, guard.Verdict.Allowed))
		return guard.Result{}, err
	}
	keys, owned := r.act(working, reading, verdicts, buckets)
	var second look
	if r.req.Guarded() {
		second = r.lookAgain(ctx, reading, verdicts, keys)
	}
	if err := r.record(ctx, reading.User, keys, r.entry(reading, verdicts, keys, owned, second)); err != nil {
		return guard.Result{}, err
	}
	r.giveBack(ctx, failures(verdicts, keys))
	return guard.Result{
		ID: r.req.ID, Action: r.req.Action, User: reading.User, DryRun: r.req.DryRun,
		Keys: keys, Warnings: guard.Warnings(r.req, reading.User), OffboardedAt: reading.Memory.OffboardedAt,
	}, nil
}

// judge asks the guard twice: what it would let through if there were no limit is reserved in the count of recent
// changes, and judged again with that count, so that requests that count at once cannot all fit below the limit.
//
// Keys that do not exist are the asker's mistake, unless somebody left: that is true whatever keys were named.
func (r run) judge(ctx context.Context, reading *guard.Reading) ([]guard.Verdict, error) {
	now := r.Clock()
	unlimited := r.Policy
	unlimited.MaxChanges = math.MaxInt
	verdicts := guard.Judge(r.req, *reading, unlimited, now)
	if !r.req.Offboarding && len(verdicts) > 0 && count(verdicts, guard.Verdict.Missing) == len(verdicts) {
		return nil, &guard.Error{Kind: guard.NotFound, Message: verdicts[0].Message, Remedy: "GET /v1/users/{user}/keys lists the keys."}
	}
	// What an earlier request did without learning of it was given back, and is counted now that it shows. If that request
	// died it counts twice, which errs on the side of refusing.
	succeeded := func(v guard.Verdict) bool { return v.Outcome == guard.Unchanged && r.succeeded(*reading, v.KeyID) }
	if unheard := count(verdicts, succeeded); unheard > 0 {
		if _, err := r.Ledger.Reserve(ctx, unheard, 0); err != nil {
			return nil, err
		}
	}
	planned := count(verdicts, guard.Verdict.Allowed)
	if planned == 0 {
		return verdicts, nil
	}
	var err error
	reading.RecentChanges, err = r.Ledger.Reserve(ctx, planned, guard.ChangeLimit(r.req, *reading, r.Policy))
	if err != nil {
		return nil, err
	}
	return guard.Judge(r.req, *reading, r.Policy, now), nil
}

// succeeded reports whether an earlier request tried to do the same to the key, and the key is so.
func (r run) succeeded(reading guard.Reading, keyID string) bool {
	return reading.Memory.Attempts[keyID].Action == r.req.Action && reading.Shows(r.req.Action, keyID)
}

// failures counts the changes that were reserved and did not happen.
func failures(verdicts []guard.Verdict, results []guard.KeyResult) (n int) {
	for i, v := range verdicts {
		if v.Allowed() && results[i].Outcome != guard.Changed {
			n++
		}
	}
	return n
}

// giveBack takes what was reserved and did not happen out of the count of recent changes: else a request that fails
// and is sent again would count each time. If that does not succeed, the count is too high for an hour.
func (r run) giveBack(ctx context.Context, unused int) {
	if unused == 0 {
		return
	}
	ctx, cancel := until(ctx, announcingTime)
	defer cancel()
	if _, err := r.Ledger.Reserve(ctx, -unused, 0); err != nil {
		r.Logger.WarnContext(ctx, "failed changes stay counted", slog.String("request", r.req.ID), slog.Any("error", err))
	}
}

func count(verdicts []guard.Verdict, is func(guard.Verdict) bool) (n int) {
	for _, v := range verdicts {
		if is(v) {
			n++
		}
	}
	return n
}

// act writes what the guard let through, all keys at once, and returns the outcomes, and who owns buckets if that
// was asked.
func (r run) act(ctx context.Context, reading guard.Reading, verdicts []guard.Verdict, buckets func() guard.Ownership) ([]guard.KeyResult, guard.Ownership) {
	witness := r.witness(reading, verdicts)
	results := make([]guard.KeyResult, len(verdicts))
	var owned guard.Ownership
	var writes errgroup.Group
	writes.SetLimit(writesAtOnce)
	for i, v := range verdicts {
		if !v.Allowed() {
			results[i] = withheld(v)
			continue
		}
		writes.Go(func() error {
			if v.KeyID == witness {
				owned = buckets()
			}
			results[i] = r.write(ctx, reading.User, v)
			return nil
		})
	}
	_ = writes.Wait() // Each write's error is part of its result.
	return results, owned
}

// withheld is the outcome of a key that the guard did not let through.
func withheld(v guard.Verdict) guard.KeyResult {
	return guard.KeyResult{ID: v.KeyID, Outcome: v.Outcome, Rule: v.Rule, Message: v.Message, Remedy: v.Remedy, Active: v.Key.Active}
}

// done is the outcome of a key that was changed as the request has it.
func (r run) done(v guard.Verdict) guard.KeyResult {
	return guard.KeyResult{ID: v.KeyID, Outcome: guard.Changed, Overridden: v.Overridden, Active: r.req.Action == guard.Activate}
}

// witness returns the id of the key that has to stay active until it is known whether its user owns buckets: the
// one that answers the question, where no key will be active afterwards.
func (r run) witness(reading guard.Reading, verdicts []guard.Verdict) string {
	staysOn := func(k guard.Key) bool {
		return !slices.ContainsFunc(verdicts, func(v guard.Verdict) bool { return v.Allowed() && v.KeyID == k.ID })
	}
	active := guard.ActiveKeys(reading.Keys)
	if r.req.Action != guard.Deactivate || slices.ContainsFunc(active, staysOn) {
		return ""
	}
	return guard.Newest(active).ID
}

// askBuckets starts asking whether the user owns buckets where the request may switch off the last active key,
// and returns the function that waits for the answer. It starts before the keys are read, since a leaver's last
// key stays on until the answer is there.
func (r run) askBuckets(ctx context.Context, user guard.User, refused bool) (answer func() guard.Ownership, stop func()) {
	if refused || r.req.Action != guard.Deactivate || r.req.Guarded() {
		return func() guard.Ownership { return guard.OwnsUnknown }, func() {}
	}
	ctx, stop = context.WithCancel(ctx)
	answers := make(chan guard.Ownership, 1)
	go func() { answers <- r.Buckets.Owned(ctx, user.ID) }()
	return func() guard.Ownership { return <-answers }, stop
}

// write changes one key and says what became of it.
func (r run) write(ctx context.Context, user guard.User, v guard.Verdict) guard.KeyResult {
	var err error
	if r.req.Action == guard.Delete {
		err = r.Keys.DeleteKey(ctx, user.ID, v.KeyID)
	} else {
		err = r.Keys.SwitchKey(ctx, user.ID, v.KeyID, r.req.Action == guard.Activate)
	}
	switch {
	case err == nil:
		return r.done(v)
	case r.req.Action == guard.Activate || guard.KindOf(err) != guard.NotFound || !r.gone(ctx, user, v.KeyID):
		return failed(v.KeyID, err, v.Key.Active)
	case r.req.Action == guard.Delete:
		return r.done(v) // The first of two attempts was carried out, and its answer was lost.
	default:
		return guard.KeyResult{ID: v.KeyID, Outcome: guard.Unchanged, Message: "The key was deleted elsewhere in the meantime."}
	}
}

// gone reports whether the user's keys no longer list the key: a write to one that was made a moment ago may not find
// it yet.
func (r run) gone(ctx context.Context, user guard.User, keyID string) bool {
	keys, err := r.Keys.ListKeys(ctx, user.ID)
	return err == nil && !slices.ContainsFunc(keys, func(k guard.Key) bool { return k.ID == keyID })
}

func failed(keyID string, err error, active bool) guard.KeyResult {
	known := guard.AsError(err)
	return guard.KeyResult{ID: keyID, Outcome: guard.Failed, Message: known.Message, Remedy: known.Remedy, Active: active}
}

// record writes into the ledger what became of the keys, if there is news.
func (r run) record(ctx context.Context, user guard.User, keys []guard.KeyResult, entry guard.Memory) error {
	if len(entry.Changes) == 0 && len(entry.Refusals) == 0 && len(entry.Attempts) == 0 {
		return nil
	}
	ctx, cancel := until(ctx, announcingTime)
	defer cancel()
	if err := r.Ledger.Record(ctx, user.ID, entry); err != nil {
		return &guard.Error{
			Kind: guard.Unavailable, Err: err,
			Message: "The ledger could not record what became of the keys: " + tell(keys) + ".",
			Remedy:  "Send the request again: what is done already is left as it is, and recorded.",
		}
	}
	return nil
}

func tell(keys []guard.KeyResult) string {
	told := make([]string, len(keys))
	for i, k := range keys {
		told[i] = k.ID + " " + string(k.Outcome)
	}
	return strings.Join(told, ", ")
}
