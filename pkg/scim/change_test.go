package scim_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// said is what a body says of active, as seen from what it puts on the bus where active true is switched on.
func said(t *testing.T, requests []guard.Request) string {
	t.Helper()
	switch {
	case len(requests) == 0:
		return "nothing"
	case len(requests) == 1 && requests[0].Offboarding:
		return "false"
	case len(requests) == 1 && requests[0].Action == guard.Activate:
		return "true"
	default:
		t.Errorf("published %+v", requests)
		return ""
	}
}

// patchOf is a PATCH of one operation.
func patchOf(operation string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operation + `]}`
}

func TestPatchForms(t *testing.T) {
	value := func(v string) string { return patchOf(`{"op":"replace","path":"active","value":` + v + `}`) }
	object := func(v string) string { return patchOf(`{"op":"replace","value":` + v + `}`) }
	path := func(p string) string { return patchOf(`{"op":"replace","path":"` + p + `","value":false}`) }
	op := func(o string) string { return patchOf(`{"op":"` + o + `","path":"active","value":false}`) }
	// What a body says, or the error that it is.
	for body, want := range map[string]string{
		value(`false`):                           "false",
		value(`"False"`):                         "false",
		value(`"false"`):                         "false",
		value(`" FALSE "`):                       "false",
		value(`[{"value":"False"}]`):             "false",
		value(`[{"value":false}]`):               "false",
		value(`[{"$ref":null,"value":"False"}]`): "false",
		value(`{"value":"False"}`):               "false",
		value(`["False"]`):                       "false",
		value(`true`):                            "true",
		value(`"True"`):                          "true",
		value(`[{"Value":"TRUE"}]`):              "true",
		op("Replace"):                            "false",
		op("REPLACE"):                            "false",
		op("add"):                                "false",
		op("Add"):                                "false",
		path(`Active`):                           "false",
		path(` active `):                         "false",
		path(`urn:ietf:params:scim:schemas:core:2.0:User:active`):                                                "false",
		path(`URN:IETF:params:scim:schemas:core:2.0:user:ACTIVE`):                                                "false",
		object(`{"active":false}`):                                                                               "false",
		object(`{"Active":"False","displayName":"A"}`):                                                           "false",
		object(`{"urn:ietf:params:scim:schemas:core:2.0:User:active":"False"}`):                                  "false",
		object(`{"urn:ietf:params:scim:schemas:core:2.0:User":{"active":false}}`):                                "false",
		patchOf(`{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User","value":{"active":false}}`): "false",
		patchOf(`{"OP":"replace","PATH":"active","VALUE":false}`):                                                "false",
		`{"operations":[{"op":"replace","path":"active","value":false}]}`:                                        "false",

		// The last word counts.
		patchOf(`{"op":"replace","path":"active","value":true},{"op":"replace","value":{"active":false}}`):            "false",
		patchOf(`{"op":"replace","path":"active","value":"False"},{"op":"replace","path":"displayName","value":"A"}`): "false",
		patchOf(`{"op":"replace","path":"active","value":false},{"op":"replace","path":"active","value":true}`):       "true",

		// What is no word on active.
		object(`{"displayName":"A"}`):       "nothing",
		object(`{}`):                        "nothing",
		object(`{"name":{"active":false}}`): "nothing",
		object(`{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"active":false}}`): "nothing",
		path(`displayName`):                    "nothing",
		path(`inactive`):                       "nothing",
		path(`activeSince`):                    "nothing",
		path(`emails[type eq \"work\"].value`): "nothing",
		path(`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:active`): "nothing",
		patchOf(`{"op":"remove","path":"title"}`):                                 "nothing",
		patchOf(`{"op":"Remove","path":"members","value":[{"value":"1"}]}`):       "nothing",
		patchOf(`{"op":"add","path":"phoneNumbers"}`):                             "nothing",

		// What is one, and cannot be understood.
		value(`null`):             "invalidValue",
		value(`0`):                "invalidValue",
		value(`"no"`):             "invalidValue",
		value(`""`):               "invalidValue",
		value(`[]`):               "invalidValue",
		value(`[false,false]`):    "invalidValue",
		value(`[{"value":null}]`): "invalidValue",
		value(`{}`):               "invalidValue",
		value(`{"active":false}`): "invalidValue",
		value(`[[[[false]]]]`):    "invalidValue",
		patchOf(`{"op":"replace","path":"active"}`):                                                                  "invalidValue",
		patchOf(`{"op":"remove","path":"active","value":false}`):                                                     "invalidValue",
		patchOf(`{"op":"remove","path":"active"}`):                                                                   "invalidValue",
		object(`{"active":"perhaps"}`):                                                                               "invalidValue",
		object(`{"active":false,"Active":true}`):                                                                     "invalidValue",
		object(`{"active":false,"urn:ietf:params:scim:schemas:core:2.0:User":{"active":false}}`):                     "invalidValue",
		patchOf(`{"op":"replace","path":"active","value":"perhaps"},{"op":"replace","path":"active","value":false}`): "invalidValue",
		path(`active.value`):                                        "invalidPath",
		path(`active[value eq true]`):                               "invalidPath",
		path(`urn:ietf:params:scim:schemas:core:2.0:User:active.x`): "invalidPath",
		patchOf(`{"op":"remove"}`):                                  "noTarget",
		op("delete"):                                                "invalidSyntax",
		op(""):                                                      "invalidSyntax",
		object(`false`):                                             "invalidSyntax",
		object(`[{"active":false}]`):                                "invalidSyntax",
		object(`"active"`):                                          "invalidSyntax",
		object(`{"active":false,"active":true}`):                    "invalidSyntax",
		object(`{"urn:ietf:params:scim:schemas:core:2.0:User":false}`): "invalidSyntax",
		patchOf(`{"path":"active","value":false}`):                     "invalidSyntax",
		patchOf(`{"op":"replace"}`):                                    "invalidSyntax",
		patchOf(`null`):                                                "invalidSyntax",
		patchOf(`"active"`):                                            "invalidSyntax",
		patchOf(``):                                                    "invalidSyntax",
		`{"active":false}`:                                             "invalidSyntax",
		`{"Operations":{"op":"replace","path":"active","value":false}}`: "invalidSyntax",
		`[]`:              "invalidSyntax",
		``:                "invalidSyntax",
		`{"Operations":[`: "invalidSyntax",
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.people(t)
			w.Activate = true
			got := w.call(t, "PATCH", "/scim/v2/Users/"+carolID, body)
			if strings.HasPrefix(want, "invalid") || want == "noTarget" {
				got.wantError(t, http.StatusBadRequest, want)
				w.wantPublished(t)
				return
			}
			if s := said(t, w.published(t)); s != want || got.status != http.StatusOK {
				t.Errorf("took it for %s, want %s: %d %s", s, want, got.status, got.body)
			}
		})
	}
}

