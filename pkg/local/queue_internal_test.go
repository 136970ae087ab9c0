package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// worker is a function that empties a queue: it notes what it gets and answers as it is told.
type worker struct {
	answer func(records []events.SQSMessage) (string, error)

	mu      sync.Mutex
	batches [][]events.SQSMessage
	busy    int
	most    int
}

func (w *worker) invoke(_ context.Context, _ string, payload []byte) ([]byte, error) {
	var event events.SQSEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.batches = append(w.batches, event.Records)
	w.busy++
	w.most = max(w.most, w.busy)
	w.mu.Unlock()
	answer, err := w.answer(event.Records)
	w.mu.Lock()
	w.busy--
	w.mu.Unlock()
	return []byte(answer), err
}

// bodies returns what was delivered, a batch a line.
func (w *worker) bodies() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []string
	for _, batch := range w.batches {
		var bodies []string
		for _, record := range batch {
			bodies = append(bodies, record.Body+"#"+record.Attributes["ApproximateReceiveCount"])
		}
		lines = append(lines, strings.Join(bodies, " "))
	}
	return lines
}

// emptied starts a mapping of a new queue, with messages in it, to the worker. It runs until the test is over.
func emptied(t *testing.T, spec mappingSpec, w *worker, bodies ...string) (q, deadLetters *queue) {
	t.Helper()
	tracker := newTracker()
	q = newQueue(queueSpec{name: "Queue", deadLetters: "Dead", maxReceives: 3}, time.Second, tracker)
	q.deadLetters = newQueue(queueSpec{name: "Dead"}, time.Second, tracker)
	q.deadLetters.unread = true
	for _, body := range bodies {
		q.send(body, body)
	}
	runs(t, spec, q, w)
	return q, q.deadLetters
}

// runs starts a mapping of the queue to the worker. It ends with the test.
func runs(t *testing.T, spec mappingSpec, q *queue, w *worker) {
	t.Helper()
	m := &mapping{spec: spec, queue: q, longest: time.Hour, timeout: time.Minute, invoke: w.invoke, console: &console{out: io.Discard}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		m.run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func failing(names ...string) func([]events.SQSMessage) (string, error) {
	return func(records []events.SQSMessage) (string, error) {
		var failures []string
		for _, record := range records {
			for _, name := range names {
				if record.Body == name {
					failures = append(failures, fmt.Sprintf(`{"itemIdentifier":%q}`, record.MessageId))
				}
			}
		}
		return `{"batchItemFailures":[` + strings.Join(failures, ",") + `]}`, nil
	}
}

func TestFailedMessagesComeBackAloneAndEndAsDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &worker{answer: failing("bad")}
		q, dead := emptied(t, mappingSpec{queue: "Queue", batch: 10, concurrency: 1, partial: true}, w, "good", "bad", "fine")
		time.Sleep(10 * time.Second)
		synctest.Wait()

		want := []string{"good#1 bad#1 fine#1", "bad#2", "bad#3"}
		if diff := cmp.Diff(want, w.bodies()); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
		waiting, inFlight := q.contents()
		if len(waiting) != 0 || inFlight != 0 {
			t.Errorf("the queue holds %v and %d in flight, want nothing", waiting, inFlight)
		}
		waiting, _ = dead.contents()
		if len(waiting) != 1 || waiting[0].body != "bad" {
			t.Errorf("dead letters are %v, want the bad one", waiting)
		}
		first, last := w.batches[0][1], w.batches[2][0]
		if first.Attributes["SentTimestamp"] != last.Attributes["SentTimestamp"] || first.MessageId != last.MessageId {
			t.Errorf("a redelivery is another message: %v, %v", first, last)
		}
	})
}

func TestMessagesWaitForTheRetryDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &worker{answer: failing("bad")}
		q, _ := emptied(t, mappingSpec{queue: "Queue", batch: 10, concurrency: 1, partial: true}, w, "bad")
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if got := len(w.bodies()); got != 1 {
			t.Errorf("%d deliveries before the delay is over, want 1", got)
		}
		if waiting, inFlight := q.contents(); len(waiting) != 0 || inFlight != 1 {
			t.Errorf("%d wait and %d are in flight, want the message in flight", len(waiting), inFlight)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if got := len(w.bodies()); got != 2 {
			t.Errorf("%d deliveries after the delay, want 2", got)
		}
	})
}

