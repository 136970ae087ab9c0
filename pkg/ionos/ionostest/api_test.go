package ionostest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/ionos/ionostest"
)

const (
	aliceID = "11111111-2222-4333-8444-555555555555"
	keyID   = "54ae0c5ec4b3c552409a"
)

// withAlice seeds a user with one active key, all of it known.
func withAlice(s *ionostest.Server) *ionostest.Server {
	s.AddUser(ionostest.User{
		ID: aliceID, Email: "alice@example.com", FirstName: "Alice", LastName: "Able",
		Created: time.Date(2022, time.October, 27, 12, 0, 0, 0, time.UTC),
	})
	s.AddKey(aliceID, ionostest.Key{
		ID: keyID, Secret: "alice/secret+", Active: true,
		Created: time.Date(2022, time.October, 27, 14, 25, 15, 0, time.FixedZone("CEST", 2*60*60)),
	})
	return s
}

// Wire formats, as far as the etags: those are digests.
const (
	aliceHead = `"id": "11111111-2222-4333-8444-555555555555", "type": "user",
		"href": "$HOST/cloudapi/v6/um/users/11111111-2222-4333-8444-555555555555"`
	aliceProperties = `"metadata": {"etag": "$ETAG", "lastLogin": null, "createdDate": "2022-10-27T12:00:00Z"},
		"properties": {"firstname": "Alice", "lastname": "Able", "email": "alice@example.com", "administrator": false,
			"forceSecAuth": false, "secAuthActive": false, "active": true, "s3CanonicalUserId": "$ETAG"}`
	aliceEntities = `"owns": {"id": "11111111-2222-4333-8444-555555555555/owns", "type": "collection",
			"href": "$HOST/cloudapi/v6/um/users/11111111-2222-4333-8444-555555555555/owns"},
		"groups": {"id": "11111111-2222-4333-8444-555555555555/groups", "type": "collection",
			"href": "$HOST/cloudapi/v6/um/users/11111111-2222-4333-8444-555555555555/groups"}`
	keysHead = `"id": "11111111-2222-4333-8444-555555555555/s3keys", "type": "collection",
		"href": "$HOST/cloudapi/v6/um/users/11111111-2222-4333-8444-555555555555/s3keys"`
	keyHead = `"id": "54ae0c5ec4b3c552409a", "type": "s3key",
		"href": "$HOST/cloudapi/v6/um/users/11111111-2222-4333-8444-555555555555/s3keys/54ae0c5ec4b3c552409a"`
	keyBody = keyHead + `, "metadata": {"etag": "$ETAG", "createdDate": "2022-10-27T12:25:15"},
		"properties": {"secretKey": "alice/secret+", "active": true}`
)

// usersPage is a list of users with one item.
func usersPage(item string) string {
	return `{"id": "users", "type": "collection", "href": "$HOST/cloudapi/v6/um/users", "items": [{` + item + `}],
		"offset": 0, "limit": 100, "_links": {"self": "$HOST/cloudapi/v6/um/users?limit=100&offset=0"}}`
}

func withoutEtags(body string) string {
	return regexp.MustCompile(`"[0-9a-f]{32}"`).ReplaceAllString(body, `"$$ETAG"`)
}

func TestWireFormats(t *testing.T) {
	c := serve(t, withAlice(&ionostest.Server{}))
	for _, tt := range []struct{ name, path, want string }{
		{"keys, heads only", keysPath(aliceID), `{` + keysHead + `, "items": [{` + keyHead + `}]}`},
		{"keys", keysPath(aliceID) + "?depth=1", `{` + keysHead + `, "items": [{` + keyBody + `}]}`},
		{"key, head only", keysPath(aliceID) + "/" + keyID + "?depth=0", `{` + keyHead + `}`},
		{"key", keysPath(aliceID) + "/" + keyID + "?depth=1", `{` + keyBody + `}`},
		{"user, head only", "/um/users/" + aliceID, `{` + aliceHead + `}`},
		{
			"user", "/um/users/" + aliceID + "?depth=1",
			`{` + aliceHead + `, ` + aliceProperties + `, "entities": {` + aliceEntities + `, "s3Keys": {` + keysHead + `}}}`,
		},
		{"users, heads only", "/um/users", usersPage(aliceHead)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := c.get(tt.path)
			got.body = withoutEtags(got.body)
			equalJSON(t, c, got, tt.want)
		})
	}
}

