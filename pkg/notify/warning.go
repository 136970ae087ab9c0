package notify

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// Warnings remembers of which keys the owners were warned. A sweep counts from that, and switches no key off before.
type Warnings interface {
	// WarningsOf returns when the users were warned, by user id. Users who never were are absent.
	WarningsOf(ctx context.Context, userIDs []string) (map[string]guard.KeyWarnings, error)
	RecordWarnings(ctx context.Context, userID string, keyIDs []string, at time.Time) error
}

const (
	// recallingPatience bounds the question of which keys of a batch the owners were warned before.
	recallingPatience = 2 * time.Second
	// recordingPatience bounds the recording of the warnings in one post.
	recordingPatience = 2 * time.Second
)

// warn takes a warning from the message at that place of the batch. Those of several sweeps to one owner become one.
func (n *notices) warn(w guard.OwnerWarning, place int) {
	i := slices.IndexFunc(*n, func(known *notice) bool { return known.warning.User.ID == w.User.ID })
	if i < 0 {
		i = len(*n)
		*n = append(*n, &notice{event: event{warning: &guard.OwnerWarning{SweepID: w.SweepID, User: w.User}}, owner: strings.ToLower(w.User.Email)})
	}
	known := (*n)[i]
	known.places = append(known.places, place)
	known.warning.Keys = latest(append(known.warning.Keys, w.Keys...))
}

// latest returns each key once, as the sweep saw it that lets it stay on for longest: the last one.
func latest(keys []guard.AgingKey) []guard.AgingKey {
	var once []guard.AgingKey
	for _, k := range keys {
		i := slices.IndexFunc(once, func(known guard.AgingKey) bool { return known.ID == k.ID })
		switch {
		case i < 0:
			once = append(once, k)
		case k.DeactivateAfter.After(once[i].DeactivateAfter):
			once[i] = k
		}
	}
	return once
}

// unwarned returns the warnings that are still to be given to somebody with an address, without the keys whose owners were
// warned of them a short time ago. Where the ledger does not tell, none is given: it could not be recorded either, and
// would be given again and again.
func (b *batch) unwarned(ctx context.Context, warnings notices) notices {
	if len(warnings) == 0 {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, recallingPatience)
	defer cancel()
	users := make([]string, len(warnings))
	for i, n := range warnings {
		users[i] = n.warning.User.ID
	}
	given, err := b.queue.Warnings.WarningsOf(asking, users)
	if err != nil {
		b.fail(err, warnings...)
		b.queue.Logger.LogAttrs(ctx, slog.LevelError, "Whose owners were warned before is not known; the warnings come again.", slog.Any("error", err), slog.Any("users", users))
		return nil
	}
	now := b.queue.Clock()
	var due notices
	for _, n := range warnings {
		before := given[n.warning.User.ID]
		n.warning.Keys = slices.DeleteFunc(n.warning.Keys, func(k guard.AgingKey) bool { return warned(before[k.ID], now) || tooLate(k, now) })
		switch {
		case len(n.warning.Keys) == 0:
		case n.owner == "":
			b.unreached = append(b.unreached, n)
		default:
			due = append(due, n)
		}
	}
	return due
}

// warned reports whether one of the times is so near that a warning would be the same again.
func warned(times []time.Time, now time.Time) bool {
	return slices.ContainsFunc(times, func(at time.Time) bool { return now.Sub(at).Abs() < guard.WarningsApart })
}

// tooLate reports whether the warning was under way for so long that what it says of the key is not true any more: the next
// sweep finds it due again.
func tooLate(k guard.AgingKey, now time.Time) bool { return !k.DeactivateAfter.After(now) }

// record records the warnings that were posted. Where that fails their messages come again, and the owners may be told
// twice. The other way round a key could go off of which nobody was warned.
func (b *batch) record(ctx context.Context, posted notices) {
	ctx, cancel := context.WithTimeout(ctx, recordingPatience)
	defer cancel()
	for _, n := range posted {
		var keys []string
		for _, k := range n.warning.Keys[:min(len(n.warning.Keys), slackapi.MaxWarned)] {
			keys = append(keys, k.ID)
		}
		if err := b.queue.Warnings.RecordWarnings(ctx, n.warning.User.ID, keys, b.queue.Clock()); err != nil {
			b.fail(err, n)
			b.queue.Logger.LogAttrs(ctx, slog.LevelError, "A warning was given and could not be recorded; it comes again.",
				slog.Any("error", err), slog.String("user", n.warning.User.ID))
		}
	}
}
