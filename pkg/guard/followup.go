package guard

import "time"

// MayBeOn reports whether a key may be on: not one of somebody who left, unless it was activated since.
func MayBeOn(reading Reading, keyID string) bool {
	left, last := reading.Memory.OffboardedAt, reading.Memory.Changes[keyID]
	return left.IsZero() || last.Activated() && last.OccurredAt.After(left)
}

const (
	// followUpTime is for how long an earlier request is looked after that died: queues deliver it again by then.
	// Later, keys are off because people want them off.
	followUpTime = time.Hour
	// switchTime is how much later than the attempt the API may date a switch that came of it.
	switchTime = 2 * time.Minute
)

// FollowUp is what earlier requests that failed or died in between have left to do, by key id.
type FollowUp struct {
	// BackOn is the key that has to go back on, if there is one: it was switched off by a guarded deactivation that
	// did not look again, and without it the user may have none.
	BackOn string
	// Settled are the keys of such deactivations that need not be asked about again once that is done.
	Settled []string
	// Forgotten are keys that are gone, about which nobody will hear any more.
	Forgotten []string
}

// Unfinished says what there is to follow up.
func Unfinished(reading Reading, policy Policy, now time.Time) FollowUp {
	j := judgement{read: reading, policy: policy, now: now}
	var follow FollowUp
	var off, others []Key
	for _, k := range reading.Keys {
		guarded := reading.Memory.Attempts[k.ID].Guarded
		switch {
		case j.surelyActive(k):
			others = append(others, k)
		case guarded && j.leftOff(k):
			off = append(off, k)
		}
		// A reading that does not show the change yet may hide as well what others did before it.
		if guarded && (!k.Active || j.surelyActive(k)) {
			follow.Settled = append(follow.Settled, k.ID)
		}
	}
	if left, must := MustStay(off, others); must {
		follow.BackOn = left.ID
	}
	for id, attempt := range reading.Memory.Attempts {
		if reading.Shows(Delete, id) && now.Sub(attempt.At) >= followUpTime {
			follow.Forgotten = append(follow.Forgotten, id)
		}
	}
	return follow
}

// leftOff reports whether it is the attempt, as far as anybody can know, that the key is off because of: not somebody
// who switched it later, nor that its user left.
func (j judgement) leftOff(k Key) bool {
	attempt := j.read.Memory.Attempts[k.ID]
	exempt, _ := j.exempt(k)
	return exempt == "" && MayBeOn(j.read, k.ID) &&
		j.now.Sub(attempt.At) < followUpTime && !k.Modified.After(attempt.At.Add(switchTime))
}
