package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keyreeve/pkg/bus"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/ledger"
	"keyreeve/pkg/scim"
	"keyreeve/pkg/signature"
)

// world is a provider with all that is behind it: the real client before the fake API, the real ledger in a file, the real
// bus before a recorder of what was published.
type world struct {
	*scim.Provider
	api        *ionostest.Server
	bus        bustest.Bus
	ledger     *ledger.Bolt
	ledgerFile string
	client     *http.Client
	address    string
	log        *bytes.Buffer

	mu    sync.Mutex
	clock time.Time
}

const token = "the-bearer-token-of-the-tests"

// newWorld returns one that listens on the loopback.
func newWorld(tb testing.TB) *world {
	tb.Helper()
	return newWorldOn(tb, func(handler http.Handler) (*http.Transport, string) {
		server := httptest.NewServer(handler)
		tb.Cleanup(server.Close)
		return new(http.Transport), server.URL
	})
}

// newPipedWorld returns one that speaks HTTP through pipes, for tests inside a bubble of testing/synctest.
func newPipedWorld(tb testing.TB) *world {
	tb.Helper()
	return newWorldOn(tb, func(handler http.Handler) (*http.Transport, string) {
		transport, end := ionostest.Piped(handler)
		tb.Cleanup(end)
		return transport, "http://piped.test"
	})
}

func newWorldOn(tb testing.TB, listen func(http.Handler) (*http.Transport, string)) *world {
	tb.Helper()
	w := &world{
		api: &ionostest.Server{Unlimited: true}, clock: time.Date(2026, time.November, 22, 12, 0, 0, 250, time.UTC),
		ledgerFile: filepath.Join(tb.TempDir(), "ledger.db"), log: new(bytes.Buffer),
	}
	var err error
	if w.ledger, err = ledger.OpenBolt(tb.Context(), w.ledgerFile, w.now); err != nil {
		tb.Fatal(err)
	}
	cloud, cloudAddress := listen(w.api)
	events, eventsAddress := listen(&w.bus)
	self := w.api.AddUser(ionostest.User{ID: "0a9dc0de-0000-4000-8000-000000000000", Email: "keyreeve@example.com", Administrator: true})
	users, err := ionos.New(ionos.Config{Token: w.api.Token(self.ID), URL: cloudAddress, Transport: cloud, Clock: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	verifier, err := signature.New("scim", []guard.Secret{guard.NewSecret(token)}, w.now)
	if err != nil {
		tb.Fatal(err)
	}
	w.Provider = &scim.Provider{
		Verify: func(header http.Header, body []byte) error {
			_, err := verifier.Verify(header, body)
			return err
		},
		Users: users, Memory: w.ledger, Clock: w.now, Logger: slog.New(slog.NewJSONHandler(w.log, nil)),
		Bus: bus.New(bus.Config{
			Name: "test", Region: "eu-central-1", Endpoint: eventsAddress, Transport: events, Clock: w.now,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
			}),
		}),
	}
	transport, address := listen(w.Provider)
	w.client, w.address = &http.Client{Transport: transport}, address
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// The people of the tests.
const (
	aliceID = "a11ce000-0000-4000-8000-000000000001"
	bobID   = "b0b00000-0000-4000-8000-000000000002"
	carolID = "ca201000-0000-4000-8000-000000000003"
	daveID  = "da7e0000-0000-4000-8000-000000000004"
	erinID  = "e2190000-0000-4000-8000-000000000005"
	unknown = "ffffffff-0000-4000-8000-00000000000f"
)

// people adds alice, who works, with a key that SCIM switched off; bob, who cannot log in; carol, who left, of whose keys
// SCIM switched one off and an operator another; dave, who left and got the key of SCIM's back, and another was switched
// off since; and erin, who left, has no name and no keys.
func (w *world) people(tb testing.TB) {
	tb.Helper()
	for _, user := range []ionostest.User{
		{ID: erinID, Email: "erin@example.com"},
		{ID: aliceID, Email: "Alice@Example.com", FirstName: "Alice", LastName: "Ångström", Created: time.Date(2025, time.March, 1, 9, 30, 0, 0, time.UTC)},
		{ID: bobID, Email: "bob@example.com", FirstName: "Bob", LastName: `"Bobby" (B)`, Inactive: true},
		{ID: carolID, Email: "carol@example.com", FirstName: "Carol", LastName: "Active"},
		{ID: daveID, Email: "dave@example.com", FirstName: "Dave"},
	} {
		w.api.AddUser(user)
	}
	w.api.AddKey(aliceID, ionostest.Key{ID: "00a1", Active: true})
	w.api.AddKey(aliceID, ionostest.Key{ID: "00a2"})
	w.api.AddKey(carolID, ionostest.Key{ID: "00c1"})
	w.api.AddKey(carolID, ionostest.Key{ID: "00c2"})
	w.api.AddKey(daveID, ionostest.Key{ID: "00d1"})
	w.api.AddKey(daveID, ionostest.Key{ID: "00d2", Active: true})
	for _, id := range []string{carolID, daveID, erinID} {
		w.offboard(tb, id)
	}
	w.switchedOff(tb, aliceID, "00a2", "scim")
	w.switchedOff(tb, carolID, "00c1", "scim")
	w.switchedOff(tb, carolID, "00c2", "api")
	w.switchedOff(tb, daveID, "00d1", "api")
	w.switchedOff(tb, daveID, "00d2", "scim") // And on again in the console.
}

// switchedOff has the ledger remember that a key was switched off.
func (w *world) switchedOff(tb testing.TB, id, key, source string) {
	tb.Helper()
	change := guard.Change{Action: guard.Deactivate, At: w.now(), OccurredAt: w.now(), Source: source}
	if err := w.ledger.Record(tb.Context(), id, guard.Memory{Changes: map[string]guard.Change{key: change}}); err != nil {
		tb.Fatal(err)
	}
}

// offboard has the ledger remember that the user left.
func (w *world) offboard(tb testing.TB, id string) {
	tb.Helper()
	if err := w.ledger.Record(tb.Context(), id, guard.Memory{OffboardedAt: w.now()}); err != nil {
		tb.Fatal(err)
	}
}

// response is what a call was answered with.
type response struct {
	status int
	header http.Header
	body   string
}

// call calls as the sender does.
func (w *world) call(t *testing.T, method, path, body string) response {
	t.Helper()
	return w.callAs(t, http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/scim+json; charset=utf-8"}}, method, path, body)
}

func (w *world) callAs(t *testing.T, header http.Header, method, path, body string) response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, w.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	got, err := w.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{got.StatusCode, got.Header, string(text)}
}

// wantError checks that the answer is an error of the protocol.
func (r response) wantError(t *testing.T, status int, scimType string) {
	t.Helper()
	var got struct {
		Schemas  []string `json:"schemas"`
		Status   string   `json:"status"`
		ScimType string   `json:"scimType"`
		Detail   string   `json:"detail"`
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		t.Fatalf("status %d, and no error of SCIM: %v in %s", r.status, err, r.body)
	}
	diff(t, "schemas", []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, got.Schemas)
	if r.status != status || got.Status != strconv.Itoa(status) || got.ScimType != scimType || got.Detail == "" {
		t.Errorf("got %d %s, want %d with %q", r.status, r.body, status, scimType)
	}
	r.wantType(t)
}

func (r response) wantType(t *testing.T) {
	t.Helper()
	if got := r.header.Get("Content-Type"); got != "application/scim+json" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
}

// wantJSON checks the status and the whole body, which is JSON or empty.
func (r response) wantJSON(t *testing.T, status int, want string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d: %s", r.status, status, r.body)
	}
	r.wantType(t)
	if want == "" || r.body == "" {
		diff(t, "body", want, r.body)
		return
	}
	diff(t, "body", decoded(t, want), decoded(t, r.body))
}

