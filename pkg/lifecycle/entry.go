package lifecycle

import (
	"time"

	"keyreeve/pkg/guard"
)

// entry is what the ledger is to remember of the outcomes.
func (r run) entry(reading guard.Reading, results []guard.KeyResult, owned guard.Ownership) guard.Memory {
	entry := guard.Memory{Changes: make(map[string]guard.Change)}
	change := guard.Change{
		Action: r.req.Action, At: r.Clock(), OccurredAt: r.req.OccurredAt,
		Actor: r.req.Actor, Reason: r.req.Reason, Source: r.req.Source, RequestID: r.req.ID,
	}
	for _, k := range results {
		last := reading.Memory.Changes[k.ID]
		switch k.Outcome {
		case guard.Changed:
			made := change
			made.Overridden = k.Overridden
			made.OccurredAt = latest(change.OccurredAt, last.OccurredAt)
			entry.Changes[k.ID] = made
		case guard.Unchanged:
			if seen, news := stillSo(last, change); news {
				entry.Changes[k.ID] = seen
			}
		case guard.Refused, guard.Superseded, guard.Failed:
		}
	}
	switch {
	case owned != "":
		entry.Buckets = guard.BucketAnswer{Ownership: owned, At: change.At}
	case r.req.Action == guard.Activate && len(entry.Changes) > 0:
		// Whoever has an active key can make a bucket.
		entry.Buckets = guard.BucketAnswer{Ownership: guard.OwnsUnknown, At: change.At}
	}
	return entry
}

// stillSo is what to remember of a key that already was as the request wants it, and whether that is news.
// A switch the ledger knows keeps its date and its actor, and is as new as the newest event that wanted it. One
// that was made elsewhere starts its grace period when it is first seen.
func stillSo(last, seen guard.Change) (change guard.Change, news bool) {
	if last.Action != seen.Action && last.Action != guard.Delete {
		seen.OccurredAt = latest(seen.OccurredAt, last.OccurredAt)
		return seen, true
	}
	news = seen.OccurredAt.After(last.OccurredAt)
	last.OccurredAt = latest(seen.OccurredAt, last.OccurredAt)
	return last, news
}

// latest keeps the time of events from going back: the guard lets events of the same second pass in any order, and
// the ledger keeps only what is not older than what it has.
func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
