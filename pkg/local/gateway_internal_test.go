package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// called sends a call through a gateway with two routes, POST /open/{name}, where nobody is asked who calls, and
// POST /closed/{name}. It returns the event that the function got, and what the console shows. The headers are names,
// each followed by its value.
func called(t *testing.T, path, body string, headers ...string) (event events.APIGatewayV2HTTPRequest, shown string) {
	t.Helper()
	var got []byte
	var out bytes.Buffer
	g := &gateway{
		routes: []route{
			{key: "POST /open/{name}", method: "POST", segments: []string{"open", "{name}"}, function: "Door"},
			{key: "POST /closed/{name}", method: "POST", segments: []string{"closed", "{name}"}, function: "Door", iam: true},
		},
		invoke: func(_ context.Context, _ string, payload []byte) ([]byte, error) {
			got = payload
			return []byte(`{"statusCode":204}`), nil
		},
		console: &console{out: &out},
	}
	server := httptest.NewServer(g)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		request.Header.Add(pair[0], pair[len(pair)-1])
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	server.Close() // waits until the call has been told on the console
	if response.StatusCode != http.StatusNoContent {
		t.Fatalf("got %d, want 204", response.StatusCode)
	}
	if err := json.Unmarshal(got, &event); err != nil {
		t.Fatal(err)
	}
	return event, out.String()
}

func TestGatewayHandsHeadersOn(t *testing.T) {
	t.Parallel()
	event, _ := called(t, "/open/door", "x",
		"X-Hub-Signature-256", "sha256=1", "X-HUB-SIGNATURE-256", "sha256=2",
		"Webhook-Signature", "v1,a= v1,b=", "Content-Type", "application/json; charset=utf-8")
	got := map[string]string{}
	for name, value := range event.Headers {
		if name != strings.ToLower(name) {
			t.Errorf("the header %s is not in lower case", name)
		}
		if !slices.Contains([]string{"host", "user-agent", "x-forwarded-for", "x-forwarded-proto", "accept-encoding"}, name) {
			got[name] = value
		}
	}
	want := map[string]string{
		"x-hub-signature-256": "sha256=1,sha256=2",
		"webhook-signature":   "v1,a= v1,b=",
		"content-type":        "application/json; charset=utf-8",
		"content-length":      "1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

// Where nobody is asked who calls, the Authorization header is the secret of a sender: it is handed on, but neither is
// anybody made of it nor is it shown.
func TestGatewayAsksOnlyWhereTheRouteDoes(t *testing.T) {
	t.Parallel()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("whoever:secret"))
	const signature = "AWS4-HMAC-SHA256 Credential=AKIA1/20261122/eu-central-1/execute-api/aws4_request, SignedHeaders=host, Signature=0"
	tests := []struct{ name, path, authorization, caller, shown string }{
		{"a secret on an open route", "/open/okta", "only-a-secret", "", "POST /open/okta → Door"},
		{"a token on an open route", "/open/scim", "Bearer only-a-secret", "", "POST /open/scim → Door"},
		{"a name on an open route", "/open/okta", basic, "", "POST /open/okta → Door"},
		{"a signature on an open route", "/open/okta", signature, "", "POST /open/okta → Door"},
		{"a name on a closed route", "/closed/x", basic, "whoever", "POST /closed/x as whoever → Door"},
		{"a signature on a closed route", "/closed/x", signature, "AKIA1", "POST /closed/x as AKIA1 → Door"},
		{"a token on a closed route", "/closed/x", "Bearer only-a-secret", "", "POST /closed/x as nobody → Door"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			event, shown := called(t, tt.path, "", "Authorization", tt.authorization)
			if got := event.Headers["authorization"]; got != tt.authorization {
				t.Errorf("the header is %q, want %q", got, tt.authorization)
			}
			caller := ""
			if event.RequestContext.Authorizer != nil {
				_, caller, _ = strings.Cut(event.RequestContext.Authorizer.IAM.CallerID, ":")
			}
			if caller != tt.caller {
				t.Errorf("the caller is %q, want %q", caller, tt.caller)
			}
			if !strings.Contains(shown, tt.shown) || strings.Contains(shown, "secret") {
				t.Errorf("the console shows %q, want %q and no secret", shown, tt.shown)
			}
		})
	}
}

func TestGatewayEncodesBodies(t *testing.T) {
	t.Parallel()
	const body = "{\"name\": \"Zoë\"}\n"
	encoded := base64.StdEncoding.EncodeToString([]byte(body))
	tests := []struct {
		name, contentType, body, want string
		base64                        bool
	}{
		{"JSON", "application/json", body, body, false},
		{"JSON with parameters", "Application/JSON; charset=utf-8", body, body, false},
		{"XML", "application/xml", body, body, false},
		{"JavaScript", "application/javascript", body, body, false},
		{"text", "text/plain", body, body, false},
		{"any text", "text/csv; header=present", body, body, false},
		{"SCIM", "application/scim+json", body, encoded, true},
		{"SCIM with parameters", "application/scim+json; charset=utf-8", body, encoded, true},
		{"CloudEvents", "application/cloudevents+json", body, encoded, true},
		{"form", "application/x-www-form-urlencoded", body, encoded, true},
		{"bytes", "application/octet-stream", body, encoded, true},
		{"no type", "", body, encoded, true},
		{"no type to be understood", "json", body, encoded, true},
		{"no bytes", "application/octet-stream", "", "", false},
		{"no UTF-8 in a text", "application/json", "a\xffb\xc3", "a\ufffdb\ufffd", false},
		{"no UTF-8 in bytes", "application/octet-stream", "a\xffb", base64.StdEncoding.EncodeToString([]byte("a\xffb")), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var headers []string
			if tt.contentType != "" {
				headers = []string{"Content-Type", tt.contentType}
			}
			event, _ := called(t, "/open/door", tt.body, headers...)
			if event.Body != tt.want || event.IsBase64Encoded != tt.base64 {
				t.Errorf("the body is %q, in base64: %v; want %q, %v", event.Body, event.IsBase64Encoded, tt.want, tt.base64)
			}
		})
	}
}

// A function goes by the path as API Gateway hands it over: with its escapes undone, without the query.
func TestGatewayHandsThePathOn(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/open/plain":                   "/open/plain",
		"/open/a%2Bb%40example.com":     "/open/a+b@example.com",
		"/open/a%20b?c=d":               "/open/a b",
		"/open/a%3Fb":                   "/open/a",
		"/open/%7Bproxy%7D":             "/open/{proxy}",
		"/%6Fpen/Upper":                 "/open/Upper",
		"/open/%252F":                   "/open/%2F",
		"/open/Zo%C3%AB":                "/open/Zoë",
		"/open/a;b=c":                   "/open/a;b=c",
		"/open/userName%20eq%20%22a%22": `/open/userName eq "a"`,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			event, _ := called(t, path, "")
			if event.RawPath != want || event.RequestContext.HTTP.Path != want || event.PathParameters["name"] != strings.TrimPrefix(want, "/open/") {
				t.Errorf("got %q, %q and %q, want %q", event.RawPath, event.RequestContext.HTTP.Path, event.PathParameters["name"], want)
			}
		})
	}
}
