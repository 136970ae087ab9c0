package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/signature"
	"keyreeve/pkg/signature/signaturetest"
	"keyreeve/pkg/webhook"
)

// leavers returns a message of each sender that asks for one request, and how old a signature of it may be.
func leavers(t *testing.T) map[string]leaverMessage {
	t.Helper()
	return map[string]leaverMessage{
		"bamboohr": {payload(t, "bamboohr/inactive.json"), 202, 2 * time.Hour, 5 * time.Minute},
		"github":   {body: payload(t, "github/member_removed.json"), status: 202},
		"hibob":    {body: payload(t, "hibob/left.json"), status: 200},
		"okta":     {body: payload(t, "okta/deactivate.json"), status: 200},
		"standard": {payload(t, "standard/request.json"), 202, 5 * time.Minute, 5 * time.Minute},
		"workos":   {payload(t, "workos/inactive.json"), 200, 3 * time.Minute, 3 * time.Minute},
	}
}

type leaverMessage struct {
	body []byte
	// status is that of the answer.
	status int
	// past and future are how far the signed time may lie from the clock; zero where none is signed.
	past, future time.Duration
}

// refusal is the one answer to whatever is wrong with a signature.
func refusal() answer {
	const body = `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Nobody who is known here vouches for this message.",` +
		`"remedy":"Compare the sender's secret with the configured one, and the sender's clock with the time."}`
	return answer{http.StatusUnauthorized, http.Header{
		"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}, "Www-Authenticate": {"Bearer"},
		"Content-Length": {fmt.Sprint(len(body))},
	}, body}
}

func TestEverySenderIsTested(t *testing.T) {
	t.Parallel()
	all := leavers(t)
	for _, name := range webhook.Names() {
		if len(all[name].body) == 0 {
			t.Errorf("there is no message of %s", name)
		}
	}
}

// TestSignatures sends one message of each sender, signed in every way. All refusals are the same, byte for byte, and
// nobody is asked or told anything before.
func TestSignatures(t *testing.T) {
	t.Parallel()
	for name, m := range leavers(t) {
		newest, older := secrets(name)
		sign := func(secret string, at time.Time) http.Header {
			return signaturetest.Sign(name, secret, at, "msg_1", m.body)
		}
		good := sign(newest, noon())
		type call struct {
			header  http.Header
			body    []byte
			genuine bool
		}
		calls := map[string]call{
			"right":        {good, m.body, true},
			"old secret":   {sign(older, noon()), m.body, true},
			"wrong secret": {sign(strings.Replace(newest, "M", "N", 1)+"AAAA", noon()), m.body, false},
			"nothing":      {http.Header{}, m.body, false},
			// Okta signs nothing but sends its secret, whatever the body.
			"changed body": {good, bytes.Replace(m.body, []byte("a"), []byte("b"), 1), name == "okta"},
			"no message":   {good, []byte("not even JSON"), false},
			"one space":    {good, append(slices.Clone(m.body), ' '), name == "okta"},
		}
		if name == "okta" {
			delete(calls, "no message")
		}
		if m.past > 0 {
			calls["as old as may be"] = call{sign(newest, noon().Add(-m.past)), m.body, true}
			calls["too old"] = call{sign(newest, noon().Add(-m.past-time.Second)), m.body, false}
			calls["as early as may be"] = call{sign(newest, noon().Add(m.future)), m.body, true}
			calls["too early"] = call{sign(newest, noon().Add(m.future+time.Second)), m.body, false}
		}
		for header, values := range good {
			without, twice, joined, other := good.Clone(), good.Clone(), good.Clone(), good.Clone()
			without.Del(header)
			twice[header] = []string{values[0], values[0]}
			joined[header] = []string{values[0] + "," + values[0]}
			other[header] = []string{values[0][:len(values[0])-2] + "xx"}
			calls["without "+header] = call{without, m.body, false}
			calls["twice "+header] = call{twice, m.body, false}
			calls["joined "+header] = call{joined, m.body, false}
			calls["other "+header] = call{other, m.body, false}
		}
		for what, c := range calls {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.know(t, people{"github:octocat": "alice@example.com", "hibob:3332883854254932743": "alice@example.com"})
				got := w.serve(t)(http.MethodPost, name, c.header, c.body)
				if c.genuine {
					if got.Status != m.status || len(w.bus.Requests()) != 1 {
						t.Errorf("answered %d %s with %d requests, want %d with one", got.Status, got.Body, len(w.bus.Requests()), m.status)
					}
					return
				}
				diff(t, "answer", refusal(), got)
				if len(w.bus.Requests())+len(w.bus.Unmapped())+len(w.bus.Finished())+w.asked != 0 {
					t.Errorf("%d questions, requests %v", w.asked, w.bus.Requests())
				}
			})
		}
	}
}

