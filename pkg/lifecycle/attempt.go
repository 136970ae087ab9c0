package lifecycle

import (
	"context"
	"maps"
	"time"

	"keyreeve/pkg/guard"
)

// setOut remembers, before any key is touched, what is about to be done to which key, so that this request may die at
// any moment: the next one finds it. And that a user left, if the event is heeded, so that nobody can switch a key back on
// in between.
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
			made := attempt
			if r.req.Action == guard.Activate { // If this fails, what an earlier request left to do is still to be done.
				made.Guarded = reading.Memory.Attempts[v.KeyID].Guarded
			}
			entry.Attempts[v.KeyID] = made
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
		return v.Outcome != guard.Refused && (v.Outcome != guard.Superseded || !reading.Memory.Changes[v.KeyID].Activated())
	}
	tooMuch := func(v guard.Verdict) bool { return v.Rule == guard.BlastRadius && v.Outcome == guard.Refused }
	return len(verdicts) == 0 || count(verdicts, heeded) > 0 && count(verdicts, tooMuch) == 0
}

// sparesNone reports whether the request may leave its user without an active key. Then no key that an earlier one left
// off has to come back either.
func (r run) sparesNone() bool { return r.req.Action == guard.Deactivate && !r.req.Guarded() }

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