func TestPutForms(t *testing.T) {
	for body, want := range map[string]string{
		`{"active":false}`:           "false",
		`{"Active":"False"}`:         "false",
		"\n\t{\"active\":false}\r\n": "false",
		`{"userName":"somebody@else.example","id":"1","active":[{"value":"False"}],"groups":null}`: "false",
		`{"urn:ietf:params:scim:schemas:core:2.0:User":{"active":false}}`:                          "false",
		`{"userName":"carol@example.com","active":true}`:                                           "true",
		`{"active":"True"}`: "true",

		`{}`:                                 "nothing",
		`{"userName":"carol@example.com"}`:   "nothing",
		`{"name":{"active":false}}`:          "nothing",
		`{"displayName":"active","x":false}`: "nothing",

		`{"active":null}`:                 "invalidValue",
		`{"active":1}`:                    "invalidValue",
		`{"active":"off"}`:                "invalidValue",
		`{"active":false,"ACTIVE":true}`:  "invalidValue",
		`{"active":false,"userName":{}}`:  "invalidValue",
		`{"active":false,"active":false}`: "invalidSyntax",
		`{"active":false}x`:               "invalidSyntax",
		`[{"active":false}]`:              "invalidSyntax",
		`false`:                           "invalidSyntax",
		``:                                "invalidSyntax",
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.people(t)
			w.Activate = true
			got := w.call(t, "PUT", "/scim/v2/Users/"+carolID, body)
			if strings.HasPrefix(want, "invalid") {
				got.wantError(t, http.StatusBadRequest, want)
				w.wantPublished(t)
				return
			}
			if s := said(t, w.published(t)); s != want || got.status != http.StatusOK {
				t.Errorf("took it for %s, want %s: %d %s", s, want, got.status, got.body)
			}
		})
	}
}

// The calls by which somebody leaves.
func leavings() map[string]step {
	return map[string]step{
		"PATCH":  {method: "PATCH", body: `{"Operations":[{"op":"replace","value":{"active":false}}]}`, status: http.StatusNoContent},
		"PUT":    {method: "PUT", body: `{"userName":"alice@example.com","active":false}`, status: http.StatusOK},
		"DELETE": {method: "DELETE", status: http.StatusNoContent},
	}
}