// TestRepeats sends one message of each sender again, after an hour where the sender signs no time: it is answered as
// before, and nothing happens.
func TestRepeats(t *testing.T) {
	t.Parallel()
	for name, m := range leavers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.know(t, people{"github:octocat": "alice@example.com", "hibob:3332883854254932743": "alice@example.com"})
			call := w.serve(t)
			header := w.signed(name, m.body)
			first := call(http.MethodPost, name, header, m.body)
			if m.past == 0 {
				w.now = w.now.Add(47 * time.Hour)
			}
			again := call(http.MethodPost, name, header, m.body)
			diff(t, "answer", first, again)
			if first.Status != m.status || len(w.bus.Requests()) != 1 || strings.Count(w.log.String(), "came again") != 1 {
				t.Errorf("answered %d, %d requests, log:\n%s", first.Status, len(w.bus.Requests()), w.log.String())
			}
			// GitHub says the same when somebody is removed for the second time.
			var told []guard.WarningCode
			for _, f := range w.bus.Finished() {
				told = append(told, f.Warnings[0].Code)
			}
			diff(t, "announced", map[string][]guard.WarningCode{"github": {guard.Repeated}}[name], told)
		})
	}
}

// A message of GitHub's would be new whenever it is played back, also when the map has the person, who may be back by then.
func TestUnmappedRepeatWithoutATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	call := w.serve(t)
	body := payload(t, "github/member_removed.json")
	for range 3 {
		call(http.MethodPost, "github", w.signed("github", body), body)
	}
	w.know(t, people{"github:octocat": "alice@example.com"})
	call(http.MethodPost, "github", w.signed("github", body), body)
	if got, waiting := len(w.bus.Requests()), len(w.bus.Unmapped()); got != 0 || waiting != 1 {
		t.Errorf("%d requests, and %d without a user, want 0 and 1", got, waiting)
	}
}

// TestRepeatsAtOnce sends one message many times at the same moment. Some may get past the memory, which then hides
// nothing: their requests are those of one event.
func TestRepeatsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	call := w.serve(t)
	body := payload(t, "okta/deactivate.json")
	const times = 20
	var group sync.WaitGroup
	for range times {
		group.Go(func() {
			if got := call(http.MethodPost, "okta", w.signed("okta", body), body); got.Status != http.StatusOK {
				t.Errorf("answered %d %s", got.Status, got.Body)
			}
		})
	}
	group.Wait()
	requests := w.bus.Requests()
	events := map[string]bool{}
	for _, r := range requests {
		events[r.Event()] = true
	}
	if len(events) != 1 {
		t.Errorf("%d requests of %d events, want one event", len(requests), len(events))
	}
	call(http.MethodPost, "okta", w.signed("okta", body), body)
	if got := len(w.bus.Requests()); got != len(requests) {
		t.Errorf("%d requests after another repeat, want %d", got, len(requests))
	}
}

func TestNothingThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	delete(w.door.Verifiers, "github")
	call := w.serve(t)
	body := payload(t, "okta/deactivate.json")
	want := call(http.MethodPost, "nobody", http.Header{}, nil)
	if want.Status != http.StatusNotFound {
		t.Errorf("answered %d %s, want 404", want.Status, want.Body)
	}
	for _, tc := range []struct{ method, name string }{
		{http.MethodPost, "github"},
		{http.MethodGet, "github"},
		{http.MethodDelete, "nobody"},
		{http.MethodPost, ""},
		{http.MethodPost, "okta/"},
		{http.MethodPost, "Okta"},
		{http.MethodPost, "scim"},
		{http.MethodPost, "auth0"},
	} {
		diff(t, tc.method+" "+tc.name, want, call(tc.method, tc.name, w.signed("okta", body), body))
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	call := w.serve(t)
	for _, name := range webhook.Names() {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			want := answer{http.StatusMethodNotAllowed, http.Header{"Allow": {"POST"}}, ""}
			if name == "okta" {
				want.Header.Set("Allow", "GET, POST")
				if method == http.MethodGet {
					continue
				}
			}
			got := call(method, name, http.Header{}, nil)
			if got.Status != want.Status || got.Header.Get("Allow") != want.Header.Get("Allow") {
				t.Errorf("%s %s: %d, Allow %q, want %d, %q", method, name, got.Status, got.Header.Get("Allow"), want.Status, want.Header.Get("Allow"))
			}
		}
	}
}

