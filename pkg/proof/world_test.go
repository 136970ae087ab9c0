package proof_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
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

// world is all that Keyreeve meets: the fake IONOS API, a ledger in a file, and a bus that notes what is announced.
type world struct {
	t    *testing.T
	api  *ionostest.Server
	self ionostest.User
	// cloud, storage and events lead to the Cloud API, to Object Storage and to EventBridge.
	cloud, storage, events http.RoundTripper
	ledgerFile             string
	clock                  func() time.Time
	log                    *bytes.Buffer
	logger                 *slog.Logger

	// bus has what was announced.
	bus bustest.Bus

	mu      sync.Mutex
	holders int
}

// ledgerCalls is all that a lifecycle asks of a ledger.
type ledgerCalls interface {
	lifecycle.Leases
	lifecycle.Ledger
}

// newWorld must be called in a bubble. Its people: keyreeve@example.com, whom Keyreeve runs as, and
// operator@example.com; both administer the contract.
func newWorld(t *testing.T) *world {
	t.Helper()
	<-time.After(time.Until(time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC))) // A bubble begins in 2000.
	w := &world{t: t, api: &ionostest.Server{Now: time.Now}, clock: time.Now, log: new(bytes.Buffer), ledgerFile: filepath.Join(t.TempDir(), "ledger.db")}
	w.logger = slog.New(slog.NewJSONHandler(w.log, nil))
	w.self = w.api.AddUser(ionostest.User{Email: "keyreeve@example.com", Administrator: true})
	w.api.AddUser(ionostest.User{Email: "operator@example.com", Administrator: true})
	w.cloud, w.storage, w.events = serve(t, w.api), serve(t, w.api.S3()), serve(t, &w.bus)
	return w
}

// process is what one running function consists of, but for its trigger. Each has clients and a holder's name of its
// own, as each process of a function has.
func (w *world) process() *lifecycle.Lifecycle {
	w.t.Helper()
	client, err := ionos.New(ionos.Config{
		Token: w.api.Token(w.self.ID), URL: "http://ionos.example" + ionostest.BasePath, Transport: w.cloud, Clock: w.clock, Logger: w.logger,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	memory := w.ledger()
	return &lifecycle.Lifecycle{
		Reader: lifecycle.Reader{
			Users: client, Keys: client, Ledger: memory, Self: client.Self(), Clock: w.clock,
			Policy: guard.Policy{DeleteGrace: 720 * time.Hour, EventMaxAge: 24 * time.Hour, MaxChanges: 50},
		},
		Leases: memory, Logger: w.logger, Holder: w.holder,
		Buckets: buckets.New(buckets.Config{
			Endpoint: "http://storage.example", Logger: w.logger, Transport: w.storage, Clock: time.Now, Credentials: client.KeysWithSecrets,
		}),
		Bus: bus.New(bus.Config{
			Name: "proof", Region: "eu-central-1", Endpoint: "http://events.example", Transport: w.events, Clock: w.clock,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
			}),
		}),
	}
}

func (w *world) ledger() ledgerCalls {
	w.t.Helper()
	memory, err := ledger.OpenBolt(w.t.Context(), w.ledgerFile, w.clock)
	if err != nil {
		w.t.Fatal(err)
	}
	return memory
}

func (w *world) holder() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holders++
	return fmt.Sprint("holder ", w.holders)
}

// serve lets the handler answer HTTP in memory until the test ends, and returns the transport that leads to it.
func serve(t *testing.T, handler http.Handler) *http.Transport {
	t.Helper()
	transport, end := ionostest.Piped(handler)
	t.Cleanup(end)
	return transport
}

// The keys of the tests, by age. The legacy one opens user-owned buckets only.
const (
	legacy = "00000000000000000001"
	older  = "00000000000000000002"
	newer  = "00000000000000000003"
	off    = "00000000000000000004"
)

// alice adds the user of the tests with the keys, of which off is inactive.
func (w *world) alice(keys ...string) ionostest.User {
	alice := w.api.AddUser(ionostest.User{Email: "alice@example.com"})
	for _, id := range keys {
		age := map[string]int{legacy: 1500, older: 400, newer: 100, off: 300}[id]
		w.api.AddKey(alice.ID, ionostest.Key{ID: id, Active: id != off, Created: time.Now().AddDate(0, 0, -age)})
	}
	return alice
}

// states returns which of the user's keys are active, as the API has it.
func (w *world) states(user ionostest.User) map[string]bool {
	states := make(map[string]bool)
	for _, k := range w.api.Keys(user.ID) {
		states[k.ID] = k.Active
	}
	return states
}
