package scim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"keyreeve/pkg/edge"
)

// Whoever is not known gets one and the same answer, whatever they ask for, and causes no call to anybody.
func TestUnauthenticated(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.Memory = nil // Asking it is a panic.
	good := "Bearer " + token
	headers := map[string]http.Header{
		"none":            {},
		"empty":           {"Authorization": {""}},
		"another token":   {"Authorization": {"Bearer another"}},
		"another scheme":  {"Authorization": {"Basic " + token}},
		"token alone":     {"Authorization": {token}},
		"twice":           {"Authorization": {good, good}},
		"part of it":      {"Authorization": {good[:len(good)-1]}},
		"in another name": {"X-Authorization": {good}},
	}
	calls := map[string]step{
		"list":               {method: "GET", path: "/scim/v2/Users"},
		"query":              {method: "GET", path: where(`userName eq "alice@example.com"`)},
		"look":               {method: "GET", path: "/scim/v2/Users/" + aliceID},
		"deactivation":       {method: "PATCH", path: "/scim/v2/Users/" + aliceID, body: `{"Operations":[{"op":"replace","value":{"active":false}}]}`},
		"deactivation whole": {method: "PUT", path: "/scim/v2/Users/" + aliceID, body: `{"active":false}`},
		"deletion":           {method: "DELETE", path: "/scim/v2/Users/" + aliceID},
		"creation":           {method: "POST", path: "/scim/v2/Users", body: `{"userName":"alice@example.com"}`},
		"nonsense":           {method: "PATCH", path: "/scim/v2/Users/" + aliceID, body: `{`},
		"discovery":          {method: "GET", path: "/scim/v2/ServiceProviderConfig"},
		"unknown path":       {method: "GET", path: "/scim/v2/nothing"},
		"wrong method":       {method: "POST", path: "/scim/v2/Schemas"},
	}
	const want = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"401","detail":"Nobody vouches for the caller. Send the bearer token that Keyreeve was given for SCIM."}`
	for header, values := range headers {
		for name, c := range calls {
			t.Run(header+"/"+name, func(t *testing.T) {
				got := w.callAs(t, values, c.method, c.path, c.body)
				got.wantJSON(t, http.StatusUnauthorized, want)
				if got := got.header.Get("WWW-Authenticate"); got != "Bearer" {
					t.Errorf("WWW-Authenticate is %q", got)
				}
			})
		}
	}
	w.wantPublished(t)
	if calls := w.api.Calls(); len(calls) != 0 {
		t.Errorf("IONOS was called: %+v", calls)
	}
	if log := w.log.String(); strings.Contains(log, token) || !strings.Contains(log, "Authorization") {
		t.Errorf("the log shows the token, or not what was wrong: %s", log)
	}
}

func TestSizeComesFirst(t *testing.T) {
	w := newWorld(t)
	asked := 0
	w.Verify = func(http.Header, []byte) error {
		asked++
		return nil
	}
	for size, want := range map[int]struct{ status, asked int }{
		edge.MaxBody:     {http.StatusBadRequest, 1},
		edge.MaxBody + 1: {http.StatusRequestEntityTooLarge, 0},
	} {
		asked = 0
		w.call(t, "PATCH", "/scim/v2/Users/"+aliceID, strings.Repeat(" ", size)).wantError(t, want.status, map[int]string{1: "invalidSyntax"}[want.asked])
		if asked != want.asked {
			t.Errorf("%d bytes: asked %d times who sent them, want %d", size, asked, want.asked)
		}
	}
}

// The body that is verified is the one that is read.
func TestVerifiesTheBody(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	var verified string
	w.Verify = func(_ http.Header, body []byte) error {
		verified = string(body)
		return nil
	}
	const body = `{"Operations":[{"op":"replace","value":{"active":false}}]}`
	if got := w.call(t, "PATCH", "/scim/v2/Users/"+aliceID, body); got.status != http.StatusOK || verified != body {
		t.Errorf("status %d after verifying %q", got.status, verified)
	}
}

func TestSwitchedOff(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	unknownPath := w.call(t, "GET", "/scim/v2/nothing", "")
	unknownPath.wantError(t, http.StatusNotFound, "")
	w.Verify = nil
	for _, c := range []step{
		{method: "GET", path: "/scim/v2/Users"},
		{method: "GET", path: "/scim/v2/ServiceProviderConfig"},
		{method: "DELETE", path: "/scim/v2/Users/" + aliceID},
		{method: "POST", path: "/scim/v2/Bulk"},
		{method: "PUT", path: "/scim/v2/Users/" + aliceID, body: strings.Repeat(" ", edge.MaxBody+1)},
	} {
		got := w.call(t, c.method, c.path, c.body)
		if got.status != unknownPath.status || got.body != unknownPath.body {
			t.Errorf("%s %s: got %d %s", c.method, c.path, got.status, got.body)
		}
	}
	w.wantPublished(t)
	if calls := w.api.Calls(); len(calls) != 0 {
		t.Errorf("IONOS was called: %+v", calls)
	}
}

func TestRoutes(t *testing.T) {
	const alice = "/scim/v2/Users/" + aliceID
	w := newWorld(t)
	w.people(t)
	for name, tc := range map[string]struct {
		method, path string
		status       int
		allow        string
	}{
		"nothing below the root":      {"GET", "/scim/v2/", 404, ""},
		"root":                        {"GET", "/scim/v2", 404, ""},
		"another version":             {"GET", "/scim/v1/Users", 404, ""},
		"another case":                {"GET", "/scim/v2/users", 404, ""},
		"trailing slash":              {"GET", "/scim/v2/Users/", 404, ""},
		"two slashes":                 {"GET", "/scim/v2//Users", 404, ""},
		"below a user":                {"GET", alice + "/name", 404, ""},
		"slash after a user":          {"DELETE", alice + "/", 404, ""},
		"escaped slash":               {"DELETE", "/scim/v2/Users%2F" + aliceID + "%2Fx", 404, ""},
		"e-mail address for an id":    {"DELETE", "/scim/v2/Users/alice@example.com", 404, ""},
		"dots for an id":              {"GET", "/scim/v2/Users/%2e%2e", 404, ""},
		"unknown schema":              {"GET", "/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group", 404, ""},
		"groups":                      {"GET", "/scim/v2/Groups", 404, ""},
		"a group":                     {"PATCH", "/scim/v2/Groups/" + aliceID, 404, ""},
		"group type":                  {"GET", "/scim/v2/ResourceTypes/Group", 404, ""},
		"bulk":                        {"POST", "/scim/v2/Bulk", 501, ""},
		"me":                          {"GET", "/scim/v2/Me", 501, ""},
		"below me":                    {"PATCH", "/scim/v2/Me/x", 501, ""},
		"search":                      {"POST", "/scim/v2/.search", 501, ""},
		"search for users":            {"POST", "/scim/v2/Users/.search", 501, ""},
		"deletion of all users":       {"DELETE", "/scim/v2/Users", 405, "GET, POST"},
		"PATCH of all users":          {"PATCH", "/scim/v2/Users", 405, "GET, POST"},
		"POST to a user":              {"POST", alice, 405, "DELETE, GET, PATCH, PUT"},
		"method of another case":      {"delete", alice, 405, "DELETE, GET, PATCH, PUT"},
		"POST to the configuration":   {"POST", "/scim/v2/ServiceProviderConfig", 405, "GET"},
		"deletion of a resource type": {"DELETE", "/scim/v2/ResourceTypes/User", 405, "GET"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.call(t, tc.method, tc.path, "")
			got.wantError(t, tc.status, "")
			diff(t, "Allow", tc.allow, got.header.Get("Allow"))
		})
	}
	w.wantPublished(t)
	if calls := w.api.Calls(); len(calls) != 0 {
		t.Errorf("IONOS was called: %+v", calls)
	}
}

func TestPanic(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.Memory = nil
	for name, path := range map[string]string{"while a user is shown": "/scim/v2/Users/" + aliceID, "while users are listed": "/scim/v2/Users"} {
		t.Run(name, func(t *testing.T) {
			got := w.call(t, "GET", path, "")
			got.wantError(t, http.StatusInternalServerError, "")
			if strings.Contains(got.body, "nil pointer") || !strings.Contains(w.log.String(), "nil pointer") {
				t.Errorf("the cause is in the answer %s or not in the log", got.body)
			}
		})
	}
}

// What discovery says is what the rest of the tests sees.
func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	get := func(path string) string {
		got := w.call(t, "GET", path, "")
		if got.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		got.wantType(t)
		return got.body
	}
	diff(t, "configuration", decoded(t, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
		"patch":{"supported":true},"bulk":{"supported":false,"maxOperations":0,"maxPayloadSize":0},"filter":{"supported":true,"maxResults":100},
		"changePassword":{"supported":false},"sort":{"supported":false},"etag":{"supported":false},
		"authenticationSchemes":[{"type":"oauthbearertoken","name":"Bearer token","description":"The secret that Keyreeve was given for SCIM.","primary":true}],
		"meta":{"resourceType":"ServiceProviderConfig","location":"/scim/v2/ServiceProviderConfig"}}`), decoded(t, get("/scim/v2/ServiceProviderConfig")))

	const userType = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"User","name":"User","endpoint":"/Users",
		"description":"A user of the IONOS contract.","schema":"urn:ietf:params:scim:schemas:core:2.0:User",
		"meta":{"resourceType":"ResourceType","location":"/scim/v2/ResourceTypes/User"}}`
	diff(t, "resource type", decoded(t, userType), decoded(t, get("/scim/v2/ResourceTypes/User")))
	diff(t, "resource types", decoded(t, found(userType)), decoded(t, get("/scim/v2/ResourceTypes")))

	schema := get("/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User")
	diff(t, "schemas", decoded(t, found(schema)), decoded(t, get("/scim/v2/Schemas")))
	type attribute struct {
		Name          string      `json:"name"`
		Type          string      `json:"type"`
		Mutability    string      `json:"mutability"`
		Returned      string      `json:"returned"`
		Uniqueness    string      `json:"uniqueness"`
		Required      bool        `json:"required"`
		MultiValued   bool        `json:"multiValued"`
		SubAttributes []attribute `json:"subAttributes"`
	}
	var got struct {
		Attributes []attribute `json:"attributes"`
	}
	if err := json.Unmarshal([]byte(schema), &got); err != nil {
		t.Fatal(err)
	}
	fixed := func(name, kind string, parts ...attribute) attribute {
		return attribute{Name: name, Type: kind, Mutability: "readOnly", Returned: "default", Uniqueness: "none", SubAttributes: parts}
	}
	userName, emails, active := fixed("userName", "string"), fixed("emails", "complex", fixed("value", "string"), fixed("type", "string"), fixed("primary", "boolean")), fixed("active", "boolean")
	userName.Required, userName.Uniqueness, emails.MultiValued, active.Mutability = true, "server", true, "readWrite"
	diff(t, "attributes", []attribute{
		userName, fixed("name", "complex", fixed("formatted", "string"), fixed("givenName", "string"), fixed("familyName", "string")),
		fixed("displayName", "string"), emails, active,
	}, got.Attributes)

	// No user has an attribute that the schema does not tell of, but for those that all resources have.
	w.people(t)
	user, _ := decoded(t, w.call(t, "GET", "/scim/v2/Users/"+aliceID, "").body).(map[string]any)
	for _, a := range got.Attributes {
		if user[a.Name] == nil {
			t.Errorf("a complete user has no %s", a.Name)
		}
		delete(user, a.Name)
	}
	diff(t, "other attributes", map[string]any{"schemas": user["schemas"], "id": aliceID, "meta": user["meta"]}, user)
}
