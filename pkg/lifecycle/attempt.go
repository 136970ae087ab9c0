package lifecycle

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"keyreeve/pkg/guard"
)

// setOut remembers, before any key is touched, what is about to be done to which key, so that this request may die at
// any moment: the next one finds it. And that a user left, so that nobody can switch a key back on in between; but an
// event that came too late for every key says nothing about the user either.
func (r run) setOut(ctx context.Context, reading *guard.Reading, verdicts []guard.Verdict, refused bool) error {
	now := r.Clock()
	attempt := guard.Attempt{
		Action: r.req.Action, At: now, OccurredAt: earliest(r.req.OccurredAt, now), RequestID: r.req.ID, Guarded: r.req.Guarded(),
	}
	entry := guard.Memory{Attempts: make(map[string]guard.Attempt)}
	heeded := !refused && heeds(*reading, verdicts)
	if r.req.Offboarding && heeded && attempt.OccurredAt.After(reading.Memory.OffboardedAt) {
		entry.OffboardedAt = attempt.OccurredAt
	}
	if r.sparesNone() && heeded {
		maps.Copy(entry.Attempts, unguarded(reading.Memory.Attempts, attempt.OccurredAt))
	}
	for _, v := range verdicts {
		if v.Allowed() {
			entry.Attempts[v.KeyID] = attempt
			if r.req.Action == guard.Activate && reading.Memory.Attempts[v.KeyID].Guarded {
				// If this fails, what an earlier request left to do is still to be done.
				waiting := attempt
				waiting.Guarded = true
				entry.Attempts[v.KeyID] = waiting
			}
		}
	}
	if entry.OffboardedAt.IsZero() && len(entry.Attempts) == 0 {
		return nil
	}
	if r.req.Action == guard.Delete && reading.Memory.Buckets.Ownership != "" && guard.Owned(*reading) == guard.OwnsUnknown {
		// What says that the answer is out of date may go with the key.
		entry.Buckets = guard.BucketAnswer{Ownership: guard.OwnsUnknown, At: now}
	}
	reading.Memory.Attempts = merged(reading.Memory.Attempts, entry.Attempts)
	return r.Ledger.Record(ctx, reading.User.ID, entry)
}

// heeds reports whether the event says something about the user. It does not if there was too much change at once, or
// if a newer event decided otherwise on each key; one that decided the same does not contradict it.
func heeds(reading guard.Reading, verdicts []guard.Verdict) bool {
	heeded := func(v guard.Verdict) bool {
		return v.Outcome != guard.Refused && (v.Outcome != guard.Superseded || reading.Memory.Changes[v.KeyID].Action != guard.Activate)
	}
	tooMuch := func(v guard.Verdict) bool { return v.Rule == guard.BlastRadius && v.Outcome == guard.Refused }
	return len(verdicts) == 0 || count(verdicts, heeded) > 0 && count(verdicts, tooMuch) == 0
}

// sparesNone reports whether the request may leave its user without an active key. Then no key that an earlier one left
// off has to come back either.
func (r run) sparesNone() bool { return r.req.Action == guard.Deactivate && !r.req.Guarded() }

// followUp does what earlier requests left undone, and returns the id of the key that it switched back on, if any. A
// request that is refused whatever the keys, or that spares none, does not care; and one to activate does not fail with
// it, since it may help the user as much.
func (r run) followUp(ctx context.Context, reading *guard.Reading, refused bool) (backOn string, err error) {
	if refused || r.sparesNone() {
		return "", nil
	}
	backOn, err = r.finish(ctx, reading, guard.Unfinished(*reading, r.Policy, r.Clock()))
	if err != nil && backOn == "" && r.req.Action == guard.Activate {
		r.Logger.ErrorContext(ctx, "earlier requests not followed up", slog.String("user", reading.User.ID), slog.Any("error", err))
		return "", nil
	}
	return backOn, mention(backOn, err)
}

// finish switches a key back on that a request left off which failed or died before its second look, if the user may be
// without one because of it, and remembers that it did.
func (r run) finish(ctx context.Context, reading *guard.Reading, follow guard.FollowUp) (backOn string, err error) {
	over := make(map[string]guard.Attempt)
	for _, id := range follow.Settled {
		if id != follow.BackOn {
			over[id] = reading.Memory.Attempts[id]
		}
	}
	over = unguarded(over, r.Clock())
	for _, id := range follow.Forgotten {
		over[id] = guard.Attempt{}
	}
	if follow.BackOn != "" {
		if err := r.switchBackOn(ctx, reading, follow.BackOn); err != nil {
			return "", err
		}
		backOn = follow.BackOn
		over[backOn] = r.puttingBack()
	}
	if len(over) == 0 {
		return "", nil
	}
	reading.Memory.Attempts = merged(reading.Memory.Attempts, over)
	return backOn, r.Ledger.Record(ctx, reading.User.ID, guard.Memory{Attempts: over})
}

func backOnAgain(keyID string) string {
	return keyID + " was switched back on: an earlier request had switched it off and did not live to see whether the user has another key."
}

// mention adds to an error that a key was switched back on all the same.
func mention(backOn string, err error) error {
	if err == nil || backOn == "" {
		return err
	}
	told := *guard.AsError(err)
	told.Message = backOnAgain(backOn) + " " + told.Message
	return &told
}

func (r run) switchBackOn(ctx context.Context, reading *guard.Reading, keyID string) error {
	if err := r.Keys.SwitchKey(ctx, reading.User.ID, keyID, true); err != nil {
		return err
	}
	r.Logger.WarnContext(ctx, "key switched back on that an earlier request had left off", slog.Bool("dryRun", r.req.DryRun),
		slog.String("user", reading.User.ID), slog.String("key", keyID), slog.String("request", reading.Memory.Attempts[keyID].RequestID))
	for i := range reading.Keys {
		reading.Keys[i].Active = reading.Keys[i].Active || reading.Keys[i].ID == keyID
	}
	return nil
}

// puttingBack is what the ledger remembers of a key that is switched back on.
func (r run) puttingBack() guard.Attempt {
	return guard.Attempt{Action: guard.Activate, At: r.Clock(), RequestID: r.req.ID}
}

// unguarded returns those of the attempts that were guarded, unless they are of newer events, as ones that need no
// follow-up: older events still meet them.
func unguarded(attempts map[string]guard.Attempt, newest time.Time) map[string]guard.Attempt {
	settled := make(map[string]guard.Attempt)
	for id, attempt := range attempts {
		if attempt.Guarded && !attempt.OccurredAt.After(newest) {
			attempt.Guarded = false
			settled[id] = attempt
		}
	}
	return settled
}

func merged(attempts, more map[string]guard.Attempt) map[string]guard.Attempt {
	all := make(map[string]guard.Attempt, len(attempts)+len(more))
	maps.Copy(all, attempts)
	maps.Copy(all, more)
	return all
}
