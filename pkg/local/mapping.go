package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// defaultConcurrency is how many batches Lambda hands out at a time to begin with.
const defaultConcurrency = 5

// mostWithoutWindow is how many messages of a queue Lambda hands out at once where it does not wait for more.
const mostWithoutWindow = 10

// mappingSpec is an event source mapping of the template: which function empties which queue.
type mappingSpec struct {
	name, queue, function string
	// batch is how many messages an invocation gets at most, concurrency how many invocations there are at a time.
	batch, concurrency int
	// window is how long after its first message a batch that is not full waits for more.
	window time.Duration
	// partial: the function names the messages that failed.
	partial bool
}

// mapping hands the messages of a queue to a function.
type mapping struct {
	spec  mappingSpec
	queue *queue
	// longest bounds the window: nobody at a laptop waits as long as Lambda does.
	longest time.Duration
	// timeout is how long an invocation of the function may take.
	timeout time.Duration
	invoke  func(ctx context.Context, function string, payload []byte) ([]byte, error)
	console *console
}

// run hands out batches until ctx ends, and returns when the last one is settled.
func (m *mapping) run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	slots := make(chan struct{}, m.spec.concurrency)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		batch := m.queue.receive(ctx, m.spec.batch, min(m.spec.window, m.longest))
		if len(batch) == 0 {
			return
		}
		workers.Go(func() {
			m.deliver(ctx, batch)
			<-slots
		})
	}
}

// deliver invokes the function with a batch and settles each message by what comes back.
func (m *mapping) deliver(ctx context.Context, batch []*message) {
	start := time.Now()
	payload, err := json.Marshal(newSQSEvent(m.spec.queue, batch))
	var result []byte
	if err == nil {
		result, err = m.invoke(ctx, m.spec.function, payload)
	}
	var failures []string
	if err == nil && m.spec.partial {
		failures, err = batchFailures(result, batch)
	}
	if ctx.Err() != nil {
		return // the stack is being stopped: what the processes say is about that
	}
	again := m.delay(err, start)
	for _, msg := range batch {
		outcome, times := fmt.Sprintf("done in %v", since(start)), msg.received // A message that failed may be in other hands.
		switch {
		case err == nil && !slices.Contains(failures, msg.id):
			m.queue.done(msg)
		case m.queue.failed(msg, again):
			outcome = fmt.Sprintf("failed in %v, the %d. time → %s", since(start), times, m.queue.spec.deadLetters)
		default:
			outcome = fmt.Sprintf("failed in %v, again in %v", since(start), again)
		}
		if err != nil {
			outcome += fmt.Sprintf(" (%v)", err)
		}
		m.console.step("%s → %s, %s: %s", m.spec.queue, m.spec.function, msg.name(), outcome)
	}
}

// delay is how long the messages of a batch that failed with err wait until they are delivered again. What a process
// that died had taken for its invocation, such as a lease, may be its own until the time it had would have been over.
// A visibility timeout outlasts that; the retry delay of a laptop does not.
func (m *mapping) delay(err error, start time.Time) time.Duration {
	if failure, ok := errors.AsType[*functionError](err); ok && failure.died {
		return max(m.queue.retry, m.timeout-since(start))
	}
	return m.queue.retry
}

// newSQSEvent is the event that Lambda makes of messages.
func newSQSEvent(queue string, batch []*message) events.SQSEvent {
	var event events.SQSEvent
	for _, m := range batch {
		attributes := map[string]events.SQSMessageAttribute{}
		for name, a := range m.attributes {
			attributes[name] = events.SQSMessageAttribute{DataType: a.DataType, StringValue: &a.StringValue}
		}
		event.Records = append(event.Records, events.SQSMessage{
			MessageId:     m.id,
			ReceiptHandle: m.id,
			Body:          m.body,
			Attributes: map[string]string{
				"ApproximateReceiveCount":          strconv.Itoa(m.received),
				"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.firstReceived.UnixMilli(), 10),
				"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
				"SenderId":                         accountID,
			},
			MessageAttributes: attributes,
			EventSourceARN:    queueARN(queue),
			EventSource:       "aws:sqs",
			AWSRegion:         region,
		})
	}
	return event
}

// batchFailures returns the ids of the messages that the function reports as failed. As on Lambda, an answer that is
// not to be understood, or that names a message not in the batch, fails them all.
func batchFailures(result []byte, batch []*message) ([]string, error) {
	var response struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(result, &response); err != nil {
		return nil, fmt.Errorf("the answer is no batch response: %w", err)
	}
	var failed []string
	for _, failure := range response.Failures {
		if !slices.ContainsFunc(batch, func(m *message) bool { return m.id == failure.ID }) {
			return nil, fmt.Errorf("the answer names a message that is not in the batch: %q", failure.ID)
		}
		failed = append(failed, failure.ID)
	}
	return failed, nil
}
