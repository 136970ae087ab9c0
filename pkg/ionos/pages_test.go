package ionos_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
)

// populate adds users with that many keys each and returns what a client is to read of them.
func populate(api *ionostest.Server, users int, keys func(user int) int) []guard.UserKeys {
	all := make([]guard.UserKeys, 0, users)
	for i := range users {
		u := api.AddUser(ionostest.User{Inactive: i%7 == 0})
		owned := guard.UserKeys{User: guard.User{ID: u.ID, Email: u.Email, Active: !u.Inactive, Created: u.Created}, Keys: []guard.Key{}}
		for k := range keys(i) {
			key := api.AddKey(u.ID, ionostest.Key{Active: (i+k)%3 > 0})
			owned.Keys = append(owned.Keys, guard.Key{ID: key.ID, Active: key.Active, Created: key.Created})
		}
		all = append(all, owned)
	}
	return all
}

func threeEach(int) int { return 3 }

// readContract reads all pages.
func readContract(ctx context.Context, client *ionos.Client) ([]guard.UserKeys, error) {
	var all []guard.UserKeys
	for offset := 0; ; {
		page, err := client.UserPage(ctx, offset)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Users...)
		switch {
		case page.Next == 0:
			return all, nil
		case page.Next <= offset:
			return nil, fmt.Errorf("the page after %d is at %d", offset, page.Next)
		}
		offset = page.Next
	}
}

// wantContract is quick where all is well: comparing ten thousand users takes longer than reading them.
func wantContract(t rapid.TB, want, got []guard.UserKeys) {
	t.Helper()
	if !slices.EqualFunc(want, got, func(a, b guard.UserKeys) bool { return a.User == b.User && slices.Equal(a.Keys, b.Keys) }) {
		t.Errorf("contract (-want +got):\n%s", cmp.Diff(want, got))
	}
}

// nestingInTurn has the users of a contract take turns in the ways of nesting.
func nestingInTurn() func(ionostest.User) ionostest.Nesting {
	turns := make(map[string]ionostest.Nesting)
	return func(u ionostest.User) ionostest.Nesting {
		if _, known := turns[u.ID]; !known {
			turns[u.ID] = ionostest.Nesting(len(turns) % 4)
		}
		return turns[u.ID]
	}
}

func always(nesting ionostest.Nesting) func(ionostest.User) ionostest.Nesting {
	return func(ionostest.User) ionostest.Nesting { return nesting }
}

func TestUserPage(t *testing.T) {
	fewKeys := func(user int) int { return user % 3 }
	for name, tc := range map[string]struct {
		api   *ionostest.Server
		users int
		reads int
	}{
		"empty contract":             {api: &ionostest.Server{}, users: 0, reads: 1},
		"one page":                   {api: &ionostest.Server{}, users: 99, reads: 1},
		"one full page":              {api: &ionostest.Server{}, users: 100, reads: 2},
		"several pages":              {api: &ionostest.Server{}, users: 250, reads: 3},
		"links are missing":          {api: &ionostest.Server{NoNextLink: true}, users: 250, reads: 3},
		"pages are shorter":          {api: &ionostest.Server{PageSize: 40}, users: 90, reads: 3},
		"pages are longer":           {api: &ionostest.Server{PageSize: 130}, users: 300, reads: 3},
		"nothing is nested":          {api: &ionostest.Server{Nesting: always(ionostest.NoKeys)}, users: 150, reads: 2 + 150},
		"addresses are nested":       {api: &ionostest.Server{Nesting: always(ionostest.NoItems)}, users: 20, reads: 1 + 20},
		"nested keys have no state":  {api: &ionostest.Server{Nesting: always(ionostest.KeyHeads)}, users: 20, reads: 1 + 13},
		"a mixture":                  {api: &ionostest.Server{Nesting: nestingInTurn()}, users: 120, reads: 2 + 30 + 30 + 20},
		"a mixture on shorter pages": {api: &ionostest.Server{Nesting: nestingInTurn(), PageSize: 7}, users: 24, reads: 4 + 6 + 6 + 4},
	} {
		t.Run(name, func(t *testing.T) {
			want := populate(tc.api, tc.users, fewKeys)
			got, err := readContract(t.Context(), newClient(t, tc.api))
			wantKind(t, err, "")
			wantContract(t, want, got)
			if got := len(tc.api.Calls()); got != tc.reads {
				t.Errorf("%d reads, want %d", got, tc.reads)
			}
		})
	}
}

