package proof_test

import "keyreeve/pkg/guard"

// scenarios returns what the explorer goes through.
func scenarios() []scenario {
	both, all := []heldKey{olderKey(), newerKey()}, []heldKey{legacyKey(), olderKey(), newerKey()}
	offs := []heldKey{offKey(), longOff()}
	deactivate := func(id string, minutes int, keys ...string) guard.Request {
		return ask(guard.Deactivate, id, minutes, keys...)
	}
	overridden := deactivate("o", 1, older)
	overridden.Override = []guard.Rule{guard.LastActiveKey}
	early := ask(guard.Delete, "early", 4, longOffID)
	early.Override, early.Confirm = []guard.Rule{guard.GracePeriod}, []string{longOffID}
	early.Actor = guard.Actor{Kind: guard.Operator, Email: "operator@example.com"}

	return []scenario{
		{name: "one deactivation, and the other key goes off and on", keys: both, requests: []guard.Request{
			deactivate("a", 5, older),
		}, toggles: append(out(newer), on(newer)...)},
		{name: "each key its deactivation", keys: both, requests: []guard.Request{
			deactivate("a", 5, older), deactivate("b", 4, newer),
		}, toggles: append(out(newer), on(newer)...)},
		{name: "each key its deactivation, and the hand takes both", keys: both, requests: []guard.Request{
			deactivate("a", 5, older), deactivate("b", 4, newer),
		}, toggles: out(newer, older)},
		{name: "two of three keys, a legacy one among them", keys: all, requests: []guard.Request{
			deactivate("a", 5, legacy, older), deactivate("b", 4, newer),
		}, toggles: out(newer, older)},
		{name: "three keys, three deactivations", keys: all, requests: []guard.Request{
			deactivate("a", 5, legacy), deactivate("b", 4, older), deactivate("c", 3, newer),
		}, toggles: append(out(newer), on(older, newer)...)},
		{name: "the same event twice", keys: both, requests: []guard.Request{
			deactivate("a", 5, older), deactivate("a", 5, older),
		}, toggles: append(on(older), out(newer, older)...)},
		{name: "everything off, twice", keys: all, requests: []guard.Request{
			deactivate("a", 5), deactivate("b", 4),
		}, toggles: append(out(newer), on(newer)...)},
		{name: "an older event against a newer one", keys: both, requests: []guard.Request{
			deactivate("new", 1, older), ask(guard.Activate, "old", 9, older),
		}, toggles: append(on(older), out(newer)...)},
		{name: "three events about one key", keys: both, requests: []guard.Request{
			deactivate("new", 1, older), ask(guard.Activate, "old", 9, older), deactivate("oldest", 15, older),
		}, toggles: append(on(older), out(older)...)},
		{name: "a deletion against an activation", keys: append(both, offKey()), requests: []guard.Request{
			ask(guard.Delete, "d", 5, off), ask(guard.Activate, "a", 4, off),
		}, toggles: append(on(off), out(off)...)},
		{name: "the same deletion twice", keys: append(both, offKey()), requests: []guard.Request{
			ask(guard.Delete, "d", 5, off), ask(guard.Delete, "d", 5, off),
		}, toggles: append(on(off), out(off)...)},
		{name: "the only two keys go, no buckets", keys: offs, asked: true, owns: guard.OwnsNone, requests: []guard.Request{
			ask(guard.Delete, "d", 5, off), ask(guard.Delete, "e", 4, longOffID),
		}, toggles: append(on(off), out(off)...)},
		{name: "the only two keys go, some buckets", keys: offs, owns: guard.OwnsSome, requests: []guard.Request{
			ask(guard.Delete, "d", 5, off), ask(guard.Delete, "e", 4, longOffID), ask(guard.Activate, "a", 3, off),
		}, toggles: append(on(longOffID), out(longOffID)...)},
		{name: "the only two keys go, nobody knows of buckets", keys: offs, owns: guard.OwnsUnknown, requests: []guard.Request{
			ask(guard.Delete, "d", 5, off), ask(guard.Delete, "e", 4, longOffID),
		}, toggles: append(on(off), out(off)...)},
		{name: "one of the only two keys was used, and goes early", keys: offs, asked: true, owns: guard.OwnsNone, requests: []guard.Request{
			ask(guard.Delete, "d", 5, off), early,
		}, toggles: append(on(longOffID), out(longOffID)...)},
		{name: "an offboarding against an activation", keys: both, owns: guard.OwnsSome, requests: []guard.Request{
			leaving("l", 5), ask(guard.Activate, "a", 4, older),
		}, toggles: append(out(newer), on(newer)...)},
		{name: "an offboarding among others", keys: []heldKey{olderKey(), offKey()}, owns: guard.OwnsNone, requests: []guard.Request{
			leaving("l", 5), ask(guard.Activate, "a", 4, off), deactivate("b", 3, older),
		}, toggles: on(off)},
		{name: "an override against a deactivation", keys: both, requests: []guard.Request{
			overridden, deactivate("b", 3, newer),
		}, toggles: append(out(newer), on(older)...)},
	}
}
