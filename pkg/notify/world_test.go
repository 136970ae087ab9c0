package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/edge/edgetest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ledger"
	"keyreeve/pkg/notify"
	"keyreeve/pkg/slackapi"
	"keyreeve/pkg/slackapi/slacktest"
)

func noon() time.Time { return time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC) }

// The channel for notices, and those who are in Slack.
const (
	channel = "C0NOTICES"
	alice   = "U0ALICE"
	bob     = "U0BOB"
)

const bot = "xoxb-only-for-tests"

// world is the function with all that stands around it: the real client before a stand-in for Slack, and the real ledger.
type world struct {
	queue  *notify.Queue
	slack  *slacktest.Slack
	memory *ledger.Bolt
	log    edgetest.Log
	now    time.Time
	// fault answers a call of Slack by its number, from 1, where it returns true. May be nil.
	fault func(call int, w http.ResponseWriter) bool

	mu    sync.Mutex
	calls int
}

func newSlack(clock func() time.Time) *slacktest.Slack {
	return slacktest.New(slacktest.Config{Token: bot, Team: "T0EXAMPLE", Clock: clock, Users: []slacktest.User{
		{ID: alice, Name: "alice", Email: "Alice@example.com"},
		{ID: bob, Name: "bob", Email: "bob@example.com"},
		{ID: "U0GONE", Name: "gone", Email: "gone@example.com", Deleted: true},
		{ID: "U0ROBOT", Name: "robot", Email: "robot@example.com", Bot: true},
		{ID: "U0GUEST", Name: "guest", Email: "guest@example.com", Team: "T0OTHER", Stranger: true},
	}})
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: noon()}
	w.slack = newSlack(w.clock)
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	memory, err := ledger.OpenBolt(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), w.clock)
	if err != nil {
		t.Fatal(err)
	}
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	w.queue = newQueue(newClient(server.URL, transport), memory, w.clock, &w.log)
	w.memory, w.queue.Warnings = memory, memory
	return w
}

func newClient(endpoint string, transport http.RoundTripper) *slackapi.Client {
	return slackapi.New(slackapi.Config{Token: guard.NewSecret(bot), Endpoint: endpoint, Transport: transport})
}

func newQueue(slack notify.Slack, memory edge.Memory, clock func() time.Time, log *edgetest.Log) *notify.Queue {
	logger := slog.New(slog.NewJSONHandler(log, nil))
	repeats := edge.Repeats{Memory: memory, For: 24 * time.Hour, Clock: clock, Logger: logger}
	return &notify.Queue{Slack: slack, Channel: channel, Repeats: repeats, Warnings: new(forgetful), Clock: clock, Logger: logger}
}

func (w *world) clock() time.Time { return w.now }

// ServeHTTP is Slack, with its faults.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.calls++
	call := w.calls
	w.mu.Unlock()
	if w.fault != nil && w.fault(call, rw) {
		return
	}
	w.slack.ServeHTTP(rw, r)
}

// tester is a [*testing.T], a [*testing.F] or a [*rapid.T].
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// body is the message of a rule of EventBridge that holds the outcome.
func body(t tester, outcome guard.Finished) string {
	t.Helper()
	detail, err := json.Marshal(outcome)
	if err != nil {
		t.Fatal(err)
	}
	return event("keyreeve", "Key Operation Finished", string(detail))
}

func event(source, detailType, detail string) string {
	return fmt.Sprintf(`{"version":"0","id":"6b4bc671-0217-46ca-8ee0-e663c94abd91","detail-type":%q,"source":%q,"account":"123456789012",
		"time":"2026-11-23T11:59:40Z","region":"eu-central-1","resources":[],"detail":%s}`, detailType, source, detail)
}