func TestUserPageAsksForWhatItNeeds(t *testing.T) {
	api := &ionostest.Server{Nesting: always(ionostest.NoKeys)}
	populate(api, 101, threeEach)
	if _, err := newClient(t, api).UserPage(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, call := range api.Calls() {
		got = append(got, call.Query.Encode())
	}
	want := []string{"depth=3&limit=100&offset=100&pretty=false", "depth=1&pretty=false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}

func TestTenThousandUsersTakeAHundredReads(t *testing.T) {
	api := &ionostest.Server{}
	want := populate(api, 10_000, threeEach)
	got, err := readContract(t.Context(), newClient(t, api))
	wantKind(t, err, "")
	wantContract(t, want, got)
	if got := len(api.Calls()); got > 101 {
		t.Errorf("%d reads, want 101 at most", got)
	}
}

func TestPagesOfUsersAreTheContract(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		nestings := make(map[string]ionostest.Nesting)
		api := &ionostest.Server{
			PageSize: rapid.OneOf(rapid.Just(0), rapid.IntRange(5, 150)).Draw(rt, "size"),
			Nesting:  func(u ionostest.User) ionostest.Nesting { return nestings[u.ID] },
		}
		// Where pages are not full, nothing but the link tells that there is another.
		api.NoNextLink = (api.PageSize == 0 || api.PageSize == 100) && rapid.Bool().Draw(rt, "no link")
		keys := rapid.SliceOfN(rapid.IntRange(0, ionostest.MaxKeys), 1, -1).Draw(rt, "keys")
		want := populate(api, rapid.OneOf(rapid.IntRange(0, 120), rapid.Just(100)).Draw(rt, "users"),
			func(user int) int { return keys[user%len(keys)] })
		ways := rapid.SliceOfN(rapid.SampledFrom([]ionostest.Nesting{
			ionostest.WholeKeys, ionostest.NoKeys, ionostest.NoItems, ionostest.KeyHeads,
		}), 1, -1).Draw(rt, "nesting")
		for i, u := range want {
			nestings[u.User.ID] = ways[i%len(ways)]
		}
		transport, end := ionostest.Piped(api)
		defer end()
		client := clientAt(t, "http://ionos.test", func(cfg *ionos.Config) { cfg.Transport = transport })
		got, err := readContract(t.Context(), client)
		if err != nil {
			rt.Fatal(err)
		}
		wantContract(rt, want, got)
	})
}

// onePage is a list with one user, in whose entry these members come last.
func onePage(members string) string {
	return `{"offset":0,"items":[{"id":"` + selfID + `","properties":{"email":"a@example.com"}` + members + `}]}`
}

func TestKeysThatAreNotWhollyNestedAreListed(t *testing.T) {
	const whole = `{"id":"00e1","properties":{"active":true}}`
	nested := func(items string) string { return `,"entities":{"s3Keys":{"items":` + items + `}}` }
	for name, tc := range map[string]struct {
		members string
		want    string
	}{
		"whole":                  {nested(`[` + whole + `]`), "00e1"},
		"none":                   {nested(`[]`), ""},
		"no entities":            {``, "00ff"},
		"entities null":          {`,"entities":null`, "00ff"},
		"entities a string":      {`,"entities":"` + selfID + `"`, "00ff"},
		"no s3Keys":              {`,"entities":{"groups":{}}`, "00ff"},
		"s3Keys null":            {`,"entities":{"s3Keys":null}`, "00ff"},
		"s3Keys a list":          {`,"entities":{"s3Keys":[` + whole + `]}`, "00ff"},
		"no items":               {`,"entities":{"s3Keys":{"id":"` + selfID + `/s3keys","type":"collection"}}`, "00ff"},
		"items null":             {nested(`null`), "00ff"},
		"items an object":        {nested(`{"00e1":` + whole + `}`), "00ff"},
		"a key null":             {nested(`[null]`), "00ff"},
		"a key without id":       {nested(`[{"properties":{"active":true}}]`), "00ff"},
		"a key without more":     {nested(`[` + whole + `,{"id":"00e2","type":"s3key"}]`), "00ff"},
		"a key without state":    {nested(`[{"id":"00e1","properties":{"secretKey":"s"}}]`), "00ff"},
		"a state that is a word": {nested(`[{"id":"00e1","properties":{"active":"true"}}]`), "00ff"},
		"metadata is a word":     {nested(`[{"id":"00e1","metadata":"m","properties":{"active":true}}]`), "00ff"},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := listedClient(t, onePage(tc.members)).UserPage(t.Context(), 0)
			wantKind(t, err, "")
			want := ionos.UserPage{Users: []guard.UserKeys{{User: guard.User{ID: selfID, Email: "a@example.com", Active: true}, Keys: []guard.Key{}}}}
			if tc.want != "" {
				want.Users[0].Keys = []guard.Key{{ID: tc.want, Active: true}}
			}
			if diff := cmp.Diff(want, page); diff != "" {
				t.Errorf("page (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUserPageDoesNotGuess(t *testing.T) {
	const key = `{"id":"00e1","properties":{"active":true}}`
	user := func(id string) string { return `{"id":"` + id + `","properties":{"email":"a@example.com"}}` }
	for name, body := range map[string]string{
		"empty":              ``,
		"null":               `null`,
		"no items":           `{"id":"users"}`,
		"items null":         `{"items":null}`,
		"cut off":            `{"items":[` + user(selfID),
		"depth ignored":      `{"items":[{"id":"` + selfID + `","type":"user"}]}`,
		"no id":              `{"items":[` + user("") + `]}`,
		"id is a way up":     `{"items":[` + user("..") + `]}`,
		"no e-mail":          `{"items":[{"id":"` + selfID + `","properties":{"active":true}}]}`,
		"one good, one not":  `{"items":[` + user(selfID) + `,{"id":"x"}]}`,
		"the same user":      `{"items":[` + user(selfID) + `,` + user(selfID) + `]}`,
		"the same key":       onePage(`,"entities":{"s3Keys":{"items":[` + key + `,` + key + `]}}`),
		"another page":       `{"offset":100,"items":[` + user(selfID) + `]}`,
		"an error, with 200": `{"httpStatus":500,"messages":[{"errorCode":"1","message":"x"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			page, err := listedClient(t, body).UserPage(t.Context(), 0)
			wantKind(t, err, guard.Upstream)
			if diff := cmp.Diff(ionos.UserPage{}, page); diff != "" {
				t.Errorf("a page and an error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPagesThatNeverEnd(t *testing.T) {
	repeating := &ionostest.Server{Fault: ionostest.Always(withOffset("0"))}
	populate(repeating, 150, threeEach)
	for name, tc := range map[string]struct {
		api   http.Handler
		reads int64
	}{
		"the first one again": {api: repeating, reads: 2},
		"new ones for ever":   {api: endless(), reads: 501},
	} {
		t.Run(name, func(t *testing.T) {
			var reads atomic.Int64
			client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reads.Add(1)
				tc.api.ServeHTTP(w, r)
			}))
			_, err := readContract(t.Context(), client)
			wantKind(t, err, guard.Upstream)
			if got := reads.Load(); got > tc.reads {
				t.Errorf("%d reads, want %d at most", got, tc.reads)
			}
		})
	}
}

func TestUserWhoIsGoneByThenIsLeftOut(t *testing.T) {
	api := &ionostest.Server{Nesting: always(ionostest.NoKeys)}
	users := populate(api, 20, threeEach)
	api.Fault = ionostest.Nth(1, ionostest.Always(ionostest.Applied(ionostest.Meanwhile(func() { api.RemoveUser(users[4].User.ID) }))))
	page, err := newClient(t, api).UserPage(t.Context(), 0)
	wantKind(t, err, "")
	want := append(append([]guard.UserKeys{}, users[:4]...), users[5:]...)
	if diff := cmp.Diff(ionos.UserPage{Users: want}, page); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

func TestPartOfAPageIsNone(t *testing.T) {
	for name, tc := range map[string]struct {
		fault ionostest.Fault
		want  guard.Kind
	}{
		"forbidden":        {ionostest.Status(http.StatusForbidden, 0), guard.Credentials},
		"unauthorized":     {ionostest.Status(http.StatusUnauthorized, 0), guard.Credentials},
		"broken":           {ionostest.Status(http.StatusInternalServerError, 0), guard.Upstream},
		"throttled":        {ionostest.Status(http.StatusTooManyRequests, 0), guard.Throttled},
		"unreadable":       {ionostest.Malformed(), guard.Upstream},
		"breaks off":       {ionostest.Truncate(), guard.Upstream},
		"hangs":            {ionostest.Hang(), guard.Upstream},
		"incomprehensible": {func(http.Handler) http.Handler { return answering(http.StatusOK, `{"items":[{"id":"00e1"}]}`) }, guard.Upstream},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &ionostest.Server{Nesting: always(ionostest.NoKeys), Latency: 10 * time.Millisecond}
				users := populate(api, 100, threeEach)
				api.Fault = func(r *http.Request) ionostest.Fault {
					if strings.Contains(r.URL.Path, users[50].User.ID) {
						return tc.fault
					}
					return nil
				}
				page, err := newPipedClient(t, api).UserPage(t.Context(), 0)
				wantKind(t, err, tc.want)
				if diff := cmp.Diff(ionos.UserPage{}, page); diff != "" {
					t.Errorf("a page and an error (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTimeEndsInTheMiddleOfAPage(t *testing.T) {
	for name, tc := range map[string]struct {
		end  func(context.Context) (context.Context, context.CancelFunc)
		want guard.Kind
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 5500*time.Millisecond)
		}, guard.Upstream},
		"stopped": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(5500*time.Millisecond, cancel)
			return ctx, cancel
		}, guard.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &ionostest.Server{Nesting: always(ionostest.NoKeys), Latency: time.Second}
				populate(api, 100, threeEach)
				client := newPipedClient(t, api)
				ctx, cancel := tc.end(t.Context())
				defer cancel()
				start := time.Now()
				page, err := client.UserPage(ctx, 0)
				wantKind(t, err, tc.want)
				if diff := cmp.Diff(ionos.UserPage{}, page); diff != "" {
					t.Errorf("a page and an error (-want +got):\n%s", diff)
				}
				if took := time.Since(start); took != 5500*time.Millisecond {
					t.Errorf("took %s, want 5.5s", took)
				}
				// The page in the first second, and eight users in each of the others.
				if got := len(api.Calls()); got != 1+5*8 {
					t.Errorf("%d reads, want 41", got)
				}
			})
		})
	}
}

// paged is a contract without an end whose pages are made as they are asked for.
type paged struct{}

func (paged) RoundTrip(r *http.Request) (*http.Response, error) {
	offset, err := strconv.Atoi(r.URL.Query().Get("offset"))
	if err != nil {
		return nil, errors.New("a page without an offset")
	}
	var items []string
	for user := offset; user < offset+100; user++ {
		var keys []string
		for key := range 3 {
			keys = append(keys, fmt.Sprintf(`{"id":"%020x","metadata":{"createdDate":"2025-06-01T12:00:00"},"properties":{"secretKey":%q,"active":true}}`, 3*user+key, secret))
		}
		items = append(items, fmt.Sprintf(`{"id":"%d","properties":{"email":"user%[1]d@example.com"},"entities":{"s3Keys":{"items":[%s]}}}`, user, strings.Join(keys, ",")))
	}
	return canned{status: http.StatusOK, body: `{"items":[` + strings.Join(items, ",") + `]}`}.RoundTrip(r)
}

func TestPagesThatWereReadAreNotKept(t *testing.T) {
	client := clientAt(t, "https://api.invalid", func(cfg *ionos.Config) { cfg.Transport = paged{} })
	inUse := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	var before uint64
	for page := range 110 {
		if page == 10 {
			before = inUse()
		}
		if _, err := client.UserPage(t.Context(), 100*page); err != nil {
			t.Fatal(err)
		}
	}
	// A hundred pages are eight megabytes and more.
	if after := inUse(); after > before+256<<10 {
		t.Errorf("%d bytes are in use after ten pages, and %d after a hundred more", before, after)
	}
	runtime.KeepAlive(client) // with all that it may keep
}
