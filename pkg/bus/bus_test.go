package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"keyreeve/pkg/bus"
	"keyreeve/pkg/guard"
)

const (
	keyID   = "AKIDEXAMPLE"
	private = "the-private-half"
	session = "the-session-part"
)

func noon() time.Time { return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) }

// putEvents is the body of a PutEvents call, with every member that EventBridge knows.
type putEvents struct {
	Entries []entry `json:"Entries"`
}

type entry struct {
	EventBusName string          `json:"EventBusName"`
	Source       string          `json:"Source"`
	DetailType   string          `json:"DetailType"`
	Detail       string          `json:"Detail"`
	Time         json.RawMessage `json:"Time"`
	Resources    []string        `json:"Resources"`
	TraceHeader  string          `json:"TraceHeader"`
}

// call is one PutEvents call as it came in.
type call struct {
	header  http.Header
	entries []entry
}

// eventBridge is as much of EventBridge as PutEvents shows: it takes every entry, unless answer says otherwise.
type eventBridge struct {
	*httptest.Server
	// answer returns a whole answer to the nth call, or an empty body for the usual one. May be nil.
	answer func(n int, c call) (status int, body string)
	// refuse returns the error code of an entry of the nth call, or "" to take it. May be nil.
	refuse func(n int, e entry) string

	mu    sync.Mutex
	calls []call
	taken []entry
}

func newEventBridge(t *testing.T) *eventBridge {
	t.Helper()
	e := new(eventBridge)
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *eventBridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	var in putEvents
	if err := decoder.Decode(&in); err != nil || r.Method != http.MethodPost || r.URL.Path != "/" {
		http.Error(w, fmt.Sprintf("%s %s: %v", r.Method, r.URL, err), http.StatusNotImplemented)
		return
	}
	c := call{r.Header, in.Entries}
	e.calls = append(e.calls, c)
	n := len(e.calls)

	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if e.answer != nil {
		if status, body := e.answer(n, c); body != "" {
			w.WriteHeader(status)
			if _, err := io.WriteString(w, body); err != nil {
				panic(err)
			}
			return
		}
	}
	type result struct {
		EventID      string `json:"EventId,omitempty"`
		ErrorCode    string `json:"ErrorCode,omitempty"`
		ErrorMessage string `json:"ErrorMessage,omitempty"`
	}
	var out struct {
		FailedEntryCount int      `json:"FailedEntryCount"`
		Entries          []result `json:"Entries"`
	}
	for _, entry := range in.Entries {
		var code string
		if e.refuse != nil {
			code = e.refuse(n, entry)
		}
		if code != "" {
			out.FailedEntryCount++
			out.Entries = append(out.Entries, result{ErrorCode: code, ErrorMessage: "not taken: " + entry.Detail})
			continue
		}
		e.taken = append(e.taken, entry)
		out.Entries = append(out.Entries, result{EventID: fmt.Sprint("event-", len(e.taken))})
	}
	if err := json.NewEncoder(w).Encode(out); err != nil {
		panic(err)
	}
}

// bus returns a client of e.
func (e *eventBridge) bus(t *testing.T) *bus.Bus {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return newBus(e.URL, transport)
}

func newBus(endpoint string, transport http.RoundTripper) *bus.Bus {
	return bus.New(bus.Config{
		Name:        "keyreeve-bus",
		Region:      "eu-central-1",
		Endpoint:    endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(keyID, private, session),
		Transport:   transport,
		Clock:       noon,
	})
}

// sizes returns the number of entries of each call.
func (e *eventBridge) sizes() []int {
	sizes := make([]int, len(e.calls))
	for i, c := range e.calls {
		sizes[i] = len(c.entries)
	}
	return sizes
}

// ids returns the ids of the requests that were taken, in order.
func (e *eventBridge) ids(t *testing.T) []string {
	t.Helper()
	ids := make([]string, len(e.taken))
	for i, entry := range e.taken {
		var request guard.Request
		if err := json.Unmarshal([]byte(entry.Detail), &request); err != nil {
			t.Fatal(err)
		}
		ids[i] = request.ID
	}
	return ids
}

