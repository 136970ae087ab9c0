package sweep

import (
	"slices"
	"time"

	"keyreeve/pkg/guard"
)

// How long before a key is switched off for its age its owner is warned. Both are whole days: nights are not exactly a day
// apart.
const (
	firstWarning = 14 * day
	lastWarning  = 7 * day
)

// forgotten is how long a warning is remembered by whoever got it.
const forgotten = 30 * day

// aging says what is due about an active key for its age, when it will be switched off at the earliest, and whether a
// warning is the last one. Nothing is due about a key whose age nobody knows.
func (j judge) aging(k guard.Key, warned []time.Time, reading guard.Reading) (step guard.SweepStep, off time.Time, final bool) {
	if !j.ages(k) {
		return "", time.Time{}, false
	}
	tooOld, today := k.Created.Add(j.rules.MaxKeyAge), dayOf(j.now)
	counting := j.counting(warned, k, reading.Memory.Changes[k.ID])
	if len(counting) >= 2 {
		off = latest(latest(tooOld, dayOf(counting[1]).Add(lastWarning)), replaced(k, reading.Keys).Add(lastWarning))
		if j.now.Before(off) {
			return guard.StepWait, off, false
		}
		return guard.StepDeactivate, off, false
	}
	ahead := firstWarning
	if len(counting) == 1 {
		ahead = lastWarning
	}
	next := dayOf(tooOld).Add(-ahead)
	if len(warned) > 0 { // Warnings that do not count keep their distance all the same.
		next = latest(next, dayOf(warned[len(warned)-1]).Add(firstWarning-lastWarning))
	}
	if today.Before(next) {
		return guard.StepWait, next.Add(ahead), false
	}
	return guard.StepWarn, latest(dayOf(tooOld), today.Add(ahead)), ahead == lastWarning
}

// ages reports whether the key is too old, or will be so soon that its owner is to be warned.
func (j judge) ages(k guard.Key) bool {
	return k.Active && !k.Created.IsZero() && !j.now.Before(dayOf(k.Created.Add(j.rules.MaxKeyAge)).Add(-firstWarning))
}

// replaced is when the user got the first of the active keys that they have beside this one: from then on they can move what
// uses it. It is zero where there is none.
func replaced(k guard.Key, keys []guard.Key) time.Time {
	for _, other := range keys { // The oldest comes first.
		if other.Active && other.ID != k.ID {
			return other.Created
		}
	}
	return time.Time{}
}

// counting returns the warnings that count for the key. Whoever had it switched on again is warned anew, and so is whoever
// was warned when the limit was another, or so long ago that they have forgotten it, as of an only key that stayed on.
func (j judge) counting(warned []time.Time, k guard.Key, last guard.Change) []time.Time {
	since := latest(dayOf(k.Created.Add(j.rules.MaxKeyAge)).Add(-firstWarning), dayOf(j.now).Add(-forgotten))
	if last.Action == guard.Activate {
		since = latest(since, last.At)
	}
	return slices.DeleteFunc(slices.Clone(warned), since.After)
}