func TestPretty(t *testing.T) {
	c := serve(t, &ionostest.Server{})
	if lines := strings.Count(c.get("/contracts").body, "\n"); lines < 2 {
		t.Errorf("%d line breaks by default, want indented JSON", lines)
	}
	if lines := strings.Count(c.get("/contracts?pretty=false").body, "\n"); lines != 0 {
		t.Errorf("%d line breaks with pretty=false, want none", lines)
	}
}

func TestUnlikeWhatOneExpects(t *testing.T) {
	s := withAlice(&ionostest.Server{
		ModifiedMetadata: true,
		UnknownKeyPrefix: "[VDC-21-2] ",
	})
	c := serve(t, s)
	s.SwitchKey(aliceID, keyID, false)

	modified := s.Keys(aliceID)[0].Modified.Format("2006-01-02T15:04:05")
	if got := c.get(keysPath(aliceID) + "?depth=1&pretty=false").body; !strings.Contains(got, `"lastModifiedDate":"`+modified+`"`) {
		t.Errorf("keys %s lack lastModifiedDate %s", got, modified)
	}
	if got := c.get(keysPath(aliceID) + "/nokey").body; !strings.Contains(got, `"[VDC-21-2] The access key cannot`) {
		t.Errorf("unknown key: %s, want a prefix", got)
	}
}

func TestWrites(t *testing.T) {
	s := withAlice(&ionostest.Server{})
	c := serve(t, s)
	location := regexp.MustCompile(`^` + c.url + `/cloudapi/v6/requests/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/status$`)
	accepted := func(got response) {
		t.Helper()
		if got.status != http.StatusAccepted || !location.MatchString(got.header.Get("Location")) {
			t.Errorf("answer %d, Location %q, want 202 and a request", got.status, got.header.Get("Location"))
		}
	}

	off := c.call(http.MethodPut, keysPath(aliceID)+"/"+keyID+"?depth=1", switchBody(false))
	accepted(off)
	if !strings.Contains(off.body, `"active": false`) || s.Keys(aliceID)[0].Active {
		t.Errorf("switched off: %s and %+v", off.body, s.Keys(aliceID))
	}
	if before, after := ionostest.Epoch(), s.Keys(aliceID)[0].Modified; !after.After(before) {
		t.Errorf("modified %v, want the time of the switch", after)
	}

	made := c.call(http.MethodPost, keysPath(aliceID)+"?depth=1", "")
	accepted(made)
	if !strings.Contains(made.body, `"active": true`) || len(s.Keys(aliceID)) != 2 {
		t.Errorf("created: %s and %+v", made.body, s.Keys(aliceID))
	}

	gone := c.call(http.MethodDelete, keysPath(aliceID)+"/"+keyID, "")
	accepted(gone)
	if gone.body != "" || len(s.Keys(aliceID)) != 1 || s.Keys(aliceID)[0].ID == keyID {
		t.Errorf("deleted: %q and %+v", gone.body, s.Keys(aliceID))
	}
}

func TestRefusals(t *testing.T) {
	key := keysPath(aliceID) + "/" + keyID
	on := switchBody(true)
	const unknownKey = "The access key cannot be found, please double-check the key id and try again."
	var s ionostest.Server
	withAlice(&s)
	full := s.AddUser(ionostest.User{})
	for range ionostest.MaxKeys {
		s.AddKey(full.ID, ionostest.Key{})
	}
	barred := s.AddUser(ionostest.User{NoObjectStorage: true})
	foreign := s.Keys(full.ID)[0].ID
	c := serve(t, &s)

	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		code, message            string
	}{
		{"unknown user", http.MethodGet, keysPath("nobody"), "", 404, "309", "Resource does not exist"},
		{"get unknown key", http.MethodGet, keysPath(aliceID) + "/nokey", "", 422, "422", unknownKey},
		{"put unknown key", http.MethodPut, keysPath(aliceID) + "/nokey", on, 422, "422", unknownKey},
		{"delete unknown key", http.MethodDelete, keysPath(aliceID) + "/nokey", "", 422, "422", unknownKey},
		{"key of another user", http.MethodDelete, keysPath(aliceID) + "/" + foreign, "", 422, "422", unknownKey},
		{"sixth key", http.MethodPost, keysPath(full.ID), "", 422, "422", "The user has 5 access keys already"},
		{
			"no privilege", http.MethodPost, keysPath(barred.ID), "", 422, "422",
			"The user needs to be part of a group that has ACCESS_S3_OBJECT_STORAGE privilege",
		},
		{"limit 0", http.MethodGet, "/um/users?limit=0", "", 422, "422", "limit must be a whole number from 1 to 100"},
		{"limit 101", http.MethodGet, "/um/users?limit=101", "", 422, "422", "limit must be a whole number from 1 to 100"},
		{"depth", http.MethodGet, "/um/users?depth=deep", "", 422, "422", "depth must be a whole number from 0 to 10"},
		{"flat body", http.MethodPut, key, `{"active":true}`, 422, "422", `The body is not that of an access key: json: unknown field "active"`},
		{"no active", http.MethodPut, key, `{"properties":{}}`, 422, "422", "The body must hold properties.active and nothing else"},
		{"two bodies", http.MethodPut, key, on + on, 422, "422", "The body must hold properties.active and nothing else"},
		{"no body", http.MethodPut, key, "", 422, "422", "The body is not that of an access key: EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := c.call(tt.method, tt.path, tt.body)
			if got.status != tt.status {
				t.Errorf("status %d, want %d", got.status, tt.status)
			}
			equalJSON(t, c, got, fmt.Sprintf(`{"httpStatus": %d, "messages": [{"errorCode": %q, "message": %q}]}`, tt.status, tt.code, tt.message))
		})
	}
	if keys := s.Keys(aliceID); len(keys) != 1 || !keys[0].Active {
		t.Errorf("keys %+v, want them untouched", keys)
	}
}

