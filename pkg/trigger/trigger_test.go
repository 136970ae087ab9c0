package trigger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/trigger"
)

var (
	_ lambda.Handler = (*trigger.Handler)(nil)
	_ lambda.Handler = (*trigger.Inventory)(nil)
)

const (
	alice = "alice@example.com"
	// cause stands for what the log may know and a caller may not.
	cause = "dial tcp 10.0.0.7: refused"
)

func now() time.Time { return time.Date(2026, time.November, 22, 10, 0, 0, 0, time.UTC) }

// lifecycle stands where the lifecycle stands: it keeps the requests that arrive and answers as it is told.
type lifecycle struct {
	requests []guard.Request
	answer   func(guard.Request) (guard.Result, error)
	log      bytes.Buffer
}

func (l *lifecycle) handler(action guard.Action) *trigger.Handler {
	return &trigger.Handler{Action: action, Do: l.do, Clock: now, Logger: slog.New(slog.NewJSONHandler(&l.log, nil))}
}

func (l *lifecycle) do(_ context.Context, r guard.Request) (guard.Result, error) {
	l.requests = append(l.requests, r)
	if l.answer != nil {
		return l.answer(r)
	}
	return outcomes(r, guard.Changed), nil
}

// outcomes is a result with one key an outcome, named k0, k1 and so on.
func outcomes(r guard.Request, all ...guard.Outcome) guard.Result {
	result := guard.Result{ID: r.ID, Action: r.Action, User: guard.User{ID: "u-1", Email: r.User}}
	for i, o := range all {
		result.Keys = append(result.Keys, guard.KeyResult{ID: "k" + string(rune('0'+i)), Outcome: o, Message: "because of " + string(o)})
	}
	return result
}

// inLambda is a context as the Lambda runtime makes it.
func inLambda(t *testing.T) context.Context {
	t.Helper()
	return lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "invocation-1"})
}

// samples is where aws-lambda-go keeps recorded payloads.
func samples(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(dir)), "events", "testdata")
}

// sample reads a recorded payload and replaces members of it; a name with dots leads into objects.
func sample(t *testing.T, name string, replace map[string]any) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(samples(t), name))
	if err != nil {
		t.Fatal(err)
	}
	var payload map[string]any
	if err := json.Unmarshal(raw, &payload); err != nil {
		t.Fatal(err)
	}
	for path, value := range replace {
		names := strings.Split(path, ".")
		at := payload
		for _, n := range names[:len(names)-1] {
			inner, ok := at[n].(map[string]any)
			if !ok {
				t.Fatalf("%s has no object %s", name, path)
			}
			at = inner
		}
		at[names[len(names)-1]] = value
	}
	return mustEncode(t, payload)
}

func mustEncode(t *testing.T, value any) []byte {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func mustDecode[T any](t *testing.T, data []byte) (value T) {
	t.Helper()
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return value
}

func diff(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// TestNoRecordedPayloadOfOthersIsARequest drives everything that Lambda is known to be invoked with through Invoke.
func TestNoRecordedPayloadOfOthersIsARequest(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(samples(t), "*.json"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d samples: %v", len(files), err)
	}
	seen := map[string]int{}
	for _, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		var l lifecycle
		answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), payload)
		switch {
		case strings.HasPrefix(name, "apigw-v2-request-"), name == "lambda-urls-request.json", name == "apigw-v2-custom-authorizer-v2-request.json":
			seen["http"]++
			response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
			if err != nil || response.StatusCode/100 != 4 {
				t.Errorf("%s: got %s, %v, want a problem", name, answer, err)
			}
		case name == "sqs-event.json":
			seen["sqs"]++
			diff(t, string(answer), `{"batchItemFailures":[{"itemIdentifier":"MessageID_1"}]}`)
		default:
			if guard.KindOf(err) != guard.Invalid {
				t.Errorf("%s: got %s, %v, want an error of kind invalid", name, answer, err)
			}
		}
		if l.requests != nil {
			t.Errorf("%s: was taken for the request %+v", name, l.requests)
		}
	}
	diff(t, seen, map[string]int{"http": 6, "sqs": 1})
}

