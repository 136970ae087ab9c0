package webhook_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/edge/edgetest"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/signature/signaturetest"
)

// stuck answers no question within the time that it is given, where it is told to. Else it knows nothing.
type stuck struct{ people, seen, remember bool }

func wait(ctx context.Context, stuck bool) error {
	if stuck {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (s stuck) Email(ctx context.Context, _, _ string) (string, bool, error) {
	return "", false, wait(ctx, s.people)
}

func (s stuck) Seen(ctx context.Context, _ string) (bool, error) { return false, wait(ctx, s.seen) }

func (s stuck) Remember(ctx context.Context, _ string, _ time.Time) error {
	return wait(ctx, s.remember)
}

// TestPatience measures how long a sender waits. Whatever is stuck, the answer comes within three seconds, and the
// requests get to the bus if that is not what is stuck.
func TestPatience(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		stuck  stuck
		bus    string // which calls of the bus are never answered
		takes  time.Duration
		status int
		// requests and unmapped are how many arrive.
		requests, unmapped int
	}{
		{name: "nothing", status: 200, requests: 2, unmapped: 1},
		{name: "memory", stuck: stuck{seen: true}, takes: 500 * time.Millisecond, status: 200, requests: 2, unmapped: 1},
		{name: "identity map", stuck: stuck{people: true}, takes: 500 * time.Millisecond, status: 200, requests: 2, unmapped: 1},
		{name: "both", stuck: stuck{people: true, seen: true}, takes: time.Second, status: 200, requests: 2, unmapped: 1},
		{name: "bus", bus: "Key", takes: 2500 * time.Millisecond, status: 503},
		{name: "everything", stuck: stuck{people: true, seen: true, remember: true}, bus: "Key", takes: 2500 * time.Millisecond, status: 503},
		{name: "announcements", bus: "Finished", takes: 2500 * time.Millisecond, status: 200, requests: 2, unmapped: 1},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var events bustest.Bus
				transport, end := ionostest.Piped(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					r.Body = io.NopCloser(bytes.NewReader(body))
					if tc.bus != "" && strings.Contains(string(body), tc.bus) {
						<-r.Context().Done()
						return
					}
					events.ServeHTTP(w, r)
				}))
				defer end()
				door := newDoor(time.Now, newBus("http://events.invalid", transport, time.Now), tc.stuck, tc.stuck, new(edgetest.Log))
				body := []byte(strings.Replace(string(payload(t, "okta/several.json")), "alice@example.com", "alice", 1))
				got, took := call(t, door, "okta", body)
				if got.Code != tc.status || took != tc.takes {
					t.Errorf("answered %d %s after %s, want %d after %s", got.Code, got.Body, took, tc.status, tc.takes)
				}
				if again := got.Header().Get("Retry-After"); (again == "10") != (tc.status == 503) {
					t.Errorf("Retry-After %q with %d", again, got.Code)
				}
				if len(events.Requests()) != tc.requests || len(events.Unmapped()) != tc.unmapped {
					t.Errorf("%d requests, %d unmapped, want %d, %d", len(events.Requests()), len(events.Unmapped()), tc.requests, tc.unmapped)
				}
			})
		})
	}
}

// TestPatienceWithMemory is about a memory that takes a message and does not say so.
func TestPatienceWithMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var events bustest.Bus
		transport, end := ionostest.Piped(&events)
		defer end()
		door := newDoor(time.Now, newBus("http://events.invalid", transport, time.Now), stuck{remember: true}, newPeople(t, nil), new(edgetest.Log))
		got, took := call(t, door, "okta", payload(t, "okta/deactivate.json"))
		if got.Code != http.StatusOK || took != 2500*time.Millisecond || len(events.Requests()) != 1 {
			t.Errorf("answered %d after %s with %d requests, want 200 after 2.5s with one", got.Code, took, len(events.Requests()))
		}
	})
}

// call hands a genuine message to the door and measures the time.
func call(t *testing.T, door http.Handler, name string, body []byte) (*httptest.ResponseRecorder, time.Duration) {
	t.Helper()
	newest, _ := secrets(name)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/"+name, strings.NewReader(string(body)))
	request.Header = signaturetest.Sign(name, newest, time.Now(), "msg_1", body)
	recorder, start := httptest.NewRecorder(), time.Now()
	door.ServeHTTP(recorder, request)
	return recorder, time.Since(start)
}
