package ionos_test

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
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
	listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: api, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(listener) }()
	transport := &http.Transport{DialContext: listener.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = srv.Close()
	})
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

// pipes is a listener whose connections never leave the process.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }

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
