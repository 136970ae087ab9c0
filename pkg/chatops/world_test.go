package chatops_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"keyreeve/pkg/buckets"
	"keyreeve/pkg/bus"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/chatops"
	"keyreeve/pkg/edge"
	"keyreeve/pkg/edge/edgetest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/identity"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/ledger"
	"keyreeve/pkg/lifecycle"
	"keyreeve/pkg/signature"
	"keyreeve/pkg/slackapi"
	"keyreeve/pkg/slackapi/slacktest"
)

// The people of the tests, in Slack, and the channel in which they are. Olga and Otto administer the contract.
const (
	olga, otto, alice, bob = "U0OLGA", "U0OTTO", "U0ALICE", "U0BOB"
	mapped, nameless       = "U0MAPPED", "U0NAMELESS"
	room                   = "C0KEYS"

	signed  = "only-slack-has-this"
	trusted = "only-the-bot-has-this"
)

// The keys of Alice, and the one of Bob.
const (
	older = "00000000000000000001"
	newer = "00000000000000000002"
	off   = "00000000000000000003"
	bobs  = "00000000000000000009"
)

// world is everything from Slack to IONOS and back but for the queues: what is on the bus is carried by the test.
type world struct {
	t      *testing.T
	api    *ionostest.Server
	slack  *slacktest.Slack
	bus    bustest.Bus
	ledger *ledger.Bolt
	door   *chatops.Door
	worker *chatops.Worker
	life   *lifecycle.Lifecycle
	users  map[string]ionostest.User
	log    edgetest.Log
	// tolerated is Slack's word for what it may refuse in the test.
	tolerated string

	mu    sync.Mutex
	clock time.Time
	// How much of what is on the bus was carried.
	chat, requests, finished int
}

func noon() time.Time { return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, api: new(ionostest.Server), clock: noon(), users: map[string]ionostest.User{}}
	w.api.Now = w.now
	for id, user := range map[string]ionostest.User{
		"self": {Email: "keyreeve@example.com", Administrator: true},
		olga:   {Email: "olga@example.com", Administrator: true},
		otto:   {Email: "otto@example.com", Administrator: true},
		alice:  {Email: "alice@example.com"},
		bob:    {Email: "bob@example.com"},
		mapped: {Email: "max@example.com"},
	} {
		w.users[id] = w.api.AddUser(user)
	}
	for id, age := range map[string]int{older: 400, newer: 100, off: 300} {
		w.api.AddKey(w.users[alice].ID, ionostest.Key{ID: id, Active: id != off, Created: w.now().AddDate(0, 0, -age)})
	}
	w.api.AddKey(w.users[bob].ID, ionostest.Key{ID: bobs, Active: true, Created: w.now().AddDate(0, 0, -1)})

	logger := slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	serve := func(handler http.Handler) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	memory, err := ledger.OpenBolt(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), w.now)
	must(t, err)
	client, err := ionos.New(ionos.Config{Token: w.api.Token(w.users["self"].ID), URL: serve(w.api), Clock: time.Now})
	must(t, err)
	people, err := identity.Open(t.Context(), identity.Config{Setting: "slack:" + mapped + "=max@example.com", Clock: w.now})
	must(t, err)
	secrets := []guard.Secret{guard.NewSecret(signed)}
	verifier, err := signature.New("slack", secrets, w.now)
	must(t, err)
	events := bus.New(bus.Config{
		Name: "keyreeve", Region: "eu-central-1", Endpoint: serve(&w.bus), Transport: transport, Clock: w.now,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "private", ""),
	})
	w.ledger = memory
	w.life = &lifecycle.Lifecycle{
		Reader: lifecycle.Reader{
			Users: client, Keys: client, Ledger: memory, Self: client.Self(), Clock: w.now,
			Policy: guard.Policy{DeleteGrace: 720 * time.Hour, EventMaxAge: 24 * time.Hour, MaxChanges: 50},
		},
		Leases: memory, Logger: logger, Bus: events, Holder: func() string { return "the only one" },
		Buckets: buckets.New(buckets.Config{
			Endpoint: serve(w.api.S3()), Logger: logger, Transport: transport, Clock: w.now, Credentials: client.KeysWithSecrets,
		}),
	}
	repeats := edge.Repeats{Memory: memory, For: 7 * 24 * time.Hour, Clock: w.now, Logger: logger}
	w.door = &chatops.Door{Verifier: verifier, Bus: events, Repeats: repeats, Logger: logger}
	app := serve(w.door)
	w.slack = slacktest.New(slacktest.Config{
		Token: trusted, SigningSecret: signed, Team: "T0HERE", Clock: w.now, Transport: transport,
		Commands: app + "/slack/commands", Actions: app + "/slack/actions",
		Users: []slacktest.User{
			{ID: olga, Email: "olga@example.com", Name: "olga"},
			{ID: otto, Email: "otto@example.com", Name: "otto"},
			{ID: alice, Email: "Alice@example.com", Name: "alice"},
			{ID: bob, Email: "bob@example.com", Name: "bob"},
			{ID: mapped, Email: "", Name: "max"},
			{ID: nameless, Email: "", Name: "nameless"},
			{ID: "U0GONE", Email: "otto@example.com", Name: "gone", Deleted: true},
			{ID: "U0BOT", Email: "otto@example.com", Name: "bot", Bot: true},
			{ID: "U0ELSEWHERE", Email: "otto@example.com", Name: "elsewhere", Team: "T0ELSEWHERE"},
			{ID: "U0STRANGER", Email: "otto@example.com", Name: "stranger", Stranger: true},
		},
	})
	sealer, err := chatops.NewSealer(secrets)
	must(t, err)
	w.worker = &chatops.Worker{
		Bus: events, Claims: memory, People: people, Keys: w.life.Reader, Sealer: sealer,
		Slack: slackapi.New(slackapi.Config{
			Token: guard.NewSecret(trusted), Endpoint: serve(w.slack), Transport: transport,
		}),
		Repeats: repeats, Clock: w.now, Logger: logger,
	}
	t.Cleanup(func() {
		for _, refused := range w.slack.Refused() {
			if w.tolerated == "" || !strings.Contains(refused, w.tolerated) {
				t.Errorf("Slack would have refused: %s", refused)
			}
		}
		if log := w.log.String(); strings.Contains(log, "hooks.slack.com/commands") || strings.Contains(log, "hooks.slack.com/actions") || strings.Contains(log, trusted) {
			t.Errorf("the log holds a capability: %s", log)
		}
	})
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
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