// tell delivers the outcomes in one batch and returns which of them, by number, are to be delivered again.
func (w *world) tell(t *testing.T, outcomes ...guard.Finished) []string {
	t.Helper()
	bodies := make([]string, len(outcomes))
	for i, outcome := range outcomes {
		bodies[i] = body(t, outcome)
	}
	return deliver(t.Context(), t, w.queue, bodies...)
}

// deliver hands a batch to the function and returns which of its messages, by number, are to be delivered again.
func deliver(ctx context.Context, t tester, queue *notify.Queue, bodies ...string) []string {
	t.Helper()
	var batch events.SQSEvent
	for i, body := range bodies {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
	}
	payload, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := queue.Invoke(ctx, payload)
	if err != nil {
		t.Fatal(err)
	}
	var again events.SQSEventResponse
	if err := json.Unmarshal(answer, &again); err != nil {
		t.Fatal(err)
	}
	failed := []string{}
	for _, failure := range again.BatchItemFailures {
		failed = append(failed, failure.ItemIdentifier)
	}
	return failed
}

// inChannel returns the messages that the channel sees.
func inChannel(s *slacktest.Slack) []slacktest.Shown {
	var lines []slacktest.Shown
	for _, m := range s.Shown() {
		if m.Channel == channel {
			lines = append(lines, m)
		}
	}
	return lines
}

// direct returns the messages that only the user sees.
func direct(s *slacktest.Slack, user string) []slacktest.Shown {
	var letters []slacktest.Shown
	for _, m := range s.Shown() {
		if m.To == user {
			letters = append(letters, m)
		}
	}
	return letters
}

func diff(t tester, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// operator is who asks where nothing else is said.
func operator() guard.Actor { return guard.Actor{Kind: guard.Operator, Email: "operator@example.com"} }

// outcome is that of a deactivation that an operator asked for.
func outcome(id, user string, keys ...guard.KeyResult) guard.Finished {
	return guard.Finished{
		Result: guard.Result{
			ID: id, Action: guard.Deactivate, Keys: keys,
			User: guard.User{ID: "the id of " + user, Email: user},
		},
		Actor: operator(), Reason: "rotation", Source: "api", OccurredAt: noon().Add(-time.Minute),
	}
}

func changed(id string) guard.KeyResult { return guard.KeyResult{ID: id, Outcome: guard.Changed} }

func refused(id string) guard.KeyResult {
	return guard.KeyResult{
		ID: id, Outcome: guard.Refused, Rule: guard.LastActiveKey, Active: true,
		Message: id + " is the last active key.", Remedy: "Activate another key first.",
	}
}

func failed(id string) guard.KeyResult {
	return guard.KeyResult{ID: id, Outcome: guard.Failed, Active: true, Message: "IONOS could not be reached."}
}

func with(f guard.Finished, change func(*guard.Finished)) guard.Finished {
	change(&f)
	return f
}

func bodies(t tester, outcomes []guard.Finished) []string {
	t.Helper()
	all := make([]string, len(outcomes))
	for i, outcome := range outcomes {
		all[i] = body(t, outcome)
	}
	return all
}

// straight leads to a handler without a network.
type straight struct{ http.Handler }

func (s straight) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Host = r.URL.Host // as a server sees it
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

// forgetful is a memory that remembers nothing.
type forgetful struct{}

func (*forgetful) Seen(context.Context, string) (bool, error) { return false, nil }

func (*forgetful) Remember(context.Context, string, time.Time) error { return nil }

func (*forgetful) WarningsOf(context.Context, []string) (map[string]guard.KeyWarnings, error) {
	return nil, nil
}

func (*forgetful) RecordWarnings(context.Context, string, []string, time.Time) error { return nil }

// calls lets Slack answer the calls between the two, counted from 1, in that way.
func calls(first, last int, answer func(http.ResponseWriter)) func(call int, rw http.ResponseWriter) bool {
	return func(call int, rw http.ResponseWriter) bool {
		hit := call >= first && call <= last
		if hit {
			answer(rw)
		}
		return hit
	}
}
