package edge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

const (
	// mebibyte is the limit, written out: a test that used the constant would follow it wherever it goes.
	mebibyte = 1_048_576
	// cause stands for what the log may know and a caller may not.
	cause = "dial tcp 10.0.0.7: refused"
)

func diff(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestReadBody(t *testing.T) {
	broken := errors.New(cause)
	tests := map[string]struct {
		body io.Reader
		size int
		kind guard.Kind
	}{
		"empty":                 {strings.NewReader(""), 0, ""},
		"exactly the limit":     {bytes.NewReader(make([]byte, mebibyte)), mebibyte, ""},
		"one byte more":         {bytes.NewReader(make([]byte, mebibyte+1)), 0, guard.TooLarge},
		"breaks off":            {io.MultiReader(strings.NewReader("{"), iotest.ErrReader(broken)), 0, guard.Invalid},
		"breaks off too late":   {io.MultiReader(bytes.NewReader(make([]byte, mebibyte+1)), iotest.ErrReader(broken)), 0, guard.TooLarge},
		"breaks off at its end": {io.MultiReader(bytes.NewReader(make([]byte, mebibyte)), iotest.ErrReader(broken)), 0, guard.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			body, err := edge.ReadBody(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", tt.body))
			diff(t, guard.KindOf(err), tt.kind)
			diff(t, len(body), tt.size)
			if tt.kind != guard.Invalid {
				return
			}
			if known := guard.AsError(err); !errors.Is(err, broken) || strings.Contains(known.Message+known.Remedy, cause) {
				t.Errorf("got %+v, want the cause for the log alone", known)
			}
		})
	}
}

func TestWithinLimit(t *testing.T) {
	for size, kind := range map[int]guard.Kind{0: "", mebibyte: "", mebibyte + 1: guard.TooLarge} {
		if err := edge.WithinLimit(make([]byte, size)); guard.KindOf(err) != kind {
			t.Errorf("%d bytes: got %v, want an error of kind %q", size, err, kind)
		}
	}
}

func TestShield(t *testing.T) {
	refused := &guard.Error{Kind: guard.Forbidden, Message: "No."}
	tests := map[string]struct {
		do   func() (string, error)
		want string
		kind guard.Kind
		says string
	}{
		"a result":                {func() (string, error) { return "done", nil }, "done", "", ""},
		"an error":                {func() (string, error) { return "half", refused }, "half", guard.Forbidden, "No."},
		"a panic":                 {func() (string, error) { panic("boom") }, "", guard.Internal, "panic: boom\ngoroutine "},
		"a panic with an error":   {func() (string, error) { panic(refused) }, "", guard.Internal, "panic: No.\ngoroutine "},
		"a panic about the clock": {func() (string, error) { panic(context.Canceled) }, "", guard.Internal, "panic: context canceled\ngoroutine "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := edge.Shield(tt.do)
			diff(t, got, tt.want)
			diff(t, guard.KindOf(err), tt.kind)
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want an error that says %q", err, tt.says)
			}
		})
	}
}