// types lets somebody type a command, and returns what is shown because of it once everything has settled, newest last.
func (w *world) types(user, text string) []slacktest.Shown {
	w.t.Helper()
	before := len(w.slack.Shown())
	answer, err := w.slack.Type(w.t.Context(), user, room, text)
	if err != nil || answer.Status != http.StatusOK {
		w.t.Fatalf("/keys %s was answered %d %s, %v", text, answer.Status, answer.Body, err)
	}
	w.settle()
	return w.slack.Shown()[before:]
}

// presses lets somebody press the first button of its kind, and returns what is shown because of it, newest last.
func (w *world) presses(user string, in slacktest.Shown, action string) []slacktest.Shown {
	w.t.Helper()
	before := len(w.slack.Shown())
	answer, err := w.slack.Press(w.t.Context(), user, in.Index, action, 0)
	if err != nil || answer.Status != http.StatusOK {
		w.t.Fatalf("%s was answered %d %s, %v", action, answer.Status, answer.Body, err)
	}
	w.settle()
	return w.slack.Shown()[before:]
}

// settle carries what is on the bus to where the rules would, until nothing new comes of it. All must be taken.
func (w *world) settle() {
	w.t.Helper()
	for w.carry(w.deliver) {
	}
}

// carry delivers what is new on the bus, and reports whether there was anything.
func (w *world) carry(deliver func(detailType string, detail any)) (any bool) {
	w.t.Helper()
	messages, requests, finished := w.bus.Chat()[w.chat:], w.bus.Requests()[w.requests:], w.bus.Finished()[w.finished:]
	w.chat, w.requests, w.finished = w.chat+len(messages), w.requests+len(requests), w.finished+len(finished)
	for _, m := range messages {
		deliver("Chat Message Received", m)
	}
	for _, r := range requests {
		must(w.t, r.Validate(w.now()))
		if _, err := w.life.Do(w.t.Context(), r); err != nil {
			w.t.Fatalf("%+v: %v", r, err)
		}
	}
	for _, f := range finished {
		if f.ReplyTo.Slack != "" {
			deliver("Key Operation Finished", f)
		}
	}
	return len(messages)+len(requests)+len(finished) > 0
}

// deliver hands an event to the worker, which must take it.
func (w *world) deliver(detailType string, detail any) {
	w.t.Helper()
	if !w.offer(w.t.Context(), detailType, detail) {
		w.t.Fatalf("the worker did not take %v; it logged %s", detail, w.log.String())
	}
}

// offer hands an event to the worker as SQS does, and reports whether it takes it.
func (w *world) offer(ctx context.Context, detailType string, detail any) bool {
	w.t.Helper()
	encoded, err := json.Marshal(detail)
	must(w.t, err)
	event, err := json.Marshal(events.EventBridgeEvent{ID: "e1", Source: "keyreeve", DetailType: detailType, Detail: encoded})
	must(w.t, err)
	payload, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m1", Body: string(event)}}})
	must(w.t, err)
	answer, err := w.worker.Invoke(ctx, payload)
	must(w.t, err)
	return string(answer) == `{"batchItemFailures":[]}`
}

// keys returns which keys somebody has, and whether they are active.
func (w *world) keys(user string) string {
	var states []string
	for _, k := range w.api.Keys(w.users[user].ID) {
		state := "off"
		if k.Active {
			state = "on"
		}
		states = append(states, fmt.Sprintf("%s %s", k.ID[len(k.ID)-1:], state))
	}
	slices.Sort(states)
	return strings.Join(states, ", ")
}

// last returns the newest message, which must be there.
func last(t *testing.T, shown []slacktest.Shown) slacktest.Shown {
	t.Helper()
	if len(shown) == 0 {
		t.Fatal("nothing is shown")
	}
	return shown[len(shown)-1]
}

// says reports whether all of a message, text and blocks, holds each of the parts.
func says(m slacktest.Shown, parts ...string) bool {
	var blocks any
	if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
		return false
	}
	all := m.Text + fmt.Sprint(blocks)
	for _, part := range parts {
		if !strings.Contains(all, part) {
			return false
		}
	}
	return true
}
