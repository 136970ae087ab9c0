package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"
)

// newServer returns a server for the handler. Functions may take minutes to answer, and processes wait for their
// next invocation without a limit, so that only the reading of headers is bounded.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
}

// serveAnywhere serves the handler on any port that is free, until it is stopped.
func serveAnywhere(ctx context.Context, handler http.Handler) (address string, stop func() error, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := newServer(handler)
	go func() { _ = server.Serve(listener) }() // ends when the server is closed
	return "http://" + listener.Addr().String(), server.Close, nil
}

// answerJSON writes value, as application/json unless another type is set.
func answerJSON(w http.ResponseWriter, status int, value any) {
	body, err := encode(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the caller hung up: there is nobody to tell
}

// decodeStrictly reads one JSON value and refuses members that into does not have.
func decodeStrictly(source []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
