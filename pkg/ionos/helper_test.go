package ionos_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
)

const selfID = "5e1f0000-0000-4000-8000-000000000001"

// tokenOf returns a token with the claims, JSON.
func tokenOf(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("no signature"))
}

func goodToken() string { return tokenOf(`{"identity":{"uuid":"` + selfID + `"}}`) }

// newClient returns a client of the API, which listens on the loopback.
func newClient(t *testing.T, api http.Handler, changes ...func(*ionos.Config)) *ionos.Client {
	t.Helper()
	srv := httptest.NewServer(api)
	t.Cleanup(srv.Close)
	return clientAt(t, srv.URL, changes...)
}

// newPipedClient returns a client of the API that speaks HTTP through pipes, for tests inside a bubble of
// testing/synctest: there no time passes while a goroutine waits for a socket.
func newPipedClient(t *testing.T, api http.Handler) *ionos.Client {
	t.Helper()
	transport, end := ionostest.Piped(api)
	t.Cleanup(end)
	return clientAt(t, "http://ionos.test", func(cfg *ionos.Config) { cfg.Transport = transport })
}

func clientAt(t *testing.T, address string, changes ...func(*ionos.Config)) *ionos.Client {
	t.Helper()
	cfg := ionos.Config{Token: goodToken(), URL: address, Clock: time.Now}
	for _, change := range changes {
		change(&cfg)
	}
	client, err := ionos.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// answering answers every call with the status and the body, JSON.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func wantKind(t *testing.T, err error, want guard.Kind) {
	t.Helper()
	if got := guard.KindOf(err); got != want {
		t.Errorf("kind of error is %q, want %q: %v", got, want, err)
	}
}
