package lifecycle

import (
	"context"
	"log/slog"

	"keyreeve/pkg/guard"
)

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
