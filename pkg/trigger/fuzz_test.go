package trigger_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/guard"
)

// mustBeValid checks the requests that arrived against what the lifecycle relies on.
func mustBeValid(t *testing.T, action guard.Action, requests []guard.Request) {
	t.Helper()
	for _, r := range requests {
		if err := r.Validate(now()); err != nil || r.Action != action || r.OccurredAt.IsZero() {
			t.Errorf("carried out the invalid request %+v: %v", r, err)
		}
		if r.Keys != nil && len(r.Keys) == 0 || slices.Contains(r.Keys, "") {
			t.Errorf("carried out the ambiguous request %+v", r)
		}
	}
}

// FuzzInvoke hands over arbitrary payloads.
func FuzzInvoke(f *testing.F) {
	for _, seed := range []string{
		`{"user":"alice@example.com","keys":["00e1"],"actor":{"kind":"system"}}`,
		`{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":"{\"user\":\"alice@example.com\"}","attributes":{"SentTimestamp":"1"}}]}`,
		`{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":"{\"Type\":\"Notification\",\"TopicArn\":\"t\",\"Message\":\"{}\"}"}]}`,
		`{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"{\"user\":\"alice@example.com\"}","Timestamp":"2026-11-22T10:00:00Z"}}]}`,
		`{"detail-type":"x","source":"s","id":"i","time":"2026-11-22T10:00:00Z","detail":{"user":"alice@example.com"}}`,
		`{"rawPath":"/v1/users/alice@example.com/keys/deactivate","body":"{}","requestContext":{"http":{"method":"POST"},
			"authorizer":{"jwt":{"claims":{"sub":"s"}}},"timeEpoch":1583348638390}}`,
		`{"requestContext":{"http":{}},"rawPath":5}`,
		`null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var l lifecycle
		answer, err := l.handler(guard.Deactivate).Invoke(t.Context(), payload)
		if err == nil && !json.Valid(answer) {
			t.Errorf("answered %q", answer)
		}
		if err != nil && (guard.KindOf(err) == guard.Internal || strings.TrimSpace(err.Error()) == "") {
			t.Errorf("failed with %v", err)
		}
		mustBeValid(t, guard.Deactivate, l.requests)
	})
}

// FuzzHTTP hands over the parts of an HTTP call that its sender writes. Whatever they are, there is a response, and
// only the gateway says who called.
func FuzzHTTP(f *testing.F) {
	f.Add("POST", "/v1/users/alice@example.com/keys/00e1/deactivate", "", "$default", "a@example.com", false)
	f.Add("POST", "/prod/v1/users/alice%40example.com/keys/deactivate", `{"reason":"r"}`, "prod", "", true)
	f.Add("DELETE", "/v1/users/alice@example.com/keys/", `{"actor":{"kind":"system"}}`, "", "x", false)
	f.Fuzz(func(t *testing.T, method, path, body, stage, email string, encoded bool) {
		event := events.APIGatewayV2HTTPRequest{RawPath: path, Body: body, IsBase64Encoded: encoded}
		event.RequestContext.Stage = stage
		event.RequestContext.HTTP.Method = method
		event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: map[string]string{"sub": "s-1", "email": email}},
		}
		var l lifecycle
		answer, err := l.handler(guard.Deactivate).Invoke(t.Context(), mustEncode(t, event))
		if err != nil {
			t.Fatalf("an HTTP call must be answered: %v", err)
		}
		response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
		if (response.StatusCode == 200) != (l.requests != nil) || !json.Valid([]byte(response.Body)) {
			t.Errorf("answered %s after %+v", answer, l.requests)
		}
		mustBeValid(t, guard.Deactivate, l.requests)
		for _, r := range l.requests {
			if r.Actor.Kind != guard.Operator || r.Actor.Name != "s-1" || r.Source != "api" {
				t.Errorf("carried out %+v for another actor", r)
			}
		}
	})
}
