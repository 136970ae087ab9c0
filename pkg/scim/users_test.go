package scim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/scim"
)

// page is what matters of a list of users.
type page struct {
	TotalResults int `json:"totalResults"`
	StartIndex   int `json:"startIndex"`
	ItemsPerPage int `json:"itemsPerPage"`
	Resources    []struct {
		ID       string `json:"id"`
		UserName string `json:"userName"`
	} `json:"Resources"`
}

func (w *world) page(t *testing.T, path string) page {
	t.Helper()
	got := w.call(t, "GET", path, "")
	var p page
	if err := json.Unmarshal([]byte(got.body), &p); err != nil || got.status != http.StatusOK || p.ItemsPerPage != len(p.Resources) {
		t.Fatalf("%s: %d %s: %v", path, got.status, got.body, err)
	}
	return p
}

// names returns the first letters of the users' names.
func (p page) names() string {
	var names []string
	for _, r := range p.Resources {
		names = append(names, strings.ToLower(r.UserName[:1]))
	}
	slices.Sort(names)
	return strings.Join(names, "")
}

func TestFilters(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	// The people are alice, bob, carol, dave, erin and keyreeve.
	for filter, want := range map[string]string{
		``:                                                           "abcdek",
		`userName eq "alice@example.com"`:                            "a",
		`USERNAME EQ "ALICE@EXAMPLE.COM"`:                            "a",
		`userName eq "zoe@example.com"`:                              "",
		`userName eq "alice"`:                                        "",
		`userName eq "ålice@example.com"`:                            "",
		`userName eq ""`:                                             "",
		`userName eq null`:                                           "",
		`userName ne "alice@example.com"`:                            "bcdek",
		`userName co "A"`:                                            "abcdek",
		`userName sw "CAR"`:                                          "c",
		`userName ew "n@example.com"`:                                "e",
		`userName pr`:                                                "abcdek",
		`not (userName pr)`:                                          "",
		`id eq "` + aliceID + `"`:                                    "a",
		`id eq "` + strings.ToUpper(bobID) + `"`:                     "",
		`id sw "ca"`:                                                 "c",
		`emails eq "bob@example.com"`:                                "b",
		`emails.value eq "bob@example.com"`:                          "b",
		`emails[type eq "work"].value eq "bob@example.com"`:          "b",
		`emails[type eq "work"].value eq "zoe@example.com"`:          "",
		`emails[ TYPE EQ "WORK" ].value sw "bob"`:                    "b",
		`emails[type eq "work" and value eq "bob@example.com"]`:      "b",
		`emails[type eq "home" and value eq "bob@example.com"]`:      "",
		`emails[type eq "work" and value co "o"] and active eq true`: "adk",
		`emails[not (value sw "a")]`:                                 "bcdek",
		`emails.type eq "work"`:                                      "abcdek",
		`emails.primary eq false`:                                    "",
		`name.givenName eq "ALICE"`:                                  "a",
		`name.familyName sw "å"`:                                     "a",
		`name.familyName eq "\u00C5ngström"`:                         "a",
		`name.familyName co "\"bobby\" (b)"`:                         "b",
		`name[givenName eq "Carol" or givenName eq "Dave"]`:          "cd",
		`name pr`:                  "abcd",
		`not (name.familyName pr)`: "dek",
		`name.familyName eq null`:  "dek",
		`displayName eq "dave"`:    "d",
		`displayName co "emails[type eq \"work\"].value"`: "",
		`displayName co "active"`:                         "c",
		`active eq true`:                                  "adk",
		`active eq false`:                                 "bce",
		`active ne true`:                                  "bce",
		`ACTIVE EQ FALSE`:                                 "bce",
		`active pr`:                                       "abcdek",
		`externalId eq "alice"`:                           "",
		`externalId pr`:                                   "",
		`not (externalId eq "alice")`:                     "abcdek",
		`nickName co "a"`:                                 "",
		`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "bob@example.com"`:    "b",
		`urn:ietf:params:scim:schemas:core:2.0:User:name.givenName eq "bob"`:          "b",
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:userName pr`:      "",
		`userName eq "alice@example.com" and active eq true`:                          "a",
		`userName eq "carol@example.com" and active eq true`:                          "",
		`userName eq "carol@example.com" and active eq false`:                         "c",
		`active eq false and (userName eq "carol@example.com")`:                       "c",
		`userName eq "carol@example.com" or userName eq "bob@example.com"`:            "bc",
		`userName eq "carol@example.com" and userName eq "bob@example.com"`:           "",
		`not (userName eq "carol@example.com") and active eq false`:                   "be",
		`userName sw "a" or userName sw "b" and active eq true`:                       "a",
		`(userName sw "a" or userName sw "b") and active eq false`:                    "b",
		`userName eq "carol@example.com" and (displayName eq "x" or active eq false)`: "c",

		`userName`:                   "!",
		`userName eq`:                "!",
		`userName eq alice`:          "!",
		`userName eq "alice`:         "!",
		`userName is "alice"`:        "!",
		`(userName pr`:               "!",
		`userName eq "a" and`:        "!",
		`userName gt "a"`:            "!",
		`active gt true`:             "!",
		`active co "t"`:              "!",
		`active eq "true"`:           "!",
		`userName eq true`:           "!",
		`userName eq 5`:              "!",
		`userName co null`:           "!",
		`userName sw true`:           "!",
		`name.givenName eq "\u12"`:   "!",
		`name.givenName eq "\uD800"`: "!",
		"userName eq \"\xff\"":       "!",
		"userName eq \"a\nb\"":       "!",
		strings.Repeat("(", 21) + `userName pr` + strings.Repeat(")", 21): "!",
		`userName eq "` + strings.Repeat("a", 2048) + `"`:                 "!",
		`emails[type eq "home"].value eq "bob@example.com"`:               "!",
	} {
		t.Run(filter, func(t *testing.T) {
			if want == "!" {
				w.call(t, "GET", where(filter), "").wantError(t, http.StatusBadRequest, "invalidFilter")
				return
			}
			got := w.page(t, where(filter))
			if got.names() != want || got.TotalResults != len(want) {
				t.Errorf("found %q of %d, want %q", got.names(), got.TotalResults, want)
			}
		})
	}
}

