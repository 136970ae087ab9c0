package trigger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/guard"
)

// published is when SQS received the messages below; what their other envelopes say was earlier.
func published() time.Time { return time.Date(2026, time.November, 22, 9, 0, 0, 0, time.UTC) }

// queue is a batch of SQS with the bodies, whose message ids are m0, m1 and so on.
func queue(t *testing.T, bodies ...string) []byte {
	t.Helper()
	recorded := mustDecode[events.SQSEvent](t, sample(t, "sqs-event.json", nil)).Records[0]
	recorded.Attributes["SentTimestamp"] = fmt.Sprint(published().UnixMilli())
	var batch events.SQSEvent
	for i, body := range bodies {
		record := recorded
		record.MessageId, record.Body = fmt.Sprintf("m%d", i), body
		batch.Records = append(batch.Records, record)
	}
	return mustEncode(t, batch)
}

// onBus wraps a request in an EventBridge event.
func onBus(t *testing.T, detail string) string {
	t.Helper()
	return string(sample(t, "codebuild-state-change.json", map[string]any{
		"detail-type": "Key Operation Requested", "source": "keyreeve", "id": "event-1", "time": published().Add(-time.Hour),
		"detail": mustDecode[map[string]any](t, []byte(detail)),
	}))
}

// notified wraps a message in the envelope that SNS puts into a queue.
func notified(t *testing.T, message string) string {
	t.Helper()
	return string(mustEncode(t, map[string]any{
		"Type": "Notification", "MessageId": "notification-1", "TopicArn": "arn:aws:sns:eu-central-1:123456789012:leavers",
		"Message": message, "Timestamp": published().Add(-time.Minute), "SignatureVersion": "1", "Signature": "EXAMPLE",
		"SigningCertURL": "EXAMPLE", "UnsubscribeURL": "EXAMPLE",
	}))
}

// undelivered is what Lambda puts into the dead letters of a function that failed to carry out a notification.
func undelivered(t *testing.T, message string) string {
	t.Helper()
	return `{"Records":[{"EventVersion":"1.0","EventSource":"aws:sns","EventSubscriptionArn":"arn:aws:sns:eu-central-1:123456789012:leavers:1","Sns":` + notified(t, message) + `}]}`
}

func TestQueueMessages(t *testing.T) {
	const plain = `{"user":"alice@example.com"}`
	const full = `{"user":"alice@example.com","source":"hr","id":"evt-1","occurredAt":"2026-11-22T08:00:00Z","actor":{"kind":"schedule","name":"nightly"}}`
	request := func(id, source string, at time.Time) guard.Request {
		return guard.Request{
			Action: guard.Deactivate, User: alice, Actor: guard.Actor{Kind: guard.System, Name: source}, Source: source, ID: id, OccurredAt: at,
		}
	}
	own := request("evt-1", "hr", published().Add(-time.Hour))
	own.Actor = guard.Actor{Kind: guard.Schedule, Name: "nightly"}
	tests := map[string]struct {
		body string
		want guard.Request
	}{
		"a request":                         {plain, request("m0", "sqs", published())},
		"an event":                          {onBus(t, plain), request("event-1", "keyreeve", published().Add(-time.Hour))},
		"a notification":                    {notified(t, plain), request("notification-1", "sns", published().Add(-time.Minute))},
		"an undelivered notification":       {undelivered(t, plain), request("notification-1", "sns", published().Add(-time.Minute))},
		"an undelivered event in one":       {undelivered(t, onBus(t, plain)), request("event-1", "keyreeve", published().Add(-time.Hour))},
		"an event in a notification":        {notified(t, onBus(t, plain)), request("event-1", "keyreeve", published().Add(-time.Hour))},
		"a full request":                    {full, own},
		"a full request in an event":        {onBus(t, full), own},
		"a full request in a notification":  {notified(t, full), own},
		"a full request in both":            {notified(t, onBus(t, full)), own},
		"an event that says little":         {`{"detail-type":"x","detail":` + plain + `}`, request("m0", "sqs", published())},
		"a notification that says little":   {`{"Type":"Notification","TopicArn":"t","Message":"{\"user\":\"alice@example.com\"}"}`, request("m0", "sns", published())},
		"a request with spaces around":      {"\n " + plain + "\t", request("m0", "sqs", published())},
		"a request that names its function": {`{"action":"deactivate","user":"alice@example.com"}`, request("m0", "sqs", published())},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var l lifecycle
			answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), queue(t, tt.body))
			if err != nil {
				t.Fatal(err)
			}
			diff(t, string(answer), `{"batchItemFailures":[]}`)
			diff(t, l.requests, []guard.Request{tt.want})
		})
	}
}

func TestQueueTimeWithoutATimestamp(t *testing.T) {
	var l lifecycle
	payload := strings.ReplaceAll(string(queue(t, `{"user":"alice@example.com"}`)), "SentTimestamp", "Other")
	if _, err := l.handler(guard.Deactivate).Invoke(inLambda(t), []byte(payload)); err != nil {
		t.Fatal(err)
	}
	diff(t, l.requests[0].OccurredAt, now())
}

