package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The calls are what the AWS SDKs send.
func TestSendMessage(t *testing.T) {
	t.Parallel()
	const url = `"QueueUrl":"http://127.0.0.1:8080/000000000000/Dead"`
	attributes := func(n int, value string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"A%d":{"DataType":"String","StringValue":%q}`, i, value))
		}
		return `"MessageAttributes":{` + strings.Join(all, ",") + `}`
	}
	sized := func(size int) string { return `"MessageBody":"` + strings.Repeat("x", size) + `"` }
	const besides = len("A0" + "String" + "v")
	tests := []struct {
		name, call string
		failure    string // the code of the error
	}{
		{"plain", `{` + url + `,"MessageBody":"x"}`, ""},
		{"by another name of this machine", `{"QueueUrl":"http://localhost:1/000000000000/Dead","MessageBody":"x"}`, ""},
		{"with attributes", `{` + url + `,"MessageBody":"x",` + attributes(10, "v") + `}`, ""},
		{"with a number", `{` + url + `,"MessageBody":"x","MessageAttributes":{"N":{"DataType":"Number","StringValue":"5"}}}`, ""},
		{"as large as may be", `{` + url + `,` + sized(1<<20-besides) + `,` + attributes(1, "v") + `}`, ""},
		{"too large", `{` + url + `,` + sized(1<<20-besides+1) + `,` + attributes(1, "v") + `}`, "InvalidParameterValue"},
		{"too many attributes", `{` + url + `,"MessageBody":"x",` + attributes(11, "v") + `}`, "InvalidParameterValue"},
		{"an empty attribute", `{` + url + `,"MessageBody":"x",` + attributes(1, "") + `}`, "InvalidParameterValue"},
		{"an attribute of another type", `{` + url + `,"MessageBody":"x","MessageAttributes":{"N":{"DataType":"Binary","StringValue":"5"}}}`, "InvalidParameterValue"},
		{"an empty body", `{` + url + `,"MessageBody":""}`, "MissingParameter"},
		{"what XML cannot hold", `{` + url + `,"MessageBody":"\u0000"}`, "InvalidMessageContents"},
		{"in an attribute", `{` + url + `,"MessageBody":"x",` + attributes(1, "\uffff") + `}`, "InvalidMessageContents"},
		{"no queue", `{"QueueUrl":"http://127.0.0.1:8080/000000000000/Gone","MessageBody":"x"}`, "QueueDoesNotExist"},
		{"an ARN", `{"QueueUrl":"arn:aws:sqs:eu-central-1:000000000000:Dead","MessageBody":"x"}`, "QueueDoesNotExist"},
		{"a name", `{"QueueUrl":"Dead","MessageBody":"x"}`, "QueueDoesNotExist"},
		{"a queue of another account", `{"QueueUrl":"http://127.0.0.1:8080/111111111111/Dead","MessageBody":"x"}`, "QueueDoesNotExist"},
		{"a delay", `{` + url + `,"MessageBody":"x","DelaySeconds":1}`, "SerializationException"},
		{"no call", `[]`, "SerializationException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			dead := newQueue(queueSpec{name: "Dead"}, time.Second, newTracker())
			dead.unread = true
			server := httptest.NewServer(&awsAPI{queues: map[string]*queue{"Dead": dead}, console: &console{out: &out}})
			defer server.Close()

			answer := callAWS(t, server, "AmazonSQS.SendMessage", tt.call)
			if code, _ := answer["__type"].(string); code != tt.failure {
				t.Errorf("the error is %q, want %q: %v", code, tt.failure, answer)
			}
			waiting, _ := dead.contents()
			if (len(waiting) == 1) != (tt.failure == "") {
				t.Fatalf("%d messages wait after %v", len(waiting), answer)
			}
			if len(waiting) == 1 && answer["MessageId"] != waiting[0].id {
				t.Errorf("the answer is %v, want the message's id %s", answer, waiting[0].id)
			}
			server.Close()
			if len(waiting) == 1 && (!strings.Contains(out.String(), "Dead: a message was sent, "+waiting[0].id) || strings.Contains(out.String(), "map[]")) {
				t.Errorf("the console shows %q", out.String())
			}
		})
	}
}

// What a function says of a message that it gave up is in the report about the request, and with the message wherever that
// is moved.
func TestGivenUpMessagesSayWhy(t *testing.T) {
	t.Parallel()
	const sent = `{"QueueUrl":"http://here/000000000000/Dead","MessageBody":"{\"id\":\"r\"}",
		"MessageAttributes":{"Why":{"DataType":"String","StringValue":"IONOS is down."},"Attempts":{"DataType":"Number","StringValue":"5"}}}`
	synctest.Test(t, func(t *testing.T) {
		w := &worker{answer: failing()}
		q, dead := emptied(t, mappingSpec{queue: "Queue", batch: 1, concurrency: 1, partial: true}, w)
		api := &awsAPI{queues: map[string]*queue{"Queue": q, "Dead": dead}, console: &console{out: new(bytes.Buffer)}}
		watched := q.tracker.watch("r")
		answer := httptest.NewRecorder()
		api.sendMessage(answer, []byte(sent))
		q.tracker.finished("r")
		<-watched.done
		want := []deadLetter{{Queue: "Dead", Body: `{"id":"r"}`, Why: "IONOS is down."}}
		if diff := cmp.Diff(want, q.tracker.forget("r", watched).deadLetters); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
		shown := httptest.NewRecorder()
		(&control{queues: api.queues}).handler().ServeHTTP(shown, httptest.NewRequestWithContext(t.Context(), "GET", "/_queues/Dead", nil))
		if want := `"attributes":{"Attempts":"5","Why":"IONOS is down."}`; !strings.Contains(shown.Body.String(), want) {
			t.Errorf("the queue shows %s, want %s in it", shown.Body, want)
		}

		dead.move(func(*message) *queue { return q })
		synctest.Wait()
		if len(w.batches) != 1 {
			t.Fatalf("%d batches were delivered, want 1", len(w.batches))
		}
		got := map[string]string{}
		for name, a := range w.batches[0][0].MessageAttributes {
			got[name] = a.DataType + " " + *a.StringValue
		}
		if diff := cmp.Diff(map[string]string{"Why": "String IONOS is down.", "Attempts": "Number 5"}, got); diff != "" {
			t.Errorf("attributes delivered (-want +got):\n%s", diff)
		}
	})
}
