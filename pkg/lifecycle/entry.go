package lifecycle

import (
	"slices"
	"time"

	"keyreeve/pkg/guard"
)

// entry is what the ledger is to remember of the outcomes. What was attempted and failed may be carried out yet, so
// such an attempt stays in mind.
func (r run) entry(reading guard.Reading, verdicts []guard.Verdict, results []guard.KeyResult, owned guard.Ownership, second look) guard.Memory {
	entry := guard.Memory{
		Changes: make(map[string]guard.Change), Refusals: make(map[string]guard.Refusal), Attempts: make(map[string]guard.Attempt),
	}
	now := r.Clock()
	change := guard.Change{
		Action: r.req.Action, At: now, OccurredAt: earliest(r.req.OccurredAt, now),
		Actor: r.req.Actor, ApprovedBy: r.req.ApprovedBy, Reason: r.req.Reason, Source: r.req.Source, RequestID: r.req.ID,
	}
	for i, k := range results {
		last := reading.Memory.Changes[k.ID]
		if verdicts[i].Allowed() {
			entry.Attempts[k.ID] = r.remaining(reading.Memory.Attempts[k.ID], k, second)
		}
		switch k.Outcome {
		case guard.Changed:
			made := change
			made.Overridden = k.Overridden
			made.OccurredAt = latest(change.OccurredAt, last.OccurredAt)
			made.Events = r.events(last.Events)
			entry.Changes[k.ID] = made
		case guard.Unchanged:
			seen := change
			seen.Events = r.events(last.Events)
			if !slices.ContainsFunc(reading.Keys, func(known guard.Key) bool { return known.ID == k.ID }) {
				seen.Action = guard.Delete
			}
			if r.succeeded(reading, k.ID) {
				entry.Attempts[k.ID] = guard.Attempt{}
			}
			if seen, news := stillSo(last, seen); news {
				entry.Changes[k.ID] = seen
			}
		case guard.Refused:
			if !k.Rule.OfTheMoment() {
				entry.Refusals[k.ID] = guard.Refusal{Rule: k.Rule, Message: k.Message, Remedy: k.Remedy, Fingerprint: r.req.Fingerprint()}
			}
		case guard.Superseded, guard.Failed:
		}
	}
	switch {
	case owned != "" && !stillOn(reading, results):
		entry.Buckets = guard.BucketAnswer{Ownership: owned, At: change.At}
	case owned != "", r.req.Action == guard.Activate && len(entry.Changes) > 0:
		// Whoever has an active key can make a bucket.
		entry.Buckets = guard.BucketAnswer{Ownership: guard.OwnsUnknown, At: change.At}
	}
	return entry
}

// remaining is what stays in mind of an attempt after its outcome. A key that was just switched back on may show as
// off for a while, and nobody may take it for inactive.
func (r run) remaining(attempt guard.Attempt, outcome guard.KeyResult, second look) guard.Attempt {
	switch {
	case outcome.ID == second.backOn:
		return r.puttingBack()
	case outcome.Outcome != guard.Failed:
		return guard.Attempt{}
	default:
		attempt.Guarded = attempt.Guarded && !second.sure
		return attempt
	}
}

// stillOn reports whether a key that was read as active may still be, as it could not be switched off.
func stillOn(reading guard.Reading, results []guard.KeyResult) bool {
	return slices.ContainsFunc(guard.ActiveKeys(reading.Keys), func(k guard.Key) bool {
		i := slices.IndexFunc(results, func(result guard.KeyResult) bool { return result.ID == k.ID })
		return i < 0 || results[i].Outcome != guard.Changed && results[i].Outcome != guard.Unchanged
	})
}

// stillSo is what to remember of a key that already was as the request wants it, and whether that is news.
// A switch the ledger knows keeps its date and its actor, and is as new as the newest event that wanted it. One
// that was made elsewhere starts its grace period when it is first seen.
func stillSo(last, seen guard.Change) (change guard.Change, news bool) {
	seen.OccurredAt = latest(seen.OccurredAt, last.OccurredAt)
	if last.Action != seen.Action {
		return seen, true
	}
	news = seen.OccurredAt.After(last.OccurredAt) || !slices.Equal(seen.Events, last.Events)
	last.OccurredAt, last.Events, last.Seen = seen.OccurredAt, seen.Events, false
	return last, news
}

// rememberedEvents is how many events of a key are told from new ones when they arrive again.
const rememberedEvents = 8

// events adds the request's event to those that decided on the key before.
func (r run) events(before []string) []string {
	event := r.req.Event()
	if event == "" || slices.Contains(before, event) {
		return before
	}
	all := append(slices.Clone(before), event)
	return all[max(0, len(all)-rememberedEvents):]
}

// latest keeps the time of events from going back: the guard lets events of the same second pass in any order, and
// the ledger keeps only what is not older than what it has.
func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// earliest keeps an event of a sender whose clock is ahead from making older what happens next.
func earliest(event, now time.Time) time.Time {
	if event.After(now) {
		return now
	}
	return event
}