func TestMessagesOutwaitAProcessThatDied(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		took time.Duration // the invocation, until it failed
		err  error
		want time.Duration // until the message is delivered again
	}{
		{"died at once", 0, &functionError{died: true}, time.Minute},
		{"died in the middle", 20 * time.Second, &functionError{died: true}, 40 * time.Second},
		{"died at the end", time.Minute, &functionError{died: true}, time.Second},
		{"failed", 20 * time.Second, &functionError{}, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &worker{answer: func([]events.SQSMessage) (string, error) {
					time.Sleep(tt.took)
					return "", tt.err
				}}
				emptied(t, mappingSpec{queue: "Queue", batch: 1, concurrency: 1}, w, "x")
				time.Sleep(tt.took + tt.want - time.Millisecond)
				synctest.Wait()
				if got := len(w.bodies()); got != 1 {
					t.Errorf("%d deliveries before %v are over, want 1", got, tt.want)
				}
				time.Sleep(time.Millisecond)
				synctest.Wait()
				if got := len(w.bodies()); got != 2 {
					t.Errorf("%d deliveries after %v, want 2", got, tt.want)
				}
			})
		})
	}
}

func TestWhatFailsAWholeBatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		partial bool
		answer  string
		err     error
		want    int // dead letters, of two messages
	}{
		{"nothing", true, `{"batchItemFailures":[]}`, nil, 0},
		{"null", true, `null`, nil, 0},
		{"an object of another kind", true, `{}`, nil, 0},
		{"an error", true, ``, errors.New("failed"), 2},
		{"an unknown id", true, `{"batchItemFailures":[{"itemIdentifier":"x"}]}`, nil, 2},
		{"an empty id", true, `{"batchItemFailures":[{"itemIdentifier":""}]}`, nil, 2},
		{"a misspelt id", true, `{"batchItemFailures":[{"itemId":"x"}]}`, nil, 2},
		{"no JSON", true, `oops`, nil, 2},
		{"a text", true, `"oops"`, nil, 2},
		{"an unknown id that nobody reads", false, `{"batchItemFailures":[{"itemIdentifier":"x"}]}`, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &worker{answer: func([]events.SQSMessage) (string, error) { return tt.answer, tt.err }}
				q, dead := emptied(t, mappingSpec{queue: "Queue", batch: 10, concurrency: 2, partial: tt.partial}, w, "a", "b")
				time.Sleep(time.Minute)
				synctest.Wait()
				waiting, _ := dead.contents()
				if len(waiting) != tt.want {
					t.Errorf("%d dead letters, want %d", len(waiting), tt.want)
				}
				if left, inFlight := q.contents(); len(left) != 0 || inFlight != 0 {
					t.Errorf("%d messages are left and %d in flight", len(left), inFlight)
				}
			})
		})
	}
}

func TestConcurrencyAndBatchSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &worker{answer: func([]events.SQSMessage) (string, error) {
			time.Sleep(time.Minute)
			return "{}", nil
		}}
		q, _ := emptied(t, mappingSpec{queue: "Queue", batch: 3, concurrency: 2, partial: true}, w, slices.Repeat([]string{"x"}, 20)...)
		synctest.Wait()
		if waiting, inFlight := q.contents(); len(waiting) != 14 || inFlight != 6 {
			t.Errorf("%d wait and %d are in flight, want 14 and 6", len(waiting), inFlight)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if w.most != 2 {
			t.Errorf("%d invocations at a time, want 2", w.most)
		}
		if got := len(w.bodies()); got != 7 {
			t.Errorf("20 messages took %d batches of 3, want 7", got)
		}
	})
}