// TestLimits sends a genuine message that is too large by a byte, and one that is not.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := payload(t, "okta/deactivate.json")
	const limit = 1 << 20
	full := append(slices.Clone(body), bytes.Repeat([]byte{' '}, limit-len(body))...)
	if got := w.send(t, "okta", full); got.Status != http.StatusOK {
		t.Errorf("%d bytes: %d %s, want 200", len(full), got.Status, got.Body)
	}
	asked, more := w.asked, slices.Concat(full, []byte{' '})
	genuine, unsigned := w.send(t, "okta", more), w.serve(t)(http.MethodPost, "okta", http.Header{}, more)
	if genuine.Status != http.StatusRequestEntityTooLarge || w.asked != asked {
		t.Errorf("one more: %d after %d questions, want 413 after none", genuine.Status, w.asked-asked)
	}
	diff(t, "answer to whom nobody vouches for", genuine, unsigned)
}

// TestManyEvents is about a message with a hundred people of whom every third is unknown. What is unknown is asked for
// once more by whoever sends the message again.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var events []string
	for i := range 100 {
		login := fmt.Sprintf("user%d@example.com", i)
		if i%3 == 0 {
			login = fmt.Sprintf("user%d", i)
		}
		events = append(events, fmt.Sprintf(`{"uuid":"evt-%d","published":"2026-11-22T11:00:00Z","eventType":"user.lifecycle.deactivate",
			"outcome":{"result":"SUCCESS"},"target":[{"id":"00u%d","type":"User","alternateId":"%s"}]}`, i, i, login))
	}
	body := []byte(`{"data":{"events":[` + strings.Join(events, ",") + `]}}`)
	got := w.send(t, "okta", body)
	var accepted struct {
		Accepted []string `json:"accepted"`
	}
	if err := json.Unmarshal([]byte(got.Body), &accepted); err != nil || got.Status != http.StatusOK || len(accepted.Accepted) != 100 {
		t.Errorf("answered %d with %d ids, want 200 with 100", got.Status, len(accepted.Accepted))
	}
	if len(w.bus.Requests()) != 66 || len(w.bus.Unmapped()) != 34 || len(w.bus.Finished()) != 34 {
		t.Errorf("%d requests, %d unmapped, %d announced, want 66, 34, 34", len(w.bus.Requests()), len(w.bus.Unmapped()), len(w.bus.Finished()))
	}
	w.know(t, people{"okta:00u0": "user0@example.com"})
	if w.send(t, "okta", body); len(w.bus.Requests()) != 66+67 || len(w.bus.Unmapped()) != 34+33 {
		t.Errorf("again: %d requests, %d unmapped, want 133, 67", len(w.bus.Requests()), len(w.bus.Unmapped()))
	}
}

func TestUnmappedIsAnnounced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := []byte(strings.Replace(string(payload(t, "okta/deactivate.json")), "alice@example.com", "alice", 1))
	w.send(t, "okta", body)
	want := []guard.Finished{{
		Result: guard.Result{
			ID: "14a42b00-74e5-11ee-8a5a-69d62fcd0f8b", Action: guard.Deactivate, Keys: []guard.KeyResult{},
			Warnings: []guard.Warning{{
				Code: "unmapped_user",
				Message: "Nobody knows the e-mail address of okta:alice or okta:00u1, so no access key was switched off. " +
					"Add it to KEYREEVE_IDENTITY_MAP; the request waits.",
			}},
		},
		Actor: guard.Actor{Kind: guard.System, Name: "okta"}, Reason: "Okta: user.lifecycle.deactivate", Source: "okta",
		OccurredAt: time.Date(2026, time.November, 22, 11, 59, 53, 770_000_000, time.UTC), Offboarding: true,
	}}
	diff(t, "announced", want, w.bus.Finished())
}

