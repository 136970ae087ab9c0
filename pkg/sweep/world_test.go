package sweep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/archive"
	"keyreeve/pkg/buckets"
	"keyreeve/pkg/bus"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/edge/edgetest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/ledger"
	"keyreeve/pkg/lifecycle"
	"keyreeve/pkg/report"
	"keyreeve/pkg/sweep"
)

const day = 24 * time.Hour

// tb is a test, or a check of a property in one.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// world is a contract that is swept, with the real clients before the fake API, the real ledger and the real archive in
// files, and the real lifecycle, which carries out what the sweep puts on the bus.
type world struct {
	*sweep.Sweeper
	lifecycle *lifecycle.Lifecycle
	ledger    *ledger.Bolt
	api       *ionostest.Server
	bus       bustest.Bus
	log       edgetest.Log
	// cuts are pages of users that hang.
	cuts cuts
	// hangs says which calls of the bus are never answered.
	hangs   func(body string) bool
	reports string

	mu     sync.Mutex
	clock  time.Time
	names  int
	done   int // requests that were carried out
	warned int // warnings that were delivered
}

// newWorld has no keys yet, and all policies in report mode.
func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{api: new(ionostest.Server), clock: time.Date(2026, time.November, 23, 2, 0, 5, 0, time.UTC), reports: tb.TempDir()}
	w.api.Now, w.api.Unlimited, w.api.Fault = w.now, true, w.cuts.plan
	self := w.api.AddUser(ionostest.User{Email: "keyreeve@example.com", Administrator: true})
	// In memory, so that the simulated time of testing/synctest goes on.
	reach := func(handler http.Handler) http.RoundTripper {
		transport, end := ionostest.Piped(handler)
		tb.Cleanup(end)
		return transport
	}
	var err error
	if w.ledger, err = ledger.OpenBolt(tb.Context(), filepath.Join(tb.TempDir(), "ledger.db"), w.now); err != nil {
		tb.Fatal(err)
	}
	client, err := ionos.New(ionos.Config{Token: w.api.Token(self.ID), URL: "http://ionos", Transport: reach(w.api), Clock: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	policy := guard.Policy{DeleteGrace: 30 * day, EventMaxAge: day, MaxChanges: 50}
	logger := slog.New(slog.NewJSONHandler(&w.log, nil))
	announcements := bus.New(bus.Config{
		Name: "test", Region: "eu-central-1", Endpoint: "http://events", Transport: reach(http.HandlerFunc(w.events)), Clock: w.now,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	folder := archive.NewFolder(w.reports)
	w.Sweeper = &sweep.Sweeper{
		Contract: contract{client}, Ledger: w.ledger, Past: w.ledger, Leases: w.ledger, Archive: folder, Link: folder.Link,
		Bus: announcements, Policy: policy, Self: client.Self(), Unique: w.name, Clock: w.now, Logger: logger,
		Rules: sweep.Rules{MaxKeyAge: 90 * day, MaxShare: 100, Modes: map[guard.SweepPolicy]guard.SweepMode{}},
	}
	w.mode(guard.Report)
	w.lifecycle = &lifecycle.Lifecycle{
		Reader: lifecycle.Reader{Users: client, Keys: client, Ledger: w.ledger, Policy: policy, Self: client.Self(), Clock: w.now},
		Leases: w.ledger, Bus: announcements, Holder: w.name, Logger: logger,
		Buckets: buckets.New(buckets.Config{
			Endpoint: "http://s3", Logger: logger, Transport: reach(w.api.S3()), Clock: w.now, Credentials: client.KeysWithSecrets,
		}),
	}
	return w
}

// events is the bus, as far as it answers.
func (w *world) events(answer http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || w.hangs != nil && w.hangs(string(body)) {
		<-r.Context().Done()
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.bus.ServeHTTP(answer, r)
}

// contract is the client as the sweep wants it.
type contract struct{ *ionos.Client }

func (c contract) UserPage(ctx context.Context, offset int) (users []guard.UserKeys, next int, err error) {
	page, err := c.Client.UserPage(ctx, offset)
	return page.Users, page.Next, err
}

// mode sets the mode of all policies.
func (w *world) mode(mode guard.SweepMode) {
	for _, policy := range guard.SweepPolicies() {
		w.Rules.Modes[policy] = mode
	}
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

func (w *world) name() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names++
	return fmt.Sprint("n", w.names)
}

// user adds a user, with active keys of these ages in days. Those of negative ages are inactive.
func (w *world) user(name string, ages ...int) ionostest.User {
	u := w.api.AddUser(ionostest.User{Email: name + "@example.com"})
	w.keys(u, ages...)
	return u
}

func (w *world) keys(u ionostest.User, ages ...int) {
	for i, age := range ages {
		id := fmt.Sprintf("%s-%d", u.Email[:len(u.Email)-len("@example.com")], i)
		w.api.AddKey(u.ID, ionostest.Key{ID: id, Active: age >= 0, Created: w.now().AddDate(0, 0, -max(age, -age))})
	}
}

// inactive lets the ledger know that the key has been inactive for so long.
func (w *world) inactive(t tb, u ionostest.User, keyID string, since time.Duration) {
	t.Helper()
	at := w.now().Add(-since)
	change := guard.Change{Action: guard.Deactivate, At: at, OccurredAt: at, RequestID: "before"}
	if err := w.ledger.Record(context.Background(), u.ID, guard.Memory{Changes: map[string]guard.Change{keyID: change}}); err != nil {
		t.Fatal(err)
	}
}

// switchOn has a key switched on, by a request of this moment.
func (w *world) switchOn(t tb, u ionostest.User, keyID string) {
	t.Helper()
	on := guard.Request{
		Action: guard.Activate, User: u.ID, Keys: []string{keyID}, ID: "on", Source: "api", OccurredAt: w.now(),
		Actor: guard.Actor{Kind: guard.System, Name: "script"},
	}
	if _, err := w.lifecycle.Do(context.Background(), on); err != nil {
		t.Fatal(err)
	}
}

// sweep invokes the function.
func (w *world) sweep(ctx context.Context, t tb, payload string) guard.Sweep {
	t.Helper()
	answer, err := w.Invoke(ctx, []byte(payload))
	if err != nil {
		t.Fatalf("no answer to %s: %v\n%s", payload, err, w.log.String())
	}
	var result guard.Sweep
	if err := json.Unmarshal(answer, &result); err != nil {
		t.Fatal(err)
	}
	return result
}

// night is a sweep to its end, and all that comes of it: the requests are carried out, and the warnings delivered.
func (w *world) night(t tb) guard.Sweep {
	t.Helper()
	result := w.sweep(context.Background(), t, `{}`)
	w.carryOut(t)
	w.deliver(t)
	return result
}

// carryOut carries out what is on the bus and was not yet.
func (w *world) carryOut(t tb) {
	t.Helper()
	for _, req := range w.bus.Requests()[w.done:] {
		if _, err := w.lifecycle.Do(context.Background(), req); err != nil {
			t.Fatalf("%s: %v", req.ID, err)
		}
		w.done++
	}
}

// deliver does as notify does when Slack took the warnings on the bus.
func (w *world) deliver(t tb) {
	t.Helper()
	for _, warning := range w.bus.Warnings()[w.warned:] {
		var ids []string
		for _, k := range warning.Keys {
			ids = append(ids, k.ID)
		}
		if err := w.ledger.RecordWarnings(context.Background(), warning.User.ID, ids, w.now()); err != nil {
			t.Fatal(err)
		}
		w.warned++
	}
}

// report returns what the report of the sweep says of each key that something is due about.
func (w *world) report(t tb, s guard.Sweep) map[string]report.Row {
	t.Helper()
	var content struct {
		Keys []report.Row `json:"keys"`
	}
	raw := w.file(t, s, "report.json")
	if err := json.Unmarshal(raw, &content); err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]report.Row)
	for _, row := range content.Keys {
		rows[row.Key] = row
	}
	return rows
}

func (w *world) file(t tb, s guard.Sweep, name string) []byte {
	t.Helper()
	content, err := w.Archive.Get(context.Background(), path.Join(s.StartedAt.Format(time.DateOnly), s.ID, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = content.Close() }()
	raw, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// steps returns what the report says is due, by key: the step, and the rule that stands in its way.
func (w *world) steps(t tb, s guard.Sweep) map[string]string {
	t.Helper()
	steps := make(map[string]string)
	for id, row := range w.report(t, s) {
		switch {
		case row.Rule != "":
			steps[id] = string(row.Step) + ": " + string(row.Rule)
		case row.Step != "":
			steps[id] = string(row.Step)
		}
	}
	return steps
}

// states returns the state of every key of the contract, as the API has it.
func (w *world) states(users ...ionostest.User) map[string]string {
	states := make(map[string]string)
	for _, u := range users {
		for _, k := range w.api.Keys(u.ID) {
			states[k.ID] = map[bool]string{true: "active", false: "inactive"}[k.Active]
		}
	}
	return states
}

// changed returns what became of the keys between two looks at their states.
func changed(before, after map[string]string) map[string]string {
	steps := make(map[string]string)
	for id, state := range before {
		switch after[id] {
		case state:
		case "":
			steps[id] = "delete"
		case "inactive":
			steps[id] = "deactivate"
		default:
			steps[id] = "activate"
		}
	}
	return steps
}

func (w *world) writes() (n int) {
	for _, call := range w.api.Calls() {
		if call.Method != http.MethodGet {
			n++
		}
	}
	return n
}

func want(t tb, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// requested returns the keys that were asked for, by id of the request.
func (w *world) requested() map[string][]string {
	keys := make(map[string][]string)
	for _, req := range w.bus.Requests() {
		keys[req.ID] = slices.Sorted(slices.Values(append(keys[req.ID], req.Keys...)))
	}
	return keys
}

// without leaves out the steps that change no key.
func changes(steps map[string]string) map[string]string {
	steps = maps.Clone(steps)
	maps.DeleteFunc(steps, func(_, step string) bool { return step != "deactivate" && step != "delete" })
	return steps
}
