package lifecycle_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"keyreeve/pkg/buckets"
	"keyreeve/pkg/bus"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/ledger"
	"keyreeve/pkg/lifecycle"
)

// world is a whole Keyreeve but for its trigger: the real client before the fake API, the real ledger in a file,
// the real bus before a recorder of what was announced.
type world struct {
	*lifecycle.Lifecycle
	api    *ionostest.Server
	ledger string
	log    *bytes.Buffer
	bus    bustest.Bus

	mu    sync.Mutex
	clock time.Time
}

// newWorld has the people of the tests: operator@example.com administers the contract, alice has the given keys.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{api: new(ionostest.Server), clock: time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC), log: new(bytes.Buffer)}
	w.api.Now = w.now
	self := w.api.AddUser(ionostest.User{Email: "keyreeve@example.com", Administrator: true})
	w.api.AddUser(ionostest.User{Email: "operator@example.com", Administrator: true})
	cloud, s3, events := httptest.NewServer(w.api), httptest.NewServer(w.api.S3()), httptest.NewServer(&w.bus)
	for _, server := range []*httptest.Server{cloud, s3, events} {
		t.Cleanup(server.Close)
	}
	w.ledger = filepath.Join(t.TempDir(), "ledger.db")
	memory, err := ledger.OpenBolt(t.Context(), w.ledger, w.now)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ionos.New(ionos.Config{Token: w.api.Token(self.ID), URL: cloud.URL, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewJSONHandler(w.log, nil))
	holders := 0
	w.Lifecycle = &lifecycle.Lifecycle{
		Reader: lifecycle.Reader{
			Users: client, Keys: client, Ledger: memory, Self: client.Self(), Clock: w.now,
			Policy: guard.Policy{DeleteGrace: 720 * time.Hour, EventMaxAge: 24 * time.Hour, MaxChanges: 50},
		},
		Leases: memory, Logger: logger,
		Buckets: buckets.New(buckets.Config{
			Endpoint: s3.URL, Logger: logger, Transport: new(http.Transport), Clock: w.now,
			Credentials: client.KeysWithSecrets,
		}),
		Bus: bus.New(bus.Config{
			Name: "test", Region: "eu-central-1", Endpoint: events.URL, Transport: new(http.Transport), Clock: w.now,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
			}),
		}),
		Holder: func() string {
			w.mu.Lock()
			defer w.mu.Unlock()
			holders++
			return fmt.Sprint("holder ", holders)
		},
	}
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

// The keys of the tests. All but the legacy one are of the newer sort.
const (
	older  = "00000000000000000001"
	newer  = "00000000000000000002"
	off    = "00000000000000000003"
	legacy = "00000000000000000004"
)

// alice adds the user of the tests with the keys, of which off is inactive.
func (w *world) alice(keys ...string) ionostest.User {
	alice := w.api.AddUser(ionostest.User{Email: "alice@example.com"})
	for _, id := range keys {
		age := map[string]int{older: 400, newer: 100, off: 300, legacy: 1500}[id]
		w.api.AddKey(alice.ID, ionostest.Key{ID: id, Active: id != off, Created: w.now().AddDate(0, 0, -age)})
	}
	return alice
}

// active returns which of the user's keys are active, as the API has it.
func (w *world) active(user ionostest.User) map[string]bool {
	states := make(map[string]bool)
	for _, k := range w.api.Keys(user.ID) {
		states[k.ID] = k.Active
	}
	return states
}

// calls counts the calls that the API got with the method.
func (w *world) calls(method string) (n int) {
	for _, call := range w.api.Calls() {
		if call.Method == method {
			n++
		}
	}
	return n
}

// request is a deactivation of alice's keys by a system, at this moment.
func (w *world) request(keys ...string) guard.Request {
	return guard.Request{
		Action: guard.Deactivate, User: "alice@example.com", Keys: keys, Actor: guard.Actor{Kind: guard.System, Name: "hr"},
		ID: "e1", Source: "hr", Reason: "left the company", OccurredAt: w.now(),
	}
}

func (w *world) leaving() guard.Request {
	req := w.request()
	req.Offboarding = true
	return req
}

// deletion is one by an administrator who confirms it.
func (w *world) deletion(keys ...string) guard.Request {
	req := w.request(keys...)
	req.Action, req.Confirm, req.Actor = guard.Delete, keys, operator()
	return req
}

func operator() guard.Actor { return guard.Actor{Kind: guard.Operator, Email: "operator@example.com"} }

// do carries out the request and returns each key's outcome, or the rule that refused it.
func (w *world) do(t *testing.T, req guard.Request) map[string]string {
	t.Helper()
	result, err := w.Do(t.Context(), req)
	if err != nil {
		t.Fatalf("no result: %v", err)
	}
	return said(result)
}

func said(result guard.Result) map[string]string {
	outcomes := make(map[string]string)
	for _, k := range result.Keys {
		outcomes[k.ID] = string(k.Outcome)
		if k.Outcome == guard.Refused {
			outcomes[k.ID] = string(k.Rule)
		}
	}
	return outcomes
}

func (w *world) recall(t *testing.T, user ionostest.User) guard.Memory {
	t.Helper()
	memory, err := w.Ledger.Recall(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	return memory
}
