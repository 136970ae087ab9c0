package scim_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"keyreeve/pkg/guard"
)

// step is a call by an identity provider and what comes of it.
type step struct {
	name               string
	method, path, body string
	status             int
	// want is the whole answer; empty where the answer is an error or none.
	want string
	// scimType is that of an error.
	scimType string
	// published is what the call puts on the bus.
	published []guard.Request
	// then happens after the call.
	then func(*testing.T, *world)
}

func walk(t *testing.T, w *world, steps []step) {
	t.Helper()
	var published []guard.Request
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			got := w.call(t, s.method, s.path, s.body)
			if s.want == "" && s.status != http.StatusNoContent {
				got.wantError(t, s.status, s.scimType)
			} else {
				got.wantJSON(t, s.status, s.want)
			}
			published = append(published, s.published...)
			w.wantPublished(t, published...)
			if s.then != nil {
				s.then(t, w)
			}
			w.pass(time.Millisecond)
		})
	}
}

// where is the path of users whom a filter finds.
func where(filter string) string { return "/scim/v2/Users?filter=" + url.QueryEscape(filter) }

// leave does what comes of an offboarding of alice.
func leave(t *testing.T, w *world) {
	t.Helper()
	w.offboard(t, aliceID)
	w.api.SwitchKey(aliceID, "00a1", false)
}

// oneLook checks that IONOS was asked once and said that there is nobody.
func oneLook(t *testing.T, w *world) {
	t.Helper()
	if calls := w.api.Calls(); len(calls) != 1 || calls[0].Status != http.StatusNotFound {
		t.Errorf("IONOS was asked %+v, want one look", calls)
	}
}

