package webhook_test

import (
	"net/http"
	"strings"
	"testing"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/webhook"
)

func TestOkta(t *testing.T) {
	t.Parallel()
	const deactivated = "Okta: user.lifecycle.deactivate"
	alice := left("okta", "alice@example.com", "14a42b00-74e5-11ee-8a5a-69d62fcd0f8b", "2026-11-22T11:59:53.77Z", deactivated)
	removed := left("okta", "alice@example.com", "evt-group", "2026-11-22T11:59:53.77Z", "Okta: group.user_membership.remove")
	deactivate, group := payload(t, "okta/deactivate.json"), payload(t, "okta/group.json")
	login := []byte(strings.Replace(string(deactivate), "alice@example.com", "alice", 1))
	nobody := left("okta", "", alice.ID, "2026-11-22T11:59:53.77Z", deactivated)
	mapped := alice
	mapped.User = "a.adams@example.com"
	testTranslations(t, "okta", []translation{
		{name: "deactivated", body: deactivate, status: 200, want: []guard.Request{alice}, says: `{"accepted":["` + alice.ID + `"]}`},
		{
			name: "several events, one of two people", body: payload(t, "okta/several.json"), status: 200, want: []guard.Request{
				left("okta", "alice@example.com", "evt-1", "2026-11-22T11:00:00Z", "Okta: user.lifecycle.suspend"),
				left("okta", "dave@example.com", "evt-4", "2026-11-22T11:00:03Z", "Okta: user.lifecycle.delete.initiated"),
				left("okta", "erin@example.com", "evt-4", "2026-11-22T11:00:03Z", "Okta: user.lifecycle.delete.initiated"),
			},
		},
		{name: "group that matters, by name", body: group, settings: webhook.Settings{OktaGroups: []string{"Storage users"}}, status: 200, want: []guard.Request{removed}},
		{name: "group that matters, by id", body: group, settings: webhook.Settings{OktaGroups: []string{"other", "00g1"}}, status: 200, want: []guard.Request{removed}},
		{name: "group that does not matter", body: group, settings: webhook.Settings{OktaGroups: []string{"00u1", "unknown", "alice@example.com"}}, status: 204},
		{name: "no group matters", body: group, status: 204},
		{name: "the map knows the login better", body: deactivate, people: people{"okta:alice@example.com": "a.adams@example.com"}, status: 200, want: []guard.Request{mapped}},
		{name: "the map knows the id", body: login, people: people{"okta:00u1": "a.adams@example.com"}, status: 200, want: []guard.Request{mapped}},
		{name: "the map of another sender", body: deactivate, people: people{"github:00u1": "a.adams@example.com"}, status: 200, want: []guard.Request{alice}},
		{
			name: "a login that is no address and that nobody knows", body: login, status: 200,
			unmapped: []guard.Unmapped{{Sender: "okta", People: []string{"alice", "00u1"}, Request: nobody}},
		},
		{
			name: "a user without a name", body: []byte(strings.NewReplacer("alice@example.com", "", "00u1", "").Replace(string(deactivate))), status: 200,
			unmapped: []guard.Unmapped{{Sender: "okta", People: []string{}, Request: nobody}},
		},
		{
			name: "names and an id that are too long, or cannot be shown", status: 200,
			body:     []byte(strings.NewReplacer("alice@", strings.Repeat("a", 300)+"@", "00u1", `\u0007`, alice.ID, strings.Repeat("1", 300)).Replace(string(deactivate))),
			unmapped: []guard.Unmapped{{Sender: "okta", People: []string{}, Request: left("okta", "", digestID, "2026-11-22T11:59:53.77Z", deactivated)}},
		},
		{
			name: "no id and no time", status: 200,
			body: []byte(strings.NewReplacer(alice.ID, "", "2026-11-22T11:59:53.770Z", "yesterday").Replace(string(deactivate))),
			want: []guard.Request{left("okta", "alice@example.com", digestID, "2026-11-22T12:00:00Z", deactivated)},
		},
		{
			name: "a time to come", body: []byte(strings.Replace(string(deactivate), "11:59:53.770Z", "12:03:00Z", 1)), status: 200,
			want: []guard.Request{left("okta", "alice@example.com", alice.ID, "2026-11-22T12:00:00Z", deactivated)},
		},
		{
			name: "a time that JSON cannot hold", body: []byte(strings.Replace(string(deactivate), "2026-11-22T11:59:53.770Z", "0000-01-01T00:00:00+01:00", 1)), status: 200,
			want: []guard.Request{left("okta", "alice@example.com", alice.ID, "2026-11-22T12:00:00Z", deactivated)},
		},
		{name: "no events", body: []byte(`{"data":{}}`), status: 204},
		{name: "a list", body: []byte(`[]`), status: 400, says: "not the JSON"},
		{name: "no JSON", body: []byte(`data=1`), status: 400, says: "not the JSON"},
		{name: "nothing", status: 400, says: "not the JSON"},
	})
}

func TestOktaHandshake(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		challenge string
		status    int
		body      string
	}{
		{"a challenge", "vOTZhJ8-\"x", 200, `{"verification":"vOTZhJ8-\"x"}`},
		{"none", "", 400, `X-Okta-Verification-Challenge is missing`},
		{"one too long", strings.Repeat("x", 1025), 400, `X-Okta-Verification-Challenge is missing`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			got := w.serve(t)(http.MethodGet, "okta", http.Header{"X-Okta-Verification-Challenge": {tc.challenge}}, nil)
			if got.Status != tc.status || !strings.Contains(got.Body, tc.body) {
				t.Errorf("answered %d %s, want %d with %s", got.Status, got.Body, tc.status, tc.body)
			}
		})
	}
}

func FuzzOkta(f *testing.F) {
	seed(f, "okta", `{"data":{"events":[{"eventType":"user.lifecycle.suspend","outcome":{"result":"SUCCESS"},"target":[{"type":"User"}]}]}}`)
	fuzzDoor(f, "okta", webhook.Settings{OktaGroups: []string{"00g1"}}, mustLeave)
}
