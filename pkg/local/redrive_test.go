package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"keyreeve/pkg/ionos/ionostest"
)

// letter is a message that waits in a queue, as GET /_queues shows it.
type letter struct {
	Body       string            `json:"body"`
	Attributes map[string]string `json:"attributes"`
	Received   int               `json:"receiveCount"`
}

// queue returns the ARN of a queue and what waits in it.
func (l *laptop) queue(name string) (arn string, waiting []letter) {
	l.t.Helper()
	_, answer := l.call(http.MethodGet, "/_queues/"+name, "", "")
	shown := decode[struct {
		ARN     string   `json:"arn"`
		Waiting []letter `json:"waiting"`
	}](l.t, answer)
	return shown.ARN, shown.Waiting
}

// leaves sends the event that the user left, and returns its id and what became of it.
func (l *laptop) leaves(user ionostest.User) (id string, outcomes []result, dead []deadLetter) {
	l.t.Helper()
	_, answer := l.post("/_events", fmt.Sprintf(`{"source":"com.example.hr","detail-type":"Employee Offboarded","detail":{"employee":{"email":%q}}}`, user.Email))
	report := decode[struct {
		EventID     string       `json:"eventId"`
		Outcomes    []result     `json:"outcomes"`
		DeadLetters []deadLetter `json:"deadLetters"`
		Unfinished  bool         `json:"unfinished"`
	}](l.t, answer)
	if report.Unfinished {
		l.t.Fatalf("the event is under way after half a minute: %s", answer)
	}
	return report.EventID, report.Outcomes, report.DeadLetters
}

type deadLetter struct {
	Queue string `json:"queue"`
	Body  string `json:"body"`
	Why   string `json:"why"`
}

