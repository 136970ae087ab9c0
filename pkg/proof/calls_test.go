package proof_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/lifecycle"
)

// gatedTransport is a way to the API without a network: each call is a move.
type gatedTransport struct {
	*gates

	handler http.Handler
}

// RoundTrip implements [http.RoundTripper].
func (t gatedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	arriving := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(body))
	arriving.Header = r.Header
	answer := httptest.NewRecorder()
	err := t.pass(r.Context(), apiMove(r, string(body)), func() string {
		t.handler.ServeHTTP(answer, arriving)
		return fmt.Sprint(answer.Code, " ", answer.Body)
	})
	if err != nil {
		return nil, err
	}
	return answer.Result(), nil
}

func apiMove(r *http.Request, body string) move {
	key := path.Base(r.URL.Path)
	_, asking := r.Context().Value(askingKey{}).(bool)
	switch {
	case r.Method == http.MethodPut && strings.Contains(body, "true"):
		return move{does: turnsOn, key: key}
	case r.Method == http.MethodPut:
		return move{does: turnsOff, key: key}
	case r.Method == http.MethodDelete:
		return move{does: deletes, key: key}
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AWSEvents"):
		return move{does: announces}
	case asking && key != "s3keys":
		credential, _, _ := strings.Cut(r.Header.Get("Authorization"), ",")
		return move{does: asks, with: credential}
	case asking:
		return move{does: asks, with: "keys"}
	case key == "s3keys":
		return move{does: reads}
	default:
		return move{does: looksUp, with: r.URL.Path}
	}
}

// gatedLedger is a ledger each call of which is a move.
type gatedLedger struct {
	*gates

	real ledgerCalls
}

// Acquire implements [lifecycle.Leases].
func (l gatedLedger) Acquire(ctx context.Context, userID, holder string, ttl time.Duration) error {
	return l.call(ctx, move{does: acquires}, func() (any, error) { return nil, l.real.Acquire(ctx, userID, holder, ttl) })
}

// Release implements [lifecycle.Leases].
func (l gatedLedger) Release(ctx context.Context, userID, holder string) error {
	return l.call(ctx, move{does: releases}, func() (any, error) { return nil, l.real.Release(ctx, userID, holder) })
}

// Recall implements [lifecycle.Ledger].
func (l gatedLedger) Recall(ctx context.Context, userID string) (memory guard.Memory, err error) {
	err = l.call(ctx, move{does: recalls}, func() (any, error) {
		memory, err = l.real.Recall(ctx, userID)
		return inWords(memory), err
	})
	return memory, err
}

// Record implements [lifecycle.Ledger].
func (l gatedLedger) Record(ctx context.Context, userID string, entry guard.Memory) error {
	return l.call(ctx, move{does: records, with: inWords(entry)}, func() (any, error) { return nil, l.real.Record(ctx, userID, entry) })
}

// Reserve implements [lifecycle.Ledger].
func (l gatedLedger) Reserve(ctx context.Context, changes, limit int) (already int, err error) {
	err = l.call(ctx, move{does: reserves, with: strconv.Itoa(changes)}, func() (any, error) {
		already, err = l.real.Reserve(ctx, changes, limit)
		return already, err
	})
	return already, err
}

func (l gatedLedger) call(ctx context.Context, m move, call func() (any, error)) error {
	var failed error
	stopped := l.pass(ctx, m, func() string {
		var got any
		got, failed = call()
		return fmt.Sprint(got, " ", failed)
	})
	return cmp.Or(stopped, failed)
}

// entry is a [guard.Memory] with names.
type entry struct {
	OffboardedAt time.Time                `json:"offboardedAt,omitzero"`
	Buckets      guard.BucketAnswer       `json:"buckets,omitzero"`
	Changes      map[string]guard.Change  `json:"changes,omitempty"`
	Refusals     map[string]guard.Refusal `json:"refusals,omitempty"`
	Attempts     map[string]guard.Attempt `json:"attempts,omitempty"`
}

func inWords(memory guard.Memory) string {
	words, err := json.Marshal(entry(memory))
	if err != nil {
		panic(err) // A memory is times and texts.
	}
	return string(words)
}

// entryOf reads what inWords wrote.
func entryOf(words string) entry {
	var e entry
	if err := json.Unmarshal([]byte(words), &e); err != nil {
		panic(err)
	}
	return e
}

// markedBuckets lets the calls that ask for buckets be told from those that read keys.
type markedBuckets struct{ lifecycle.Buckets }

// Owned implements [lifecycle.Buckets].
func (m markedBuckets) Owned(ctx context.Context, userID string) guard.Ownership {
	return m.Buckets.Owned(context.WithValue(ctx, askingKey{}, true), userID)
}
