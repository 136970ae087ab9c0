package proof_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/ledger"
	"keyreeve/pkg/lifecycle"
)

// scenario is what happens at once: requests, and a person who switches keys in the console.
type scenario struct {
	name     string
	keys     []heldKey
	requests []guard.Request
	// toggles are the switches of the hand, in their order.
	toggles []move
	owns    guard.Ownership
	// asked is true where the ledger says since long ago that the user owns no buckets.
	asked bool
	// everything puts a gate before calls as well that commute with all others.
	everything bool
	// change breaks something on purpose; nil: nothing.
	change func(*lifecycle.Lifecycle)
}

// stage is the scenario before anything happens. It must be called in a bubble.
func (s scenario) stage(t *testing.T, ledgerFile string, clock func() time.Time) *stage {
	t.Helper()
	on := newStage(t, ledgerFile, clock, s.keys)
	if s.everything {
		on.open = func(move) bool { return false }
	}
	if s.owns != guard.OwnsNone {
		on.api.SetBuckets(aliceID, ionostest.Frankfurt, "photos")
	}
	if s.owns == guard.OwnsUnknown {
		on.api.S3Fault = ionostest.Always(ionostest.Status(503, 0))
	}
	return on
}

// memory is what the ledger knows beforehand.
func (s scenario) memory() guard.Memory {
	known := guard.Memory{Changes: make(map[string]guard.Change)}
	if s.asked {
		known.Buckets = guard.BucketAnswer{Ownership: guard.OwnsNone, At: noon().AddDate(0, 0, -39)}
	}
	for _, k := range s.keys {
		if k.inactive > 0 {
			since := noon().AddDate(0, 0, -k.inactive)
			known.Changes[k.id] = guard.Change{Action: guard.Deactivate, At: since, OccurredAt: since, RequestID: "long ago"}
		}
	}
	return known
}

// remembers returns a ledger's file that remembers what the scenario says.
func (s scenario) remembers(t *testing.T, file string) []byte {
	t.Helper()
	book, err := ledger.OpenBolt(t.Context(), file, noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := book.Record(t.Context(), aliceID, s.memory()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func on(keys ...string) []move  { return toggles(turnsOn, keys) }
func out(keys ...string) []move { return toggles(turnsOff, keys) }

func toggles(does verb, keys []string) (moves []move) {
	for _, key := range keys {
		moves = append(moves, move{by: hand, does: does, key: key})
	}
	return moves
}

// ask is a request of a system, about an event so many minutes before noon.
func ask(action guard.Action, id string, minutes int, keys ...string) guard.Request {
	return guard.Request{
		Action: action, User: aliceID, Keys: keys, ID: id, Source: "hr", Actor: guard.Actor{Kind: guard.System, Name: "hr"},
		OccurredAt: noon().Add(-time.Duration(minutes) * time.Minute),
	}
}

// leaving is an offboarding.
func leaving(id string, minutes int) guard.Request {
	req := ask(guard.Deactivate, id, minutes)
	req.Offboarding = true
	return req
}

// The keys: two of today's sort, a legacy one, and two that have been off for longer than the grace period.
func legacyKey() heldKey { return heldKey{id: legacy, age: 1500} }
func olderKey() heldKey  { return heldKey{id: older, age: 400} }
func newerKey() heldKey  { return heldKey{id: newer, age: 100} }
func offKey() heldKey    { return heldKey{id: off, age: 300, inactive: 40} }
func longOff() heldKey   { return heldKey{id: longOffID, age: 350, inactive: 50} }

const longOffID = "00000000000000000005"

// tell says who did which call.
func (s scenario) tell(m move) string {
	who := "the hand"
	if m.by != hand {
		who = fmt.Sprintf("request %d (%s)", m.by, s.requests[m.by].Action)
	}
	with := m.with
	if m.does == records {
		with = recorded(m.with)
	}
	return strings.Join(strings.Fields(fmt.Sprintln(who, m.does, m.key, with)), " ")
}

// recorded says in short what an entry of the ledger holds.
func recorded(words string) string {
	entry := entryOf(words)
	var said []string
	for id, attempt := range entry.Attempts {
		said = append(said, fmt.Sprintf("attempt(%s %s)", attempt.Action, id))
	}
	for id, change := range entry.Changes {
		said = append(said, fmt.Sprintf("change(%s %s)", change.Action, id))
	}
	for id, refusal := range entry.Refusals {
		said = append(said, fmt.Sprintf("refusal(%s %s)", refusal.Rule, id))
	}
	if !entry.OffboardedAt.IsZero() {
		said = append(said, "offboarded")
	}
	if entry.Buckets.Ownership != "" {
		said = append(said, fmt.Sprintf("buckets(%s)", entry.Buckets.Ownership))
	}
	slices.Sort(said)
	return strings.Join(said, " ")
}

// inShort says what was answered, as far as it has no braces, and how the keys are then.
func inShort(words string, now scene, keys []heldKey) string {
	words, _, _ = strings.Cut(words, "{")
	words, _, _ = strings.Cut(words, "<")
	states := make([]string, 0, len(keys))
	for i, k := range keys {
		states = append(states, k.id[len(k.id)-1:]+" "+[]string{"gone", "off", "on"}[now.keys[i]])
	}
	return strings.TrimSpace(words) + " [" + strings.Join(states, ", ") + "]"
}

// story tells the whole way, with what was answered and how the keys were then.
func (l *learner) story(way []move) string {
	choices, _, _ := l.run(way, first)
	var story strings.Builder
	for _, c := range choices[:len(way)] {
		fmt.Fprintln(&story, "  ", l.tell(c.made), "→", inShort(c.words, l.scenes[c.after], l.keys))
	}
	return story.String()
}
