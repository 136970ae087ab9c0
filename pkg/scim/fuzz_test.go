package scim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"keyreeve/pkg/bus/bustest"
)

// FuzzFilter asks for users by arbitrary filters. A filter agrees with itself: whom it does not find, its opposite does,
// although one may look up a single user and the other lists all.
func FuzzFilter(f *testing.F) {
	for _, filter := range []string{
		`userName eq "alice@example.com"`, `userName eq "2f4b9c0e-77aa-4c7d-9e0f-3f1b6a5d8c21"`, `emails[type eq "work"].value eq "bob@example.com"`,
		`emails[type eq "work" and value co "e"]`, `emails[not (value sw "a")]`, `active eq true and userName eq "carol@example.com"`,
		`name.familyName co "\"bobby\" (b)"`, `displayName eq null or externalId ne "x"`, `not (not (active eq false))`,
		`urn:ietf:params:scim:schemas:core:2.0:User:name.givenName sw "\u00C5"`, `userName eq "a@example.com" or id pr and active ne true`,
		`emails[type eq "home" and value eq "alice@example.com"]`, `userName eq "ALICE@example.com" and userName eq "bob@example.com"`, `(((active pr)))`,
	} {
		f.Add(filter)
	}
	const everybody = 6
	w := newWorld(f)
	w.people(f)
	f.Fuzz(func(t *testing.T, filter string) {
		const longest, deepest = 2048 - len("not ()"), 20 - 1
		if filter == "" || len(filter) > longest || strings.Count(filter, "(")+strings.Count(filter, "[") > deepest {
			t.Skip("its opposite is over the limits, or it has none")
		}
		got := w.call(t, "GET", where(filter), "")
		if got.status != http.StatusOK {
			got.wantError(t, http.StatusBadRequest, "invalidFilter")
			return
		}
		matched, others := w.page(t, where(filter)), w.page(t, where("not ("+filter+")"))
		found := make(map[string]bool)
		for _, r := range append(matched.Resources, others.Resources...) {
			found[r.ID] = true
		}
		if len(found) != everybody || matched.TotalResults+others.TotalResults != everybody {
			t.Errorf("%q finds %d users, and its opposite %d", filter, matched.TotalResults, others.TotalResults)
		}
	})
}

// leaver has a fresh bus and lets carol's provider say what becomes of her.
func leaver(t *testing.T, w *world, method, body string) (response, string) {
	t.Helper()
	w.bus = bustest.Bus{}
	got := w.call(t, method, "/scim/v2/Users/"+carolID, body)
	taken := said(t, w.published(t))
	var problem struct {
		ScimType string `json:"scimType"`
	}
	switch got.status {
	case http.StatusOK:
	case http.StatusBadRequest:
		if err := json.Unmarshal([]byte(got.body), &problem); err != nil || problem.ScimType == "" || taken != "nothing" {
			t.Errorf("%q: said %s and answered %s", body, taken, got.body)
		}
	default:
		t.Errorf("%q: answered %d %s", body, got.status, got.body)
	}
	return got, taken
}

// FuzzPatch sends arbitrary operations. What another decoder plainly reads of active is what is done.
func FuzzPatch(f *testing.F) {
	for _, operations := range []string{
		`{"op":"Replace","path":"active","value":"False"}`, `{"op":"replace","path":"active","value":false}`, `{"op":"replace","value":{"active":false}}`,
		`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User:active","value":[{"value":"True"}]}`, `{"op":"remove","path":"title"}`,
		`{"op":"replace","value":{"displayName":"A"}},{"op":"replace","value":{"active":true}},{"op":"replace","path":"active","value":false}`,
		`{"op":"replace","value":{"urn:ietf:params:scim:schemas:core:2.0:User":{"active":false}}}`, `{"op":"replace","path":"active.x","value":false}`,
		`{"op":"replace","path":"emails[type eq \"work\"].value","value":"a@example.com"}`, `null`, ``,
	} {
		f.Add(operations)
	}
	w := newWorld(f)
	w.people(f)
	w.Activate = true
	f.Fuzz(func(t *testing.T, operations string) {
		body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`
		got, taken := leaver(t, w, "PATCH", body)
		var patch struct {
			Operations []map[string]any `json:"Operations"`
		}
		if err := json.Unmarshal([]byte(body), &patch); err != nil {
			if got.status != http.StatusBadRequest {
				t.Errorf("%q is no JSON, and was answered %d", body, got.status)
			}
			return
		}
		if got.status != http.StatusOK {
			return // Each error has its case in TestPatchForms.
		}
		want := "nothing"
		for _, operation := range patch.Operations {
			word, plain := plainly(operation)
			if !plain {
				return
			}
			if word != "" {
				want = word
			}
		}
		if taken != want {
			t.Errorf("took %q for %s, want %s", body, taken, want)
		}
	})
}

// plainly reads an operation in the two ways that need no thought, and reports false for every other that may be about
// active.
func plainly(operation map[string]any) (word string, plain bool) {
	for member := range operation {
		if member != "op" && member != "path" && member != "value" {
			return "", false
		}
	}
	path, _ := operation["path"].(string)
	object, isObject := operation["value"].(map[string]any)
	value := operation["value"]
	switch {
	case path == "" && isObject:
		for name := range object {
			if name != "active" && strings.Contains(strings.ToLower(name), "active") || strings.Contains(strings.ToLower(name), "user") || strings.TrimSpace(name) == "" {
				return "", false
			}
		}
		var said bool
		if value, said = object["active"]; !said {
			return "", true
		}
	case path != "active":
		return "", path != "" && !strings.Contains(strings.ToLower(path), "active") && !strings.Contains(strings.ToLower(path), "user")
	}
	return wordFor(value)
}

func wordFor(value any) (word string, plain bool) {
	switch value {
	case true:
		return "true", true
	case false:
		return "false", true
	default:
		return "", false
	}
}

// FuzzPut sends arbitrary users. What another decoder plainly reads of active is what is done.
func FuzzPut(f *testing.F) {
	for _, body := range []string{
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"1","userName":"carol@example.com","active":false,"groups":[]}`,
		`{"active":true}`, `{"Active":"False"}`, `{"active":[{"value":"True"}]}`, `{"urn:ietf:params:scim:schemas:core:2.0:User":{"active":false}}`,
		`{"urn:ietf:params:scim:schemas:core:2.0:User:active":false,"active":false}`, `{"userName":5}`, `{}`, `null`, `[]`, `{"active":null}`,
	} {
		f.Add(body)
	}
	w := newWorld(f)
	w.people(f)
	w.Activate = true
	f.Fuzz(func(t *testing.T, body string) {
		got, taken := leaver(t, w, "PUT", body)
		var members map[string]any
		if err := json.Unmarshal([]byte(body), &members); err != nil || members == nil {
			if got.status != http.StatusBadRequest {
				t.Errorf("%q is no JSON object, and was answered %d", body, got.status)
			}
			return
		}
		if got.status != http.StatusOK {
			return // Each error has its case in TestPutForms.
		}
		for name := range members {
			if name != "active" && strings.Contains(strings.ToLower(name), "active") || strings.Contains(strings.ToLower(name), "user:") || strings.HasSuffix(strings.ToLower(strings.TrimSpace(name)), "user") || strings.TrimSpace(name) == "" {
				return
			}
		}
		want, plain := "nothing", true
		if value, said := members["active"]; said {
			want, plain = wordFor(value)
		}
		if plain && taken != want {
			t.Errorf("took %q for %s, want %s", body, taken, want)
		}
	})
}
