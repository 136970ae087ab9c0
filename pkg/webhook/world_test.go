package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/bus"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/edge"
	"keyreeve/pkg/edge/edgetest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/identity"
	"keyreeve/pkg/ledger"
	"keyreeve/pkg/signature"
	"keyreeve/pkg/signature/signaturetest"
	"keyreeve/pkg/webhook"
)

func noon() time.Time { return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) }

// secrets returns a sender's secrets as they are configured: the newest, and the one before it.
func secrets(name string) (newest, older string) {
	if name == "standard" {
		return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	}
	return "the newest secret of " + name, "the secret before it of " + name
}

// world is a door with all that stands behind it: the real bus before a stand-in for EventBridge, and the real ledger.
type world struct {
	door *webhook.Door
	bus  bustest.Bus
	// refuse tells which calls of EventBridge fail, by what they say. May be nil.
	refuse func(body string) bool
	log    edgetest.Log
	now    time.Time

	mu     sync.Mutex
	asked  int // how often the ledger or the identity map was
	events *httptest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: noon()}
	w.events = httptest.NewServer(w)
	t.Cleanup(w.events.Close)
	memory, err := ledger.OpenBolt(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), w.clock)
	if err != nil {
		t.Fatal(err)
	}
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	w.door = newDoor(w.clock, newBus(w.events.URL, transport, w.clock), &askedMemory{w, memory}, nil, &w.log)
	w.know(t, nil)
	return w
}

func (w *world) clock() time.Time { return w.now }

// ServeHTTP is EventBridge.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || w.refuse != nil && w.refuse(string(body)) {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.bus.ServeHTTP(rw, r)
}

func newBus(endpoint string, transport http.RoundTripper, clock func() time.Time) *bus.Bus {
	return bus.New(bus.Config{
		Name: "keyreeve", Region: "eu-central-1", Endpoint: endpoint, Transport: transport, Clock: clock,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "private", ""),
	})
}

// newDoor returns a door with all senders switched on.
func newDoor(clock func() time.Time, b webhook.Bus, memory edge.Memory, p webhook.People, log io.Writer) *webhook.Door {
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	door := &webhook.Door{
		Verifiers: map[string]*signature.Verifier{}, Desk: webhook.Desk{Bus: b, People: p, Logger: logger},
		Repeats: edge.Repeats{Memory: memory, For: 48 * time.Hour, Clock: clock, Logger: logger}, Clock: clock, Logger: logger,
	}
	for _, name := range webhook.Names() {
		newest, older := secrets(name)
		verifier, err := signature.New(name, []guard.Secret{guard.NewSecret(newest), guard.NewSecret(older)}, clock)
		if err != nil {
			panic(err)
		}
		door.Verifiers[name] = verifier
	}
	return door
}

// people are e-mail addresses by what an identity map calls people: okta:00u1.
type people map[string]string

func newPeople(t *testing.T, p people) *identity.Map {
	t.Helper()
	var items []string
	for person, email := range p {
		items = append(items, person+"="+email)
	}
	m, err := identity.Open(t.Context(), identity.Config{Setting: strings.Join(items, ","), Clock: noon})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// know makes these the people whom the identity map has, and no others.
func (w *world) know(t *testing.T, p people) {
	t.Helper()
	w.door.Desk.People = &askedPeople{w, newPeople(t, p)}
}

// askedPeople and askedMemory count the questions.
type askedPeople struct {
	*world
	webhook.People
}

func (a *askedPeople) Email(ctx context.Context, sender, id string) (string, bool, error) {
	a.count()
	return a.People.Email(ctx, sender, id)
}

type askedMemory struct {
	*world
	edge.Memory
}

func (a *askedMemory) Seen(ctx context.Context, digest string) (bool, error) {
	a.count()
	return a.Memory.Seen(ctx, digest)
}

func (w *world) count() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
}

// answer is what the door says to a call, but for the time.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// serve opens the door, and returns a function that calls it.
func (w *world) serve(t *testing.T) func(method, name string, header http.Header, body []byte) answer {
	t.Helper()
	server := httptest.NewServer(w.door)
	t.Cleanup(server.Close)
	return func(method, name string, header http.Header, body []byte) answer {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/hooks/"+name, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return answer{}
		}
		request.Header = header
		response, err := server.Client().Do(request)
		if err != nil {
			t.Error(err)
			return answer{}
		}
		text, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Error(err)
		}
		response.Header.Del("Date")
		return answer{response.StatusCode, response.Header, string(text)}
	}
}

// signed returns the header by which the sender vouches for a body.
func (w *world) signed(name string, body []byte) http.Header {
	newest, _ := secrets(name)
	return signaturetest.Sign(name, newest, w.now.Add(-time.Second), "msg_1", body)
}

// send posts a genuine message.
func (w *world) send(t *testing.T, name string, body []byte) answer {
	t.Helper()
	return w.serve(t)(http.MethodPost, name, w.signed(name, body), body)
}

func payload(tb testing.TB, file string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// left is the request that switches off the keys of somebody who left.
func left(sender, user, id, at, reason string) guard.Request {
	occurred, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	return guard.Request{
		Action: guard.Deactivate, User: user, Offboarding: true, Reason: reason, Source: sender, ID: id, OccurredAt: occurred,
		Actor: guard.Actor{Kind: guard.System, Name: sender},
	}
}

// digestID stands for the id of a request whose sender has none for the message: it is that of the bytes.
const digestID = "the digest"

// arrived returns what is on the bus, with ids that are digests named so.
func (w *world) arrived() []guard.Request {
	requests := w.bus.Requests()
	for i := range requests {
		requests[i].ID = named(requests[i].ID)
	}
	return requests
}

func named(id string) string {
	if len(id) == 64 && strings.Trim(id, "0123456789abcdef") == "" {
		return digestID
	}
	return id
}

// waiting returns what waits on the bus for the identity map.
func (w *world) waiting() []guard.Unmapped {
	unmapped := slices.Clone(w.bus.Unmapped())
	for i := range unmapped {
		unmapped[i].Request.ID = named(unmapped[i].Request.ID)
	}
	return unmapped
}

// translation is a genuine message and what it means.
type translation struct {
	name     string
	body     []byte
	header   http.Header
	settings webhook.Settings
	people   people
	status   int
	want     []guard.Request
	unmapped []guard.Unmapped
	// says is part of the answer.
	says string
}

// testTranslations sends each of the messages to a door of its own.
func testTranslations(t *testing.T, sender string, tests []translation) {
	t.Helper()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.door.Settings = tc.settings
			w.know(t, tc.people)
			header := w.signed(sender, tc.body)
			maps.Copy(header, tc.header)
			got := w.serve(t)(http.MethodPost, sender, header, tc.body)
			if got.Status != tc.status || !strings.Contains(got.Body, tc.says) {
				t.Errorf("answered %d %s, want %d with %q", got.Status, got.Body, tc.status, tc.says)
			}
			diff(t, "requests", tc.want, w.arrived())
			diff(t, "unmapped", tc.unmapped, w.waiting())
			for _, r := range w.bus.Requests() {
				if err := r.Validate(w.now); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
