package main

import (
	"encoding/json"
	"slices"
	"sync"
)

// tracker counts the messages that each request has caused and that are not done, for those who want to wait until
// the last one is.
type tracker struct {
	mu       sync.Mutex
	requests map[string]*tracked // those with something pending, by id
	idle     chan struct{}       // closed while there are none
}

type tracked struct {
	pending int
	watches []*watch
}

// watch gathers what becomes of one request.
type watch struct {
	done chan struct{} // closed when nothing is pending

	delivered   []string
	outcomes    []json.RawMessage
	deadLetters []deadLetter
}

// deadLetter is a message that ended in a dead-letter queue.
type deadLetter struct {
	Queue string `json:"queue"`
	Body  string `json:"body"`
	// Why is the attribute in which a function says why it gave the message up.
	Why string `json:"why,omitempty"`
}

func newTracker() *tracker {
	t := &tracker{requests: map[string]*tracked{}, idle: make(chan struct{})}
	close(t.idle)
	return t
}

// underWay returns how much is pending of each request, and a channel that is closed when nothing of any is.
func (t *tracker) underWay() (pending map[string]int, idle <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pending = map[string]int{}
	for id, r := range t.requests {
		pending[id] = r.pending
	}
	return pending, t.idle
}

// watch begins to follow a request. It counts as pending itself until [tracker.finished] is called once for it, so
// that it cannot be over before the first message is queued.
func (t *tracker) watch(request string) *watch {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &watch{done: make(chan struct{})}
	r := t.request(request)
	r.pending++
	r.watches = append(r.watches, w)
	return w
}

// forget ends a watch and returns what it saw.
func (t *tracker) forget(request string, w *watch) watch {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r, ok := t.requests[request]; ok {
		r.watches = slices.DeleteFunc(r.watches, func(other *watch) bool { return other == w })
	}
	return *w
}

// request returns what is known of a request that something becomes pending of, to be called with the lock held.
func (t *tracker) request(id string) *tracked {
	r, ok := t.requests[id]
	if !ok {
		if len(t.requests) == 0 {
			t.idle = make(chan struct{})
		}
		r = &tracked{}
		t.requests[id] = r
	}
	return r
}

// queued says that a message of the request was put in a queue that is being read.
func (t *tracker) queued(request, queue string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.request(request)
	r.pending++
	for _, w := range r.watches {
		w.delivered = append(w.delivered, queue)
	}
}

// finished says that a message of the request is done, or dead.
func (t *tracker) finished(request string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.requests[request]
	if r.pending--; r.pending > 0 {
		return
	}
	delete(t.requests, request)
	if len(t.requests) == 0 {
		close(t.idle)
	}
	for _, w := range r.watches {
		close(w.done)
	}
}

// outcome says what a function announced about the request.
func (t *tracker) outcome(request string, detail json.RawMessage) {
	t.report(request, func(w *watch) { w.outcomes = append(w.outcomes, detail) })
}

// deadLettered says that a message of the request ended in a dead-letter queue.
func (t *tracker) deadLettered(request string, letter deadLetter) {
	t.report(request, func(w *watch) { w.deadLetters = append(w.deadLetters, letter) })
}

func (t *tracker) report(request string, to func(*watch)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r, ok := t.requests[request]; ok {
		for _, w := range r.watches {
			to(w)
		}
	}
}
