package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The calls are what the AWS CLI sends.
func TestStartMessageMoveTask(t *testing.T) {
	t.Parallel()
	const sqs = "arn:aws:sqs:eu-central-1:000000000000:"
	stays := map[string][]string{"Dead": {"1 of One", "1 of Two", "2 of One", "of no queue"}, "One": nil, "Two": nil, "Other": nil}
	tests := []struct {
		name, call string
		failure    string              // the code of the error
		want       map[string][]string // bodies in the queues afterwards
		shown      string
	}{
		{"where they came from", `{"SourceArn":"` + sqs + `Dead"}`, "", map[string][]string{
			"Dead": {"of no queue"}, "One": {"1 of One", "2 of One"}, "Two": {"1 of Two"}, "Other": nil,
		}, "Dead: moved 3 of 4 messages"},
		{"to another queue", `{"SourceArn":"` + sqs + `Dead","DestinationArn":"` + sqs + `Other"}`, "", map[string][]string{
			"Dead": nil, "One": nil, "Two": nil, "Other": {"1 of One", "1 of Two", "2 of One", "of no queue"},
		}, "Dead: moved 4 of 4 messages"},
		{"no queue", `{"SourceArn":"` + sqs + `Gone"}`, "ResourceNotFoundException", stays, ""},
		{"a name", `{"SourceArn":"Dead"}`, "ResourceNotFoundException", stays, ""},
		{"a queue of another account", `{"SourceArn":"arn:aws:sqs:eu-central-1:111111111111:Dead"}`, "ResourceNotFoundException", stays, ""},
		{"a queue without dead letters", `{"SourceArn":"` + sqs + `One"}`, "InvalidParameterValue", stays, ""},
		{"to no queue", `{"SourceArn":"` + sqs + `Dead","DestinationArn":"` + sqs + `Gone"}`, "ResourceNotFoundException", stays, ""},
		{"a speed", `{"SourceArn":"` + sqs + `Dead","MaxNumberOfMessagesPerSecond":1}`, "SerializationException", stays, ""},
		{"no call", `[]`, "SerializationException", stays, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			tracker := newTracker()
			queues := map[string]*queue{}
			for _, name := range []string{"Dead", "One", "Two", "Other"} {
				queues[name] = newQueue(queueSpec{name: name, maxReceives: 1}, time.Second, tracker)
			}
			dead := queues["Dead"]
			dead.unread = true
			queues["One"].deadLetters, queues["Two"].deadLetters = dead, dead
			ids := map[string]bool{}
			for _, letter := range []struct{ queue, body string }{{"One", "1 of One"}, {"Two", "1 of Two"}, {"One", "2 of One"}} {
				ids[queues[letter.queue].send(letter.body, "r").id] = true
				queues[letter.queue].failed(queues[letter.queue].receive(t.Context(), 1, 0)[0], 0)
			}
			ids[dead.send("of no queue", "r").id] = true
			server := httptest.NewServer(&awsAPI{queues: queues, console: &console{out: &out}})
			defer server.Close()

			before := time.Now()
			answer := callAWS(t, server, "AmazonSQS.StartMessageMoveTask", tt.call)
			if code, _ := answer["__type"].(string); code != tt.failure {
				t.Errorf("the error is %q, want %q: %v", code, tt.failure, answer)
			}
			if handle, _ := answer["TaskHandle"].(string); (handle == "") != (tt.failure != "") {
				t.Errorf("the answer is %v, want a handle or an error", answer)
			}
			got := map[string][]string{}
			pending := 0
			for name, q := range queues {
				got[name] = nil
				waiting, _ := q.contents()
				for _, m := range waiting {
					got[name] = append(got[name], m.body)
					moved := name != "Dead"
					if moved && (ids[m.id] || m.received != 0 || !m.firstReceived.IsZero() || m.sent.Before(before) || m.request != "r" || m.failedIn != nil) {
						t.Errorf("%q is no new message of the same request: %+v", m.body, m)
					}
					if !moved && (!ids[m.id] || m.sent.After(before)) {
						t.Errorf("%q was not to be touched: %+v", m.body, m)
					}
					if moved {
						pending++
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("queues (-want +got):\n%s", diff)
			}
			if underWay, _ := tracker.underWay(); underWay["r"] != pending {
				t.Errorf("%d messages are pending, want the %d that a function will get", underWay["r"], pending)
			}
			if !strings.Contains(out.String(), tt.shown) || (len(tt.want["Dead"]) == 1) != strings.Contains(out.String(), "--destination-arn") {
				t.Errorf("the console shows %q, want %q", out.String(), tt.shown)
			}
		})
	}
}

// callAWS makes a call as the AWS CLI does, and returns its answer.
func callAWS(t *testing.T, server *httptest.Server, operation, body string) map[string]any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", operation)
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(content, &answer); err != nil {
		t.Fatalf("%v in %q", err, content)
	}
	if _, failed := answer["__type"]; failed != (response.StatusCode == http.StatusBadRequest) || !failed && response.StatusCode != http.StatusOK {
		t.Errorf("the status is %d of %s", response.StatusCode, content)
	}
	if got := response.Header.Get("Content-Type"); got != "application/x-amz-json-1.0" {
		t.Errorf("the content type is %q", got)
	}
	return answer
}
