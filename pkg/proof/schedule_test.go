package proof_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/synctest"

	"keyreeve/pkg/guard"
)

// move is one call of a request to the API or the ledger, or one switch of the hand: everything that its effect and its
// answer depend on, besides the state of the world.
type move struct {
	// by is the index of the request, or hand.
	by   int
	does verb
	// key is the id of the key that is changed; with is what else the call says.
	key, with string
}

type verb string

// The moves. Reading is what judgements and second looks rest on; asking is the question who owns buckets.
const (
	acquires  verb = "takes the lease"
	releases  verb = "gives the lease back"
	recalls   verb = "reads the ledger"
	reserves  verb = "counts changes"
	records   verb = "records"
	reads     verb = "reads the keys"
	turnsOn   verb = "switches on"
	turnsOff  verb = "switches off"
	deletes   verb = "deletes"
	asks      verb = "asks for buckets"
	looksUp   verb = "looks up"
	announces verb = "announces"
)

// changes reports whether the move may change the scene.
func (m move) changes() bool { return m.does != reads && m.does != recalls && m.does != asks }

// attempt is one invocation of a function: a process with the request that was delivered to it.
type attempt struct {
	by     int
	req    guard.Request
	dead   chan struct{}
	cancel context.CancelFunc
	done   bool
	result guard.Result
	err    error
}

// gated is a move that somebody waits to make.
type gated struct {
	move

	attempt *attempt
	opened  chan struct{}
	answer  string
	// last is true where the process dies before it hears the answer.
	last bool
}

// gates stand before each call that a request makes to the API and the ledger: exactly one is let through at a time,
// so that what happens is decided by who is let through next and by nothing else. There is one gate a call: between
// its return and the next call of the same request there is nothing that others could see.
type gates struct {
	// open lets everything through that returns true: it commutes with all other calls, so that its place does not matter.
	open func(move) bool

	mu      sync.Mutex
	waiting []*gated
}

type (
	attemptKey struct{}
	askingKey  struct{}
)

// errDead is all that a dead process ever hears: none of its calls reaches anything.
var errDead = errors.New("the process is dead")

// pass waits at the gate and then makes the call, which returns its answer in words. The error is that the caller
// gave up or died before it was let through, or died before it heard the answer.
func (g *gates) pass(ctx context.Context, m move, call func() string) error {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return errors.New("a call that belongs to no request")
	}
	m.by = a.by
	if a.died() {
		return errDead
	}
	if g.open(m) {
		call()
		return nil
	}
	waiting := &gated{move: m, attempt: a, opened: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, waiting)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.waiting = slices.DeleteFunc(g.waiting, func(w *gated) bool { return w == waiting })
	}()
	select {
	case <-waiting.opened:
		waiting.answer = call()
	case <-a.dead:
		return errDead
	case <-ctx.Done():
		return ctx.Err()
	}
	if waiting.last {
		<-a.dead
		return errDead
	}
	return nil
}

// died reports whether the process is dead.
func (a *attempt) died() bool {
	select {
	case <-a.dead:
		return true
	default:
		return false
	}
}

// let lets the move happen and waits until everybody is at a gate again.
func (g *gates) let(w *gated) (answer string) {
	close(w.opened)
	synctest.Wait()
	return w.answer
}

// moves returns what is waiting, in an order that does not depend on who came first.
func (g *gates) moves() []*gated {
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting := slices.Clone(g.waiting)
	slices.SortFunc(waiting, func(a, b *gated) int { return strings.Compare(fmt.Sprint(a.move), fmt.Sprint(b.move)) })
	return waiting
}
