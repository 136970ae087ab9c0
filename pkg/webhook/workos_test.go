package webhook_test

import (
	"strings"
	"testing"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/webhook"
)

func TestWorkOS(t *testing.T) {
	t.Parallel()
	inactive, deleted := string(payload(t, "workos/inactive.json")), payload(t, "workos/deleted.json")
	changed := func(old, replacement string) []byte { return []byte(strings.Replace(inactive, old, replacement, 1)) }
	alice := left("workos", "alice@example.com", "event_08FKJ843CVE8F7BXQSPFH0M53V", "2026-11-22T11:59:33.155Z", "WorkOS: dsync.user.updated")
	gone := left("workos", "alice@example.com", "event_09FKJ843CVE8F7BXQSPFH0M53V", "2026-11-22T11:59:33.155Z", "WorkOS: dsync.user.deleted")
	nobody, signedTime := alice, alice
	nobody.User = ""
	signedTime.OccurredAt = noon().Add(-1e9)
	testTranslations(t, "workos", []translation{
		{name: "inactive", body: []byte(inactive), status: 200, want: []guard.Request{alice}},
		{name: "suspended", body: changed(`"state": "inactive"`, `"state": "suspended"`), status: 200, want: []guard.Request{alice}},
		{name: "deleted, with a list of addresses", body: deleted, status: 200, want: []guard.Request{gone}},
		{name: "known by the directory's id", body: changed("alice@example.com", ""), people: people{"workos:8931": "alice@example.com"}, status: 200, want: []guard.Request{alice}},
		{
			name: "nobody knows", body: changed("alice@example.com", ""), status: 200, unmapped: []guard.Unmapped{
				{Sender: "workos", People: []string{"8931", "directory_user_01E1X1B89NH8Z3SDFJR4H7RGX7"}, Request: nobody},
			},
		},
		{name: "no time but the signed one", body: changed("2026-11-22T11:59:33.155Z", "soon"), status: 200, want: []guard.Request{signedTime}},
		{name: "active", body: changed(`"state": "inactive"`, `"state": "active"`), status: 200},
		{name: "inactive before", body: []byte(strings.NewReplacer(`"state": "inactive"`, `"state": "active"`, `{"state": "active"}`, `{"state": "inactive"}`).Replace(inactive)), status: 200},
		{name: "created", body: changed("dsync.user.updated", "dsync.user.created"), status: 200},
		{name: "a whole directory", body: changed("dsync.user.updated", "dsync.deleted"), status: 200},
		{name: "a user of something else", body: changed("dsync.user.updated", "user.deleted"), status: 200},
		{name: "data of another shape", body: changed(`"data": {`, `"data": [], "x": {`), status: 400, says: "not the JSON"},
	})
}

func FuzzWorkOS(f *testing.F) {
	seed(f, "workos")
	fuzzDoor(f, "workos", webhook.Settings{}, mustLeave)
}
