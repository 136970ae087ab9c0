package webhook_test

import (
	"strings"
	"testing"

	"keyreeve/pkg/guard"
)

const auth0Source = "aws.partner/auth0.com/example-2308531e-1ba0-4824-a5de-5fa1d5928ea4/auth0.logs"

func TestAuth0(t *testing.T) {
	t.Parallel()
	log, deleted, blocked := string(payload(t, "auth0/log.json")), string(payload(t, "auth0/deleted.json")), string(payload(t, "auth0/blocked.json"))
	const user = "auth0|5f7c8ec7c33c6c004bbafe82"
	alice := func(id, at, reason string) []guard.Request {
		return []guard.Request{left("auth0", "alice@example.com", id, at, "Auth0: user "+reason)}
	}
	nobody := alice("evt_1234567890abcdee", "2026-11-22T11:59:30Z", "blocked")[0]
	nobody.User = ""
	testPartner(t, []partnerEvent{
		{
			name: "log stream", source: auth0Source, detail: log,
			want: alice("90020261122115959000000000000000000001223372036854775", "2026-11-22T11:59:30.147Z", "deleted"),
		},
		{name: "log stream, a login", source: auth0Source, detail: strings.Replace(log, `"sdu"`, `"s"`, 1)},
		{name: "event stream, deleted", source: auth0Source, detail: deleted, want: alice("evt_1234567890abcdef", "2026-11-22T11:59:30Z", "deleted")},
		{
			name: "event stream, blocked", source: auth0Source, detail: blocked, people: people{"auth0:" + user: "alice@example.com"},
			want: alice("evt_1234567890abcdee", "2026-11-22T11:59:30Z", "blocked"),
		},
		{
			name: "event stream, nobody knows", source: auth0Source, detail: blocked,
			unmapped: []guard.Unmapped{{Sender: "auth0", People: []string{user}, Request: nobody}},
		},
		{name: "event stream, updated", source: auth0Source, detail: strings.Replace(blocked, `"blocked": true`, `"blocked": false`, 1)},
		{name: "event stream, created", source: auth0Source, detail: strings.Replace(deleted, "user.deleted", "user.created", 1)},
		{name: "event stream, a test", source: auth0Source, detail: strings.Replace(deleted, `"a0tenant"`, `"a0purpose": "test", "a0tenant"`, 1)},
		{name: "another shape", source: auth0Source, detail: `[]`, fails: true},
	})
}

// FuzzAuth0 hands over events of Auth0.
func FuzzAuth0(f *testing.F) {
	for _, file := range []string{"log", "deleted", "blocked"} {
		f.Add(event(auth0Source, string(payload(f, "auth0/"+file+".json"))))
	}
	fuzzQueue(f)
}