func TestAnnounceOnTheWire(t *testing.T) {
	t.Parallel()
	e := newEventBridge(t)
	err := e.bus(t).Announce(t.Context(), guard.Finished{
		Result: guard.Result{
			ID: "evt-1", Action: guard.Deactivate, User: guard.User{ID: "u-1", Email: "alice@example.com", Administrator: true},
			Keys: []guard.KeyResult{{ID: "00e1", Outcome: guard.Changed}},
		},
		Actor: guard.Actor{Kind: guard.System, Name: "hr"}, Reason: "left <the> company", Source: "okta", OccurredAt: noon().Add(-time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []entry{{
		EventBusName: "keyreeve-bus", Source: "keyreeve", DetailType: "Key Operation Finished",
		Detail: `{"id":"evt-1","action":"deactivate","user":{"id":"u-1","email":"alice@example.com"},"dryRun":false,` +
			`"keys":[{"id":"00e1","outcome":"changed","active":false}],"actor":{"kind":"system","name":"hr"},` +
			`"reason":"left \u003cthe\u003e company","source":"okta","occurredAt":"2026-11-22T11:00:00Z"}`,
		Time: json.RawMessage(fmt.Sprint(noon().Unix())),
	}}
	if diff := cmp.Diff(want, e.taken); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	header := e.calls[0].header
	for name, want := range map[string]string{
		"Content-Type":         "application/x-amz-json-1.1",
		"X-Amz-Target":         "AWSEvents.PutEvents",
		"X-Amz-Security-Token": session,
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	authorization := header.Get("Authorization")
	if !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential="+keyID+"/") || !strings.Contains(authorization, "/eu-central-1/events/aws4_request") {
		t.Errorf("Authorization = %q, want a signature for EventBridge in eu-central-1", authorization)
	}
}

func TestPublishOnTheWire(t *testing.T) {
	t.Parallel()
	e := newEventBridge(t)
	want := guard.Request{
		Action: guard.Delete, User: "alice@example.com", Keys: []string{"00e1"}, Actor: guard.Actor{Kind: guard.Operator, Email: "olga@example.com"},
		ID: "evt-1", OccurredAt: noon(), Confirm: []string{"00e1"}, ReplyTo: guard.ReplyTo{Slack: "https://hooks.slack.com/x"},
	}
	if err := e.bus(t).Publish(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	var got guard.Request
	if err := json.Unmarshal([]byte(e.taken[0].Detail), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if got := e.taken[0].DetailType; got != "Key Operation Requested" {
		t.Errorf("detail type %q, want Key Operation Requested", got)
	}
}

func TestPublishUnmappedOnTheWire(t *testing.T) {
	t.Parallel()
	e := newEventBridge(t)
	want := guard.Unmapped{
		Sender: "github", People: []string{"octocat", "583231"},
		Request: guard.Request{Action: guard.Deactivate, Offboarding: true, Source: "github", ID: "evt-1", OccurredAt: noon()},
	}
	if err := e.bus(t).PublishUnmapped(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	var got guard.Unmapped
	if err := json.Unmarshal([]byte(e.taken[0].Detail), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if got := e.taken[0].DetailType; got != "Key Operation Unmapped" {
		t.Errorf("detail type %q, want Key Operation Unmapped", got)
	}
}

func TestPublishChatOnTheWire(t *testing.T) {
	t.Parallel()
	e := newEventBridge(t)
	if err := e.bus(t).PublishChat(t.Context(), map[string]string{"text": "help"}); err != nil {
		t.Fatal(err)
	}
	if got := e.taken[0]; got.DetailType != "Chat Message Received" || got.Source != "keyreeve" || got.Detail != `{"text":"help"}` {
		t.Errorf("the event is %+v", got)
	}
}

func TestPublishNothingCallsNobody(t *testing.T) {
	t.Parallel()
	e := newEventBridge(t)
	if err := e.bus(t).Publish(t.Context()); err != nil || len(e.calls) != 0 {
		t.Errorf("Publish() = %v after %d calls, want nil after none", err, len(e.calls))
	}
}

// However large the requests are and however many: all arrive, in order, in calls that EventBridge takes.
func TestPublishSplits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		e := newEventBridge(t)
		defer e.Close()
		var requests []guard.Request
		var want []string
		for i, size := range rapid.SliceOfN(rapid.IntRange(0, 100_000), 1, 25).Draw(rt, "sizes") {
			id := fmt.Sprint("evt-", i)
			want = append(want, id)
			requests = append(requests, guard.Request{ID: id, Reason: strings.Repeat("x", size)})
		}
		if err := e.bus(t).Publish(t.Context(), requests...); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, e.ids(t)); diff != "" {
			rt.Errorf("requests (-want +got):\n%s", diff)
		}
		for i, c := range e.calls {
			size := 0
			for _, entry := range c.entries {
				size += 14 + len(entry.Source) + len(entry.DetailType) + len(entry.Detail)
			}
			if len(c.entries) > 10 || size > 256*1024 {
				rt.Errorf("call %d has %d entries of %d bytes, want at most 10 and 256 KB", i, len(c.entries), size)
			}
		}
	})
}

func TestTooLargeIsInvalidAndNothingIsSent(t *testing.T) {
	t.Parallel()
	e := newEventBridge(t)
	small := guard.Request{ID: "evt-1"}
	large := guard.Request{ID: "evt-2", Reason: strings.Repeat("x", 256*1024)}
	err := e.bus(t).Publish(t.Context(), small, large)
	if guard.KindOf(err) != guard.Invalid {
		t.Errorf("Publish = %v, want an error of kind invalid", err)
	}
	if err := e.bus(t).Announce(t.Context(), guard.Finished{Reason: large.Reason}); guard.KindOf(err) != guard.Invalid {
		t.Errorf("Announce = %v, want an error of kind invalid", err)
	}
	if len(e.calls) != 0 {
		t.Errorf("%d calls, want none", len(e.calls))
	}
}

func TestRefusedEntriesAreSentAgain(t *testing.T) {
	t.Parallel()
	e := newEventBridge(t)
	e.refuse = func(n int, entry entry) string {
		if n == 1 && strings.Contains(entry.Detail, "evt-1") || n == 2 && strings.Contains(entry.Detail, "evt-11") {
			return "ThrottlingException"
		}
		return ""
	}
	if err := e.bus(t).Publish(t.Context(), numbered(10, 11, 12)...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{3, 3, 1}, e.sizes()); diff != "" {
		t.Errorf("entries a call (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"evt-10", "evt-12", "evt-11"}, e.ids(t)); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

func TestEntriesThatStayRefusedAreCounted(t *testing.T) {
	t.Parallel()
	e := newEventBridge(t)
	e.refuse = func(_ int, entry entry) string {
		if strings.Contains(entry.Detail, "evt-3") || strings.Contains(entry.Detail, "evt-12") {
			return "InternalFailure"
		}
		return ""
	}
	err := e.bus(t).Publish(t.Context(), numbered(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)...)
	wantLost(t, err, "The event bus did not take 2 of 13 events.", "InternalFailure")
	if got := len(e.taken); got != 11 {
		t.Errorf("%d events were taken, want 11", got)
	}
	if diff := cmp.Diff([]int{10, 1, 1, 1, 3, 1, 1, 1}, e.sizes()); diff != "" {
		t.Errorf("entries a call (-want +got):\n%s", diff)
	}
}

func TestCallsThatFail(t *testing.T) {
	t.Parallel()
	fail := func(status int, body string) func(int, call) (int, string) {
		return func(int, call) (int, string) { return status, body }
	}
	for _, test := range []struct {
		name      string
		answer    func(n int, c call) (status int, body string)
		wantCalls int
		wantCause string // empty: no error
	}{
		{"fails once and recovers", func(n int, _ call) (int, string) {
			if n == 1 {
				return http.StatusServiceUnavailable, `{"__type":"ServiceUnavailable"}`
			}
			return 0, ""
		}, 2, ""},
		{"fails for good", fail(http.StatusInternalServerError, `{"__type":"InternalException"}`), 3, "InternalException"},
		{"is throttled", fail(http.StatusBadRequest, `{"__type":"ThrottlingException"}`), 3, "ThrottlingException"},
		{"is denied", fail(http.StatusBadRequest, `{"__type":"com.amazonaws.events#AccessDeniedException"}`), 1, "AccessDeniedException"},
		{"repeats the request", func(_ int, c call) (int, string) {
			message, err := json.Marshal(fmt.Sprint(c.header, c.entries))
			if err != nil {
				panic(err)
			}
			return http.StatusForbidden, fmt.Sprintf(`{"__type":"InvalidSignatureException","message":%s}`, message)
		}, 1, "InvalidSignatureException"},
		{"answers with a page", fail(http.StatusOK, "<html>Welcome</html>"), 1, "cannot be understood"},
		{"answers with nothing", fail(http.StatusOK, "{}"), 1, "0 of 1 entries"},
		{"answers for too many", fail(http.StatusOK, `{"Entries":[{"EventId":"1"},{"EventId":"2"}]}`), 1, "2 of 1 entries"},
		{"says neither yes nor no", fail(http.StatusOK, `{"Entries":[{}]}`), 4, "refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEventBridge(t)
			e.answer = test.answer
			err := e.bus(t).Announce(t.Context(), guard.Finished{Reason: "quite confidential"})
			if test.wantCause == "" {
				if err != nil {
					t.Errorf("Announce: %v", err)
				}
			} else {
				wantLost(t, err, "The event bus did not take 1 of 1 events.", test.wantCause)
			}
			if got := len(e.calls); got != test.wantCalls {
				t.Errorf("%d calls, want %d", got, test.wantCalls)
			}
		})
	}
}

// A redirected call would arrive without its events, and whoever answers it could seem to have taken them.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was called", r.Method, r.URL)
		_, _ = io.WriteString(w, `{"Entries":[{"EventId":"1"}]}`)
	}))
	t.Cleanup(elsewhere.Close)
	e := newEventBridge(t)
	e.Config.Handler = http.RedirectHandler(elsewhere.URL, http.StatusFound)
	wantLost(t, e.bus(t).Publish(t.Context(), numbered(1)...), "The event bus did not take 1 of 1 events.", "302")
}

func TestUnreachableBus(t *testing.T) {
	t.Parallel()
	e := newEventBridge(t)
	b := e.bus(t)
	e.Close()
	wantLost(t, b.Publish(t.Context(), numbered(1, 2)...), "The event bus did not take 2 of 2 events.", "connection refused")
}

// network is one on which the first few calls are not answered.
type network struct{ silent, calls int }

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.calls++; n.calls <= n.silent {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	answer := httptest.NewRecorder()
	_, err := answer.WriteString(`{"Entries":[{"EventId":"1"}]}`)
	return answer.Result(), err
}

func TestSilentBusIsCalledAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if err := newBus("http://bus.test", &network{silent: 1}).Publish(t.Context(), numbered(1)...); err != nil {
			t.Error(err)
		}
	})
}

func TestSilentBusIsWaitedForNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		deadline time.Duration
		min, max time.Duration
	}{
		{"as long as the deadline", time.Second, time.Second, time.Second},
		{"without a near deadline", time.Hour, 3 * time.Second, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
				defer cancel()
				start := time.Now()
				err := newBus("http://bus.test", &network{silent: 1000}).Publish(ctx, numbered(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)...)
				wantLost(t, err, "The event bus did not take 12 of 12 events.", "")
				if waited := time.Since(start); waited < test.min || waited > test.max {
					t.Errorf("waited %s, want %s to %s", waited, test.min, test.max)
				}
			})
		})
	}
}

func numbered(numbers ...int) []guard.Request {
	requests := make([]guard.Request, len(numbers))
	for i, n := range numbers {
		requests[i] = guard.Request{ID: fmt.Sprint("evt-", n), Reason: "quite confidential"}
	}
	return requests
}

// wantLost wants an error that is fit for the log: it has the cause, and neither credentials nor what was sent.
func wantLost(t *testing.T, err error, message, cause string) {
	t.Helper()
	known, ok := errors.AsType[*guard.Error](err)
	if !ok || known.Kind != guard.Unavailable || known.Message != message || known.Remedy == "" || !strings.Contains(err.Error(), cause) {
		t.Errorf("got %v, want an error of kind unavailable: %s (%s)", err, message, cause)
		return
	}
	for _, confidential := range []string{keyID, private, session, "Signature=", "quite confidential"} {
		if strings.Contains(err.Error(), confidential) {
			t.Errorf("the error has %q in it: %v", confidential, err)
		}
	}
}