// What a query costs IONOS: a look where it can only be about one, and no list.
func TestQueriesAreCheap(t *testing.T) {
	const users, keys = "/cloudapi/v6/um/users", "/s3keys"
	for name, tc := range map[string]struct {
		filter string
		paths  []string
	}{
		"userName":               {`userName eq "bob@example.com"`, []string{users}},
		"work address":           {`emails[type eq "work"].value eq "bob@example.com"`, []string{users}},
		"in a conjunction":       {`externalId eq "x" and (userName eq "bob@example.com" and active eq true)`, []string{users}},
		"as IONOS spells it":     {`userName eq "Alice@Example.com"`, []string{users}},
		"a leaver":               {`userName eq "carol@example.com"`, []string{users, users + "/" + carolID + keys}},
		"name that is no e-mail": {`userName eq "bob"`, []string{users + "/00000000-0000-4000-8000-000000000000"}},
		"filter that is none":    {`userName eq`, nil},
		"alternatives":           {`userName eq "bob@example.com" or userName eq "alice@example.com"`, []string{users}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.people(t)
			w.call(t, "GET", where(tc.filter), "")
			var paths []string
			filtered := 0
			for _, call := range w.api.Calls() {
				paths = append(paths, call.Path)
				if call.Query.Get("filter.email") != "" {
					filtered++
				}
			}
			diff(t, "calls", tc.paths, paths)
			if name != "alternatives" && slices.Contains(paths, users) && filtered != 1 {
				t.Errorf("all users were listed")
			}
		})
	}
}

func TestSeveralUsersWithOneAddress(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.api.AddUser(ionostest.User{Email: "ALICE@example.com"})
	w.api.EmailFilter = strings.EqualFold
	if got := w.page(t, where(`userName eq "alice@example.com"`)); got.TotalResults != 2 {
		t.Errorf("found %+v, want both", got)
	}
	w.call(t, "POST", "/scim/v2/Users", `{"userName":"alice@example.com"}`).wantError(t, http.StatusConflict, "uniqueness")
}