func TestQueueBodiesThatAreRefused(t *testing.T) {
	const plain = `{"user":"alice@example.com"}`
	tests := map[string]struct{ body, says string }{
		"nothing":                           {"", "not valid JSON"},
		"text":                              {"Message Body", "not valid JSON"},
		"null":                              {"null", "not null"},
		"a list":                            {"[" + plain + "]", "must be an object"},
		"unknown member":                    {`{"user":"alice@example.com","force":true}`, "must not hold force"},
		"duplicate member":                  {`{"user":"alice@example.com","user":"bob@example.com"}`, "holds user twice"},
		"another action":                    {`{"user":"alice@example.com","action":"activate"}`, "and this function does"},
		"trailing garbage":                  {plain + "}", "not valid JSON"},
		"unknown member in an event":        {onBus(t, `{"user":"alice@example.com","force":true}`), "must not hold force"},
		"text in a notification":            {notified(t, "Hello from SNS!"), "not valid JSON"},
		"a notification in a notification":  {notified(t, notified(t, plain)), "must not hold"},
		"an event in an event":              {onBus(t, onBus(t, plain)), "must not hold"},
		"a notification in an event":        {onBus(t, notified(t, plain)), "must not hold"},
		"a subscription to confirm":         {`{"Type":"SubscriptionConfirmation","TopicArn":"t","Message":"m","Token":"x"}`, "must not hold"},
		"over 1 MiB":                        {strings.Repeat(" ", 1<<20) + plain, "the limit is"},
		"a batch in a batch":                {string(queue(t, plain)), "must not hold Records"},
		"a detail that is null":             {`{"detail-type":"x","detail":null}`, "not null"},
		"a notification whose time is none": {`{"Type":"Notification","TopicArn":"t","Message":"{}","Timestamp":"x"}`, "Timestamp must be a time"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var l lifecycle
			answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), queue(t, tt.body, plain))
			if err != nil {
				t.Fatal(err)
			}
			diff(t, string(answer), `{"batchItemFailures":[{"itemIdentifier":"m0"}]}`)
			if len(l.requests) != 1 || l.requests[0].ID != "m1" {
				t.Errorf("carried out %+v, want the second only", l.requests)
			}
			if log := l.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, tt.says) || !strings.Contains(log, `"level":"ERROR"`) ||
				!strings.Contains(log, `"message":"m0"`) {
				t.Errorf("logged %s, want one error that says %q of m0", log, tt.says)
			}
		})
	}
}

// fate tells, by the request's reason, what becomes of it.
func fate(r guard.Request) (guard.Result, error) {
	switch r.Reason {
	case "not found":
		return guard.Result{}, &guard.Error{Kind: guard.NotFound, Message: "There is no such user."}
	case "throttled":
		return guard.Result{}, &guard.Error{Kind: guard.Throttled, Message: "IONOS is busy."}
	case "error":
		return guard.Result{}, errors.New("some error")
	case "panic":
		panic("boom")
	case "stale", "blast_radius", "exempt":
		result := outcomes(r, guard.Changed, guard.Refused)
		result.Keys[len(result.Keys)-1].Rule = guard.Rule(r.Reason)
		return result, nil
	case "superseded and on":
		result := outcomes(r, guard.Changed, guard.Superseded)
		result.Keys[len(result.Keys)-1].Active = true
		return result, nil
	case "superseded and off":
		result := outcomes(r, guard.Changed, guard.Superseded)
		result.Keys[len(result.Keys)-1].Active = false
		return result, nil
	default:
		return outcomes(r, guard.Changed, guard.Outcome(r.Reason)), nil
	}
}

func TestQueueSaysWhatToDeliverAgain(t *testing.T) {
	request := func(reason string) string { return `{"user":"alice@example.com","reason":"` + reason + `"}` }
	leaver := func(reason string) string {
		return `{"user":"alice@example.com","offboarding":true,"reason":"` + reason + `"}`
	}
	bodies := []string{
		0:  request("changed"),
		1:  request("error"),
		2:  request("refused"),
		3:  request("panic"),
		4:  request("unchanged"),
		5:  "garbage",
		6:  request("failed"),
		7:  request("superseded"),
		8:  request("throttled"),
		9:  request("not found"),
		10: leaver("not found"),
		11: leaver("throttled"),
		12: leaver("failed"),
		13: leaver("changed"),
		14: leaver("stale"),
		15: leaver("blast_radius"),
		16: leaver("exempt"),
		17: request("blast_radius"),
		18: leaver("superseded and on"),
		19: leaver("superseded and off"),
	}
	l := lifecycle{answer: fate}
	answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), queue(t, bodies...))
	if err != nil {
		t.Fatal(err)
	}
	var failed, done []string
	for _, f := range mustDecode[events.SQSEventResponse](t, answer).BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	for _, r := range l.requests {
		done = append(done, r.ID)
	}
	diff(t, failed, []string{"m1", "m3", "m5", "m6", "m8", "m9", "m11", "m12", "m14", "m15", "m18"})
	diff(t, done, []string{"m0", "m1", "m2", "m3", "m4", "m6", "m7", "m8", "m9", "m10", "m11", "m12", "m13", "m14", "m15", "m16", "m17", "m18", "m19"})

	log := l.log.String()
	for _, line := range []string{"panic: boom\\ngoroutine", "some error", "k1 failed (because of failed)"} {
		if !strings.Contains(log, line) {
			t.Errorf("the log does not say %q: %s", line, log)
		}
	}
	if got := strings.Count(log, `"level":"INFO"`); got != 1 || strings.Count(log, `"level":"ERROR"`) != len(failed) {
		t.Errorf("want one line of level INFO and one of level ERROR a failure: %s", log)
	}
}

