package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// newServer returns a server for the handler. Functions may take minutes to answer, and processes wait for their
// next invocation without a limit, so that only the reading of headers is bounded.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
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
