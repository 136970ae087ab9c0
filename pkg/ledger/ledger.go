// Package ledger remembers what the IONOS API does not: which users were offboarded, who switched which access key
// when and why, what was said of a user's buckets, how much was changed within the last hour, which events front doors
// have accepted, which owners were warned and when, and what the last sweep counted. It also lends out the lease that
// keeps two requests from judging the same user at once.
//
// The lifecycle takes a user's lease, recalls what is known, judges, acts, records, and lets go of the lease. A front
// door asks whether it has seen an event before it acts on it, and has it remembered when its requests are on the bus.
// A sweep asks about many users at once; whoever warns an owner has the ledger remember it, and the sweep goes by that.
//
// There are two: [Bolt] in a file, for the processes of one machine, and [DynamoDB] in a table, for functions anywhere.
// A ledger keeps six sorts of item, each of them small enough for one conditional write:
//
//	users/<user id>     {"offboardedAt": time, "buckets": {"ownership", "at"}, "changes": {"<key id>": guard.Change}, "refusals": {"<key id>": guard.Refusal}, "attempts": {"<key id>": guard.Attempt}}
//	leases/<user id>    {"holder": "…", "until": time}
//	counters/changes    {"<minutes since 1970>": number of changes in that minute}
//	events/<digest>     {"until": time, "holder": "…"}
//	warnings/<user id>  {"<key id>": [time, …]}
//	sweeps/last         {"day": "2026-11-23", "dayBegan": time, "users": number, "keys": number}
//
// Times are RFC 3339 in UTC. Members whose value is not known are left out. No item ever holds a secret. An item that
// cannot be read is an error, never taken for none: nobody would be offboarded any more. A digest is the front door's
// short name for an event: the same whenever that event arrives again, and different for every other.
//
// All errors are of type [guard.Error]: of kind [guard.Unavailable] where the ledger cannot be used or a lease is taken.
package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"keyreeve/pkg/guard"
)

// patience is the longest that a call waits for its turn, or for an answer. A turn takes milliseconds.
const patience = 5 * time.Second

// decode reads an item. A member that is not known is of another version, and writing the item back would lose it.
func decode[T any](data []byte) (item T, err error) {
	if !bytes.HasPrefix(data, []byte("{")) {
		return item, errors.New("it is no JSON object")
	}
	return item, jsonv2.Unmarshal(data, &item, jsonv2.RejectUnknownMembers(true))
}

// userItem is what is stored of one user: a [guard.Memory] that only ever grows newer.
type userItem struct {
	OffboardedAt time.Time                `json:"offboardedAt,omitzero"`
	Buckets      guard.BucketAnswer       `json:"buckets,omitzero"`
	Changes      map[string]guard.Change  `json:"changes,omitempty"`
	Refusals     map[string]guard.Refusal `json:"refusals,omitempty"`
	Attempts     map[string]guard.Attempt `json:"attempts,omitempty"`
}

// merge takes over what is newer in entry: invariant 3, an older event never undoes a newer change, rests on it.
// Attempts are taken over as they come, and zero ones take them back: only the holder of the lease speaks of them.
func (u *userItem) merge(entry guard.Memory) error {
	if entry.OffboardedAt.After(u.OffboardedAt) {
		u.OffboardedAt = entry.OffboardedAt.UTC()
	}
	if answer := entry.Buckets; !answer.At.IsZero() && !answer.At.Before(u.Buckets.At) {
		answer.At = answer.At.UTC()
		u.Buckets = answer
	}
	for id, change := range entry.Changes {
		if change.OccurredAt.Before(u.Changes[id].OccurredAt) {
			continue
		}
		change.At, change.OccurredAt = change.At.UTC(), change.OccurredAt.UTC()
		if u.Changes == nil {
			u.Changes = make(map[string]guard.Change, len(entry.Changes))
		}
		u.Changes[id] = change
	}
	for id, refusal := range entry.Refusals {
		if u.Refusals == nil {
			u.Refusals = make(map[string]guard.Refusal, len(entry.Refusals))
		}
		u.Refusals[id] = refusal
	}
	for id, attempt := range entry.Attempts {
		if attempt.At.IsZero() {
			delete(u.Attempts, id)
			continue
		}
		attempt.At = attempt.At.UTC()
		if u.Attempts == nil {
			u.Attempts = make(map[string]guard.Attempt, len(entry.Attempts))
		}
		u.Attempts[id] = attempt
	}
	return u.shrink()
}

// maxUserSize is the most that a user's item may take, in bytes of JSON. DynamoDB has room for 400 KB, names included.
const maxUserSize = 350 * 1000

// shrink forgets what matters least while the item is too large: keys come and go for years. Without its refusal a
// request that is sent again is judged again, which is all, and what request an attempt was of is for the log. Then go
// the oldest changes, those of deleted keys first. A change takes 35 KB at most, and a user has five keys at most at a
// time.
func (u *userItem) shrink() error {
	large, err := u.tooLarge()
	if err != nil || !large {
		return err
	}
	u.Refusals = nil
	for id, attempt := range u.Attempts {
		attempt.RequestID = ""
		u.Attempts[id] = attempt
	}
	lightest := slices.SortedFunc(maps.Keys(u.Changes), func(a, b string) int { return compareWeight(u.Changes[a], u.Changes[b]) })
	for _, id := range lightest {
		if large, err = u.tooLarge(); err != nil || !large {
			return err
		}
		delete(u.Changes, id)
	}
	return nil
}

