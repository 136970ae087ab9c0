package slackapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// patience is how long one exchange with Slack may take.
	patience = 3 * time.Second
	// maxAnswer bounds the body of an answer, in bytes.
	maxAnswer = 1 << 20
)

// exchange is one call of Slack and its answer. As a transport it lets the library see nothing but answers that say yes,
// which the library does not make sure of: to it a redirect is something to follow, an answer without "ok" a success,
// and a body as long as it likes.
type exchange struct {
	base     http.RoundTripper
	endpoint string
}

// RoundTrip returns the answer, whole and in time, or else an error: a [*refusal] where Slack says no.
func (e *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), patience)
	defer cancel()
	req = req.Clone(ctx)
	if e.endpoint != "" {
		emulator, err := url.Parse(e.endpoint)
		if err != nil {
			return nil, fmt.Errorf("the endpoint is no address: %w", err)
		}
		req.URL.Scheme, req.URL.Host = emulator.Scheme, emulator.Host // The Host header stays Slack's.
	}
	resp, err := e.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if refused := readRefusal(resp.StatusCode, resp.Header, body); refused != nil {
		return nil, refused
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// refusal is an answer that is not yes.
type refusal struct {
	status int
	// code is Slack's word for the reason, as "channel_not_found"; empty where there is none.
	code string
	// needed is the scope that the token lacks.
	needed string
	// wait is how long to call no more.
	wait time.Duration
}

// Error is for the log.
func (r *refusal) Error() string {
	text := fmt.Sprintf("Slack answered %d", r.status)
	if r.code != "" {
		text += ", " + r.code
	}
	if r.needed != "" {
		text += ", needs " + r.needed
	}
	return text
}

// readRefusal returns what an answer refuses, nil where it does not. The Web API says so in the body of a 200, and a
// response_url by the status, with the reason in JSON or as a bare word.
func readRefusal(status int, header http.Header, body []byte) *refusal {
	var answer struct {
		OK     *bool  `json:"ok"`
		Error  string `json:"error"`
		Needed string `json:"needed"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		answer.Error = strings.TrimSpace(string(body))
	}
	if status == http.StatusOK && (answer.OK == nil || *answer.OK) {
		return nil
	}
	return &refusal{status: status, code: word(answer.Error), needed: word(answer.Needed), wait: seconds(header.Get("Retry-After"))}
}

// word returns s if it looks like a word of Slack's and so holds nothing confidential, else nothing.
func word(s string) string {
	const longest = 64
	if len(s) > longest || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_:.,") != "" {
		return ""
	}
	return s
}

// seconds reads a Retry-After header; 0 where it cannot be read.
func seconds(value string) time.Duration {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return 0
	}
	return time.Duration(min(n, math.MaxInt64/uint64(time.Second))) * time.Second
}
