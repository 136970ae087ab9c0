package proof_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"
)

// pipes is a network in memory with one server on it. Unlike a socket, a pipe that nobody writes to lets the
// simulated time of a bubble go on.
type pipes struct {
	arriving chan net.Conn
	closed   chan struct{}
}

// serve lets the handler answer HTTP in memory until the test ends, and returns the transport that leads to it,
// whatever host is asked for.
func serve(t *testing.T, handler http.Handler) *http.Transport {
	t.Helper()
	p := &pipes{arriving: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Hour}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(p) // ends when the server is closed
	}()
	transport := &http.Transport{DialContext: p.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
	})
	return transport
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.arriving <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept returns the next connection that somebody dialled.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.arriving:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

// Addr is where the server is, which is nowhere.
func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }
