package proof_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEveryInterleaving shows that no invariant is broken in any interleaving of any scenario, and prints what it went
// through. Afterwards it lets the real code run without a plan: what happens then must be known.
func TestEveryInterleaving(t *testing.T) {
	var mu sync.Mutex
	table := tabwriter.NewWriter(t.Output(), 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "scenario\trequests\ttoggles\tinterleavings\tsituations\truns\tviolations\ttook")
	t.Cleanup(func() { _ = table.Flush() })
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			e := newExplorer(t, s)
			interleavings, found := e.explore()
			if found != nil {
				t.Fatalf("invariant %d is broken: %s\n%s", found.invariant, found.how, e.story(found.way))
			}
			mu.Lock()
			_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%v\t%d\t%d\t0\t%v\n", s.name, len(s.requests), len(s.toggles), interleavings, len(e.paths), e.runs, time.Since(begun).Round(time.Millisecond))
			mu.Unlock()
			known := len(e.answers) + len(e.next)
			for seed := range uint64(5) {
				e.run(nil, anyhow(seed))
			}
			if more := len(e.answers) + len(e.next); more > known {
				t.Errorf("five more runs met %d things that the explorer had not", more-known)
			}
		})
	}
}

// TestThePruning shows that the explorer leaves out nothing: the real code, run through every interleaving one by one,
// has as many of them, and they end in the same ways.
func TestThePruning(t *testing.T) {
	for _, s := range scenarios()[:2] {
		s.toggles = s.toggles[:1]
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			e := newExplorer(t, s)
			interleavings, _ := e.explore()
			want := make(map[string]bool)
			for end := range e.ends {
				want[e.outcome(end.scene, end.memories)] = true
			}
			naive, got := 0, make(map[string]bool)
			plain := newLearner(t, s)
			plain.everyRun(func(at int, told memories) {
				naive++
				got[plain.outcome(at, told)] = true
			})
			if interleavings.Cmp(big.NewInt(int64(naive))) != 0 {
				t.Errorf("the explorer counts %v interleavings, and there are %d", interleavings, naive)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ends (-explorer +one by one):\n%s", diff)
			}
			t.Logf("%d interleavings and %d ends, by %d runs instead of %d", naive, len(got), e.runs, plain.runs)
		})
	}
}

// everyRun lets the real code run through every interleaving: after each run it goes back to the last choices that had
// alternatives.
func (l *learner) everyRun(ended func(at int, told memories)) {
	for ways := [][]move{nil}; len(ways) > 0; {
		way := ways[len(ways)-1]
		ways = ways[:len(ways)-1]
		choices, at, told := l.run(way, first)
		ended(at, told)
		for i, c := range choices {
			if i >= len(way) {
				for _, other := range c.options[1:] {
					ways = append(ways, append(slices.Clip(way), other))
				}
				way = append(slices.Clip(way), c.made)
			}
		}
	}
}

// outcome tells how it ended: the state of the world, and what each request was told and told.
func (l *learner) outcome(at int, told memories) string {
	var outcome strings.Builder
	fmt.Fprintln(&outcome, l.scenes[at].rest)
	for by := range l.requests {
		fmt.Fprintf(&outcome, "%+v\n", l.next[told[by]].result.Keys)
	}
	return outcome.String()
}

// TestWhatCommutes shows that the calls which the explorer lets through at once make no difference: with a gate before
// each of them everything ends in the same ways.
func TestWhatCommutes(t *testing.T) {
	s := scenarios()[1]
	s.toggles = s.toggles[:1]
	ends := make(map[bool]map[string]bool)
	for _, everything := range []bool{false, true} {
		s.everything = everything
		e := newExplorer(t, s)
		interleavings, found := e.explore()
		if found != nil {
			t.Fatalf("invariant %d is broken: %s\n%s", found.invariant, found.how, e.story(found.way))
		}
		ends[everything] = make(map[string]bool)
		for end := range e.ends {
			ends[everything][e.outcome(end.scene, end.memories)] = true
		}
		t.Logf("gates before everything: %t; %v interleavings, %d runs", everything, interleavings, e.runs)
	}
	if diff := cmp.Diff(ends[false], ends[true]); diff != "" {
		t.Errorf("ends (-some gates +all gates):\n%s", diff)
	}
}
