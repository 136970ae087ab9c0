package ionostest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/ionos/ionostest"
)

// client calls a Server over HTTP, knowing nothing but URLs and JSON.
type client struct {
	t     *testing.T
	url   string
	http  *http.Client
	token string
}

func serve(t *testing.T, s *ionostest.Server) *client {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return &client{t: t, url: srv.URL, http: srv.Client(), token: "any"}
}

type response struct {
	status int
	header http.Header
	body   string
}

// try calls below the base path and reads the whole answer.
func (c *client) try(method, path, body string) (response, error) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+ionostest.BasePath+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(text)}, err
}

func (c *client) call(method, path, body string) response {
	c.t.Helper()
	got, err := c.try(method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

func (c *client) get(path string) response {
	c.t.Helper()
	return c.call(http.MethodGet, path, "")
}

// keysPath is where the keys of a user are.
func keysPath(userID string) string { return "/um/users/" + userID + "/s3keys" }

// switchBody asks for a key to be on or off.
func switchBody(active bool) string { return fmt.Sprintf(`{"properties":{"active":%t}}`, active) }

// equalJSON compares an answer with JSON in which $HOST stands for the server.
func equalJSON(t *testing.T, c *client, got response, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got.body), &g); err != nil {
		t.Fatalf("%v in %q", err, got.body)
	}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(want, "$HOST", c.url)), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// items returns the ids of a collection and where the next page is.
func items(t *testing.T, got response) (ids []string, next string) {
	t.Helper()
	var page struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
		Links struct {
			Next string `json:"next"`
		} `json:"_links"`
	}
	if err := json.Unmarshal([]byte(got.body), &page); err != nil {
		t.Fatalf("%v in %q", err, got.body)
	}
	for _, item := range page.Items {
		ids = append(ids, item.ID)
	}
	return ids, page.Links.Next
}

func TestZeroValue(t *testing.T) {
	var s ionostest.Server
	c := serve(t, &s)

	equalJSON(t, c, c.get("/um/users?depth=1&pretty=false"), `{
		"id": "users", "type": "collection", "href": "$HOST/cloudapi/v6/um/users", "items": [],
		"offset": 0, "limit": 100, "_links": {"self": "$HOST/cloudapi/v6/um/users?limit=100&offset=0"}}`)
	equalJSON(t, c, c.get("/contracts?depth=1"), `{
		"id": "contracts", "type": "collection", "href": "$HOST/cloudapi/v6/contracts",
		"items": [{"type": "contract", "properties": {
			"contractNumber": 31234567, "owner": "owner@example.com", "status": "BILLABLE", "regDomain": "ionos.de"}}]}`)

	want := []ionostest.Call{
		{Method: http.MethodGet, Path: "/cloudapi/v6/um/users", Query: url.Values{"depth": {"1"}, "pretty": {"false"}}, Status: 200},
		{Method: http.MethodGet, Path: "/cloudapi/v6/contracts", Query: url.Values{"depth": {"1"}}, Status: 200},
	}
	if diff := cmp.Diff(want, s.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestSeedingIsDeterministic(t *testing.T) {
	seed := func() (ionostest.User, []ionostest.Key) {
		var s ionostest.Server
		u := s.AddUser(ionostest.User{})
		s.AddKey(u.ID, ionostest.Key{Active: true})
		s.AddKey(u.ID, ionostest.Key{ID: ionostest.LongID(1)})
		return u, s.Keys(u.ID)
	}
	user, keys := seed()
	againUser, againKeys := seed()
	if diff := cmp.Diff(user, againUser) + cmp.Diff(keys, againKeys); diff != "" {
		t.Errorf("a second time:\n%s", diff)
	}
	if len(keys[0].ID) != 20 || len(keys[1].ID) != 92 || len(keys[0].Secret) != 40 || keys[0].Secret == keys[1].Secret {
		t.Errorf("keys %+v, want ids of 20 and 92 and different secrets of 40 characters", keys)
	}
	if !keys[0].Created.Before(keys[1].Created) || !keys[0].Created.After(ionostest.Epoch()) {
		t.Errorf("created %v and %v, want one after the other", keys[0].Created, keys[1].Created)
	}
}

func TestUnknownRoutesAreLoud(t *testing.T) {
	var s ionostest.Server
	user := s.AddUser(ionostest.User{})
	c := serve(t, &s)
	for _, tt := range []struct{ name, method, path string }{
		{"path", http.MethodGet, "/datacenters"},
		{"method", http.MethodPost, "/um/users"},
		{"key without id", http.MethodDelete, keysPath(user.ID) + "/"},
		{"user without id", http.MethodGet, "/um/users//s3keys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := c.call(tt.method, tt.path, "")
			if named := tt.method + " " + ionostest.BasePath + tt.path; got.status != http.StatusNotImplemented || !strings.Contains(got.body, named) {
				t.Errorf("answer %d %s, want 501 and %q", got.status, got.body, named)
			}
		})
	}
}
