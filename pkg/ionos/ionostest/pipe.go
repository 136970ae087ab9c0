package ionostest

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Piped lets the handler answer HTTP in memory, and returns the transport that leads to it, whatever host is asked
// for, and what ends it. Unlike a socket, a pipe that nobody writes to lets the simulated time of testing/synctest go
// on.
func Piped(handler http.Handler) (transport *http.Transport, end func()) {
	p := &pipes{arriving: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Hour}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(p) // ends when the server is closed
	}()
	transport = &http.Transport{DialContext: p.dial}
	return transport, func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
	}
}

// pipes is a listener whose connections never leave the process.
type pipes struct {
	arriving chan net.Conn
	closed   chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.arriving <- far:
		return near, nil
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
func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "pipe"} }
