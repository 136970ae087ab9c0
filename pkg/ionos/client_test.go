package ionos_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
)

func TestNew(t *testing.T) {
	const canary = "cAnArY"
	for name, tc := range map[string]struct {
		cfg  ionos.Config
		want guard.Kind
		self guard.Identity
	}{
		"token":                     {cfg: ionos.Config{Token: goodToken()}, self: guard.Identity{ID: selfID}},
		"token before user name":    {cfg: ionos.Config{Token: goodToken(), Username: "a@example.com", Password: "p"}, self: guard.Identity{ID: selfID}},
		"user name and password":    {cfg: ionos.Config{Username: "a@example.com", Password: "p"}, self: guard.Identity{Email: "a@example.com"}},
		"nothing":                   {want: guard.Credentials},
		"no password":               {cfg: ionos.Config{Username: "a@example.com"}, want: guard.Credentials},
		"no user name":              {cfg: ionos.Config{Password: canary}, want: guard.Credentials},
		"user name is no e-mail":    {cfg: ionos.Config{Username: canary, Password: canary}, want: guard.Credentials},
		"token is no JWT":           {cfg: ionos.Config{Token: canary}, want: guard.Credentials},
		"token with a line break":   {cfg: ionos.Config{Token: goodToken() + "\n"}, want: guard.Credentials},
		"token's claims no base64":  {cfg: ionos.Config{Token: canary + ".!." + canary}, want: guard.Credentials},
		"token's claims no JSON":    {cfg: ionos.Config{Token: tokenOf(canary)}, want: guard.Credentials},
		"token without identity":    {cfg: ionos.Config{Token: tokenOf(`{"sub":"` + canary + `"}`)}, want: guard.Credentials},
		"token's uuid is no UUID":   {cfg: ionos.Config{Token: tokenOf(`{"identity":{"uuid":"` + canary + `"}}`)}, want: guard.Credentials},
		"token's uuid is no string": {cfg: ionos.Config{Token: tokenOf(`{"identity":{"uuid":["` + canary + `"]}}`)}, want: guard.Credentials},
		"URL with credentials":      {cfg: ionos.Config{Token: goodToken(), URL: "https://me:" + canary + "@api.example"}, want: guard.Invalid},
		"URL with a query":          {cfg: ionos.Config{Token: goodToken(), URL: "https://api.example?x=" + canary}, want: guard.Invalid},
		"URL of another scheme":     {cfg: ionos.Config{Token: goodToken(), URL: "ftp://" + canary}, want: guard.Invalid},
		"URL without a host":        {cfg: ionos.Config{Token: goodToken(), URL: "https:///" + canary}, want: guard.Invalid},
		"contract number":           {cfg: ionos.Config{Token: goodToken(), ContractNumber: "31234567"}, self: guard.Identity{ID: selfID}},
		"contract number is a word": {cfg: ionos.Config{Token: goodToken(), ContractNumber: canary}, want: guard.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cfg.Clock = time.Now
			client, err := ionos.New(tc.cfg)
			wantKind(t, err, tc.want)
			if err != nil {
				if strings.Contains(err.Error(), canary) {
					t.Errorf("the error repeats what it was given: %v", err)
				}
				return
			}
			if diff := cmp.Diff(tc.self, client.Self()); diff != "" {
				t.Errorf("Self() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewReportsAllProblems(t *testing.T) {
	_, err := ionos.New(ionos.Config{URL: "ftp://x", ContractNumber: "x", Clock: time.Now})
	for _, want := range []string{"credentials", "address", "contract number"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not mention %q", err, want)
		}
	}
}

func TestNewNeedsAClock(t *testing.T) {
	_, err := ionos.New(ionos.Config{Token: goodToken()})
	wantKind(t, err, guard.Internal)
}

func TestAddressOfTheAPI(t *testing.T) {
	for name, path := range map[string]struct{ suffix, want string }{
		"host":                        {"", "/cloudapi/v6"},
		"host and slash":              {"/", "/cloudapi/v6"},
		"whole":                       {"/cloudapi/v6", "/cloudapi/v6"},
		"whole and slash":             {"/cloudapi/v6/", "/cloudapi/v6"},
		"prefix of a gateway":         {"/gate%2Fway", "/gate%2Fway/cloudapi/v6"},
		"prefix of a gateway, whole":  {"/gateway/cloudapi/v6", "/gateway/cloudapi/v6"},
		"another version in the path": {"/cloudapi/v5", "/cloudapi/v5/cloudapi/v6"},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.URL.EscapedPath()
				answering(http.StatusOK, `{"items":[]}`)(w, r)
			}))
			defer srv.Close()
			if _, err := clientAt(t, srv.URL+path.suffix).ListKeys(t.Context(), selfID); err != nil {
				t.Fatal(err)
			}
			if want := path.want + "/um/users/" + selfID + "/s3keys"; got != want {
				t.Errorf("path is %s, want %s", got, want)
			}
		})
	}
}