func TestBatchesAreGathered(t *testing.T) {
	t.Parallel()
	const window = 10 * time.Second
	tests := []struct {
		name string
		// sent is what is sent after how many seconds.
		sent map[int]string
		bad  string
		// want is what is delivered after how many seconds.
		want map[int]string
	}{
		{"one alone", map[int]string{0: "a"}, "", map[int]string{10: "a#1"}},
		{"while the window is open", map[int]string{0: "a", 4: "b", 9: "c"}, "", map[int]string{10: "a#1 b#1 c#1"}},
		{"after the window", map[int]string{0: "a", 12: "b", 15: "c"}, "", map[int]string{10: "a#1", 22: "b#1 c#1"}},
		{"a full batch", map[int]string{0: "a", 2: "b", 4: "c d"}, "", map[int]string{4: "a#1 b#1 c#1 d#1"}},
		{"more than a batch", map[int]string{0: "a", 3: "b c d e f"}, "", map[int]string{3: "a#1 b#1 c#1 d#1", 13: "e#1 f#1"}},
		{"one that comes back", map[int]string{0: "a bad", 15: "b"}, "bad", map[int]string{10: "a#1 bad#1", 21: "bad#2 b#1", 32: "bad#3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &worker{answer: failing(tt.bad)}
				q, _ := emptied(t, mappingSpec{queue: "Queue", batch: 4, concurrency: 2, window: window, partial: true}, w)
				got, seen := map[int]string{}, 0
				for second := range 60 {
					for body := range strings.FieldsSeq(tt.sent[second]) {
						q.send(body, "r")
					}
					time.Sleep(time.Nanosecond) // a window that ends with this second has ended
					synctest.Wait()
					if bodies := w.bodies(); len(bodies) > seen {
						got[second] = strings.Join(bodies[seen:], ", ")
						seen = len(bodies)
					}
					time.Sleep(time.Second - time.Nanosecond)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("deliveries (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// What is being gathered is under way: who waits until nothing is waits for the end of the window.
func TestIdleWaitsForGatheredBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, _ := emptied(t, mappingSpec{queue: "Queue", batch: 100, concurrency: 2, window: 10 * time.Second}, &worker{answer: failing()})
		start := time.Now()
		q.send("a", "r")
		time.Sleep(time.Second)
		q.send("b", "s")
		_, idle := q.tracker.underWay()
		<-idle
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("idle after %v, want 10s", took)
		}
	})
}

// A laptop does not wait as long as Lambda, and a stack that is stopped does not wait at all.
func TestGatheringEndsEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &worker{answer: failing()}
		q := newQueue(queueSpec{name: "Queue"}, time.Second, newTracker())
		m := &mapping{
			spec:  mappingSpec{queue: "Queue", batch: 100, concurrency: 2, window: time.Minute},
			queue: q, longest: time.Second, invoke: w.invoke, console: &console{out: io.Discard},
		}
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() {
			m.run(ctx)
			close(stopped)
		}()
		q.send("a", "r")
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a#1"}, w.bodies()); diff != "" {
			t.Errorf("deliveries after a second (-want +got):\n%s", diff)
		}
		q.send("b", "r")
		synctest.Wait()
		start := time.Now()
		stop()
		<-stopped
		if took := time.Since(start); took != 0 || len(w.bodies()) != 1 {
			t.Errorf("stopped after %v, having delivered %v", took, w.bodies())
		}
	})
}

func TestWatchEndsWithTheLastMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &worker{answer: failing("bad")}
		q, _ := emptied(t, mappingSpec{queue: "Queue", batch: 1, concurrency: 1, partial: true}, w)
		q.send("good", "r") // of an earlier event of the same request
		watched := q.tracker.watch("r")
		q.send("good", "r")
		q.send("bad", "r")
		q.send("bad", "other")
		q.tracker.finished("r")
		start := time.Now()
		<-watched.done
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("the watch ended after %v, want 2s: the bad message is delivered three times", took)
		}
		got := q.tracker.forget("r", watched)
		if diff := cmp.Diff([]string{"Queue", "Queue"}, got.delivered); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]deadLetter{{Queue: "Dead", Body: "bad"}}, got.deadLetters); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
	})
}

// A function may empty a queue of dead letters, too. What it gets there is pending like all that functions get.
func TestDeadLettersThatAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := &worker{answer: failing("bad")}
		q, dead := emptied(t, mappingSpec{queue: "Queue", batch: 1, concurrency: 1, partial: true}, first)
		dead.unread = false
		second := &worker{answer: failing()}
		runs(t, mappingSpec{queue: "Dead", batch: 1, concurrency: 1, partial: true}, dead, second)
		watched := q.tracker.watch("r")
		q.send("bad", "r")
		q.tracker.finished("r")
		<-watched.done
		if diff := cmp.Diff([]string{"bad#4"}, second.bodies()); diff != "" {
			t.Errorf("dead letters delivered (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"Queue", "Dead"}, q.tracker.forget("r", watched).delivered); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
	})
}