func (u *userItem) tooLarge() (bool, error) {
	data, err := json.Marshal(u)
	return len(data) > maxUserSize, err
}

// compareWeight orders changes by how much they matter.
func compareWeight(a, b guard.Change) int {
	if a.Action == guard.Delete != (b.Action == guard.Delete) {
		if a.Action == guard.Delete {
			return -1
		}
		return 1
	}
	return a.At.Compare(b.At)
}

func (u *userItem) memory() guard.Memory {
	return guard.Memory{OffboardedAt: u.OffboardedAt, Buckets: u.Buckets, Changes: u.Changes, Refusals: u.Refusals, Attempts: u.Attempts}
}

func memories(users map[string]userItem) map[string]guard.Memory {
	all := make(map[string]guard.Memory, len(users))
	for id, user := range users {
		all[id] = user.memory()
	}
	return all
}

// leaseItem says who has a user's lease. It counts for nothing from Until on.
type leaseItem struct {
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`
}

// refuse returns an error if the lease is another's now.
func (l leaseItem) refuse(holder string, now time.Time) error {
	rest := l.Until.Sub(now)
	if rest <= 0 || l.Holder == holder {
		return nil
	}
	return &guard.Error{
		Kind:       guard.Unavailable,
		Message:    "Another request is at work on this user's access keys.",
		Remedy:     "Try again when it is done.",
		RetryAfter: rest,
		Err:        fmt.Errorf("the lease is held by %s", l.Holder),
	}
}

// windowMinutes is the width of the sliding hour. The minute that it began in still counts whole, so that a change is
// counted for an hour at least: there are 61 counters at most.
const windowMinutes = 60

// counterItem holds the number of changes by minute since 1970.
type counterItem map[int64]int

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// reserve returns how many changes the last hour has, and what to store so that it has that many more, which is nothing
// where they may not be counted.
func (c counterItem) reserve(changes, limit int, now time.Time) (already int, counted counterItem) {
	counted = counterItem{}
	maps.Copy(counted, c)
	counted.prune(now)
	already = counted.total()
	if changes == 0 || changes > 0 && limit > 0 && already+changes > limit {
		return already, nil
	}
	counted.add(changes, minuteOf(now))
	return already, counted
}

// prune drops the minutes that lie more than an hour before now.
func (c counterItem) prune(now time.Time) {
	oldest := minuteOf(now) - windowMinutes
	maps.DeleteFunc(c, func(minute int64, _ int) bool { return minute < oldest })
}

// add counts changes in the minute, or gives a negative number of them back, the newest first, as far as there are any.
func (c counterItem) add(changes int, minute int64) {
	if changes > 0 {
		c[minute] += changes
		return
	}
	for _, counted := range slices.Backward(slices.Sorted(maps.Keys(c))) {
		back := min(c[counted], -changes)
		c[counted] -= back
		changes += back
	}
}

func (c counterItem) total() int {
	var sum int
	for _, n := range c {
		sum += n
	}
	return sum
}

// eventItem says how long an event is remembered, and who claimed it where somebody did. It counts for nothing from Until on.
type eventItem struct {
	Until  time.Time `json:"until"`
	Holder string    `json:"holder,omitempty"`
}

// claim makes the event the holder's, unless it counts and is another's or nobody's, and reports whether it is.
func (e *eventItem) claim(holder string, until, now time.Time) (held bool) {
	if e.counts(now) && e.Holder != holder {
		return false
	}
	e.Holder = holder
	e.extend(until)
	return true
}

func (e *eventItem) extend(until time.Time) {
	if until.After(e.Until) {
		e.Until = until.UTC()
	}
}

func (e *eventItem) counts(now time.Time) bool { return now.Before(e.Until) }

const (
	// warningsKept is how many times are kept of each key: those of the two warnings before it is switched off, and of
	// the two before that.
	warningsKept = 4
	// warningsKeptFor is how long the warnings of a key are kept after the last. A key whose warnings are forgotten is
	// warned twice again before it is switched off.
	warningsKeptFor = 2 * 365 * 24 * time.Hour
)

// addWarnings adds the time to those of each key, unless that is a warning that the key has already. It forgets what is
// kept no longer, because keys come and go.
func addWarnings(warnings guard.KeyWarnings, keyIDs []string, at time.Time) guard.KeyWarnings {
	if warnings == nil {
		warnings = make(guard.KeyWarnings, len(keyIDs))
	}
	same := func(other time.Time) bool { return other.Sub(at).Abs() < guard.WarningsApart }
	for _, id := range keyIDs {
		if slices.ContainsFunc(warnings[id], same) {
			continue
		}
		warnings[id] = append(warnings[id], at.UTC())
		slices.SortFunc(warnings[id], time.Time.Compare)
		warnings[id] = warnings[id][max(0, len(warnings[id])-warningsKept):]
	}
	maps.DeleteFunc(warnings, func(_ string, times []time.Time) bool {
		return len(times) == 0 || at.Sub(times[len(times)-1]) > warningsKeptFor
	})
	return warnings
}