func TestUserWithAnAddressOutsideASCII(t *testing.T) {
	w := newWorld(t)
	w.api.AddUser(ionostest.User{Email: "jürgen@example.com"})
	if got := w.page(t, where(`userName eq "JÜRGEN@example.com"`)); got.names() != "j" {
		t.Errorf("found %+v", got)
	}
}

// recalls counts how often the ledger was asked.
type recalls struct {
	scim.Memory
	n atomic.Int64
}

func (r *recalls) Recall(ctx context.Context, userID string) (guard.Memory, error) {
	r.n.Add(1)
	return r.Memory.Recall(ctx, userID)
}

func TestImportOfAThousandUsers(t *testing.T) {
	w := newWorld(t)
	counted := &recalls{Memory: w.ledger}
	w.Memory = counted
	w.api.EmailFilter = strings.EqualFold
	for i := range 999 {
		w.api.AddUser(ionostest.User{Email: fmt.Sprintf("user%d@example.com", i)})
	}
	importAll := func() []string {
		var ids []string
		for start := 1; start <= 1000; start += 100 {
			got := w.page(t, fmt.Sprintf("/scim/v2/Users?startIndex=%d&count=100", start))
			if got.TotalResults != 1000 || got.StartIndex != start || got.ItemsPerPage != 100 {
				t.Fatalf("page %d: %d of %d from %d", start, got.ItemsPerPage, got.TotalResults, got.StartIndex)
			}
			for _, r := range got.Resources {
				ids = append(ids, r.ID)
			}
		}
		return ids
	}
	ids := importAll()
	distinct := maps.Collect(func(yield func(string, bool) bool) {
		for _, id := range ids {
			if !yield(id, true) {
				return
			}
		}
	})
	if len(distinct) != 1000 || !slices.IsSorted(ids) {
		t.Errorf("%d users, sorted %t", len(distinct), slices.IsSorted(ids))
	}
	wantCalls := func(want int) {
		t.Helper()
		if got := len(w.api.Calls()); got != want {
			t.Errorf("%d calls to IONOS, want %d", got, want)
		}
	}
	wantCalls(11) // One list: ten full pages, and an empty one.
	if got := counted.n.Load(); got != 1000 {
		t.Errorf("the ledger was asked %d times, want once a user", got)
	}

	w.pass(29 * time.Second)
	w.api.AddUser(ionostest.User{ID: "00000000-0000-4000-8000-0000000000aa", Email: "new@example.com"})
	diff(t, "the same list", ids, importAll())
	wantCalls(11)
	if got := w.page(t, where(`userName eq "new@example.com"`)); got.names() != "n" {
		t.Error("the new user is not found by name")
	}
	wantCalls(12)
	w.pass(time.Second)
	if got := w.page(t, "/scim/v2/Users?count=1"); got.TotalResults != 1001 || got.Resources[0].UserName != "new@example.com" {
		t.Errorf("got %+v, want the new user first", got)
	}
	wantCalls(23)
}

// Somebody who left may be gone from IONOS by the time that their keys are asked for.
func TestUserGoneSinceTheList(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if !strings.HasSuffix(r.URL.Path, "/s3keys") {
			return nil
		}
		return ionostest.Status(http.StatusNotFound, 0)
	}
	if got := w.page(t, where(`active eq false`)); got.names() != "bcde" {
		t.Errorf("%q are inactive, want all who left", got.names())
	}
}

func TestLeaversAreLookedAtTenAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPipedWorld(t)
		for range 30 {
			w.offboard(t, w.api.AddUser(ionostest.User{}).ID)
		}
		w.api.Latency = time.Second
		before := time.Now()
		w.page(t, "/scim/v2/Users")
		if took := time.Since(before); took != 4*time.Second {
			t.Errorf("took %s, want a second for the list and three for thirty users", took)
		}
	})
}

