package proof_test

import (
	"math/big"
	"slices"
	"testing"
)

// explorer goes through every interleaving of a scenario's moves: through the graph of all situations, each once. Which
// moves are possible in a situation, and to which situation each leads, it takes from what was learned of the real code
// (learn_test.go), and wherever that is not known yet, the real code runs along the way there and on to the end. The
// number of interleavings is that of the ways through the graph.
//
// A request that waits for a lease which another has makes no move until it is given back: it would ask for ever. What
// happens when it gives up shows in the histories.
type explorer struct {
	*learner

	about *setting
	// paths is the number of ways from a situation to the end.
	paths map[situation]*big.Int
	// ends are the situations in which nobody moves any more.
	ends map[situation]bool
}

// situation is all that the future depends on. The last of the memories is the hand's.
type situation struct {
	scene    int
	memories memories
	watch    observer
}

// finding is a violation and the way that leads to it.
type finding struct {
	*violation

	way []move
}

func newExplorer(t *testing.T, s scenario) *explorer {
	t.Helper()
	return &explorer{
		learner: newLearner(t, s), about: &setting{requests: s.requests, keys: s.keys, owns: s.owns, asked: s.asked},
		paths: make(map[situation]*big.Int), ends: make(map[situation]bool),
	}
}

// explore returns the number of interleavings, or what was found first.
func (e *explorer) explore() (*big.Int, *finding) {
	e.run(nil, first)
	start := situation{scene: e.sceneIDs[e.scenes[0]], watch: newObserver(e.about)}
	for by := range start.memories {
		start.memories[by] = e.memoryID(memory{by: by})
	}
	return e.walk(start, nil)
}

func (e *explorer) walk(from situation, way []move) (*big.Int, *finding) {
	if paths, met := e.paths[from]; met {
		return paths, nil
	}
	paths, moves := new(big.Int), e.moves(from.scene, from.memories)
	if len(moves) == 0 {
		if broke := from.watch.close(e.scenes[from.scene]); broke != nil {
			return nil, &finding{broke, way}
		}
		e.ends[from] = true
		paths.SetInt64(1)
	}
	for _, m := range moves {
		there := append(slices.Clip(way), m)
		to, broke := e.step(from, m, there)
		if broke != nil {
			return nil, &finding{broke, there}
		}
		more, found := e.walk(to, there)
		if found != nil {
			return nil, found
		}
		paths.Add(paths, more)
	}
	e.paths[from] = paths
	return paths, nil
}

// step makes the move, the last one of the way, by means of what was learned. It learns what is missing.
func (e *explorer) step(from situation, m move, way []move) (to situation, broke *violation) {
	asked := question{from.scene, m}
	if _, known := e.answers[asked]; !known {
		e.run(way, first)
	}
	got := e.answers[asked]
	told := e.memoryID(memory{before: from.memories[m.by], by: m.by, move: m, answer: got.words})
	if _, known := e.next[told]; !known {
		e.run(way, first)
	}
	to = from
	to.scene, to.memories[m.by] = got.scene, told
	broke = to.watch.see(noon(), m, e.scenes[from.scene], e.scenes[to.scene])
	if end := e.next[told]; broke == nil && end.ended {
		broke = to.watch.end(m.by, end.result, end.err)
	}
	return to, broke
}