func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// published returns the requests that are on the bus, once it has checked them: they are valid, of now, and each has an
// id of its own.
func (w *world) published(t *testing.T) []guard.Request {
	t.Helper()
	requests := w.bus.Requests()
	ids := make(map[string]bool)
	for i, r := range requests {
		if err := r.Validate(w.now()); err != nil || ids[r.ID] || len(r.ID) != 64 || r.OccurredAt.After(w.now()) {
			t.Errorf("published %+v: %v", r, err)
		}
		ids[r.ID] = true
		requests[i].ID, requests[i].OccurredAt = "", time.Time{}
	}
	return requests
}

func (w *world) wantPublished(t *testing.T, want ...guard.Request) {
	t.Helper()
	if d := cmp.Diff(want, w.published(t), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("published (-want +got):\n%s", d)
	}
}

// offboarding is that of alice.
func offboarding(reason string) guard.Request {
	return guard.Request{
		Action: guard.Deactivate, User: aliceID, Reason: reason, Actor: guard.Actor{Kind: guard.System, Name: "scim"}, Source: "scim", Offboarding: true,
	}
}

func activation(id string, keys ...string) guard.Request {
	return guard.Request{
		Action: guard.Activate, User: id, Keys: keys, Reason: "activated by the identity provider (SCIM)", Actor: guard.Actor{Kind: guard.System, Name: "scim"},
		Source: "scim", Override: []guard.Rule{guard.Offboarded},
	}
}

const (
	deactivated = "deactivated by the identity provider (SCIM)"
	deleted     = "deleted by the identity provider (SCIM)"
)

// The users as they are to be shown.
const (
	aliceShown = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"` + aliceID + `","userName":"Alice@Example.com",
		"name":{"formatted":"Alice Ångström","givenName":"Alice","familyName":"Ångström"},"displayName":"Alice Ångström",
		"emails":[{"value":"Alice@Example.com","type":"work","primary":true}],"active":true,
		"meta":{"resourceType":"User","created":"2025-03-01T09:30:00Z","location":"/scim/v2/Users/` + aliceID + `"}}`
	nobodyFound = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}`
)

// aliceLeft is alice as she is shown once she has left.
func aliceLeft() string { return strings.Replace(aliceShown, `"active":true`, `"active":false`, 1) }

// found is a list of one.
func found(shown string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"startIndex":1,"itemsPerPage":1,"Resources":[` + shown + `]}`
}