func TestDirectInvocation(t *testing.T) {
	tests := map[string]struct {
		payload string
		want    guard.Request
	}{
		"everything is given": {
			payload: `{"action":"deactivate","user":"alice@example.com","keys":["00e1"],"reason":"left",
				"actor":{"kind":"chatops","name":"bob","email":"bob@example.com"},"source":"slack","id":"evt-1",
				"occurredAt":"2026-11-22T10:30:00+01:00","offboarding":true,"dryRun":true,"override":["blast_radius"],
				"confirm":["00e1"],"approvedBy":{"kind":"chatops","name":"carol","email":"carol@example.com"},"replyTo":{"slack":"https://hooks.slack.com/x","channel":"C1"}}`,
			want: guard.Request{
				Action: guard.Deactivate, User: alice, Keys: []string{"00e1"}, Reason: "left",
				Actor:  guard.Actor{Kind: guard.ChatOps, Name: "bob", Email: "bob@example.com"},
				Source: "slack", ID: "evt-1", OccurredAt: now().Add(-30 * time.Minute), Offboarding: true, DryRun: true,
				Override: []guard.Rule{guard.BlastRadius}, Confirm: []string{"00e1"},
				ApprovedBy: guard.Actor{Kind: guard.ChatOps, Name: "carol", Email: "carol@example.com"},
				ReplyTo:    guard.ReplyTo{Slack: "https://hooks.slack.com/x", Channel: "C1"},
			},
		},
		"only the user is given": {
			payload: `{"user":"alice@example.com"}`,
			want: guard.Request{
				Action: guard.Deactivate, User: alice, Actor: guard.Actor{Kind: guard.System, Name: "direct"},
				Source: "direct", ID: "invocation-1", OccurredAt: now(),
			},
		},
		"an actor left out is the source": {
			payload: `{"user":"alice@example.com","source":"hr","id":"1"}`,
			want: guard.Request{
				Action: guard.Deactivate, User: alice, Actor: guard.Actor{Kind: guard.System, Name: "hr"},
				Source: "hr", ID: "1", OccurredAt: now(),
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var l lifecycle
			answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), []byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			diff(t, l.requests, []guard.Request{tt.want})
			diff(t, l.requests[0].OccurredAt.Format(time.RFC3339), tt.want.OccurredAt.Format(time.RFC3339))
			diff(t, mustDecode[guard.Result](t, answer), outcomes(tt.want, guard.Changed))
		})
	}
}

func TestPayloadsThatAreRefused(t *testing.T) {
	const user = `"user":"alice@example.com"`
	tests := map[string]struct {
		payload string
		kind    guard.Kind
		says    string
	}{
		"nothing":                    {``, guard.Invalid, "not valid JSON"},
		"null":                       {`null`, guard.Invalid, "must be an object, not null"},
		"a list":                     {`[]`, guard.Invalid, "must be an object"},
		"a string":                   {`"deactivate"`, guard.Invalid, "must be an object"},
		"half of it":                 {`{` + user, guard.Invalid, "not valid JSON"},
		"trailing garbage":           {`{` + user + `} x`, guard.Invalid, "not valid JSON"},
		"two objects":                {`{` + user + `}{` + user + `}`, guard.Invalid, "not valid JSON"},
		"invalid UTF-8":              {"{\"user\":\"alice\xff@example.com\"}", guard.Invalid, "not valid JSON"},
		"unknown member":             {`{` + user + `,"force":true}`, guard.Invalid, "must not hold force"},
		"unknown member inside":      {`{` + user + `,"actor":{"kind":"system","root":true}}`, guard.Invalid, "must not hold actor.root"},
		"unknown member with quotes": {`{` + user + `,"a\nb":1}`, guard.Invalid, `must not hold "a\nb"`},
		"wrong case":                 {`{"User":"alice@example.com"}`, guard.Invalid, "must not hold User"},
		"duplicate member":           {`{` + user + `,"user":"bob@example.com"}`, guard.Invalid, "holds user twice"},
		"wrong type":                 {`{` + user + `,"keys":"00e1"}`, guard.Invalid, "keys must be a list"},
		"wrong type inside":          {`{` + user + `,"keys":["00e1",2]}`, guard.Invalid, "keys[1] must be a string"},
		"actor that is a name":       {`{` + user + `,"actor":"hr"}`, guard.Invalid, "actor must be an object"},
		"endless name":               {`{` + user + `,"` + strings.Repeat("ä", 200) + `":1}`, guard.Invalid, "must not hold " + strings.Repeat("ä", 40) + "…"},
		"boolean in quotes":          {`{` + user + `,"dryRun":"true"}`, guard.Invalid, "dryRun must be true or false"},
		"time that is none":          {`{` + user + `,"occurredAt":"yesterday"}`, guard.Invalid, "occurredAt must be a time"},
		"keys null":                  {`{` + user + `,"keys":null}`, guard.Invalid, "keys must not be null"},
		"dryRun null":                {`{` + user + `,"dryRun":null}`, guard.Invalid, "dryRun must not be null"},
		"keys empty":                 {`{` + user + `,"keys":[]}`, guard.Invalid, "keys are an empty list"},
		"other action":               {`{` + user + `,"action":"delete"}`, guard.Invalid, `"delete", and this function does "deactivate"`},
		"no user":                    {`{}`, guard.Invalid, "user is missing"},
		"unknown kind of actor":      {`{` + user + `,"actor":{"kind":"root"}}`, guard.Invalid, "actor.kind must be"},
		"actor without a kind":       {`{` + user + `,"actor":{"name":"hr"}}`, guard.Invalid, "actor.kind must be"},
		"future":                     {`{` + user + `,"occurredAt":"2027-01-01T00:00:00Z"}`, guard.Invalid, "lies in the future"},
		"2 MiB":                      {`{` + user + `,"reason":"` + strings.Repeat("x", 2<<20) + `"}`, guard.TooLarge, "the limit is"},
		"no records":                 {`{"Records":[]}`, guard.Invalid, "Records are empty"},
		"records null":               {`{"Records":null}`, guard.Invalid, "must not hold Records"},
		"records no list":            {`{"Records":{}}`, guard.Invalid, "Records must be a list"},
		"records of mixed sources":   {`{"Records":[{"eventSource":"aws:sqs"},{"EventSource":"aws:sns"}]}`, guard.Invalid, "Records[1] is unlike the first"},
		"records of another source":  {`{"Records":[{"eventSource":"aws:s3"}]}`, guard.Invalid, `come from "aws:s3"`},
		"record without a source":    {`{"Records":[{}]}`, guard.Invalid, `come from ""`},
		"record without an id":       {`{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}`, guard.Invalid, "no messageId"},
		"record whose id is none":    {`{"Records":[{"eventSource":"aws:sqs","messageId":5}]}`, guard.Invalid, "Records[0].messageId must be a string"},
		"notification out of time":   {`{"Records":[{"EventSource":"aws:sns","Sns":{"Timestamp":"x"}}]}`, guard.Invalid, "Records[0].Sns.Timestamp must be a time"},
		"context that is none":       {`{"requestContext":"x"}`, guard.Invalid, "requestContext must be an object"},
		"payload format 1.0":         {`{"version":"1.0","httpMethod":"POST","requestContext":{"stage":"$default"}}`, guard.Invalid, "payload format 2.0"},
		"event without a detail":     {`{"detail-type":"x"}`, guard.Invalid, "must not hold detail-type"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var l lifecycle
			answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), []byte(tt.payload))
			if guard.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %s, %v, want an error of kind %s that says %q", answer, err, tt.kind, tt.says)
			}
			if l.requests != nil {
				t.Errorf("carried out %+v", l.requests)
			}
			if got := strings.Count(l.log.String(), "\n"); got != 1 {
				t.Errorf("logged %d lines, want 1: %s", got, l.log.String())
			}
		})
	}
}

