package webhook_test

import (
	"net/http"
	"strings"
	"testing"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/webhook"
)

func TestGitHub(t *testing.T) {
	t.Parallel()
	removed := payload(t, "github/member_removed.json")
	changed := func(old, replacement string) []byte {
		return []byte(strings.Replace(string(removed), old, replacement, 1))
	}
	event := func(name string) http.Header { return http.Header{"X-Github-Event": {name}} }
	octocat := left("github", "octocat@example.com", digestID, "2026-11-22T12:00:00Z", "GitHub: removed from the organization")
	nobody := octocat
	nobody.User = ""
	byLogin, byID := people{"github:octocat": "octocat@example.com"}, people{"github:583231": "octocat@example.com"}
	testTranslations(t, "github", []translation{
		{name: "known by login", body: removed, header: event("organization"), people: byLogin, status: 202, want: []guard.Request{octocat}},
		{name: "known by id", body: removed, header: event("organization"), people: byID, status: 202, want: []guard.Request{octocat}},
		{name: "header lost", body: removed, people: byID, status: 202, want: []guard.Request{octocat}},
		{
			name: "known by nothing", body: removed, header: event("organization"), status: 202,
			unmapped: []guard.Unmapped{{Sender: "github", People: []string{"octocat", "583231"}, Request: nobody}},
		},
		{
			name: "user not told", body: changed(`"user": {"login": "octocat", "id": 583231, "node_id": "MDQ6VXNlcjU4MzIzMQ==", "type": "User", "site_admin": false}`, `"user": null`),
			status: 202, unmapped: []guard.Unmapped{{Sender: "github", People: []string{}, Request: nobody}},
		},
		{name: "another event by its header", body: removed, header: event("member"), people: byLogin, status: 204},
		{name: "another event that says it is this one", body: changed("member_removed", "removed"), header: event("organization"), people: byLogin, status: 204},
		{name: "member added", body: changed("member_removed", "member_added"), header: event("organization"), people: byLogin, status: 204},
		{name: "no organization", body: changed(`"organization":`, `"repository":`), header: event("organization"), people: byLogin, status: 204},
		{name: "ping", body: []byte(`{"zen":"Keep it logically awesome.","hook_id":1,"organization":{"login":"example"}}`), header: event("ping"), status: 204},
		{name: "form", body: []byte("payload=%7B%7D"), header: event("organization"), status: 400, says: "Have the sender send JSON"},
		{name: "membership of another shape", body: changed(`"membership": {`, `"membership": "", "x": {`), status: 400, says: "not the JSON"},
	})
}

func FuzzGitHub(f *testing.F) {
	seed(f, "github", `{"action":"member_removed","organization":{"login":"o"},"membership":{"user":null}}`)
	fuzzDoor(f, "github", webhook.Settings{}, mustLeave)
}
