// Package bustest stands in for EventBridge in tests: it takes the outcomes that are announced and keeps them.
package bustest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"

	"keyreeve/pkg/guard"
)

// Bus is the part of EventBridge that outcomes reach, an [http.Handler]. The zero value is ready to use, from several
// goroutines at once.
type Bus struct {
	mu       sync.Mutex
	refuses  bool
	finished []guard.Finished
}

// Finished returns what was announced, in the order it arrived.
func (b *Bus) Finished() []guard.Finished {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.finished)
}

// Refuse makes the bus turn down everything from here on.
func (b *Bus) Refuse() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuses = true
}

// ServeHTTP takes the events of a PutEvents call. One that is no outcome is refused with the whole call.
func (b *Bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Entries []struct {
			Detail string `json:"Detail"`
		} `json:"Entries"`
	}
	err := json.NewDecoder(r.Body).Decode(&call)
	arrived := make([]guard.Finished, len(call.Entries))
	for i, entry := range call.Entries {
		if err == nil {
			err = json.Unmarshal([]byte(entry.Detail), &arrived[i])
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || b.refuses {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.finished = append(b.finished, arrived...)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, _ = io.WriteString(w, `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`) // a caller who has gone will say so
}
