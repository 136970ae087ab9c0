package webhook_test

import (
	"net/http"
	"strings"
	"testing"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/webhook"
)

func TestHiBob(t *testing.T) {
	t.Parallel()
	const id = "3332883854254932743"
	alice := func(event, at string) []guard.Request {
		return []guard.Request{left("hibob", "alice@example.com", digestID, at, "HiBob: "+event)}
	}
	leaves := string(payload(t, "hibob/left.json"))
	event := func(name string) []byte { return []byte(strings.Replace(leaves, "employee.left", name, 1)) }
	known := people{"hibob:" + id: "alice@example.com"}
	const at = "2026-11-22T11:30:00.915906Z"
	nobody := alice("employee.left", at)[0]
	nobody.User = ""
	testTranslations(t, "hibob", []translation{
		{name: "left", body: []byte(leaves), people: known, status: 200, want: alice("employee.left", at)},
		{name: "inactivated", body: event("employee.inactivated"), people: known, status: 200, want: alice("employee.inactivated", at)},
		{
			name: "access revoked", body: event("employee.access.revoked.immediately"), people: known, status: 200,
			want: alice("employee.access.revoked.immediately", at),
		},
		{name: "deleted", body: payload(t, "hibob/deleted.json"), status: 200, want: alice("employee.deleted", at)},
		{name: "version 1", body: payload(t, "hibob/v1.json"), status: 200, want: alice("employee.inactivated", "2026-11-22T11:30:00.123Z")},
		{name: "id as a number", body: []byte(strings.Replace(leaves, `"`+id+`"`, id, 1)), people: known, status: 200, want: alice("employee.left", at)},
		{
			name: "nobody knows the id", body: []byte(leaves), status: 200,
			unmapped: []guard.Unmapped{{Sender: "hibob", People: []string{id}, Request: nobody}},
		},
		{name: "a zone to the east", body: []byte(strings.Replace(leaves, "11:30:00.915906", "12:30:00+01:00", 1)), people: known, status: 200, want: alice("employee.left", "2026-11-22T11:30:00Z")},
		{name: "no time", body: []byte(strings.Replace(leaves, "2026-11-22T11:30:00.915906", "", 1)), people: known, status: 200, want: alice("employee.left", "2026-11-22T12:00:00Z")},
		{name: "activated", body: event("employee.activated"), people: known, status: 200},
		{name: "updated", body: event("employee.updated"), people: known, status: 200},
		{name: "test call", body: []byte("Ping test"), status: 200},
		{name: "test call as a string", body: []byte("\"Ping test\"\n"), status: 200},
		{name: "test call as an object", body: []byte(`{"text":"Ping test"}`), status: 200},
		{name: "another text", body: []byte("Ping"), status: 400, says: "not the JSON"},
	})
}

// HiBob tries an address before anybody can have the secret of the webhook.
func TestHiBobTestCallNeedsNoSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	call := w.serve(t)
	for body, want := range map[string]int{
		`Ping test`: 200, `"Ping test"`: 200, `{"text":"Ping test"}`: 200,
		`Ping`: 401, `{"text":"Ping test","type":"employee.left"}`: 401, `{}`: 401, ``: 401,
	} {
		if got := call(http.MethodPost, "hibob", http.Header{}, []byte(body)); got.Status != want {
			t.Errorf("%q: %d, want %d", body, got.Status, want)
		}
	}
	if got := call(http.MethodPost, "workos", http.Header{}, []byte(`Ping test`)); got.Status != 401 {
		t.Errorf("another sender: %d", got.Status)
	}
	if got := len(w.bus.Requests()); got != 0 {
		t.Errorf("%d requests", got)
	}
}

func FuzzHiBob(f *testing.F) {
	seed(f, "hibob", `Ping test`, `"Ping test"`, `{"text":"Ping test"}`)
	fuzzDoor(f, "hibob", webhook.Settings{}, mustLeave)
}
