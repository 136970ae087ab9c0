package proof_test

import (
	"fmt"
	"slices"
	"time"

	"keyreeve/pkg/guard"
)

const (
	maxKeys     = 5
	maxRequests = 8
	// hand is who switches keys in the console.
	hand = maxRequests
)

// violation is a broken promise: the number of the invariant, and in what way.
type violation struct {
	invariant int
	how       string
}

func broken(invariant int, format string, args ...any) *violation {
	return &violation{invariant, fmt.Sprintf(format, args...)}
}

// observer watches all moves and says when an invariant is broken. It is comparable, so that two histories with equal
// observers, the same scene and the same memories of all requests have the same future, violations included.
//
// 1. When all have come to an end: no key that a guarded deactivation switched off last is missing. It is missing if
// with it the user would be better off than they are: with a key instead of none, or with a key for all buckets
// instead of a legacy one. That is no violation if something as good was taken away by an offboarding or an override, or by the hand
// after that request's switch and after its last reading: no code can see what happens after it looked. Nor does anybody miss a
// key of somebody who left, unless it was activated since.
//
// 2. A key that is deleted is inactive, for the grace period at least unless that rule was overridden, and not the
// last of a user who owns buckets, or of whom that is not known, unless that rule was. What the hand did to the key after the
// deleting request's last reading does not count: the API has no conditional delete.
//
// 3. No request changes a key that a newer event changed, or is about to record that it did. No request changes a key
// when the same event is recorded as one that decided on it; an offboarding may. Putting back a key that a
// guarded deactivation switched off undoes that one, whoever does it, and is no change of its own.
//
// 5. Each request tells one outcome a key. What it says it changed, it wrote exactly once, and last, and to effect, unless the hand
// was quicker or the ledger gave reason to doubt the reading; what it says it did not change, it wrote not at all or put back. It tells a state that the key had
// since its first reading, or after its own write.
//
// A request that died has told nothing. Delivered again, it starts anew.
type observer struct {
	about *setting
	// left is true once the ledger knows that the user left.
	left     bool
	keys     [maxKeys]keyFacts
	requests [maxRequests]requestFacts
}

// setting is what an observer knows beforehand.
type setting struct {
	requests []guard.Request
	keys     []heldKey
	// owns is the truth about the user's buckets; unknown where nobody could find out.
	owns guard.Ownership
	// lags is true where readings may show an older state.
	lags bool
	// asked is true where the ledger says from long ago that the user owns no buckets.
	asked bool
}

const grace = 720 * time.Hour

// requestSet has a bit for each request.
type requestSet uint8

func just(i int) requestSet { return 1 << i }

func (s requestSet) has(i int) bool { return s&just(i) != 0 }

type keyFacts struct {
	// offBy is the guarded request, counted from 1, that switched the key off last; 0 if somebody else did or it is on.
	offBy int
	// taken are the requests since whose last reading and last switch the hand switched the key off, and touched those
	// since whose last reading the hand switched it at all.
	taken, touched requestSet
	// given is true while the key is off because of a request that need not leave one.
	given bool
	// writer is the request, counted from 1, that changed the key last, if it has not died.
	writer int
	// newest is the time of the newest event that is recorded as having decided on the key, and told are those recorded.
	newest int64
	told   requestSet
	// since is the last switch; used is true once the key was switched on, and seen once a reading could show that.
	since      int64
	used, seen bool
	// activated is true while the ledger's last change of the key is an activation.
	activated bool
	// doubtful is true once the ledger heard of the key: for a while nobody takes a reading of it for certain.
	doubtful bool
}

type requestFacts struct {
	hasRead bool
	keys    [maxKeys]keyWrites
}

// keyWrites is what one request did to one key: how often it wrote what it is about, how often to effect, whether it
// undid that, and which states it can know of.
type keyWrites struct {
	writes, effects uint8
	undone          bool
	states          [active + 1]bool
}

func newObserver(about *setting) observer {
	o := observer{about: about}
	for i, k := range about.keys {
		o.keys[i].since = noon().AddDate(0, 0, -k.inactive).Unix()
	}
	return o
}

// see takes notice of a move that was let through.
func (o *observer) see(now time.Time, m move, before, after scene) *violation {
	k := indexOf(o.about.keys, m.key)
	if m.by == hand {
		if before.keys[k] == after.keys[k] {
			return nil // Nobody sees a switch to turn there.
		}
		o.keys[k].touched = ^requestSet(0)
		o.switched(now, m, k, before, after)
		return nil
	}
	switch m.does {
	case reads:
		o.read(m.by, after)
	case records:
		o.record(m)
	case deletes:
		return o.remove(now, m, k, before, after)
	case turnsOn, turnsOff:
		broke := o.change(m, k, before, after)
		o.switched(now, m, k, before, after)
		return broke
	default: // The rest promises nothing.
	}
	return nil
}

// switched notes a switch by whomever.
func (o *observer) switched(now time.Time, m move, k int, before, after scene) {
	key := &o.keys[k]
	key.offBy, key.given = 0, false
	switch {
	case m.does == turnsOn:
		key.taken = 0
	case m.by != hand && o.about.requests[m.by].Guarded() && (!o.left || key.activated):
		key.offBy = m.by + 1
		for i := range o.keys {
			o.keys[i].taken &^= just(m.by)
		}
	case m.by != hand:
		key.given = true
	default:
		key.taken = ^requestSet(0)
	}
	if before.keys[k] != after.keys[k] {
		key.since, key.used = now.Unix(), key.used || m.does == turnsOn
	}
	for i := range o.requests {
		o.requests[i].keys[k].states[after.keys[k]] = true
	}
}

func (o *observer) read(by int, shown scene) {
	request := &o.requests[by]
	// What is recorded as done is not looked after again when the request is delivered again.
	settled := slices.ContainsFunc(o.keys[:], func(k keyFacts) bool { return k.offBy == by+1 && k.told.has(by) })
	for k := range o.keys {
		o.keys[k].touched &^= just(by)
		if !settled {
			o.keys[k].taken &^= just(by)
		}
		o.keys[k].seen = o.keys[k].seen || o.keys[k].used && shown.keys[k] != gone
		if !request.hasRead {
			request.keys[k].states = [active + 1]bool{}
		}
		request.keys[k].states[shown.keys[k]] = true
	}
	request.hasRead = true
}

// waive notes which keys a request that need not leave one wants to stay off, whoever switched them off.
func (o *observer) waive(recorded entry) {
	for k, held := range o.about.keys {
		attempt, named := recorded.Attempts[held.id]
		if !recorded.OffboardedAt.IsZero() || named && attempt.Action == guard.Deactivate {
			o.keys[k].offBy, o.keys[k].given = 0, o.keys[k].given || o.keys[k].offBy > 0
		}
	}
}

// record notes which changes the ledger knows from here on.
func (o *observer) record(m move) {
	entry := entryOf(m.with)
	o.left = o.left || !entry.OffboardedAt.IsZero()
	if req := o.about.requests[m.by]; req.Action == guard.Deactivate && !req.Guarded() {
		o.waive(entry)
	}
	for id := range entry.Attempts {
		o.keys[indexOf(o.about.keys, id)].doubtful = true
	}
	for id, change := range entry.Changes {
		key := &o.keys[indexOf(o.about.keys, id)]
		key.doubtful, key.activated = true, change.Action == guard.Activate
		key.newest = max(key.newest, change.OccurredAt.Unix())
		for i, req := range o.about.requests {
			if slices.Contains(change.Events, req.Event()) {
				key.told |= just(i)
			}
		}
	}
}