func TestOnlyKeyWithBuckets(t *testing.T) {
	s := withAlice(&ionostest.Server{KeepOnlyKey: true})
	s.SetBuckets(aliceID, ionostest.Frankfurt, "photos")
	c := serve(t, s)
	remove := func() int { return c.call(http.MethodDelete, keysPath(aliceID)+"/"+keyID, "").status }
	if got := remove(); got != http.StatusUnprocessableEntity {
		t.Errorf("the only key with a bucket: %d, want 422", got)
	}
	s.SetBuckets(aliceID, ionostest.Frankfurt)
	if got := remove(); got != http.StatusAccepted {
		t.Errorf("the only key without buckets: %d, want 202", got)
	}
}

func TestPagination(t *testing.T) {
	var s ionostest.Server
	var want []string
	for range 7 {
		want = append(want, s.AddUser(ionostest.User{}).ID)
	}
	c := serve(t, &s)

	var got []string
	pages := 0
	for next := "/um/users?limit=3"; next != "" && pages < len(want); pages++ {
		var ids []string
		ids, next = items(t, c.get(next))
		got = append(got, ids...)
		next = strings.TrimPrefix(next, c.url+ionostest.BasePath)
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("%d pages, users (-want +got):\n%s", pages, diff)
	}
	if ids, next := items(t, c.get("/um/users?offset=7&limit=3")); len(ids) != 0 || next != "" {
		t.Errorf("beyond the end: %v, next %q", ids, next)
	}
	if body := c.get("/um/users?offset=4&limit=3&pretty=false").body; !strings.Contains(body, `?limit=3\u0026offset=1"`) {
		t.Errorf("the last page has no link to the one before: %s", body)
	}
}

func TestPagesThatAreNotAsOneExpects(t *testing.T) {
	for _, tt := range []struct {
		name  string
		api   *ionostest.Server
		users int
		next  bool
	}{
		{"as asked for", &ionostest.Server{}, 3, true},
		{"shorter", &ionostest.Server{PageSize: 2}, 2, true},
		{"longer", &ionostest.Server{PageSize: 5}, 5, true},
		{"longer, and all", &ionostest.Server{PageSize: 8}, 7, false},
		{"without a link", &ionostest.Server{NoNextLink: true}, 3, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 7 {
				tt.api.AddUser(ionostest.User{})
			}
			ids, next := items(t, serve(t, tt.api).get("/um/users?limit=3"))
			if len(ids) != tt.users || (next != "") != tt.next {
				t.Errorf("%d users, next %q; want %d, and a link: %t", len(ids), next, tt.users, tt.next)
			}
		})
	}
}