// The bus gets the news that somebody left, whatever becomes of IONOS and of the ledger.
func TestLeavingWhileIONOSIsInTrouble(t *testing.T) {
	for trouble, fault := range map[string]ionostest.Fault{
		"down":              ionostest.Status(http.StatusServiceUnavailable, 0),
		"no answer":         ionostest.Hang(),
		"broken off":        ionostest.Reset(),
		"slow":              ionostest.Trickle(time.Second),
		"busy":              ionostest.Status(http.StatusTooManyRequests, time.Hour),
		"wrong credentials": ionostest.Status(http.StatusUnauthorized, 0),
		"no right":          ionostest.Status(http.StatusForbidden, 0),
		"a page of a proxy": ionostest.Malformed(),
		"somebody else":     answering(`{"id":"` + bobID + `","properties":{"email":"bob@example.com"}}`),
		"an empty answer":   answering(`{}`),
	} {
		for name, leaving := range leavings() {
			t.Run(trouble+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newPipedWorld(t)
					w.people(t)
					w.api.Fault = ionostest.Always(fault)
					before := time.Now()
					got := w.call(t, leaving.method, "/scim/v2/Users/"+aliceID, leaving.body)
					if took := time.Since(before); took > 3*time.Second {
						t.Errorf("answered after %s", took)
					}
					want := ""
					if name == "PUT" {
						want = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"` + aliceID + `","userName":"alice@example.com","active":false,
							"meta":{"resourceType":"User","location":"/scim/v2/Users/` + aliceID + `"}}`
					}
					got.wantJSON(t, leaving.status, want)
					reason := map[string]string{"DELETE": deleted}[name]
					if reason == "" {
						reason = deactivated
					}
					w.wantPublished(t, offboarding(reason))
					if !bytes.Contains(w.log.Bytes(), []byte("could not be read")) {
						t.Errorf("the log does not tell: %s", w.log)
					}
				})
			})
		}
	}
}

// answering answers with the body instead of the API.
func answering(body string) ionostest.Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, body)
		})
	}
}

// Everything that is not on its way to the bus waits for IONOS and says so where it fails.
func TestReadingWhileIONOSIsInTrouble(t *testing.T) {
	const alice = "/scim/v2/Users/" + aliceID
	for trouble, tc := range map[string]struct {
		fault  ionostest.Fault
		status int
	}{
		"down":              {ionostest.Status(http.StatusServiceUnavailable, 0), http.StatusBadGateway},
		"no answer":         {ionostest.Hang(), http.StatusBadGateway},
		"wrong credentials": {ionostest.Status(http.StatusUnauthorized, 0), http.StatusBadGateway},
		"busy":              {ionostest.Status(http.StatusTooManyRequests, time.Minute), http.StatusTooManyRequests},
		"a page of a proxy": {ionostest.Malformed(), http.StatusBadGateway},
	} {
		for name, c := range map[string]step{
			"test of the connection": {method: "GET", path: where(`userName eq "2f4b9c0e-77aa-4c7d-9e0f-3f1b6a5d8c21"`)},
			"query":                  {method: "GET", path: where(`userName eq "alice@example.com"`)},
			"query of a leaver":      {method: "GET", path: where(`active eq false`)},
			"list":                   {method: "GET", path: "/scim/v2/Users"},
			"look":                   {method: "GET", path: alice},
			"creation":               {method: "POST", path: "/scim/v2/Users", body: `{"userName":"alice@example.com"}`},
			"change of a name":       {method: "PATCH", path: alice, body: `{"Operations":[{"op":"replace","path":"displayName","value":"A"}]}`},
			"change of a profile":    {method: "PUT", path: alice, body: `{"userName":"alice@example.com","active":true}`},
			"activation":             {method: "PATCH", path: alice, body: `{"Operations":[{"op":"replace","value":{"active":true}}]}`},
		} {
			t.Run(trouble+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newPipedWorld(t)
					w.people(t)
					w.Activate = true
					w.api.Fault = ionostest.Always(tc.fault)
					before := time.Now()
					got := w.call(t, c.method, c.path, c.body)
					got.wantError(t, tc.status, "")
					if took := time.Since(before); took > 26*time.Second {
						t.Errorf("answered after %s", took)
					}
					if wait := got.header.Get("Retry-After"); (tc.status == http.StatusTooManyRequests) != (wait == "60") {
						t.Errorf("Retry-After is %q", wait)
					}
					w.wantPublished(t)
				})
			})
		}
	}
}

// An error of IONOS is none for good.
func TestTroubleIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.api.Fault = ionostest.Nth(1, ionostest.Always(ionostest.Status(http.StatusUnauthorized, 0)))
	w.call(t, "GET", "/scim/v2/Users", "").wantError(t, http.StatusBadGateway, "")
	if got := w.page(t, "/scim/v2/Users"); got.TotalResults != 6 {
		t.Errorf("found %d users", got.TotalResults)
	}
}

func TestLeavingOfAnUnknownUser(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	for name, leaving := range leavings() {
		t.Run(name, func(t *testing.T) {
			w.call(t, leaving.method, "/scim/v2/Users/"+unknown, leaving.body).wantError(t, http.StatusNotFound, "")
		})
	}
	w.wantPublished(t)
}

func TestLeavingWhileTheBusIsDown(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.Activate = true
	w.bus.Refuse()
	calls := leavings()
	calls["activation"] = step{method: "PATCH", body: `{"Operations":[{"op":"replace","value":{"active":true}}]}`}
	for name, c := range calls {
		t.Run(name, func(t *testing.T) {
			got := w.call(t, c.method, "/scim/v2/Users/"+aliceID, c.body)
			got.wantError(t, http.StatusServiceUnavailable, "")
			if wait := got.header.Get("Retry-After"); wait != "10" {
				t.Errorf("Retry-After is %q", wait)
			}
		})
	}
	t.Run("PUT of a leaver", func(t *testing.T) {
		w.call(t, "PUT", "/scim/v2/Users/"+carolID, `{"active":true}`).wantError(t, http.StatusServiceUnavailable, "")
	})
}

func TestLedgerInTrouble(t *testing.T) {
	const alice = "/scim/v2/Users/" + aliceID
	w := newWorld(t)
	w.people(t)
	w.Activate = true
	if err := os.WriteFile(w.ledgerFile, []byte("this is no ledger"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]step{
		"list":                {method: "GET", path: "/scim/v2/Users"},
		"query":               {method: "GET", path: where(`userName eq "alice@example.com"`)},
		"query of leavers":    {method: "GET", path: where(`active eq false`)},
		"look":                {method: "GET", path: alice},
		"change of a profile": {method: "PUT", path: alice, body: `{"active":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			w.call(t, c.method, c.path, c.body).wantError(t, http.StatusServiceUnavailable, "")
		})
	}
	for _, leaving := range leavings() {
		if got := w.call(t, leaving.method, alice, leaving.body); got.status/100 != 2 {
			t.Errorf("%s: %d %s", leaving.method, got.status, got.body)
		}
	}
	if got := len(w.published(t)); got != 3 {
		t.Errorf("%d requests on the bus, want 3", got)
	}
}

// Somebody who leaves twice is two events, however alike the calls are.
func TestEachLeavingIsAnEventOfItsOwn(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	leaving := leavings()["PATCH"]
	for range 3 {
		w.call(t, leaving.method, "/scim/v2/Users/"+aliceID, leaving.body)
		w.pass(time.Millisecond)
	}
	if got := len(w.published(t)); got != 3 { // And their ids differ.
		t.Errorf("%d requests on the bus, want 3", got)
	}
	events := make(map[string]bool)
	for _, r := range w.bus.Requests() {
		events[r.Event()] = true
	}
	if len(events) != 3 {
		t.Errorf("%d events, want 3", len(events))
	}
}

func TestNothingConfidentialIsLogged(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	const password = "1mz050nq"
	for _, body := range []string{
		`{"userName":"alice@example.com","password":"` + password + `","active":false}`,
		`{"userName":"alice@example.com","password":"` + password + `","active":"` + password + `"}`,
		`{"userName":"alice@example.com","password":"` + password,
		`{"password":"` + password + `","password":"` + password + `"}`,
		`"` + password + `"`,
	} {
		for _, method := range []string{"PUT", "PATCH"} {
			if got := w.call(t, method, "/scim/v2/Users/"+aliceID, body); strings.Contains(got.body, password) {
				t.Errorf("the answer shows it: %s", got.body)
			}
		}
		w.call(t, "POST", "/scim/v2/Users", body)
	}
	if log := w.log.String(); strings.Contains(log, password) || strings.Contains(log, token) {
		t.Errorf("the log shows it: %s", log)
	}
}
