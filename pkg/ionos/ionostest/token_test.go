package ionostest_test

import (
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/ionos/ionostest"
)

func TestToken(t *testing.T) {
	s := withAlice(&ionostest.Server{Owner: "Alice@example.com"})
	var claims jwt.MapClaims
	if _, _, err := jwt.NewParser().ParseUnverified(s.Token(aliceID), &claims); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"uuid": aliceID, "contractNumber": 31234567.0, "role": "owner", "privileges": []any{}, "isParent": false,
	}
	if diff := cmp.Diff(want, claims["identity"]); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

func TestCredentials(t *testing.T) {
	var s ionostest.Server
	s.AddUser(ionostest.User{Email: "secure@example.com", TwoFactor: true})
	c := serve(t, &s)
	for _, tt := range []struct {
		name string
		auth func(*http.Request)
		want int
	}{
		{"none", func(*http.Request) {}, 401},
		{"any token", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 501},
		{"empty token", func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, 401},
		{"any name and password", func(r *http.Request) { r.SetBasicAuth("anybody", "x") }, 501},
		{"no password", func(r *http.Request) { r.SetBasicAuth("anybody", "") }, 401},
		{"two-factor login", func(r *http.Request) { r.SetBasicAuth("Secure@example.com", "x") }, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Even an unknown path is 401 first.
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/nowhere", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			tt.auth(req)
			resp, err := c.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != tt.want {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.want)
			}
		})
	}
}

func TestAuthorize(t *testing.T) {
	s := withAlice(&ionostest.Server{Authorize: func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer good" }})
	c := serve(t, s)
	got := c.call(http.MethodDelete, keysPath(aliceID)+"/"+keyID, "")
	equalJSON(t, c, got, `{"httpStatus": 401, "messages": [{"errorCode": "315", "message": "Unauthorized"}]}`)
	if len(s.Keys(aliceID)) != 1 {
		t.Error("the key was deleted without good credentials")
	}
	c.token = "good"
	if got := c.get("/contracts").status; got != http.StatusOK {
		t.Errorf("with the good token: %d", got)
	}
}

func TestRights(t *testing.T) {
	s := withAlice(&ionostest.Server{Rights: true})
	owner := s.AddUser(ionostest.User{Email: ionostest.DefaultOwner})
	admin := s.AddUser(ionostest.User{Administrator: true})
	bob := s.AddUser(ionostest.User{})
	c := serve(t, s)
	for _, tt := range []struct {
		name, token                   string
		users, aliceKeys, unknownUser int
	}{
		{"owner", s.Token(owner.ID), 200, 200, 404},
		{"administrator", s.Token(admin.ID), 200, 200, 404},
		{"herself", s.Token(aliceID), 403, 200, 403},
		{"another", s.Token(bob.ID), 403, 403, 403},
		{"a stranger", "opaque", 403, 403, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.token = tt.token
			got := []int{c.get("/um/users").status, c.get(keysPath(aliceID)).status, c.get(keysPath("nobody")).status}
			if diff := cmp.Diff([]int{tt.users, tt.aliceKeys, tt.unknownUser}, got); diff != "" {
				t.Errorf("users, keys, unknown user (-want +got):\n%s", diff)
			}
		})
	}
}