func TestNesting(t *testing.T) {
	for _, tt := range []struct {
		name    string
		nesting ionostest.Nesting
		want    string
	}{
		{"all", ionostest.WholeKeys, `{` + keysHead + `, "items": [{` + keyBody + `}]}`},
		{"nothing", ionostest.NoKeys, ``},
		{"no items", ionostest.NoItems, `{` + keysHead + `}`},
		{"heads", ionostest.KeyHeads, `{` + keysHead + `, "items": [{` + keyHead + `}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := withAlice(&ionostest.Server{Nesting: func(u ionostest.User) ionostest.Nesting {
				if u.ID != aliceID {
					t.Errorf("asked about %s", u.ID)
				}
				return tt.nesting
			}})
			keys := ``
			if tt.want != "" {
				keys = `, "s3Keys": ` + tt.want
			}
			c := serve(t, s)
			got := c.get("/um/users?depth=3")
			got.body = withoutEtags(got.body)
			equalJSON(t, c, got, usersPage(aliceHead+`, `+aliceProperties+`, "entities": {`+aliceEntities+keys+`}`))
		})
	}
}

func TestEmailFilter(t *testing.T) {
	for _, tt := range []struct {
		name   string
		filter func(email, filter string) bool
		asked  string
		want   int
	}{
		{"to the letter by default", nil, "bob@example.com", 1},
		{"not in another case by default", nil, "BOB@example.com", 0},
		{"in any case", strings.EqualFold, "BOB@example.com", 1},
		{"contains", strings.Contains, "bob@example.com", 2},
		{"ignored", ionostest.IgnoreFilter, "bob@example.com", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &ionostest.Server{EmailFilter: tt.filter}
			for _, email := range []string{"bob@example.com", "jim.bob@example.com", "eve@example.com"} {
				s.AddUser(ionostest.User{Email: email})
			}
			ids, _ := items(t, serve(t, s).get("/um/users?filter.email="+url.QueryEscape(tt.asked)))
			if len(ids) != tt.want {
				t.Errorf("found %d, want %d", len(ids), tt.want)
			}
		})
	}
}

func TestLag(t *testing.T) {
	s := withAlice(&ionostest.Server{Lag: 2})
	c := serve(t, s)
	shown := func(path string) bool { return strings.Contains(c.get(path).body, `"active": true`) }
	single, list, nested := keysPath(aliceID)+"/"+keyID+"?depth=1", keysPath(aliceID)+"?depth=1", "/um/users?depth=3"

	c.call(http.MethodPut, keysPath(aliceID)+"/"+keyID, switchBody(false))
	first, second, third := shown(list), shown(nested), shown(single)
	if !first || !second || third {
		t.Errorf("shown as active: %t %t %t, want true true false", first, second, third)
	}

	c.call(http.MethodPut, keysPath(aliceID)+"/"+keyID, switchBody(true))
	shown(list)
	c.call(http.MethodDelete, keysPath(aliceID)+"/"+keyID, "")
	before, between, after := shown(list), shown(list), c.get(single).status
	if before || !between || after != http.StatusUnprocessableEntity {
		t.Errorf("two writes: active %t %t, then %d; want false (neither), true (the first), 422 (both)", before, between, after)
	}
}

func TestLongKeyIDs(t *testing.T) {
	s := withAlice(&ionostest.Server{})
	c := serve(t, s)
	for _, id := range []string{ionostest.LongID(1), "a/b c+%"} {
		s.AddKey(aliceID, ionostest.Key{ID: id})
		c.call(http.MethodPut, keysPath(aliceID)+"/"+url.PathEscape(id), switchBody(true))
		if keys := s.Keys(aliceID); !keys[len(keys)-1].Active {
			t.Errorf("key %q was not switched on", id)
		}
	}
	if ionostest.LongID(1) == ionostest.LongID(2) {
		t.Error("two long ids are the same")
	}
}

func TestConsole(t *testing.T) {
	s := withAlice(&ionostest.Server{})
	s.SwitchKey(aliceID, keyID, false)
	if keys := s.Keys(aliceID); keys[0].Active || !keys[0].Modified.After(keys[0].Created) {
		t.Errorf("switched off: %+v", keys)
	}
	s.RemoveKey(aliceID, keyID)
	if keys := s.Keys(aliceID); len(keys) != 0 {
		t.Errorf("removed: %+v", keys)
	}
	s.RemoveUser(aliceID)
	c := serve(t, s)
	if ids, _ := items(t, c.get("/um/users")); len(ids) != 0 || c.get("/um/users/"+aliceID).status != http.StatusNotFound {
		t.Errorf("a user who was removed is still there: %v", ids)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	s := withAlice(&ionostest.Server{})
	c := serve(t, s)
	const callers = 8
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for _, method := range []string{http.MethodPut, http.MethodGet} {
				if _, err := c.try(method, keysPath(aliceID)+"/"+keyID, switchBody(false)); err != nil {
					t.Error(err)
				}
			}
			s.SwitchKey(aliceID, keyID, true)
			s.Calls()
		})
	}
	group.Wait()
	if got := len(s.Calls()); got != 2*callers {
		t.Errorf("%d calls, want %d", got, 2*callers)
	}
}