// moveBack moves all messages of a queue to another by the call that does so on AWS. Without another, SQS has to know
// where they came from.
func (l *laptop) moveBack(from, to string) {
	l.t.Helper()
	client := sqs.New(sqs.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(l.address),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	source, _ := l.queue(from)
	task := &sqs.StartMessageMoveTaskInput{SourceArn: &source}
	if to != "" {
		destination, _ := l.queue(to)
		task.DestinationArn = &destination
	}
	if _, err := client.StartMessageMoveTask(l.t.Context(), task); err != nil {
		l.t.Fatal(err)
	}
	l.idle()
}

// TestLeaverDuringAnOutage has somebody leave while IONOS is down for as long as anybody tries. What is left of that is a
// message that says why, and moved back when IONOS is up it does what it should have done.
func TestLeaverDuringAnOutage(t *testing.T) {
	withEachLedger(t, func(t *testing.T, ledger []string) {
		t.Helper()
		l := startLaptop(t, new(ionostest.Server), ledger...)
		var down atomic.Bool
		l.contract.Fault = func(r *http.Request) ionostest.Fault {
			if down.Load() {
				return ionostest.Status(http.StatusServiceUnavailable, 0)
			}
			return l.effects.plan(r)
		}
		user, keys := l.person("outage", 2)

		down.Store(true)
		begun := time.Now()
		id, outcomes, dead := l.leaves(user)
		if len(outcomes) != 1 || !outcomes[0].givenUp() {
			t.Fatalf("outcomes %v, want that it was given up", outcomes)
		}
		if len(dead) != 1 || dead[0].Queue != "DeactivateDeadLetters" || !strings.Contains(dead[0].Why, "IONOS") {
			t.Fatalf("dead letters %+v, want one that blames IONOS", dead)
		}
		want(t, "keys during the outage", l.active(user), map[string]bool{keys[0]: true, keys[1]: true})
		_, waiting := l.queue("DeactivateDeadLetters")
		if len(waiting) != 1 || waiting[0].Body != dead[0].Body {
			t.Fatalf("%+v wait among the dead letters, want the one reported", waiting)
		}
		said := waiting[0].Attributes
		want(t, "tries, kind", []string{said["Attempts"], said["Kind"]}, []string{"5", "upstream"})
		want(t, "why", said["Why"], dead[0].Why)
		if printed := l.seen.String(); !strings.Contains(printed, "message="+said["MessageId"]) {
			t.Errorf("no log line is of the message %q", said["MessageId"])
		}
		request := decode[map[string]any](t, waiting[0].Body)
		occurred, err := time.Parse(time.RFC3339, fmt.Sprint(request["occurredAt"]))
		if err != nil || occurred.Before(begun.Add(-time.Second)) || occurred.After(time.Now()) {
			t.Errorf("the letter's request is of %v, want that of the event", request["occurredAt"])
		}
		delete(request, "occurredAt")
		want(t, "the letter's request", request, map[string]any{
			"action": "deactivate", "user": user.Email, "offboarding": true, "reason": "left the company", "source": "com.example.hr", "id": id,
			"actor": map[string]any{"kind": "system", "name": "com.example.hr"},
		})

		down.Store(false)
		l.moveBack("DeactivateDeadLetters", "") // SQS does not know where a letter came from that was sent here.
		want(t, "keys before the letter is moved back", l.active(user), map[string]bool{keys[0]: true, keys[1]: true})
		l.moveBack("DeactivateDeadLetters", "DeactivateQueue")
		want(t, "keys in the end", l.active(user), map[string]bool{keys[0]: false, keys[1]: false})
		want(t, "outcome", l.finishedAgain(id, 2).said(), map[string]string{keys[0]: "changed", keys[1]: "changed"})
		if _, waiting := l.queue("DeactivateDeadLetters"); len(waiting) != 0 {
			t.Errorf("%+v are left among the dead letters", waiting)
		}
	})
}

// TestSendersDuringAnOutage has senders say that people leave while IONOS is down. They need not say it again.
func TestSendersDuringAnOutage(t *testing.T) {
	t.Parallel()
	l := startLaptop(t, new(ionostest.Server), sendersOn(t, []string{"outage-github", "outage-hibob"})...)
	var down atomic.Bool
	l.contract.Fault = func(r *http.Request) ionostest.Fault {
		if down.Load() {
			return ionostest.Status(http.StatusServiceUnavailable, 0)
		}
		return l.effects.plan(r)
	}
	down.Store(true)
	left := make(map[string]ionostest.User)
	for _, s := range senders() {
		name := "outage-" + s.name
		left[name], _ = l.person(name, 2)
		if got := l.deliver(s.says(left[name], name).sign(s, "new", time.Now())); got.status/100 != 2 {
			t.Errorf("%s: %d %s", s.name, got.status, got.body)
		}
	}
	l.idle()
	if _, waiting := l.queue("DeactivateDeadLetters"); len(waiting) != len(left) {
		t.Errorf("%d dead letters of %d senders", len(waiting), len(left))
	}
	down.Store(false)
	l.moveBack("DeactivateDeadLetters", "DeactivateQueue")
	for name, user := range left {
		for id, active := range l.active(user) {
			if active {
				t.Errorf("%s: %s is still active", name, id)
			}
		}
	}
}

// TestSQSMovesWhatIsNotBuried gives the functions a queue of dead letters that does not exist.
func TestSQSMovesWhatIsNotBuried(t *testing.T) {
	t.Parallel()
	l := startLaptop(t, new(ionostest.Server), "KEYREEVE_DEAD_LETTERS=http://127.0.0.1:1/000000000000/Gone")
	if _, dead := l.event("script", "Key Operation Requested", `{"action":"deactivate","user":"nobody@example.com"}`); dead != 1 {
		t.Errorf("%d dead letters, want 1", dead)
	}
	_, waiting := l.queue("DeactivateDeadLetters")
	if len(waiting) != 1 || len(waiting[0].Attributes) > 0 || waiting[0].Received != 6 {
		t.Errorf("%+v wait among the dead letters, want one after six tries that says nothing", waiting)
	}
	if printed := l.seen.String(); strings.Count(printed, "was not buried") != 2 || !strings.Contains(printed, "QueueDoesNotExist") {
		t.Error("the log does not say twice that the message was not buried, and why")
	}
}
