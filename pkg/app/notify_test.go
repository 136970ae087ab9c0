package app_test

import (
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/app"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ledger"
	"keyreeve/pkg/slackapi/slacktest"
)

// TestWhoWasWarnedIsRecorded runs the whole function, from the event of a sweep to the ledger.
func TestWhoWasWarnedIsRecorded(t *testing.T) {
	slack := slacktest.New(slacktest.Config{
		Token: bot, Team: "T0HERE", Clock: time.Now, Users: []slacktest.User{{ID: "U0BOB", Name: "bob", Email: "bob@example.com"}},
	})
	server := httptest.NewServer(slack)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ledger.db")
	setenv(t, map[string]string{"KEYREEVE_LEDGER": "bolt:" + file, "KEYREEVE_SLACK_BOT_TOKEN": bot, "KEYREEVE_SLACK_ENDPOINT": server.URL})
	handler, err := app.NewNotify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	due := guard.OwnerWarning{
		SweepID: "s1", User: guard.User{ID: "u1", Email: "bob@example.com"},
		Keys: []guard.AgingKey{{ID: "00e1", DeactivateAfter: time.Now().Add(14 * 24 * time.Hour)}},
	}
	batch := queued(t, "Key Warning Due", due)
	began := time.Now()
	for range 2 {
		answer, err := handler.Invoke(t.Context(), batch)
		if want := `{"batchItemFailures":[]}`; err != nil || string(answer) != want {
			t.Errorf("answered %s, %v; want %s", answer, err, want)
		}
	}
	if shown := slack.Shown(); len(shown) != 1 || shown[0].To != "U0BOB" {
		t.Errorf("shown %+v, want one message for bob", shown)
	}
	memory, err := ledger.OpenBolt(t.Context(), file, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := memory.WarningsOf(t.Context(), []string{"u1"})
	if err != nil {
		t.Fatal(err)
	}
	if times := recorded["u1"]["00e1"]; len(times) != 1 || times[0].Before(began) || times[0].After(time.Now()) {
		t.Errorf("recorded are %v, want one time since %s", times, began)
	}
}

// queued is a batch of one message, with an event of ours.
func queued(t *testing.T, detailType string, detail any) []byte {
	t.Helper()
	encoded, err := json.Marshal(detail)
	if err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(events.EventBridgeEvent{ID: "e1", Source: "keyreeve", DetailType: detailType, Detail: encoded})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m1", Body: string(event)}}})
	if err != nil {
		t.Fatal(err)
	}
	return batch
}
