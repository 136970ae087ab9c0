package ionos_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
)

func TestFindUser(t *testing.T) {
	api := &ionostest.Server{}
	alice := api.AddUser(ionostest.User{Email: "Alice+keys@Example.com", FirstName: "Alice", LastName: "Ångström", Administrator: true})
	bob := api.AddUser(ionostest.User{Email: "bob@example.com", Inactive: true})
	api.AddUser(ionostest.User{Email: "twin@example.com"})
	api.AddUser(ionostest.User{Email: "TWIN@example.com"})
	client := newClient(t, api)
	wantAlice := guard.User{
		ID: alice.ID, Email: alice.Email, Administrator: true, Active: true,
		FirstName: "Alice", LastName: "Ångström", Created: alice.Created,
	}
	wantBob := guard.User{ID: bob.ID, Email: bob.Email, Created: bob.Created}

	for name, tc := range map[string]struct {
		ref  string
		want guard.User
		kind guard.Kind
	}{
		"UUID":                    {ref: alice.ID, want: wantAlice},
		"UUID in capitals":        {ref: strings.ToUpper(bob.ID), want: wantBob},
		"unknown UUID":            {ref: selfID, kind: guard.NotFound},
		"e-mail":                  {ref: "bob@example.com", want: wantBob},
		"e-mail in another case":  {ref: "alice+KEYS@example.COM", want: wantAlice},
		"unknown e-mail":          {ref: "carol@example.com", kind: guard.NotFound},
		"part of an e-mail":       {ref: "ob@example.com", kind: guard.NotFound},
		"e-mail of several users": {ref: "Twin@example.com", kind: guard.Invalid},
		"neither":                 {ref: "bob", kind: guard.Invalid},
		"nothing":                 {ref: "", kind: guard.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := client.FindUser(t.Context(), tc.ref)
			wantKind(t, err, tc.kind)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindUserByEmailAmongMany(t *testing.T) {
	exactly := func(email, filter string) bool { return email == filter }
	for name, tc := range map[string]struct {
		users   int
		filter  func(email, filter string) bool
		ref     string
		kind    guard.Kind
		offsets []string
	}{
		"filter finds them":             {users: 250, filter: exactly, ref: "user249@example.com", offsets: []string{"0"}},
		"filter is ignored":             {users: 250, filter: ionostest.IgnoreFilter, ref: "user249@example.com", offsets: []string{"0", "100", "200"}},
		"filter minds the case":         {users: 250, filter: exactly, ref: "USER249@example.com", offsets: []string{"0", "0", "100", "200"}},
		"filter finds parts":            {users: 120, filter: strings.Contains, ref: "user1@example.com", offsets: []string{"0"}},
		"nobody":                        {users: 120, filter: exactly, ref: "nobody@example.com", kind: guard.NotFound, offsets: []string{"0", "0", "100"}},
		"nobody, and the page is full":  {users: 100, filter: exactly, ref: "nobody@example.com", kind: guard.NotFound, offsets: []string{"0", "0", "100"}},
		"nobody in an empty contract":   {users: 0, filter: exactly, ref: "nobody@example.com", kind: guard.NotFound, offsets: []string{"0", "0"}},
		"last of a page":                {users: 101, filter: ionostest.IgnoreFilter, ref: "user99@example.com", offsets: []string{"0", "100"}},
		"first of the next":             {users: 101, filter: ionostest.IgnoreFilter, ref: "user100@example.com", offsets: []string{"0", "100"}},
		"first on the first page, only": {users: 30, filter: ionostest.IgnoreFilter, ref: "user0@example.com", offsets: []string{"0"}},
	} {
		t.Run(name, func(t *testing.T) {
			api := &ionostest.Server{EmailFilter: tc.filter}
			for i := range tc.users {
				api.AddUser(ionostest.User{Email: fmt.Sprintf("user%d@example.com", i)})
			}
			got, err := newClient(t, api).FindUser(t.Context(), tc.ref)
			wantKind(t, err, tc.kind)
			if err == nil && !strings.EqualFold(got.Email, tc.ref) {
				t.Errorf("found %s, want %s", got.Email, tc.ref)
			}
			var offsets []string
			for _, call := range api.Calls() {
				offsets = append(offsets, call.Query.Get("offset"))
				if got := call.Query.Get("limit"); got != "100" {
					t.Errorf("limit is %s, want 100", got)
				}
			}
			if diff := cmp.Diff(tc.offsets, offsets); diff != "" {
				t.Errorf("offsets asked for (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListUsers(t *testing.T) {
	for name, tc := range map[string]struct {
		users, calls int
	}{
		"empty contract": {users: 0, calls: 1},
		"one page":       {users: 99, calls: 1},
		"one full page":  {users: 100, calls: 2},
		"one more":       {users: 101, calls: 2},
		"several pages":  {users: 250, calls: 3},
		"a thousand":     {users: 1000, calls: 11},
	} {
		t.Run(name, func(t *testing.T) {
			api := &ionostest.Server{}
			var want []guard.User
			for range tc.users {
				u := api.AddUser(ionostest.User{})
				want = append(want, guard.User{ID: u.ID, Email: u.Email, Active: true, Created: u.Created})
			}
			got, err := newClient(t, api).ListUsers(t.Context())
			wantKind(t, err, "")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
			if got := len(api.Calls()); got != tc.calls {
				t.Errorf("%d calls, want %d", got, tc.calls)
			}
		})
	}
}

func TestListUsersShowsNobodyTwice(t *testing.T) {
	api := &ionostest.Server{}
	for range 150 {
		api.AddUser(ionostest.User{})
	}
	api.Fault = ionostest.Nth(2, ionostest.Always(withOffset("50")))
	users, err := newClient(t, api).ListUsers(t.Context())
	wantKind(t, err, "")
	if len(users) != 150 {
		t.Errorf("%d users, want 150", len(users))
	}
}

func TestListUsersDoesNotGuess(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"no e-mail":         answering(http.StatusOK, `{"items":[{"id":"`+selfID+`","properties":{"administrator":true}}]}`),
		"no items":          answering(http.StatusOK, `{"id":"users"}`),
		"depth ignored":     answering(http.StatusOK, `{"items":[{"id":"`+selfID+`","type":"user"}]}`),
		"the same for ever": answering(http.StatusOK, `{"items":[{"id":"`+selfID+`","properties":{"email":"a@example.com"}}],"_links":{"next":"n"}}`),
		"new ones for ever": endless(),
	} {
		t.Run(name, func(t *testing.T) {
			users, err := newClient(t, answer).ListUsers(t.Context())
			wantKind(t, err, guard.Upstream)
			if users != nil {
				t.Errorf("%d users and an error", len(users))
			}
		})
	}
}

// endless answers every call with a page of users who were not on any other, and have no keys: a hundred thousand of
// them, so that a client who never stops finds an end.
func endless() http.HandlerFunc {
	const pageSize, pages = 100, 1000
	page := 0
	return func(w http.ResponseWriter, r *http.Request) {
		items := make([]string, pageSize)
		for i := range items {
			items[i] = fmt.Sprintf(`{"id":"%d","properties":{"email":"a@example.com"},"entities":{"s3Keys":{"items":[]}}}`, page*pageSize+i)
		}
		if page++; page > pages {
			items = nil
		}
		answering(http.StatusOK, `{"items":[`+strings.Join(items, ",")+`],"_links":{"next":"n"}}`)(w, r)
	}
}

// withOffset has the API answer a call as if it had asked for another page.
func withOffset(offset string) ionostest.Fault {
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			query.Set("offset", offset)
			r.URL.RawQuery = query.Encode()
			api.ServeHTTP(w, r)
		})
	}
}

func TestFindUserDoesNotLoopWhereTheOffsetIsIgnored(t *testing.T) {
	api := &ionostest.Server{}
	for range 150 {
		api.AddUser(ionostest.User{})
	}
	api.Fault = ionostest.Always(withOffset("0"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := newClient(t, api).FindUser(ctx, "nobody@example.com")
	wantKind(t, err, guard.Upstream)
	if got := len(api.Calls()); got > 3 {
		t.Errorf("%d calls, want 3 at most: filter, first page, first page again", got)
	}
}

func TestFindUserKnowsAUserWhoMovesToTheNextPage(t *testing.T) {
	api := &ionostest.Server{EmailFilter: ionostest.IgnoreFilter}
	for i := range 150 {
		api.AddUser(ionostest.User{Email: fmt.Sprintf("user%d@example.com", i)})
	}
	// As if somebody had been put in front between the two calls.
	api.Fault = ionostest.Nth(2, ionostest.Always(withOffset("99")))
	_, err := newClient(t, api).FindUser(t.Context(), "user99@example.com")
	wantKind(t, err, "")
}

func TestFindUserDoesNotGuess(t *testing.T) {
	for name, body := range map[string]string{
		"empty":              ``,
		"null":               `null`,
		"another user":       `{"id":"5e1f0000-0000-4000-8000-000000000002","properties":{"email":"a@example.com"}}`,
		"no id":              `{"properties":{"email":"a@example.com"}}`,
		"depth ignored":      `{"id":"` + selfID + `","type":"user"}`,
		"no e-mail":          `{"id":"` + selfID + `","properties":{"administrator":true}}`,
		"cut off":            `{"id":"` + selfID + `","properties":{"email":"a@exam`,
		"list, no items":     `{"id":"users"}`,
		"list without depth": `{"items":[{"id":"` + selfID + `","type":"user"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, answering(http.StatusOK, body))
			for _, ref := range []string{selfID, "a@example.com"} {
				_, err := client.FindUser(t.Context(), ref)
				wantKind(t, err, guard.Upstream)
			}
		})
	}
}

func TestAdministers(t *testing.T) {
	const two = `{"items":[{"properties":{"contractNumber":1,"owner":"one@example.com"}},{"properties":{"contractNumber":2,"owner":"two@example.com"}}]}`
	for name, tc := range map[string]struct {
		user     guard.User
		answer   string
		contract string
		want     bool
		kind     guard.Kind
	}{
		"administrator":                 {user: guard.User{Administrator: true}, answer: `not asked`, want: true},
		"owner":                         {user: guard.User{Email: "One@Example.com"}, answer: `{"items":[{"properties":{"contractNumber":1,"owner":"one@example.com"}}]}`, want: true},
		"anybody else":                  {user: guard.User{Email: "two@example.com"}, answer: `{"items":[{"properties":{"contractNumber":1,"owner":"one@example.com"}}]}`},
		"owner of the contract":         {user: guard.User{Email: "two@example.com"}, answer: two, contract: "2", want: true},
		"owner of another contract":     {user: guard.User{Email: "one@example.com"}, answer: two, contract: "2"},
		"owner of one, none is chosen":  {user: guard.User{Email: "one@example.com"}, answer: two, kind: guard.Credentials},
		"owner of none, none is chosen": {user: guard.User{Email: "three@example.com"}, answer: two},
		"contract is not there":         {user: guard.User{Email: "one@example.com"}, answer: two, contract: "3", kind: guard.Upstream},
		"no owner, no e-mail":           {user: guard.User{}, answer: `{"items":[{"properties":{"contractNumber":1}}]}`, kind: guard.Upstream},
		"no contract":                   {user: guard.User{Email: "one@example.com"}, answer: `{"items":[]}`, kind: guard.Upstream},
		"no answer":                     {user: guard.User{Email: "one@example.com"}, answer: ``, kind: guard.Upstream},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, answering(http.StatusOK, tc.answer), func(cfg *ionos.Config) { cfg.ContractNumber = tc.contract })
			got, err := client.Administers(t.Context(), tc.user)
			wantKind(t, err, tc.kind)
			if got != tc.want {
				t.Errorf("got %t, want %t", got, tc.want)
			}
		})
	}
}

func TestAdministersAgainstTheFake(t *testing.T) {
	api := &ionostest.Server{Owner: "Boss@example.com"}
	client := newClient(t, api)
	for email, want := range map[string]bool{"boss@example.com": true, "clerk@example.com": false} {
		if got, err := client.Administers(t.Context(), guard.User{Email: email}); err != nil || got != want {
			t.Errorf("%s: got %t, %v; want %t", email, got, err, want)
		}
	}
}
