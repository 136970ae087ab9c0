package lifecycle

import (
	"context"
	"log/slog"
	"maps"

	"keyreeve/pkg/guard"
)

// setOut remembers, before any key is touched, what is about to be done to which key, so that this request may die at
// any moment: the next one finds it. And that a user left, so that nobody can switch a key back on in between; but an
// event that came too late for every key says nothing about the user either.
func (r run) setOut(ctx context.Context, reading *guard.Reading, verdicts []guard.Verdict, refused bool) error {
	entry := guard.Memory{Attempts: make(map[string]guard.Attempt)}
	heeded := func(v guard.Verdict) bool { return v.Outcome != guard.Refused && v.Outcome != guard.Superseded }
	if r.req.Offboarding && !refused && r.req.OccurredAt.After(reading.Memory.OffboardedAt) &&
		(len(verdicts) == 0 || count(verdicts, heeded) > 0) {
		entry.OffboardedAt = r.req.OccurredAt
	}
	attempt := guard.Attempt{Action: r.req.Action, At: r.Clock(), RequestID: r.req.ID, Guarded: r.req.Guarded()}
	for _, v := range verdicts {
		if v.Allowed() {
			entry.Attempts[v.KeyID] = attempt
		}
	}
	if entry.OffboardedAt.IsZero() && len(entry.Attempts) == 0 {
		return nil
	}
	if r.req.Action == guard.Delete && reading.Memory.Buckets.Ownership != "" && guard.Owned(*reading) == guard.OwnsUnknown {
		// What says that the answer is out of date may go with the key.
		entry.Buckets = guard.BucketAnswer{Ownership: guard.OwnsUnknown, At: attempt.At}
	}
	reading.Memory.Attempts = merged(reading.Memory.Attempts, entry.Attempts)
	return r.Ledger.Record(ctx, reading.User.ID, entry)
}

// finishEarlier switches a key back on that a request left off which failed or died before its second look, if the
// user is without one because of it. A request that may leave its user without a key does not care.
func (r run) finishEarlier(ctx context.Context, reading *guard.Reading) error {
	key, must, settled := guard.LeftOff(*reading, r.Clock())
	if r.req.Action == guard.Deactivate && !r.req.Guarded() || !must && len(settled) == 0 {
		return nil
	}
	over := make(map[string]guard.Attempt)
	for _, id := range settled {
		over[id] = guard.Attempt{}
	}
	if must {
		if err := r.Keys.SwitchKey(ctx, reading.User.ID, key.ID, true); err != nil {
			return err
		}
		r.Logger.WarnContext(ctx, "key switched back on that an earlier request had left off", slog.Bool("dryRun", r.req.DryRun),
			slog.String("user", reading.User.ID), slog.String("key", key.ID), slog.String("request", reading.Memory.Attempts[key.ID].RequestID))
		for i := range reading.Keys {
			reading.Keys[i].Active = reading.Keys[i].Active || reading.Keys[i].ID == key.ID
		}
		over[key.ID] = r.puttingBack()
	}
	reading.Memory.Attempts = merged(reading.Memory.Attempts, over)
	return r.Ledger.Record(ctx, reading.User.ID, guard.Memory{Attempts: over})
}

// puttingBack is what the ledger remembers of a key that is switched back on.
func (r run) puttingBack() guard.Attempt {
	return guard.Attempt{Action: guard.Activate, At: r.Clock(), RequestID: r.req.ID}
}

func merged(attempts, more map[string]guard.Attempt) map[string]guard.Attempt {
	all := make(map[string]guard.Attempt, len(attempts)+len(more))
	maps.Copy(all, attempts)
	maps.Copy(all, more)
	return all
}
