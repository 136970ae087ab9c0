package proof_test

import (
	"slices"
	"strings"
	"time"

	"keyreeve/pkg/guard"
)

// change checks a switch by a request.
func (o *observer) change(m move, k int, before, after scene) *violation {
	own, req := &o.requests[m.by].keys[k], o.about.requests[m.by]
	putsBack := m.does == turnsOn && o.keys[k].offBy > 0 && !o.keys[k].told.has(o.keys[k].offBy-1)
	switch {
	case m.does == turnsOn && (req.Action != guard.Activate || len(req.Keys) > 0 && !slices.Contains(req.Keys, m.key)):
		own.undone = own.writes > 0
		o.keys[k].writer = 0
		return nil
	case putsBack: // Or it is what the request is about: nobody can tell.
		o.keys[k].writer = m.by + 1
		own.writes, own.effects, own.undone = min(own.writes+1, 2), min(own.effects+1, 2), true
		return nil
	default:
		return o.apply(m, k, before.keys[k] != after.keys[k])
	}
}

// apply checks a write of what the request is about.
func (o *observer) apply(m move, k int, effective bool) *violation {
	key, own, req := &o.keys[k], &o.requests[m.by].keys[k], o.about.requests[m.by]
	own.writes, own.undone = min(own.writes+1, 2), false
	if effective || key.touched.has(m.by) || key.doubtful {
		own.effects = min(own.effects+1, 2)
	}
	if !effective {
		return nil
	}
	newest := key.newest
	if key.writer > 0 {
		newest = max(newest, o.about.requests[key.writer-1].OccurredAt.Unix())
	}
	key.writer = m.by + 1
	if req.OccurredAt.Unix() < newest {
		return broken(3, "request %d changed key %s after a newer event did", m.by, m.key)
	}
	for i := range o.about.requests {
		if key.told.has(i) && o.about.sameEvent(i, m.by) && !req.Offboarding {
			return broken(3, "request %d changed key %s, and the same event had changed it before", m.by, m.key)
		}
	}
	return nil
}

func (s *setting) sameEvent(i, j int) bool {
	a, b := s.requests[i], s.requests[j]
	return a.ID == b.ID && a.Source == b.Source && a.Action == b.Action && a.OccurredAt.Equal(b.OccurredAt)
}

// remove checks a deletion.
func (o *observer) remove(now time.Time, m move, k int, before, after scene) *violation {
	key, overrides := o.keys[k], o.about.requests[m.by].Override
	broke := o.apply(m, k, before.keys[k] != after.keys[k])
	o.switched(now, m, k, before, after)
	handWasQuicker := key.touched.has(m.by)
	switch {
	case before.keys[k] == after.keys[k]:
		return nil
	case before.keys[k] == active && !handWasQuicker:
		return broken(2, "request %d deleted key %s, which was active", m.by, m.key)
	case now.Sub(time.Unix(key.since, 0)) < grace && !handWasQuicker && !slices.Contains(overrides, guard.GracePeriod):
		return broken(2, "request %d deleted key %s inside its grace period", m.by, m.key)
	case after.keys == [maxKeys]keyState{} && o.mayOwn() && !slices.Contains(overrides, guard.OnlyKeyWithBuckets):
		return broken(2, "request %d deleted the only key, %s", m.by, m.key)
	default:
		return broke
	}
}

// mayOwn reports whether the user owns buckets, or may have made one with a key that was active since somebody asked,
// as far as any request could see.
func (o *observer) mayOwn() bool {
	return o.about.owns != guard.OwnsNone || o.about.asked && slices.ContainsFunc(o.keys[:], func(k keyFacts) bool { return k.seen })
}

// end checks what a request tells.
func (o *observer) end(by int, result guard.Result, err error) *violation {
	req := o.about.requests[by]
	if err != nil {
		return nil // It told nothing, and is delivered again or was about keys that nobody knows.
	}
	var told []string
	for _, outcome := range result.Keys {
		told = append(told, outcome.ID)
		own := o.requests[by].keys[indexOf(o.about.keys, outcome.ID)]
		state := own.states[inactive] || own.states[gone]
		if outcome.Active {
			state = own.states[active]
		}
		switch {
		case outcome.Outcome == guard.Failed:
		case outcome.Outcome == guard.Changed && (own.writes != 1 || own.effects != 1 && !o.about.lags || own.undone && req.Action != guard.Activate):
			return broken(5, "request %d says that it changed key %s, which it wrote %d times and %d times to effect", by, outcome.ID, own.writes, own.effects)
		case outcome.Outcome != guard.Changed && own.writes > 0 && !own.undone && !followedUp(result, outcome.ID):
			return broken(5, "request %d says %s of key %s, which it wrote", by, outcome.Outcome, outcome.ID)
		case !state && !o.about.lags:
			return broken(5, "request %d says of key %s active=%t, which it was not since the request read it", by, outcome.ID, outcome.Active)
		}
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(told)))
	if len(distinct) != len(told) || len(req.Keys) > 0 && !slices.Equal(told, req.Keys) {
		return broken(5, "request %d tells the outcomes of %q and was asked about %q", by, told, req.Keys)
	}
	return nil
}

// followedUp reports whether the result says that the key was switched back on for an earlier request.
func followedUp(result guard.Result, keyID string) bool {
	return slices.ContainsFunc(result.Warnings, func(w guard.Warning) bool {
		return w.Code == guard.SwitchedBackOn && strings.HasPrefix(w.Message, keyID)
	})
}

// close checks what is left when all have come to an end.
func (o *observer) close(last scene) *violation {
	with := func(more int) (worth int) {
		for k, held := range o.about.keys {
			if last.keys[k] == active || k == more {
				worth = max(worth, held.worth())
			}
		}
		return worth
	}
	for k := range o.about.keys {
		by := o.keys[k].offBy - 1
		if last.keys[k] != inactive || by < 0 || with(k) <= with(-1) {
			continue
		}
		if slices.ContainsFunc(o.about.keys, func(h heldKey) bool {
			other := o.keys[indexOf(o.about.keys, h.id)]
			return h.worth() >= with(k) && (other.taken.has(by) || other.given)
		}) {
			continue
		}
		return broken(1, "request %d switched off key %s, and nothing replaces it", by, o.about.keys[k].id)
	}
	return nil
}

// worth is 2 for a key that opens all buckets and 1 for a legacy one.
func (k heldKey) worth() int {
	if (guard.Key{Created: k.created()}).Legacy() {
		return 1
	}
	return 2
}

func (k heldKey) created() time.Time { return noon().AddDate(0, 0, -k.age) }

// died lets the observer forget what the dead request was about to record.
func (o *observer) died(by int) {
	o.requests[by] = requestFacts{}
	for k := range o.keys {
		if o.keys[k].writer == by+1 {
			o.keys[k].writer = 0
		}
	}
}

func indexOf(keys []heldKey, id string) int {
	return slices.IndexFunc(keys, func(k heldKey) bool { return k.id == id })
}