// everyCall uses each route of the API once.
func everyCall(t *testing.T, client *ionos.Client, user ionostest.User, key ionostest.Key) {
	t.Helper()
	for name, call := range map[string]func() error{
		"find by UUID":   func() error { _, err := client.FindUser(t.Context(), user.ID); return err },
		"find by e-mail": func() error { _, err := client.FindUser(t.Context(), user.Email); return err },
		"list keys":      func() error { _, err := client.ListKeys(t.Context(), user.ID); return err },
		"contract":       func() error { _, err := client.Administers(t.Context(), guard.User{Email: user.Email}); return err },
		"switch off":     func() error { return client.SwitchKey(t.Context(), user.ID, key.ID, false) },
		"switch on":      func() error { return client.SwitchKey(t.Context(), user.ID, key.ID, true) },
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := client.DeleteKey(t.Context(), user.ID, key.ID); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func TestEveryCallAsksForDepthOneAndNoSpaces(t *testing.T) {
	api := &ionostest.Server{}
	user := api.AddUser(ionostest.User{})
	everyCall(t, newClient(t, api), user, api.AddKey(user.ID, ionostest.Key{}))
	for _, call := range api.Calls() {
		if got, want := call.Query["depth"], []string{"1"}; !cmp.Equal(got, want) {
			t.Errorf("%s %s: depth is %v, want %v", call.Method, call.Path, got, want)
		}
		if got, want := call.Query["pretty"], []string{"false"}; !cmp.Equal(got, want) {
			t.Errorf("%s %s: pretty is %v, want %v", call.Method, call.Path, got, want)
		}
	}
}

func TestOneConnectionServesManyCalls(t *testing.T) {
	api := &ionostest.Server{}
	user := api.AddUser(ionostest.User{})
	srv := httptest.NewUnstartedServer(api)
	var connections atomic.Int32
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	client := clientAt(t, srv.URL)
	for range 5 {
		everyCall(t, client, user, api.AddKey(user.ID, ionostest.Key{}))
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("%d calls took %d connections, want 1", len(api.Calls()), got)
	}
}

func TestCredentialsAndContractTravelAsHeaders(t *testing.T) {
	token := goodToken()
	for name, tc := range map[string]struct {
		cfg                     ionos.Config
		authorization, contract string
	}{
		"token":        {ionos.Config{Token: token}, "Bearer " + token, ""},
		"password":     {ionos.Config{Username: "a@example.com", Password: "p"}, "Basic YUBleGFtcGxlLmNvbTpw", ""},
		"one contract": {ionos.Config{Token: token, ContractNumber: "31234567"}, "Bearer " + token, "31234567"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("IONOS_CONTRACT_NUMBER", "99999999") // of somebody else's shell
			var got http.Header
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header
				answering(http.StatusOK, `{"items":[]}`)(w, r)
			}))
			defer srv.Close()
			client := clientAt(t, srv.URL, func(cfg *ionos.Config) {
				cfg.Token, cfg.Username, cfg.Password = tc.cfg.Token, tc.cfg.Username, tc.cfg.Password
				cfg.ContractNumber = tc.cfg.ContractNumber
			})
			if _, err := client.ListKeys(t.Context(), selfID); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(got.Values("Authorization"), "|"); got != tc.authorization {
				t.Errorf("Authorization is %q, want %q", got, tc.authorization)
			}
			if got := strings.Join(got.Values("X-Contract-Number"), "|"); got != tc.contract {
				t.Errorf("X-Contract-Number is %q, want %q", got, tc.contract)
			}
		})
	}
}

func TestEnvironmentCannotMakeTheSDKPrint(t *testing.T) {
	t.Setenv("IONOS_LOG_LEVEL", "trace")
	printed, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = printed
	log.SetOutput(printed)
	defer func() {
		os.Stderr = stderr
		log.SetOutput(stderr)
	}()

	api := &ionostest.Server{}
	user := api.AddUser(ionostest.User{})
	everyCall(t, newClient(t, api), user, api.AddKey(user.ID, ionostest.Key{}))

	if _, err := printed.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(printed); err != nil || len(got) > 0 {
		t.Errorf("printed %d bytes: %.200s (%v)", len(got), got, err)
	}
}

type countingTransport struct{ calls atomic.Int32 }

func (c *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	recorder := httptest.NewRecorder()
	answering(http.StatusOK, `{"items":[]}`)(recorder, r)
	return recorder.Result(), nil
}

func TestEnvironmentCannotReplaceTheTransport(t *testing.T) {
	t.Setenv("IONOS_PINNED_CERT", "00:11:22")
	transport := &countingTransport{}
	client := clientAt(t, "https://api.invalid", func(cfg *ionos.Config) { cfg.Transport = transport })
	if _, err := client.ListKeys(t.Context(), selfID); err != nil {
		t.Fatal(err)
	}
	if got := transport.calls.Load(); got != 1 {
		t.Errorf("the transport was used %d times, want 1", got)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var lured atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { lured.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		client := newClient(t, http.RedirectHandler(elsewhere.URL, status))
		_, err := client.ListKeys(t.Context(), selfID)
		wantKind(t, err, guard.Upstream)
		wantKind(t, client.SwitchKey(t.Context(), selfID, "00e1", false), guard.Upstream)
		wantKind(t, client.DeleteKey(t.Context(), selfID, "00e1"), guard.Upstream)
	}
	if got := lured.Load(); got != 0 {
		t.Errorf("%d calls went elsewhere", got)
	}
}
