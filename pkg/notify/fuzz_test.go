package notify_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge/edgetest"
	"keyreeve/pkg/guard"
)

// FuzzQueue hands over arbitrary messages: alone, and an outcome or a warning six times in a batch, of different requests or
// to different users whom nobody knows, which make a digest. Each is read or comes again, and whatever was read, Slack takes.
func FuzzQueue(f *testing.F) {
	for _, outcome := range append(mixed(), leaver(1), warned(guard.UnmappedUser), outcome("r1", "alice@example.com", changed("00a1"))) {
		f.Add(body(f, outcome))
	}
	f.Add(event("keyreeve", "Key Operation Requested", `{"action":"deactivate","user":"alice@example.com"}`))
	f.Add(event("keyreeve", "Key Operation Finished", `{"keys":[{"outcome":"changed"}],"action":"delete"}`))
	f.Add(event("keyreeve", "Key Operation Finished", `{"warnings":[{}],"occurredAt":"0000-01-01T00:00:00+01:00"}`))
	f.Add(`{"source":"keyreeve","detail-type":"Key Operation Finished"}`)
	f.Add(swept(f, sweep("s1")))
	f.Add(swept(f, stopped("s1")))
	f.Add(event("keyreeve", "Key Sweep Stopped", `{"id":"s1","startedAt":"0001-01-01T00:00:01Z","keys":-1,"stopped":{},"policies":[{"wait":1}],"report":"http://|"}`))
	f.Add(due(f, warning("s1", "alice@example.com", "00e1", "00e2")))
	f.Add(due(f, warning("s1", "", "<!channel>")))
	f.Add(event("keyreeve", "Key Warning Due", `{"user":{"id":"u1","email":"bob@example.com"},"keys":[
		{"id":"00e1","created":"1969-01-01T00:00:00Z","deactivateAfter":"9999-12-31T23:59:59Z","last":true,"onlyActive":true}]}`))
	f.Fuzz(func(t *testing.T, message string) {
		slack := newSlack(noon)
		queue := newQueue(newClient("", straight{slack}), new(forgetful), noon, new(edgetest.Log))
		if again := deliver(t.Context(), t, queue, message); len(again) > 0 && len(slack.Shown()) > 0 {
			t.Errorf("%q comes again, and was told: %+v", message, slack.Shown())
		}
		var envelope events.EventBridgeEvent
		if json.Unmarshal([]byte(message), &envelope) == nil {
			deliver(t.Context(), t, queue, sixOutcomes(t, envelope.Detail)...)
			deliver(t.Context(), t, queue, sixWarnings(t, envelope.Detail)...)
		}
		if len(slack.Refused()) > 0 {
			t.Errorf("Slack refuses %q: %v", message, slack.Refused())
		}
	})
}

// sixOutcomes are messages with the outcome that the detail holds, none where it holds none.
func sixOutcomes(t *testing.T, detail []byte) []string {
	t.Helper()
	var outcome guard.Finished
	if json.Unmarshal(detail, &outcome) != nil {
		return nil
	}
	if _, err := json.Marshal(outcome); err != nil {
		return nil
	}
	return bodies(t, many(6, func(i int) guard.Finished { return with(outcome, func(f *guard.Finished) { f.ID = fmt.Sprint(i) }) }))
}

// sixWarnings are messages with the warning that the detail holds, none where it holds none.
func sixWarnings(t *testing.T, detail []byte) []string {
	t.Helper()
	var warning guard.OwnerWarning
	if json.Unmarshal(detail, &warning) != nil {
		return nil
	}
	if _, err := json.Marshal(warning); err != nil {
		return nil
	}
	var messages []string
	for i := range 6 {
		warning.User = guard.User{ID: fmt.Sprint("u", i), Email: fmt.Sprint(i, warning.User.Email)}
		messages = append(messages, due(t, warning))
	}
	return messages
}