func TestDirectInvocationFails(t *testing.T) {
	failing := &guard.Error{
		Kind: guard.Throttled, Message: "IONOS is busy.", Remedy: "Wait a minute.", RetryAfter: time.Minute, Err: os.ErrDeadlineExceeded,
	}
	tests := map[string]struct {
		answer func(guard.Request) (guard.Result, error)
		want   guard.Error
		logged string
	}{
		"an error": {
			answer: func(guard.Request) (guard.Result, error) { return guard.Result{}, failing },
			want:   guard.Error{Kind: guard.Throttled, Message: "IONOS is busy. Wait a minute.", RetryAfter: time.Minute},
			logged: os.ErrDeadlineExceeded.Error(),
		},
		"a failed key": {
			answer: func(r guard.Request) (guard.Result, error) { return outcomes(r, guard.Changed, guard.Failed), nil },
			want: guard.Error{
				Kind: guard.Upstream, Message: "Not every key of alice@example.com could be handled (deactivate): " +
					"k0 changed (because of changed); k1 failed (because of failed). Send the same request again: what is done stays done.",
			},
			logged: "k1 failed",
		},
		"an error of another type": {
			answer: func(guard.Request) (guard.Result, error) { return guard.Result{}, os.ErrClosed },
			want:   guard.Error{Kind: guard.Internal, Message: "Something went wrong inside Keyreeve. Look in the function's log."},
			logged: os.ErrClosed.Error(),
		},
		"a panic": {
			answer: func(guard.Request) (guard.Result, error) { panic("boom") },
			want:   guard.Error{Kind: guard.Internal, Message: "Something went wrong inside Keyreeve. Look in the function's log."},
			logged: "panic: boom",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := lifecycle{answer: tt.answer}
			answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), []byte(`{"user":"alice@example.com"}`))
			if err == nil {
				t.Fatalf("got %s, want an error", answer)
			}
			diff(t, *guard.AsError(err), tt.want)
			if strings.Count(l.log.String(), tt.logged) != 1 {
				t.Errorf("the log does not hold %q once: %s", tt.logged, l.log.String())
			}
		})
	}
}
