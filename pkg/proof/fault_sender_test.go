package proof_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// sender is one of the ways in which a request reaches a function.
type sender struct {
	name string
	// patience is when the sender must have its answer; the invocation itself has invocationTime.
	patience time.Duration
	// companions are the users whose requests come in the same batch, before and after the victim's.
	companions []string
	// payload is what Lambda hands over. The attempt counts from 1.
	payload func(t *testing.T, e errand, people []person, attempt int) []byte
	// read says what the sender learns of the victim's request.
	read func(t *testing.T, answer []byte, err error) learned
	// after is how much later the sender sends the request again.
	after time.Duration
}

// invocationTime is what template.yaml gives an invocation.
const invocationTime = time.Minute

// learned is what a sender gets to know.
type learned struct {
	// status is that of the HTTP response, 0 for other senders.
	status int
	// again is true where the request will be sent again: because the queue does, or Lambda, or because the caller is
	// told that it was not carried out.
	again bool
	// others are the other requests of the batch that will be sent again.
	others []string
	// told is the result that a caller gets; explained is true where it is a problem with a sentence and a remedy.
	told      guard.Result
	explained bool
}

func senders() []sender {
	return []sender{
		{name: "http", patience: 28 * time.Second, payload: httpCall, read: readHTTP, after: time.Second},
		{
			name: "sqs", patience: invocationTime, payload: queueBatch, read: readQueue, after: 6 * time.Minute,
			companions: []string{"bob@example.com", "carol@example.com"},
		},
		{name: "sns", patience: invocationTime, payload: topicMessage, read: readAsync, after: time.Minute},
		{name: "event", patience: invocationTime, payload: busEvent, read: readAsync, after: time.Minute},
		{name: "direct", patience: invocationTime, payload: directRequest, read: readDirect, after: time.Minute},
	}
}

// httpCall is one by the owner of the contract. Who sends it again makes another call.
func httpCall(t *testing.T, e errand, people []person, attempt int) []byte {
	t.Helper()
	method, path, body := e.call(people[0])
	call := events.APIGatewayV2HTTPRequest{RawPath: path, Body: body}
	call.RequestContext.HTTP.Method = method
	call.RequestContext.RequestID = "call " + strconv.Itoa(attempt)
	call.RequestContext.TimeEpoch = time.Now().UnixMilli()
	call.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{
			Claims: map[string]string{"sub": "1", "email": ionostest.DefaultOwner},
		},
	}
	return encoded(t, call)
}

// readHTTP takes a caller to send again what did not come to an end. Nothing else makes a caller do so.
func readHTTP(t *testing.T, answer []byte, err error) learned {
	t.Helper()
	if err != nil {
		t.Errorf("an HTTP call ended with an error: %v", err)
	}
	response := decoded[events.APIGatewayV2HTTPResponse](t, answer)
	got := learned{status: response.StatusCode, again: response.StatusCode >= http.StatusTooManyRequests}
	if response.Headers["Content-Type"] == "application/problem+json" {
		problem := decoded[struct{ Detail, Remedy string }](t, []byte(response.Body))
		got.explained = problem.Detail != "" && problem.Remedy != ""
	} else {
		got.told = decoded[guard.Result](t, []byte(response.Body))
	}
	return got
}

func queueBatch(t *testing.T, _ errand, people []person, _ int) []byte {
	t.Helper()
	var batch events.SQSEvent
	for _, p := range people {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: p.Email, EventSource: "aws:sqs", Body: string(p.detail(t))})
	}
	return encoded(t, batch)
}

func readQueue(t *testing.T, answer []byte, err error) learned {
	t.Helper()
	if err != nil {
		t.Errorf("a whole batch failed: %v", err)
	}
	var got learned
	for _, failed := range decoded[events.SQSEventResponse](t, answer).BatchItemFailures {
		if failed.ItemIdentifier == victim {
			got.again = true
		} else {
			got.others = append(got.others, failed.ItemIdentifier)
		}
	}
	return got
}

func topicMessage(t *testing.T, _ errand, people []person, _ int) []byte {
	t.Helper()
	return encoded(t, events.SNSEvent{Records: []events.SNSEventRecord{{
		EventSource: "aws:sns", SNS: events.SNSEntity{MessageID: "1", Message: string(people[0].detail(t))},
	}}})
}

func busEvent(t *testing.T, _ errand, people []person, _ int) []byte {
	t.Helper()
	return encoded(t, map[string]any{
		"version": "0", "id": "1", "detail-type": "Key Operation Requested", "source": "keyreeve", "detail": people[0].detail(t),
	})
}

func readAsync(_ *testing.T, _ []byte, err error) learned { return learned{again: err != nil} }

func directRequest(t *testing.T, _ errand, people []person, _ int) []byte {
	t.Helper()
	return people[0].detail(t)
}

func readDirect(t *testing.T, answer []byte, err error) learned {
	t.Helper()
	if err != nil {
		return learned{again: true}
	}
	return learned{told: decoded[guard.Result](t, answer)}
}

func decoded[T any](t *testing.T, data []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

// answers is the table of what senders see: the status of the HTTP response, and whether the request is sent again.
func answers(code string) learned {
	switch strings.TrimRight(code, "+~!") {
	case "done", "quiet", "same":
		return learned{status: http.StatusOK}
	case "ref":
		return learned{status: http.StatusConflict}
	case "fail", "up", "cred":
		return learned{status: http.StatusBadGateway, again: true}
	case "thr":
		return learned{status: http.StatusTooManyRequests, again: true}
	case "una":
		return learned{status: http.StatusServiceUnavailable, again: true}
	default:
		return learned{status: http.StatusInternalServerError, again: true}
	}
}
