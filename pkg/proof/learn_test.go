package proof_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
)

// learner learns how the real code behaves in a scenario, by letting it run.
//
// What a request does next depends on nothing but what it was answered so far, and what the world answers to a move
// depends on nothing but the scene: the clock stands still, so that all happens in one moment and no date tells what
// came first. So two tables say it all: which moves a request waits to make after what it was told, and what the world
// answers to a move in a scene, and becomes by it. Each run also holds all that it meets against the tables: code that
// depended on anything else would be found out.
type learner struct {
	scenario

	t *testing.T
	// ledger is the content of the ledger's file when a run begins.
	ledger []byte
	file   string
	runs   int

	scenes    []scene
	sceneIDs  map[scene]int
	memoryIDs map[memory]int
	// answers says what the world answers, and next what somebody does, by the number of their memory.
	answers map[question]answer
	next    map[int]intent
}

// memory is what one request was told: the last answer, and everything before it by number. A request that has begun
// and was told nothing yet has the memory {by: its index}.
type memory struct {
	before, by int
	move       move
	answer     string
}

type question struct {
	scene int
	move  move
}

type answer struct {
	words string
	scene int
}

// intent is what somebody waits to do, or how they ended.
type intent struct {
	moves  []move
	ended  bool
	result guard.Result
	err    error
}

// memories are what all remember, by number; the hand's is the last.
type memories [maxRequests + 1]int

func newLearner(t *testing.T, s scenario) *learner {
	t.Helper()
	file := filepath.Join(memoryDir(t), "ledger.db")
	return &learner{
		scenario: s, t: t, ledger: s.remembers(t, file), file: file,
		sceneIDs: make(map[scene]int), memoryIDs: make(map[memory]int), answers: make(map[question]answer), next: make(map[int]intent),
	}
}

// choose picks one of the moves that are possible.
type choose func([]move) move

func first(moves []move) move { return moves[0] }

// anyhow chooses without a plan, and the same with every run of the test.
func anyhow(seed uint64) choose {
	return func(moves []move) move {
		seed = seed*6364136223846793005 + 1442695040888963407
		return moves[int(seed>>33)%len(moves)]
	}
}

// choice is a move that was made, what was possible instead, what was answered, and the scene after it.
type choice struct {
	made    move
	options []move
	words   string
	after   int
}

// run lets the real code go along the way and then on to the end as chosen, and learns from it. It returns what was
// chosen, and how it ended.
func (l *learner) run(way []move, then choose) (choices []choice, at int, told memories) {
	l.runs++
	if err := os.WriteFile(l.file, l.ledger, 0o600); err != nil {
		l.t.Fatal(err)
	}
	for by := range told {
		told[by] = l.memoryID(memory{by: by})
	}
	synctest.Test(l.t, func(t *testing.T) {
		s := l.stage(t, l.file, noon)
		for by, req := range l.requests {
			s.begin(by, req, 0, l.change)
		}
		s.settle()
		at = l.sceneID(s.scene(l.keys))
		for left := l.toggles; ; {
			l.learnNext(told, s, left)
			moves := l.moves(at, told)
			if len(moves) == 0 {
				break
			}
			m := then(moves)
			if len(choices) < len(way) {
				m = way[len(choices)]
			}
			words := ""
			if m.by == hand {
				s.toggle(m)
				left = left[1:]
			} else {
				words = s.let(s.waitingFor(m))
			}
			s.settle()
			asked := question{at, m}
			if m.changes() {
				at = l.sceneID(s.scene(l.keys))
			}
			l.learnAnswer(asked, answer{words, at})
			choices = append(choices, choice{m, moves, words, at})
			told[m.by] = l.memoryID(memory{told[m.by], m.by, m, words})
		}
		s.checkAnnounced(t)
	})
	return choices, at, told
}

// moves returns what can happen next.
func (l *learner) moves(at int, told memories) (moves []move) {
	for _, id := range told {
		for _, m := range l.next[id].moves {
			if m.does != acquires || !l.scenes[at].leased {
				moves = append(moves, m)
			}
		}
	}
	return moves
}

// learnNext learns what everybody waits to do, or how they ended.
func (l *learner) learnNext(told memories, s *stage, toggles []move) {
	var intents [maxRequests + 1]intent
	for by, a := range s.attempts {
		intents[by] = intent{ended: a.done, result: a.result, err: a.err}
	}
	for _, w := range s.moves() {
		intents[w.by].moves = append(intents[w.by].moves, w.move)
	}
	intents[hand].moves = toggles[:min(1, len(toggles))]
	for by, id := range told {
		known, met := l.next[id]
		if met && (!slices.Equal(known.moves, intents[by].moves) || known.ended != intents[by].ended || known.ended && !cmp.Equal(known.result, intents[by].result)) {
			l.t.Fatalf("request %d does something else although it was told the same: %+v, before %+v", by, intents[by], known)
		}
		l.next[id] = intents[by]
	}
}

func (l *learner) learnAnswer(asked question, learned answer) {
	if known, met := l.answers[asked]; met && known != learned {
		l.t.Fatalf("the world answers %+v to %s, and before %+v", learned, l.tell(asked.move), known)
	}
	l.answers[asked] = learned
}

// sceneID numbers the scenes in the order in which they were met.
func (l *learner) sceneID(s scene) int {
	id, met := l.sceneIDs[s]
	if !met {
		id = len(l.scenes)
		l.scenes, l.sceneIDs[s] = append(l.scenes, s), id
	}
	return id
}

// memoryID numbers memories from 1.
func (l *learner) memoryID(m memory) int {
	id, met := l.memoryIDs[m]
	if !met {
		id = len(l.memoryIDs) + 1
		l.memoryIDs[m] = id
	}
	return id
}
