package slackapi_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// canned is a network with one answer.
type canned struct {
	status      int
	after, body string
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Header: http.Header{"Retry-After": {c.after}}, Body: io.NopCloser(strings.NewReader(c.body))}, nil
}

// FuzzAnswer holds every call against arbitrary answers: what is no clear yes is an error in words for people, which
// quotes nothing that the answer may have repeated.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "", `{"ok":true,"user":{"id":"U1","team_id":"T1","deleted":false,"profile":{"email":"alice@example.com"},"is_bot":false,"updated":1700000000}}`)
	f.Add(200, "", `{"ok":true,"channel":"C0KEYS","ts":"1700000000.000001","message":{"text":"x","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"x"}}]}}`)
	f.Add(200, "", `{"ok":false,"error":"missing_scope","needed":"users:read.email","provided":"chat:write"}`)
	f.Add(200, "", `{"ok":false,"error":"invalid_blocks","errors":["x"],"response_metadata":{"messages":["[ERROR] must be more"]}}`)
	f.Add(200, "", "ok")
	f.Add(429, "30", `{"ok":false,"error":"ratelimited"}`)
	f.Add(404, "", `{"ok":false,"error":"used_url"}`)
	f.Add(500, "", "<html>"+bot+"</html>")
	f.Add(400, "x", "invalid_payload")
	f.Fuzz(func(t *testing.T, status int, after, body string) {
		client := slackapi.New(slackapi.Config{Token: guard.NewSecret(bot), Transport: canned{status: status, after: after, body: body}})
		for call, err := range every(t.Context(), client) {
			if err == nil {
				if status != http.StatusOK {
					t.Errorf("%s takes a status of %d for a yes", call, status)
				}
				continue
			}
			known, ok := errors.AsType[*guard.Error](err)
			if !ok || known.Message == "" || known.Remedy == "" || known.RetryAfter < 0 {
				t.Errorf("%s: %#v, want an error for people", call, err)
			}
			const longest = 400
			if text := err.Error(); len(text) > longest || strings.Contains(text, bot) || strings.Contains(text, "capability") {
				t.Errorf("%s: the error quotes too much: %q", call, text)
			}
		}
	})
}
