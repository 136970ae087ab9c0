package main

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// queueSpec is a queue of the template.
type queueSpec struct {
	name       string
	visibility time.Duration
	// deadLetters is the queue for messages received maxReceives times in vain; empty: they are tried for ever.
	deadLetters string
	maxReceives int
}

// message is one message of a queue.
type message struct {
	id   string
	body string
	// attributes are those that the sender gave it, by name.
	attributes map[string]attribute
	// request is the id of the request that the message belongs to.
	request       string
	sent          time.Time
	firstReceived time.Time
	received      int
	// failedIn is the queue in which a dead letter was received in vain; nil where it was in none.
	failedIn *queue
}

// attribute is an attribute of a message as SQS takes it, with a text for a value.
type attribute struct {
	DataType    string `json:"DataType"`
	StringValue string `json:"StringValue"`
}

// name is what people know the message by: the request that it belongs to, if it names one.
func (m *message) name() string { return cmp.Or(m.request, m.id) }

// values returns the values of the message's attributes by name.
func (m *message) values() map[string]string {
	values := map[string]string{}
	for name, a := range m.attributes {
		values[name] = a.StringValue
	}
	return values
}

// queue holds messages in memory. One that failed comes back after a delay, mostly that of retry, which stands for
// what is left of the visibility timeout: nobody at a laptop waits six minutes.
type queue struct {
	spec        queueSpec
	deadLetters *queue // nil: none
	retry       time.Duration
	tracker     *tracker
	// unread: no function empties the queue. What it gets waits for a person, as a dead letter does.
	unread bool

	mu       sync.Mutex
	waiting  []*message
	inFlight int           // received, and neither done nor back
	arrived  chan struct{} // holds an entry after a message arrived
}

func newQueue(spec queueSpec, retry time.Duration, t *tracker) *queue {
	return &queue{spec: spec, retry: retry, tracker: t, arrived: make(chan struct{}, 1)}
}

// send puts a new message without attributes in the queue.
func (q *queue) send(body, request string) *message { return q.sendWith(nil, body, request) }

// sendWith puts a new message in the queue.
func (q *queue) sendWith(attributes map[string]attribute, body, request string) *message {
	m := &message{id: newID(), body: body, attributes: attributes, request: request, sent: time.Now()}
	q.accept(m)
	return m
}

// accept puts a message in the queue, new or from elsewhere. It is pending from before a function can see it.
func (q *queue) accept(m *message) {
	if q.unread {
		q.tracker.deadLettered(m.request, deadLetter{Queue: q.spec.name, Body: m.body, Why: m.attributes["Why"].StringValue})
	} else {
		q.tracker.queued(m.request, q.spec.name)
	}
	q.put(m)
}

func (q *queue) put(m *message) {
	q.mu.Lock()
	q.waiting = append(q.waiting, m)
	q.mu.Unlock()
	select {
	case q.arrived <- struct{}{}:
	default: // the reader has yet to look at an earlier arrival
	}
}

// receive waits for a message, and then until there are as many as limit or the window is over. It takes up to limit of
// them, the oldest first, and none when ctx ends. A queue has one reader at a time.
func (q *queue) receive(ctx context.Context, limit int, window time.Duration) []*message {
	for q.holds(ctx, 1) {
		gathering, over := context.WithTimeout(ctx, window)
		q.holds(gathering, limit)
		over()
		if ctx.Err() != nil {
			return nil
		}
		if batch := q.take(limit); len(batch) > 0 { // Somebody may have moved them elsewhere meanwhile.
			return batch
		}
	}
	return nil
}

// holds waits until n messages can be taken. It returns false when ctx ends before.
func (q *queue) holds(ctx context.Context, n int) bool {
	for {
		q.mu.Lock()
		enough := len(q.waiting) >= n
		q.mu.Unlock()
		if enough {
			return true
		}
		select {
		case <-q.arrived:
		case <-ctx.Done():
			return false
		}
	}
}

func (q *queue) take(limit int) []*message {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(limit, len(q.waiting))
	batch := slices.Clone(q.waiting[:n])
	q.waiting = q.waiting[n:]
	q.inFlight += n
	now := time.Now()
	for _, m := range batch {
		m.received++
		if m.firstReceived.IsZero() {
			m.firstReceived = now
		}
	}
	return batch
}

// done deletes a message that was received.
func (q *queue) done(m *message) {
	q.left()
	q.tracker.finished(m.request)
}

// failed makes a message that was received come back after the delay, or moves it to the dead letters if it has been
// received often enough; then it returns true.
func (q *queue) failed(m *message, delay time.Duration) (dead bool) {
	if q.deadLetters == nil || m.received < q.spec.maxReceives {
		time.AfterFunc(delay, func() {
			q.left()
			q.put(m)
		})
		return false
	}
	q.left()
	m.failedIn = q
	q.deadLetters.accept(m)
	q.tracker.finished(m.request)
	return true
}

// move puts the messages that wait into their destinations, in their order, and returns how many. Those without one are
// kept. A message that is moved is a new one, with the same body and the same attributes.
func (q *queue) move(destination func(*message) *queue) (moved, kept int) {
	q.mu.Lock()
	waiting := q.waiting
	q.waiting = nil
	for _, m := range waiting {
		if destination(m) == nil {
			q.waiting = append(q.waiting, m)
		}
	}
	kept = len(q.waiting)
	q.mu.Unlock()
	for _, m := range waiting {
		if to := destination(m); to != nil {
			to.sendWith(m.attributes, m.body, m.request)
		}
	}
	return len(waiting) - kept, kept
}

func (q *queue) left() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inFlight--
}

// contents returns copies of the messages that wait, and how many are in flight besides.
func (q *queue) contents() (waiting []message, inFlight int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.waiting {
		waiting = append(waiting, *m)
	}
	return waiting, q.inFlight
}
