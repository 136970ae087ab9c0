package notify_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

func sweep(id string) guard.Sweep {
	return guard.Sweep{
		ID: id, StartedAt: noon(), FinishedAt: noon(), Users: 10, Keys: 30, Report: "https://reports.example.com/" + id,
		Policies: []guard.SweepTally{{Policy: guard.MaxAge, Mode: guard.Enforce, Deactivate: 2}},
	}
}

func stopped(id string) guard.Sweep {
	s := sweep(id)
	s.Stopped = &guard.SweepStop{Brake: guard.TooManyDue, Message: "Too many keys are due.", Remedy: "Look at the report."}
	return s
}

// swept is the message of a rule of EventBridge that holds the sweep.
func swept(t tester, s guard.Sweep) string {
	t.Helper()
	detail, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if s.Stopped != nil {
		return event("keyreeve", "Key Sweep Stopped", string(detail))
	}
	return event("keyreeve", "Key Sweep Finished", string(detail))
}

// The channel sees each sweep once, whatever comes with it.
func TestSweeps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var messages []string
	var want []string
	for _, s := range []guard.Sweep{sweep("s1"), stopped("s1"), sweep("s2"), sweep("s3"), sweep("s4"), sweep("s5"), sweep("s6")} {
		messages = append(messages, swept(t, s), swept(t, s))
		want = append(want, blocks(t, slackapi.Sweep(s)))
	}
	for i := range 6 {
		messages = append(messages, body(t, leaver(i)))
	}
	for range 2 {
		diff(t, "to deliver again", []string{}, deliver(t.Context(), t, w.queue, messages...))
		lines := inChannel(w.slack)
		if len(lines) != len(want)+1 {
			t.Fatalf("%d messages, want %d and a digest", len(lines), len(want))
		}
		for i := range want {
			diff(t, "sweep", want[i], string(lines[i].Blocks))
		}
		mustSay(t, lines[len(want)].Text, "6 requests")
	}
	diff(t, "refused by Slack", []string(nil), w.slack.Refused())
}

func TestSweepWithoutAChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queue.Channel = ""
	diff(t, "to deliver again", []string{}, deliver(t.Context(), t, w.queue, swept(t, sweep("s1")), swept(t, stopped("s1"))))
	diff(t, "messages", 0, len(w.slack.Shown()))
}

func TestSweepFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fault = calls(2, 2, status(503))
	batch := []string{swept(t, sweep("s1")), swept(t, sweep("s2")), swept(t, sweep("s3"))}
	diff(t, "to deliver again", []string{"1"}, deliver(t.Context(), t, w.queue, batch...))
	mustSay(t, w.log.String(), `"ids":["s2"]`)
	diff(t, "to deliver again, later", []string{}, deliver(t.Context(), t, w.queue, batch...))
	for i, id := range []string{"s1", "s3", "s2"} {
		mustSay(t, string(inChannel(w.slack)[i].Blocks), fmt.Sprintf("reports.example.com/%s|", id))
	}
}
