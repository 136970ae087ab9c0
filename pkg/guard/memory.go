package guard

import (
	"slices"
	"time"
)

// carriedOut reports whether this very event decided on the key before.
func (j judgement) carriedOut(last Change) bool {
	event := j.req.Event()
	return event != "" && slices.Contains(last.Events, event)
}

// tooLate reports whether an event is older than the last one that decided. Many senders tell the time in whole
// seconds: within that second nobody knows which came first, and the one that arrives last counts.
func tooLate(event, last time.Time) bool {
	if event.Nanosecond() == 0 {
		last = last.Truncate(time.Second)
	}
	return event.Before(last)
}

// overtaken reports whether a newer event tried to do something else to the key. What may never have happened keeps no
// leaver's key on.
func (j judgement) overtaken(id string) bool {
	attempt := j.read.Memory.Attempts[id]
	return !j.req.Offboarding && attempt.Action != j.req.Action && tooLate(j.req.OccurredAt, attempt.OccurredAt)
}

// settling is how long after a change the API may still show the state before it.
const settling = time.Minute

// justDid reports whether the ledger knows of the action on the key from a moment ago, when a reading may not show it
// yet. Or somebody undid it since: where the two disagree, nobody knows, and each rule takes the worse for true.
func (j judgement) justDid(action Action, id string) bool {
	last := j.read.Memory.Changes[id]
	return last.Action == action && j.now.Sub(last.At) < settling
}

// perhapsDid also counts what a request tried a moment ago without telling the end of it.
func (j judgement) perhapsDid(action Action, id string) bool {
	attempt := j.read.Memory.Attempts[id]
	return j.justDid(action, id) || attempt.Action == action && j.now.Sub(attempt.At) < settling
}

func (j judgement) perhapsActive(k Key) bool { return k.Active || j.perhapsDid(Activate, k.ID) }

func (j judgement) surelyActive(k Key) bool { return k.Active && !j.perhapsDid(Deactivate, k.ID) }