// TestBusTakesNotAll is about a bus that takes some of a message. Sent again, the rest gets there, and what was there is
// there as the same event.
func TestBusTakesNotAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuse = func(body string) bool { return strings.Contains(body, "Unmapped") }
	body := []byte(strings.Replace(string(payload(t, "okta/several.json")), "alice@example.com", "alice", 1))
	call := w.serve(t)
	got := call(http.MethodPost, "okta", w.signed("okta", body), body)
	if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "10" || strings.Contains(got.Body, "bus") {
		t.Errorf("answered %d %s %s, want 503 with a time", got.Status, got.Header, got.Body)
	}
	if len(w.bus.Requests()) != 2 || len(w.bus.Finished()) != 0 {
		t.Errorf("%d requests and %d announcements, want 2 and none", len(w.bus.Requests()), len(w.bus.Finished()))
	}
	w.refuse = func(body string) bool { return strings.Contains(body, "Requested") }
	if got := call(http.MethodPost, "okta", w.signed("okta", body), body); got.Status != http.StatusServiceUnavailable || len(w.bus.Unmapped()) != 1 {
		t.Errorf("answered %d with %d unmapped, want 503 with one", got.Status, len(w.bus.Unmapped()))
	}
	w.refuse = nil
	if got := call(http.MethodPost, "okta", w.signed("okta", body), body); got.Status != http.StatusOK || len(w.bus.Finished()) != 1 {
		t.Errorf("answered %d with %d announcements, want 200 with one", got.Status, len(w.bus.Finished()))
	}
	events := map[string]int{}
	for _, r := range w.bus.Requests() {
		events[r.User+r.Event()]++
	}
	if len(events) != 2 || len(w.bus.Requests()) != 4 {
		t.Errorf("%d requests of %d events, want 4 of 2", len(w.bus.Requests()), len(events))
	}
}

// defect panics, as code does that nobody meant to.
type defect struct{}

func (defect) Email(context.Context, string, string) (string, bool, error) { panic("a defect") }

func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.door.Desk.People = defect{}
	got := w.send(t, "okta", payload(t, "okta/deactivate.json"))
	if got.Status != http.StatusInternalServerError || strings.Contains(got.Body, "defect") || !strings.Contains(w.log.String(), "panic: a defect") {
		t.Errorf("answered %d %s, log %s", got.Status, got.Body, w.log.String())
	}
	w.know(t, nil)
	if got := w.send(t, "okta", payload(t, "okta/deactivate.json")); got.Status != http.StatusOK {
		t.Errorf("after it: %d %s, want 200", got.Status, got.Body)
	}
}

// TestLog holds each message to one line that names the sender and the ids, and nobody.
func TestLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, want string
	}{
		{
			"accepted", "okta/several.json",
			`{"level":"INFO","msg":"A message was accepted.","sender":"okta","ids":["evt-1","evt-4","evt-4"],"requests":3,"unmapped":0}`,
		},
		{"ignored", "okta/group.json", `{"level":"DEBUG","msg":"A message asked for nothing.","sender":"okta"}`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.send(t, "okta", payload(t, tc.file))
			_, line, _ := strings.Cut(w.log.String(), ",")
			diff(t, "log", tc.want+"\n", "{"+line)
		})
	}
}

// TestUntimedSendersAreUntrusted holds the guard's list of senders that sign no time against what they sign.
func TestUntimedSendersAreUntrusted(t *testing.T) {
	t.Parallel()
	alice := guard.User{ID: "u", Email: "alice@example.com", Active: true}
	for _, name := range append(webhook.Names(), "scim") {
		request := guard.Request{
			Action: guard.Activate, User: alice.Email, Source: name, ID: "evt-1", OccurredAt: noon(),
			Actor: guard.Actor{Kind: guard.System, Name: name},
		}
		reading := guard.Reading{User: alice, Keys: []guard.Key{{ID: "00e1"}}}
		verdict := guard.Judge(request, reading, guard.Policy{EventMaxAge: time.Hour, MaxChanges: 50}, noon())[0]
		if untrusted := verdict.Rule == guard.UntrustedTrigger; untrusted == signature.Timed(name) || untrusted == verdict.Allowed() {
			t.Errorf("%s signs a time: %t, and is judged %+v", name, signature.Timed(name), verdict)
		}
	}
}
