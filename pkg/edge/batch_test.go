package edge_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

func TestBatchSaysWhatToDeliverAgain(t *testing.T) {
	const three = `{"Records":[{"messageId":"m0","body":"a"},{"messageId":"m1","body":"b"},{"messageId":"m2","body":"c"}]}`
	tests := map[string]struct {
		payload string
		fail    string
		// delivered are the bodies.
		delivered string
		want      string
	}{
		"none failed":       {three, "", "abc", `{"batchItemFailures":[]}`},
		"the first failed":  {three, "a", "abc", `{"batchItemFailures":[{"itemIdentifier":"m0"}]}`},
		"the second failed": {three, "b", "abc", `{"batchItemFailures":[{"itemIdentifier":"m1"}]}`},
		"two failed":        {three, "ca", "abc", `{"batchItemFailures":[{"itemIdentifier":"m0"},{"itemIdentifier":"m2"}]}`},
		"no messages":       {`{"Records":[]}`, "", "", `{"batchItemFailures":[]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var delivered string
			answer, err := edge.Batch([]byte(tt.payload), func(m events.SQSMessage) error {
				delivered += m.Body
				if strings.Contains(tt.fail, m.Body) {
					return errors.New(cause)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			diff(t, delivered, tt.delivered)
			diff(t, string(answer), tt.want)
		})
	}
}

func TestWholeBatchIsJudgedTogether(t *testing.T) {
	const three = `{"Records":[{"messageId":"m0","body":"a"},{"messageId":"m1","body":"b"},{"messageId":"m2","body":"c"}]}`
	failed := errors.New(cause)
	tests := map[string]struct {
		payload   string
		failures  []error
		delivered []string
		want      string
	}{
		"none failed":     {three, []error{nil, nil, nil}, []string{"a", "b", "c"}, `{"batchItemFailures":[]}`},
		"the last failed": {three, []error{nil, nil, failed}, []string{"a", "b", "c"}, `{"batchItemFailures":[{"itemIdentifier":"m2"}]}`},
		"all but one":     {three, []error{failed, nil, failed}, []string{"a", "b", "c"}, `{"batchItemFailures":[{"itemIdentifier":"m0"},{"itemIdentifier":"m2"}]}`},
		"no messages":     {`{"Records":[]}`, nil, nil, `{"batchItemFailures":[]}`},
		"no batch but {}": {`{}`, nil, nil, `{"batchItemFailures":[]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var delivered []string
			calls := 0
			answer, err := edge.WholeBatch([]byte(tt.payload), func(messages []events.SQSMessage) []error {
				calls++
				for _, m := range messages {
					delivered = append(delivered, m.Body)
				}
				return tt.failures
			})
			if err != nil {
				t.Fatal(err)
			}
			diff(t, calls, 1)
			diff(t, delivered, tt.delivered)
			diff(t, string(answer), tt.want)
		})
	}
}

func TestBatchesThatAreRefused(t *testing.T) {
	tests := map[string]struct{ payload, want string }{
		"a record without messageId":        {`{"Records":[{"messageId":"m0"},{"body":"b"}]}`, "A record of the queue has no messageId."},
		"a record whose messageId is empty": {`{"Records":[{"messageId":""}]}`, "A record of the queue has no messageId."},
		"a record whose body is none":       {`{"Records":[{"messageId":"m0","body":5}]}`, "The payload cannot be read: Records[0].body must be a string."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			answer, err := edge.Batch([]byte(tt.payload), func(m events.SQSMessage) error {
				t.Errorf("delivered %+v of a batch that is refused", m)
				return nil
			})
			if err == nil {
				t.Fatalf("got %s, want an error", answer)
			}
			diff(t, *guard.AsError(err), guard.Error{Kind: guard.Invalid, Message: tt.want})
		})
	}
}

func TestGiveUp(t *testing.T) {
	var log bytes.Buffer
	err := edge.GiveUp(t.Context(), slog.New(slog.NewJSONHandler(&log, nil)), &guard.Error{
		Kind: guard.Throttled, Message: "IONOS is busy.", Remedy: "Wait a minute.", RetryAfter: time.Minute, Err: errors.New(cause),
	}, slog.String("message", "m0"))
	diff(t, *guard.AsError(err), guard.Error{Kind: guard.Throttled, Message: "IONOS is busy. Wait a minute.", RetryAfter: time.Minute})
	line := decode(t, log.Bytes())
	delete(line, "time")
	diff(t, line, map[string]any{
		"level": "ERROR", "msg": "The request was not carried out.", "message": "m0", "kind": "throttled", "error": "IONOS is busy. (" + cause + ")",
	})
}