func TestPaging(t *testing.T) {
	w := newWorld(t)
	for i := range 119 {
		w.api.AddUser(ionostest.User{ID: fmt.Sprintf("00000000-0000-4000-9000-%012d", i)})
	}
	counted := &recalls{Memory: w.ledger}
	w.Memory = counted
	for query, want := range map[string]struct {
		start, items int
		first        string
	}{
		"":                        {1, 100, "000"},
		"startIndex=1":            {1, 100, "000"},
		"startIndex=0":            {1, 100, "000"},
		"startIndex=-7&count=2":   {1, 2, "000"},
		"startIndex=2&count=3":    {2, 3, "001"},
		"startIndex=101":          {101, 20, "100"},
		"startIndex=120&count=50": {120, 1, "000"}, // The one whose id ends in zeros.
		"startIndex=121":          {121, 0, ""},
		"startIndex=999999999999": {999999999999, 0, ""},
		"count=0":                 {1, 0, ""},
		"count=-1":                {1, 0, ""},
		"count=1000":              {1, 100, "000"},
	} {
		t.Run(query, func(t *testing.T) {
			before := counted.n.Load()
			got := w.page(t, "/scim/v2/Users?"+query)
			if got.TotalResults != 120 || got.StartIndex != want.start || got.ItemsPerPage != want.items {
				t.Errorf("got %d of %d from %d, want %+v", got.ItemsPerPage, got.TotalResults, got.StartIndex, want)
			}
			if want.items > 0 && !strings.HasSuffix(got.Resources[0].ID, want.first) {
				t.Errorf("first is %s", got.Resources[0].ID)
			}
			if asked := counted.n.Load() - before; int(asked) != want.items {
				t.Errorf("the ledger was asked %d times for %d users", asked, want.items)
			}
		})
	}
	for _, query := range []string{"count=many", "startIndex=1.5", "startIndex=99999999999999999999", "count=1e2"} {
		w.call(t, "GET", "/scim/v2/Users?"+query, "").wantError(t, http.StatusBadRequest, "invalidValue")
	}
	for _, query := range []string{"filter=%zz", "filter=userName%20pr;count=1"} {
		w.call(t, "GET", "/scim/v2/Users?"+query, "").wantError(t, http.StatusBadRequest, "invalidSyntax")
	}
}

func TestCreation(t *testing.T) {
	for name, tc := range map[string]struct {
		body     string
		status   int
		scimType string
	}{
		"somebody who is there":             {`{"userName":"alice@example.com"}`, 409, "uniqueness"},
		"in another case, with the schema":  {`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"USERNAME":"BOB@example.com","active":false}`, 409, "uniqueness"},
		"a leaver":                          {`{"userName":"carol@example.com"}`, 409, "uniqueness"},
		"somebody unknown":                  {`{"userName":"zoe@example.com","active":"True"}`, 403, ""},
		"a name that is no e-mail":          {`{"userName":"zoe"}`, 403, ""},
		"no userName":                       {`{"emails":[{"value":"alice@example.com"}]}`, 400, "invalidValue"},
		"empty userName":                    {`{"userName":""}`, 400, "invalidValue"},
		"userName that is a number":         {`{"userName":5}`, 400, "invalidValue"},
		"active that cannot be understood":  {`{"userName":"alice@example.com","active":"perhaps"}`, 400, "invalidValue"},
		"nothing":                           {``, 400, "invalidSyntax"},
		"a list":                            {`[]`, 400, "invalidSyntax"},
		"null":                              {`null`, 400, "invalidSyntax"},
		"cut off":                           {`{"userName":"alice@exam`, 400, "invalidSyntax"},
		"a form":                            {`userName=alice`, 400, "invalidSyntax"},
		"text that is not UTF-8":            {"{\"userName\":\"\xff\"}", 400, "invalidSyntax"},
		"two users":                         {`{"userName":"alice@example.com"}{"userName":"bob@example.com"}`, 400, "invalidSyntax"},
		"the same name twice":               {`{"userName":"alice@example.com","userName":"zoe@example.com"}`, 400, "invalidSyntax"},
		"the same name twice, in two cases": {`{"userName":"alice@example.com","username":"zoe@example.com"}`, 400, "invalidValue"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.people(t)
			w.call(t, "POST", "/scim/v2/Users", tc.body).wantError(t, tc.status, tc.scimType)
			w.wantPublished(t)
		})
	}
	t.Run("the refusal says what to do", func(t *testing.T) {
		got := newWorld(t).call(t, "POST", "/scim/v2/Users", `{"userName":"zoe@example.com"}`)
		if !strings.Contains(got.body, "There is no IONOS user zoe@example.com, and Keyreeve makes none. Make the user in IONOS first") {
			t.Errorf("got %s", got.body)
		}
	})
}
