package chatops_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"keyreeve/pkg/bus"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/chatops"
	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/identity"
	"keyreeve/pkg/signature"
	"keyreeve/pkg/signature/signaturetest"
	"keyreeve/pkg/slackapi"
)

// forgetful has seen nothing.
type forgetful struct{}

func (forgetful) Seen(context.Context, string) (bool, error)                     { return false, nil }
func (forgetful) Remember(context.Context, string, time.Time) error              { return nil }
func (forgetful) Claim(context.Context, string, string, time.Time) (bool, error) { return true, nil }

// direct calls a handler without a network between.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	d.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// nobodyHome is an IONOS without users.
type nobodyHome struct{}

func (nobodyHome) Inventory(context.Context, string, guard.Actor) (guard.Inventory, error) {
	return guard.Inventory{}, &guard.Error{Kind: guard.NotFound, Message: "There is no such user."}
}

func (nobodyHome) Preview(context.Context, guard.Request) (guard.Result, error) {
	return guard.Result{}, &guard.Error{Kind: guard.NotFound, Message: "There is no such user."}
}

func (nobodyHome) Admit(context.Context, string, guard.Actor) error { return nil }

func parts(f *testing.F) (*chatops.Door, *chatops.Worker, *bustest.Bus) {
	f.Helper()
	secrets := []guard.Secret{guard.NewSecret(signed)}
	verifier, err := signature.New("slack", secrets, noon)
	if err != nil {
		f.Fatal(err)
	}
	sealer, err := chatops.NewSealer(secrets)
	if err != nil {
		f.Fatal(err)
	}
	people, err := identity.Open(f.Context(), identity.Config{Setting: "slack:" + olga + "=olga@example.com", Clock: noon})
	if err != nil {
		f.Fatal(err)
	}
	taken := new(bustest.Bus)
	events := bus.New(bus.Config{
		Name: "keyreeve", Region: "eu-central-1", Endpoint: "http://bus.invalid", Transport: direct{taken}, Clock: noon,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "private", ""),
	})
	logger := slog.New(slog.DiscardHandler)
	repeats := edge.Repeats{Memory: forgetful{}, For: time.Hour, Clock: noon, Logger: logger}
	slack := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	worker := &chatops.Worker{
		Bus: events, Claims: forgetful{}, People: people, Keys: nobodyHome{}, Sealer: sealer, Repeats: repeats, Clock: noon, Logger: logger,
		Slack: slackapi.New(slackapi.Config{Transport: direct{slack}}),
	}
	return &chatops.Door{Verifier: verifier, Bus: events, Repeats: repeats, Logger: logger}, worker, taken
}

// FuzzDoor hands the door what Slack signed, whatever that is. The answer is a message or a problem of the caller's, and
// what goes on the bus is what the worker can read.
func FuzzDoor(f *testing.F) {
	door, worker, taken := parts(f)
	f.Add("/slack/commands", command("deactivate alice@example.com 4fec9c05b7f6db9c1b5f laptop stolen --dry-run").Encode())
	f.Add("/slack/commands", command("<@U0ALICE|alice>").Encode())
	f.Add("/slack/commands", "text=help&text=list&%zz")
	f.Add("/slack/actions", action(press).Encode())
	f.Add("/slack/actions", action(strings.Replace(press, `"value":"x"`, `"value":"{\"user\":\"u\",\"key\":\"k\"}"`, 1)).Encode())
	f.Add("/slack/actions", url.Values{"payload": {`{"type":"block_actions","actions":null}`}}.Encode())
	f.Fuzz(func(t *testing.T, path, body string) {
		before := len(taken.Chat())
		r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: path}, Body: io.NopCloser(strings.NewReader(body))}
		r.Header = signaturetest.Sign("slack", signed, noon(), "", []byte(body))
		answer := httptest.NewRecorder()
		door.ServeHTTP(answer, r.WithContext(t.Context()))
		if answer.Code != http.StatusOK && (answer.Code < 400 || answer.Code >= 500) {
			t.Errorf("answered %d %s", answer.Code, answer.Body)
		}
		for _, message := range taken.Chat()[before:] {
			if answer := invoke(t, worker, "Chat Message Received", message); answer != `{"batchItemFailures":[]}` {
				t.Errorf("the worker does not take %s", message)
			}
		}
	})
}

// FuzzWorker hands the worker events. One that it cannot take is delivered again, and no event is an error for the rest
// of its batch.
func FuzzWorker(f *testing.F) {
	_, worker, _ := parts(f)
	f.Add("Chat Message Received", `{"id":"1","at":"2026-11-22T12:00:00Z","channel":"C1","user":"U0OLGA","responseUrl":"`+hook+`","command":{"verb":"list","user":"a@b.c"}}`)
	f.Add("Chat Message Received", `{"id":"1","at":"2026-11-22T12:00:00Z","channel":"C1","user":"U0OLGA","responseUrl":"`+hook+`","button":{"action":"delete","value":"{\"user\":\"u\",\"key\":\"k\"}"}}`)
	f.Add("Chat Message Received", `{"id":"1","at":"2026-11-22T12:00:00Z","channel":"C1","user":"U0OLGA","responseUrl":"`+hook+`","button":{"action":"approve","value":"eyJhbGciOiJub25lIn0.e30."}}`)
	f.Add("Key Operation Finished", `{"id":"1","action":"delete","keys":[{"id":"00e1","outcome":"refused","rule":"exempt"}],"replyTo":{"slack":"`+hook+`"}}`)
	f.Fuzz(func(t *testing.T, detailType, detail string) {
		answer := invoke(t, worker, detailType, []byte(detail))
		if answer != `{"batchItemFailures":[]}` && answer != `{"batchItemFailures":[{"itemIdentifier":"m1"}]}` {
			t.Errorf("answered %s", answer)
		}
	})
}

func invoke(t *testing.T, worker *chatops.Worker, detailType string, detail []byte) string {
	t.Helper()
	name, err := json.Marshal(detailType)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"source":"keyreeve","detail-type":` + string(name) + `,"detail":` + string(detail) + `}`
	payload, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m1", Body: body}}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := worker.Invoke(t.Context(), payload)
	if err != nil {
		t.Errorf("the batch failed: %v", err)
	}
	return string(answer)
}
