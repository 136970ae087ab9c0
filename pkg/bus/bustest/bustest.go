// Package bustest stands in for EventBridge in tests: it takes what is put on the bus and keeps it.
package bustest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"keyreeve/pkg/guard"
)

// Bus is the part of EventBridge that events reach, an [http.Handler]. The zero value is ready to use, from several
// goroutines at once.
type Bus struct {
	mu       sync.Mutex
	refuses  bool
	arrivals arrivals
}

// arrivals are the details of events by their detail type.
type arrivals struct {
	finished []guard.Finished
	requests []guard.Request
	unmapped []guard.Unmapped
	chat     []json.RawMessage
	warnings []guard.OwnerWarning
	sweeps   []guard.Sweep
	goingOn  []json.RawMessage
}

// Finished returns the outcomes that were announced, in the order they arrived.
func (b *Bus) Finished() []guard.Finished {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals.finished)
}

// Requests returns the requests that were published, in the order they arrived.
func (b *Bus) Requests() []guard.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals.requests)
}

// Unmapped returns the requests that were published without a user, in the order they arrived.
func (b *Bus) Unmapped() []guard.Unmapped {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals.unmapped)
}

// Chat returns the messages from chat that were published, in the order they arrived.
func (b *Bus) Chat() []json.RawMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals.chat)
}

// Warnings returns the warnings that were published for owners of keys, in the order they arrived.
func (b *Bus) Warnings() []guard.OwnerWarning {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals.warnings)
}

// Sweeps returns the sweeps that were announced, in the order they arrived.
func (b *Bus) Sweeps() []guard.Sweep {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals.sweeps)
}

// Continued returns what sweeps left for another invocation, as the events hold it, in the order they arrived.
func (b *Bus) Continued() []json.RawMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals.goingOn)
}

// Refuse makes the bus turn down everything from here on, Accept take it again.
func (b *Bus) Refuse() { b.refuse(true) }

// Accept ends what [Bus.Refuse] began.
func (b *Bus) Accept() { b.refuse(false) }

func (b *Bus) refuse(all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuses = all
}

// ServeHTTP takes the events of a PutEvents call. Where one cannot be understood, the whole call is refused.
func (b *Bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Entries []entry `json:"Entries"`
	}
	err := json.NewDecoder(r.Body).Decode(&call)
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.arrivals
	for _, e := range call.Entries {
		if err == nil {
			err = taken.add(e)
		}
	}
	if err != nil || b.refuses {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.arrivals = taken
	results := strings.Repeat(`,{"EventId":"1"}`, len(call.Entries))
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, _ = io.WriteString(w, `{"FailedEntryCount":0,"Entries":[`+strings.TrimPrefix(results, ",")+`]}`) // a caller who has gone will say so
}

// entry is one of a PutEvents call.
type entry struct {
	DetailType string `json:"DetailType"`
	Detail     string `json:"Detail"`
}

func (a *arrivals) add(e entry) error {
	switch e.DetailType {
	case "Key Operation Finished":
		return decode(e.Detail, &a.finished)
	case "Key Operation Requested":
		return decode(e.Detail, &a.requests)
	case "Key Operation Unmapped":
		return decode(e.Detail, &a.unmapped)
	case "Chat Message Received":
		return decode(e.Detail, &a.chat)
	case "Key Warning Due":
		return decode(e.Detail, &a.warnings)
	case "Key Sweep Finished", "Key Sweep Stopped":
		return decode(e.Detail, &a.sweeps)
	case "Key Sweep Continued":
		return decode(e.Detail, &a.goingOn)
	default:
		return fmt.Errorf("nobody listens to %q", e.DetailType)
	}
}

func decode[T any](detail string, list *[]T) error {
	var one T
	if err := json.Unmarshal([]byte(detail), &one); err != nil {
		return err
	}
	*list = append(*list, one)
	return nil
}