// The calls of Entra ID's provisioning service, in the order in which it makes them for a test of the connection, for
// somebody it does not find, and for somebody who works and then leaves.
func TestEntraID(t *testing.T) {
	const alice = "/scim/v2/Users/" + aliceID
	w := newWorld(t)
	w.people(t)
	walk(t, w, []step{
		{
			name: "test of the connection", method: "GET", path: where(`userName eq "2f4b9c0e-77aa-4c7d-9e0f-3f1b6a5d8c21"`),
			status: 200, want: nobodyFound,
			then: oneLook,
		},
		{name: "query of somebody unknown", method: "GET", path: where(`userName eq "zoe@example.com"`), status: 200, want: nobodyFound},
		{
			name: "creation", method: "POST", path: "/scim/v2/Users",
			body: `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
				"externalId":"zoe","userName":"zoe@example.com","active":true,"emails":[{"primary":true,"type":"work","value":"zoe@example.com"}],
				"meta":{"resourceType":"User"},"name":{"formatted":"Zoe Z","familyName":"Z","givenName":"Zoe"},"roles":[]}`,
			status: 403,
		},
		{
			name: "creation of somebody who is there", method: "POST", path: "/scim/v2/Users",
			body:   `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"alice@example.com","active":true}`,
			status: 409, scimType: "uniqueness",
		},
		{name: "query", method: "GET", path: where(`userName eq "alice@example.com"`), status: 200, want: found(aliceShown)},
		{name: "query by work address", method: "GET", path: where(`emails[type eq "work"].value eq "alice@example.com"`), status: 200, want: found(aliceShown)},
		{name: "query by externalId", method: "GET", path: where(`externalId eq "alice"`), status: 200, want: nobodyFound},
		{name: "look", method: "GET", path: alice, status: 200, want: aliceShown},
		{
			name: "change of the profile", method: "PATCH", path: alice,
			body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
				{"op":"Replace","path":"displayName","value":"Alice A."},
				{"op":"Replace","path":"emails[type eq \"work\"].value","value":"a@example.com"},
				{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber","value":"17"}]}`,
			status: 200, want: aliceShown,
		},
		{
			name: "change of the profile, the compliant way", method: "PATCH", path: alice,
			body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
				{"op":"replace","value":{"displayName":"Alice A.","name.givenName":"A","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber":"17"}}]}`,
			status: 200, want: aliceShown,
		},
		{
			name: "disabling", method: "PATCH", path: alice,
			body:   `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`,
			status: 200, want: aliceLeft(), published: []guard.Request{offboarding(deactivated)}, then: leave,
		},
		{
			name: "disabling, the compliant way", method: "PATCH", path: alice,
			body:   `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`,
			status: 200, want: aliceLeft(), published: []guard.Request{offboarding(deactivated)},
		},
		{name: "query of somebody disabled", method: "GET", path: where(`userName eq "alice@example.com"`), status: 200, want: found(aliceLeft())},
		{name: "restoring, which is not switched on", method: "PATCH", path: alice, body: `{"Operations":[{"op":"Replace","path":"active","value":"True"}]}`, status: 200, want: aliceLeft()},
		{name: "deletion", method: "DELETE", path: alice, status: 204, published: []guard.Request{offboarding(deleted)}},
		{name: "query of somebody deleted", method: "GET", path: where(`userName eq "alice@example.com"`), status: 200, want: found(aliceLeft())},
	})
}

// The calls that Okta makes for a custom app, which sends whole users, and for one of its catalogue, which sends what
// changes.
func TestOkta(t *testing.T) {
	const alice = "/scim/v2/Users/" + aliceID
	whole := func(active string) string {
		return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"` + aliceID + `","userName":"Alice@Example.com",
			"name":{"givenName":"Alice","middleName":"","familyName":"A."},"emails":[{"primary":true,"value":"Alice@Example.com","type":"work","display":"Alice@Example.com"}],
			"displayName":"Alice A.","locale":"en-US","externalId":"00ujl29u0le5T6Aj10h7","active":` + active + `,"groups":[],"password":"1mz050nq","meta":{"resourceType":"User"}}`
	}
	w := newWorld(t)
	w.people(t)
	walk(t, w, []step{
		{
			name: "test of the connection", method: "GET", path: "/scim/v2/Users?startIndex=1&count=2", status: 200,
			want: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":6,"startIndex":1,"itemsPerPage":2,"Resources":[
				{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"0a9dc0de-0000-4000-8000-000000000000","userName":"keyreeve@example.com",
					"emails":[{"value":"keyreeve@example.com","type":"work","primary":true}],"active":true,
					"meta":{"resourceType":"User","created":"2025-01-01T00:00:01Z","location":"/scim/v2/Users/0a9dc0de-0000-4000-8000-000000000000"}},` + aliceShown + `]}`,
		},
		{
			name: "query of somebody unknown", method: "GET", path: "/scim/v2/Users?filter=userName%20eq%20%22test.user%40okta.local%22&startIndex=1&count=100",
			status: 200, want: nobodyFound,
		},
		{name: "creation", method: "POST", path: "/scim/v2/Users", body: `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"test.user@okta.local","active":true}`, status: 403},
		{name: "query", method: "GET", path: where(`userName eq "Alice@Example.com"`) + "&startIndex=1&count=100", status: 200, want: found(aliceShown)},
		{name: "look at somebody unknown", method: "GET", path: "/scim/v2/Users/" + unknown, status: 404},
		{name: "look at an id of another provider", method: "GET", path: "/scim/v2/Users/00ujl29u0le5T6Aj10h7", status: 404},
		{name: "look", method: "GET", path: alice, status: 200, want: aliceShown},
		{name: "change of the profile of a custom app", method: "PUT", path: alice, body: whole("true"), status: 200, want: aliceShown},
		{
			name: "deactivation in a custom app", method: "PUT", path: alice, body: whole("false"), status: 200, want: aliceLeft(),
			published: []guard.Request{offboarding(deactivated)},
		},
		{
			name: "deactivation in a catalogue app", method: "PATCH", path: alice,
			body:   `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`,
			status: 200, want: aliceLeft(), published: []guard.Request{offboarding(deactivated)}, then: leave,
		},
		{name: "look at a leaver", method: "GET", path: alice, status: 200, want: aliceLeft()},
		{name: "change of a leaver's profile", method: "PUT", path: alice, body: whole("true"), status: 200, want: aliceLeft()},
	})
}

// What active true does where it is switched on: whatever was switched off from here, and nothing else, comes back.
func TestActivating(t *testing.T) {
	const (
		patch = `{"Operations":[{"op":"replace","value":{"active":true}}]}`
		put   = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"x@example.com","active":true}`
	)
	for name, tc := range map[string]struct {
		user, method, body string
		off                bool
		want               []guard.Request
		active             bool
	}{
		"PATCH of a leaver":                     {user: carolID, method: "PATCH", body: patch, want: []guard.Request{activation(carolID, "00c1")}, active: true},
		"PUT of a leaver":                       {user: carolID, method: "PUT", body: put, want: []guard.Request{activation(carolID, "00c1")}, active: true},
		"PATCH of somebody active":              {user: aliceID, method: "PATCH", body: patch, want: []guard.Request{activation(aliceID, "00a2")}, active: true},
		"PUT of a leaver without keys":          {user: erinID, method: "PUT", body: put},
		"PUT of a leaver with an active key":    {user: daveID, method: "PUT", body: put, active: true},
		"PUT of somebody who cannot log in":     {user: bobID, method: "PUT", body: put},
		"PUT of a leaver, not switched on":      {user: carolID, method: "PUT", body: put, off: true},
		"PATCH of a leaver, not switched on":    {user: carolID, method: "PATCH", body: patch, off: true},
		"PATCH of a name, and active is unsaid": {user: carolID, method: "PATCH", body: `{"Operations":[{"op":"replace","value":{"displayName":"C"}}]}`},
		"PUT, and active is unsaid":             {user: carolID, method: "PUT", body: `{"userName":"carol@example.com"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.people(t)
			w.Activate = !tc.off
			got := w.call(t, tc.method, "/scim/v2/Users/"+tc.user, tc.body)
			shown, ok := decoded(t, got.body).(map[string]any)
			if got.status != http.StatusOK || !ok || shown["active"] != tc.active || shown["id"] != tc.user {
				t.Errorf("got %d %s, want active %t", got.status, got.body, tc.active)
			}
			w.wantPublished(t, tc.want...)
		})
	}
}