// TestRefuse holds what each kind of error is over HTTP, and how loudly it is logged.
func TestRefuse(t *testing.T) {
	tests := map[string]struct {
		kind   guard.Kind
		status int
		// bearer says that the answer asks for a token, and retry that it says when to come again.
		bearer, retry bool
		level         string
	}{
		"invalid":         {guard.Invalid, 400, false, false, "INFO"},
		"unauthenticated": {guard.Unauthenticated, 401, true, false, "INFO"},
		"forbidden":       {guard.Forbidden, 403, false, false, "INFO"},
		"not found":       {guard.NotFound, 404, false, false, "INFO"},
		"not allowed":     {guard.NotAllowed, 405, false, false, "INFO"},
		"too large":       {guard.TooLarge, 413, false, false, "INFO"},
		"throttled":       {guard.Throttled, 429, false, true, "INFO"},
		"credentials":     {guard.Credentials, 502, false, false, "ERROR"},
		"upstream":        {guard.Upstream, 502, false, false, "ERROR"},
		"unavailable":     {guard.Unavailable, 503, false, true, "ERROR"},
		"internal":        {guard.Internal, 500, false, false, "ERROR"},
		"no kind":         {"", 500, false, false, "ERROR"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			recorder := httptest.NewRecorder()
			edge.Refuse(t.Context(), recorder, slog.New(slog.NewJSONHandler(&log, nil)), &guard.Error{
				Kind: tt.kind, Message: "What happened.", Remedy: "What to do.", RetryAfter: time.Minute, Err: errors.New(cause),
			}, slog.String("path", "/hooks/okta"))

			want := http.Header{"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}}
			if tt.bearer {
				want.Set("WWW-Authenticate", "Bearer")
			}
			if tt.retry {
				want.Set("Retry-After", "60")
			}
			diff(t, recorder.Code, tt.status)
			diff(t, recorder.Header(), want)
			diff(t, decode(t, recorder.Body.Bytes()), map[string]any{
				"type": "about:blank", "title": http.StatusText(tt.status), "status": float64(tt.status),
				"detail": "What happened.", "remedy": "What to do.",
			})

			line := decode(t, log.Bytes())
			delete(line, "time")
			diff(t, line, map[string]any{
				"level": tt.level, "msg": "The call was answered with a problem.", "status": float64(tt.status),
				"path": "/hooks/okta", "error": "What happened. (" + cause + ")",
			})
		})
	}
}

func decode(t *testing.T, data []byte) (value map[string]any) {
	t.Helper()
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	return value
}

func TestProblemSaysWhenToComeAgain(t *testing.T) {
	tests := map[string]struct {
		wait time.Duration
		want string
	}{
		"unknown":             {0, ""},
		"in the past":         {-time.Second, ""},
		"a moment":            {time.Nanosecond, "1"},
		"a whole second":      {time.Second, "1"},
		"a little more":       {time.Second + time.Nanosecond, "2"},
		"as long as there is": {math.MaxInt64, "9223372037"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []guard.Kind{guard.Throttled, guard.Unavailable} {
				_, headers, _ := edge.Problem(&guard.Error{Kind: kind, RetryAfter: tt.wait})
				got, ok := headers["Retry-After"]
				if got != tt.want || ok != (tt.want != "") {
					t.Errorf("%s: got %q, want %q", kind, headers, tt.want)
				}
			}
		})
	}
}

// TestProblemOfAStranger makes sure of an error that nobody made for the eyes of callers.
func TestProblemOfAStranger(t *testing.T) {
	status, _, body := edge.Problem(errors.New(cause))
	diff(t, status, http.StatusInternalServerError)
	diff(t, string(body), `{"type":"about:blank","title":"Internal Server Error","status":500,`+
		`"detail":"Something went wrong inside Keyreeve.","remedy":"Look in the function's log."}`)
}

func TestProblemWithoutARemedy(t *testing.T) {
	_, _, body := edge.Problem(edge.NoSuchPath())
	diff(t, string(body), `{"type":"about:blank","title":"Not Found","status":404,"detail":"There is nothing at this path."}`)
}

func TestAnswer(t *testing.T) {
	tests := map[string]struct {
		status      int
		contentType string
		body        string
		want        http.Header
	}{
		"with a body":    {http.StatusCreated, "application/scim+json", "{}", http.Header{"Content-Type": {"application/scim+json"}, "Cache-Control": {"no-store"}}},
		"without a body": {http.StatusNoContent, "", "", http.Header{"Cache-Control": {"no-store"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			edge.Answer(recorder, tt.status, tt.contentType, []byte(tt.body))
			diff(t, recorder.Code, tt.status)
			diff(t, recorder.Header(), tt.want)
			diff(t, recorder.Body.String(), tt.body)
		})
	}
}
