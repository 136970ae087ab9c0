package sweep

import (
	"fmt"
	"slices"

	"keyreeve/pkg/guard"
)

// few is how many keys or users are always too few for a share of the contract to mean anything: as many keys as one user
// can have.
const few = 5

// shrunk returns why the sweep has to stop if the reading has far fewer users or keys than the last one: an API that leaves
// out a part of the contract must not go unnoticed.
func (s *state) shrunk(last guard.SweepMemory, maxShare int) *guard.SweepStop {
	if slices.Contains(s.Order.Override, guard.ShrunkReading) {
		return nil
	}
	for _, count := range []struct {
		what        string
		before, now int
	}{{"users", last.Users, s.Users}, {"keys", last.Keys, s.Keys}} {
		missing := count.before - count.now
		if missing > few && missing*100 > count.before*maxShare {
			return &guard.SweepStop{
				Brake:   guard.ShrunkReading,
				Message: fmt.Sprintf("The contract was read with %d %s, and the last time with %d: more than %d %% are missing.", count.now, count.what, count.before, maxShare),
				Remedy:  "See in the IONOS console whether that is so. If it is, invoke the function with {\"override\": [\"shrunk_reading\"]}, which takes the new count for the right one.",
			}
		}
	}
	return nil
}

// tooMany returns why the sweep has to stop if so many keys were changed: more than it may have of what is left of the hour's
// limit, or than the share of the contract allows.
func (s *state) tooMany(due, recent, maxChanges, maxShare int) *guard.SweepStop {
	var message, setting string
	switch {
	case due == 0:
		return nil
	case recent+due > maxChanges-maxChanges/4: // Somebody may leave in this hour, too.
		message = fmt.Sprintf("%d keys are due to be changed, and %d were changed in the last hour; a sweep may use three quarters of the limit, which is %d.", due, recent, maxChanges)
		setting = "KEYREEVE_MAX_CHANGES"
	case due > few && due*100 > s.Keys*maxShare:
		message = fmt.Sprintf("%d of %d keys are due to be changed; the limit is %d %% of the contract.", due, s.Keys, maxShare)
		setting = "KEYREEVE_SWEEP_MAX_SHARE"
	default:
		return nil
	}
	return &guard.SweepStop{
		Brake: guard.TooManyDue, Message: message,
		Remedy: "Look through the report. If all of it is meant, raise " + setting + " until it is done; if not, exempt who is to be left alone.",
	}
}

// due counts the keys that are to be changed by the policies, or by those of them that are enforced.
func (s *state) due(enforced bool) (n int) {
	for _, t := range s.Policies {
		if !enforced || t.Mode == guard.Enforce {
			n += t.Deactivate + t.Delete
		}
	}
	return n
}

// broken is why a sweep has to stop that could not read all it needs.
func broken(err error) *guard.SweepStop {
	known := guard.AsError(err)
	return &guard.SweepStop{
		Brake:   guard.BrokenReading,
		Message: "The contract could not be read to its end: " + known.Message,
		Remedy:  known.Remedy,
	}
}