// TestSendersThatDoNotWait drives the same requests through SNS and EventBridge, which know only success and error.
func TestSendersThatDoNotWait(t *testing.T) {
	topic := func(t *testing.T, messages ...string) []byte {
		t.Helper()
		recorded := mustDecode[events.SNSEvent](t, sample(t, "sns-event.json", nil)).Records[0]
		var batch events.SNSEvent
		for _, m := range messages {
			record := recorded
			record.SNS.Message = m
			batch.Records = append(batch.Records, record)
		}
		return mustEncode(t, batch)
	}
	senders := map[string]struct {
		payload func(t *testing.T, request string) []byte
		want    guard.Request
	}{
		"SNS": {
			payload: func(t *testing.T, request string) []byte { t.Helper(); return topic(t, request) },
			want: guard.Request{
				ID: "95df01b4-ee98-5cb9-9903-4c221d41eb5e", Source: "sns", OccurredAt: time.Date(2015, time.June, 3, 17, 43, 27, 123e6, time.UTC),
			},
		},
		"SNS, several": {
			payload: func(t *testing.T, request string) []byte {
				t.Helper()
				return topic(t, request, `{"user":"bob@example.com","reason":"unchanged"}`)
			},
			want: guard.Request{
				ID: "95df01b4-ee98-5cb9-9903-4c221d41eb5e", Source: "sns", OccurredAt: time.Date(2015, time.June, 3, 17, 43, 27, 123e6, time.UTC),
			},
		},
		"SNS with an event": {
			payload: func(t *testing.T, request string) []byte { t.Helper(); return topic(t, onBus(t, request)) },
			want:    guard.Request{ID: "event-1", Source: "keyreeve", OccurredAt: published().Add(-time.Hour)},
		},
		"EventBridge": {
			payload: func(t *testing.T, request string) []byte { t.Helper(); return []byte(onBus(t, request)) },
			want:    guard.Request{ID: "event-1", Source: "keyreeve", OccurredAt: published().Add(-time.Hour)},
		},
	}
	kinds := map[string]guard.Kind{
		"changed": "", "refused": "", "superseded": "", "failed": guard.Upstream, "not found": guard.NotFound,
		"throttled": guard.Throttled, "error": guard.Internal, "panic": guard.Internal,
	}
	for name, sender := range senders {
		t.Run(name, func(t *testing.T) {
			for reason, kind := range kinds {
				l := lifecycle{answer: fate}
				_, err := l.handler(guard.Deactivate).Invoke(inLambda(t), sender.payload(t, `{"user":"alice@example.com","reason":"`+reason+`"}`))
				if guard.KindOf(err) != kind {
					t.Errorf("%s: got the error %v, want one of kind %q", reason, err, kind)
				}
				want := sender.want
				want.Action, want.User, want.Reason = guard.Deactivate, alice, reason
				want.Actor = guard.Actor{Kind: guard.System, Name: want.Source}
				diff(t, l.requests[0], want)
				if several := strings.Contains(name, "several"); several && l.requests[len(l.requests)-1].User != "bob@example.com" {
					t.Errorf("%s: the second notification was lost: %+v", reason, l.requests)
				}
			}
			l := lifecycle{answer: fate}
			_, err := l.handler(guard.Deactivate).Invoke(inLambda(t), sender.payload(t, `{"user":"alice@example.com","offboarding":true,"reason":"not found"}`))
			if err != nil {
				t.Errorf("a leaver whom IONOS does not know: %v", err)
			}
			l = lifecycle{answer: fate}
			_, err = l.handler(guard.Deactivate).Invoke(inLambda(t), sender.payload(t, `{"user":"alice@example.com","force":true}`))
			if guard.KindOf(err) != guard.Invalid || slices.ContainsFunc(l.requests, func(r guard.Request) bool { return r.User == alice }) {
				t.Errorf("an unknown member: %v, %+v", err, l.requests)
			}
		})
	}
}
