package webhook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/webhook"
)

const eventID = "6b4bc671-0217-46ca-8ee0-e663c94abd91"

// event is what a rule of EventBridge sends to the queue.
func event(source, detail string) string {
	return fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"any","source":%q,"account":"123456789012",
		"time":"2026-11-22T11:59:40Z","region":"eu-central-1","resources":[],"detail":%s}`, eventID, source, detail)
}

// deliver hands the messages to the queue's function and returns which of them, by number, are to be delivered again.
func (w *world) deliver(t *testing.T, bodies ...string) []string {
	t.Helper()
	var batch events.SQSEvent
	for i, body := range bodies {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
	}
	payload, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	queue := &webhook.Queue{Desk: w.door.Desk, Settings: w.door.Settings, Clock: w.clock, Logger: w.door.Logger}
	answer, err := queue.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var again events.SQSEventResponse
	if err := json.Unmarshal(answer, &again); err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, failure := range again.BatchItemFailures {
		failed = append(failed, failure.ItemIdentifier)
	}
	return failed
}

const oktaSource = "aws.partner/okta.com/example/keyreeve"

// oktaLog returns the one event of a hook, which is what a log stream has as its detail.
func oktaLog(tb testing.TB) string {
	tb.Helper()
	var hook struct {
		Data struct {
			Events []json.RawMessage `json:"events"`
		} `json:"data"`
	}
	if err := json.Unmarshal(payload(tb, "okta/deactivate.json"), &hook); err != nil {
		tb.Fatal(err)
	}
	return string(hook.Data.Events[0])
}

// partnerEvent is an event of a partner and what it means.
type partnerEvent struct {
	name, source, detail string
	people               people
	want                 []guard.Request
	unmapped             []guard.Unmapped
	fails                bool
}

// testPartner delivers each of the events to a queue of its own.
func testPartner(t *testing.T, tests []partnerEvent) {
	t.Helper()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.know(t, tc.people)
			if failed := w.deliver(t, event(tc.source, tc.detail)); len(failed) > 0 != tc.fails {
				t.Errorf("to deliver again: %v, want %t\n%s", failed, tc.fails, w.log.String())
			}
			diff(t, "requests", tc.want, w.arrived())
			diff(t, "unmapped", tc.unmapped, w.waiting())
			if len(w.bus.Finished()) != len(tc.unmapped) {
				t.Errorf("%d announced, want %d", len(w.bus.Finished()), len(tc.unmapped))
			}
		})
	}
}

func TestOktaPartner(t *testing.T) {
	t.Parallel()
	okta := oktaLog(t)
	alice := left("okta", "alice@example.com", "14a42b00-74e5-11ee-8a5a-69d62fcd0f8b", "2026-11-22T11:59:53.77Z", "Okta: user.lifecycle.deactivate")
	bare := alice
	bare.ID, bare.OccurredAt = eventID, noon().Add(-20*time.Second)
	testPartner(t, []partnerEvent{
		{name: "deactivated", source: oktaSource, detail: okta, want: []guard.Request{alice}},
		{
			name: "the bus has id and time", source: oktaSource, detail: strings.NewReplacer(`"uuid"`, `"x"`, `"published"`, `"y"`).Replace(okta),
			want: []guard.Request{bare},
		},
		{name: "something else", source: oktaSource, detail: strings.Replace(okta, "deactivate", "activate", 1)},
		{name: "another shape", source: oktaSource, detail: `{"target":1}`, fails: true},
		{name: "a partner that nobody knows", source: "aws.partner/example.com/x", detail: okta, fails: true},
		{name: "no partner, but named like one", source: "okta.com", detail: okta, fails: true},
		{name: "a request, which is for another queue", source: "keyreeve", detail: `{"action":"activate","user":"alice@example.com"}`, fails: true},
	})
}

// An event that somebody sends to the queue by hand may have no id at all. Its request has that of the message, so that it
// is the same event however often it is delivered.
func TestPartnerWithoutID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	message := strings.NewReplacer(eventID, "", `"uuid"`, `"x"`).Replace(event(oktaSource, oktaLog(t)))
	w.deliver(t, "no JSON", message)
	w.now = w.now.Add(time.Minute)
	w.deliver(t, "no JSON", message)
	alice := left("okta", "alice@example.com", "1", "2026-11-22T11:59:53.77Z", "Okta: user.lifecycle.deactivate")
	diff(t, "requests", []guard.Request{alice, alice}, w.arrived())
}

// TestWaiting is about a request that waits for the identity map: it is announced when it comes, delivered again as long
// as nobody knows who is meant, and carried out as it came once somebody does.
func TestWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(t, "github", payload(t, "github/member_removed.json"))
	if len(w.bus.Finished()) != 1 {
		t.Fatalf("%d announced, want one", len(w.bus.Finished()))
	}
	detail, err := json.Marshal(w.bus.Unmapped()[0])
	if err != nil {
		t.Fatal(err)
	}
	waiting := event("keyreeve", string(detail))
	for range 3 {
		diff(t, "to deliver again", []string{"0"}, w.deliver(t, waiting))
	}
	if len(w.bus.Requests()) != 0 || len(w.bus.Unmapped()) != 1 || len(w.bus.Finished()) != 1 {
		t.Errorf("%d requests, %d unmapped, %d announced, want none, one, one", len(w.bus.Requests()), len(w.bus.Unmapped()), len(w.bus.Finished()))
	}
	if !strings.Contains(w.log.String(), "Nobody knows the e-mail address of github:octocat or github:583231.") {
		t.Errorf("log:\n%s", w.log.String())
	}
	w.now = w.now.AddDate(0, 0, 1)
	w.know(t, people{"github:583231": "alice@example.com"})
	if failed := w.deliver(t, waiting); len(failed) > 0 {
		t.Errorf("to deliver again: %v", failed)
	}
	diff(t, "requests", []guard.Request{
		left("github", "alice@example.com", digestID, "2026-11-22T12:00:00Z", "GitHub: removed from the organization"),
	}, w.arrived())
}

// TestBatch holds that a message that fails does not hold the others up.
func TestBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuse = func(body string) bool { return strings.Contains(body, "carol@example.com") }
	good := event(oktaSource, oktaLog(t))
	failed := w.deliver(
		t, "no JSON", good, event("aws.partner/example.com/x", `{}`),
		strings.Replace(good, "alice@example.com", "carol@example.com", 1), event("keyreeve", `{"sender":"okta","people":null,"request":{}}`),
		strings.Replace(good, "alice@example.com", "bob@example.com", 1),
	)
	diff(t, "to deliver again", []string{"0", "2", "3", "4"}, failed)
	var users []string
	for _, r := range w.bus.Requests() {
		users = append(users, r.User)
	}
	diff(t, "users", []string{"alice@example.com", "bob@example.com"}, users)
}

func TestBatchPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.door.Desk.People = defect{}
	diff(t, "to deliver again", []string{"0"}, w.deliver(t, event(oktaSource, oktaLog(t)), event(oktaSource, `{}`)))
}

func TestNoBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	queue := &webhook.Queue{Desk: w.door.Desk, Clock: w.clock, Logger: w.door.Logger}
	for _, payload := range []string{``, `[]`, `{"Records":[{"body":"{}"}]}`} {
		if answer, err := queue.Invoke(t.Context(), []byte(payload)); guard.KindOf(err) != guard.Invalid {
			t.Errorf("%q: %s, %v, want an error of kind invalid", payload, answer, err)
		}
	}
}

// FuzzQueue hands over events of Okta, and those of Keyreeve's own that come to this queue.
func FuzzQueue(f *testing.F) {
	f.Add(event(oktaSource, oktaLog(f)))
	f.Add(event("keyreeve", `{"sender":"github","people":["octocat"],"request":{"action":"deactivate","user":"","source":"github","id":"1"}}`))
	f.Add(event("keyreeve", `{"sender":"github","people":null,"request":{}}`))
	f.Add(event("aws.partner/example.com/x", `{}`))
	f.Add(`{"source":"aws.partner/auth0.com/","detail":{"data":{"type":"sdu"}}}`)
	f.Add(`{"source":"aws.partner/okta.com/","time":"0000-01-01T00:00:00+01:00","detail":{}}`)
	fuzzQueue(f)
}

// fuzzQueue hands arbitrary messages to the function behind the queue. Each is carried out, or is delivered again.
func fuzzQueue(f *testing.F) {
	f.Helper()
	f.Fuzz(func(t *testing.T, message string) {
		var arrived bustest.Bus
		door := newDoor(noon, newBus("http://events.invalid", straight{&arrived}, noon), stuck{}, newPeople(t, people{"github:octocat": "a@example.com"}), io.Discard)
		queue := &webhook.Queue{Desk: door.Desk, Clock: noon, Logger: door.Logger}
		batch, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "0", Body: message}}})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := queue.Invoke(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		var again events.SQSEventResponse
		if err := json.Unmarshal(answer, &again); err != nil {
			t.Fatal(err)
		}
		if len(again.BatchItemFailures) > 0 && len(arrived.Requests())+len(arrived.Unmapped()) > 0 {
			t.Errorf("%q is delivered again, and was carried out", message)
		}
		var envelope events.EventBridgeEvent
		if json.Unmarshal([]byte(message), &envelope) != nil || envelope.Source == "keyreeve" {
			return
		}
		sender := strings.TrimSuffix(strings.Split(envelope.Source+"//", "/")[1], ".com")
		mustBeMeant(t, sender, envelope.Detail, &arrived, mustLeave)
	})
}
