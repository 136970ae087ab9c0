package proof_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
)

// truth holds what was said of the victim's request against what happened.
type truth struct {
	*trial

	// mayOvercount is true where more changes may be counted than happened.
	mayOvercount bool
	lies         []string
}

func (tr *truth) lie(format string, args ...any) {
	tr.lies = append(tr.lies, fmt.Sprintf(format, args...))
}

// delivery checks one delivery, before the next: what the sender learned, what the result and the bus say, what was
// written, and that it was in time.
func (tr *truth) delivery(d delivery) {
	tr.writes(d)
	if d.dead {
		return
	}
	got, want := d.learned, answers(d.code)
	if tr.sender.name != "http" {
		want.status = 0
	}
	if got.status != want.status || got.again != want.again {
		tr.lie("%s: the sender sees status %d, again %t; want %d, %t", d.code, got.status, got.again, want.status, want.again)
	}
	if len(got.others) > 0 {
		tr.lie("others in the batch have to be sent again: %v", got.others)
	}
	for _, p := range tr.people {
		if p.Email != victim && !slices.Contains(got.others, p.Email) {
			tr.companion(p)
		}
	}
	if limit := min(tr.time, tr.sender.patience); d.took >= limit {
		tr.lie("it took %s of %s", d.took, limit)
	}
	if d.err != nil {
		if known := guard.AsError(d.err); known.Message == "" || known.Remedy == "" || got.status != 0 && !got.explained {
			tr.lie("an error without a sentence and a remedy: %+v", known)
		}
	} else if got.told.ID != "" && !cmp.Equal(got.told.Keys, d.result.Keys) {
		tr.lie("the caller is told %+v, and it is %+v", got.told.Keys, d.result.Keys)
	}
	for _, k := range d.result.Keys {
		tr.key(d, k)
	}
	tr.announcements(d)
}

// companion checks that a request in the same batch was carried out that will not be sent again.
func (tr *truth) companion(p person) {
	for key, state := range tr.errand.wanted(p) {
		if got := stateOf(tr.api, p.ID, key); got != state {
			tr.lie("%s of %s is %s, and nobody sends that again", key, p.Email, got)
		}
	}
}

// key checks what is said of one key.
func (tr *truth) key(d delivery, k guard.KeyResult) {
	state, effects := stateOf(tr.api, tr.alice.ID, k.ID), d.effects[k.ID]
	switch k.Outcome {
	case guard.Changed:
		if !slices.Equal(effects, []string{tr.errand.state}) || state != tr.errand.state {
			tr.lie("%s changed, it is said, and went through %v to %s", k.ID, effects, state)
		}
	case guard.Unchanged:
		if len(effects) > 0 || state != tr.errand.state {
			tr.lie("%s is unchanged, it is said, and went through %v to %s", k.ID, effects, state)
		}
	case guard.Refused:
		if k.Active != (state == isOn) || state == tr.errand.state || k.Rule == "" || k.Message == "" || k.Remedy == "" {
			tr.lie("%s is %s, and it is said that %+v", k.ID, state, k)
		}
	case guard.Failed:
		if k.Message == "" || k.Remedy == "" {
			tr.lie("a failure without a sentence and a remedy: %+v", k)
		}
	case guard.Superseded:
		tr.lie("%s is superseded, it is said", k.ID)
	}
}

// announcements checks that what is on the bus is the result, once, or nothing where there is none. Where it could not
// be announced it may be there all the same.
func (tr *truth) announcements(d delivery) {
	var told []guard.Result
	if d.err == nil {
		told = append(told, d.result)
	}
	quiet := slices.ContainsFunc(d.result.Warnings, func(w guard.Warning) bool { return w.Code == guard.NotAnnounced })
	if quiet && len(d.announced) == 0 {
		return
	}
	var announced []guard.Result
	for _, finished := range d.announced {
		announced = append(announced, finished.Result)
	}
	keys := cmp.Transformer("keys", func(r guard.Result) []guard.KeyResult { return r.Keys })
	if diff := cmp.Diff(told, announced, keys); diff != "" {
		tr.lie("announced (-result +bus):\n%s", diff)
	}
}

// writes checks that only the keys that the request is about were written to.
func (tr *truth) writes(d delivery) {
	wanted := tr.errand.wanted(tr.alice)
	for _, key := range tr.alice.keys {
		if len(d.effects[key]) > 0 && wanted[key] == "" {
			tr.lie("%s was none of this request's and went through %v", key, d.effects[key])
		}
	}
}

// end checks how it all ended: every key as it should be or refused, changed once and said so once at most, nothing
// of it forgotten and nothing left lying about.
func (tr *truth) end(t *testing.T) {
	t.Helper()
	last := tr.deliveries[len(tr.deliveries)-1]
	if answers(last.code).again {
		tr.lie("it did not come to an end: %s", last.code)
	}
	memory, err := tr.memory.Recall(t.Context(), tr.alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	refused := last.result.Any(guard.Refused)
	for key, attempt := range memory.Attempts {
		// Of a key that is refused nothing is known but that it is on: an attempt that failed stays in mind, but not as one
		// to follow up.
		if !refused || attempt.Guarded {
			tr.lie("an attempt is left: %s %+v", key, attempt)
		}
	}
	for key, state := range tr.errand.wanted(tr.alice) {
		made, undone, told, announced := tr.changes(key, state)
		stands := 1
		if refused {
			stands = 0
		}
		if made-undone != stands || told > stands || announced > stands {
			tr.lie("%s was changed %d times and back %d times, said to be changed %d times, on the bus %d times", key, made, undone, told, announced)
		}
		if got := stateOf(tr.api, tr.alice.ID, key); (got == state) == refused {
			tr.lie("%s is %s in the end", key, got)
		}
		if change := memory.Changes[key]; !refused && (change.Action != tr.errand.action || change.Reason == "" && tr.sender.name != "http") {
			tr.lie("the ledger says of %s: %+v", key, change)
		}
	}
	if tr.errand.guarded() && !slices.ContainsFunc(tr.alice.keys, func(id string) bool { return stateOf(tr.api, tr.alice.ID, id) == isOn }) {
		tr.lie("no active key is left")
	}
	// Where the ledger goes wrong or the process dies, changes may be counted twice: that is the safe side.
	happened, counted := tr.happened(), tr.counted(t)
	if counted < happened || counted > happened && !tr.mayOvercount {
		tr.lie("%d changes are counted, and %d happened", counted, happened)
	}
}

// changes counts how often the key got into the state and out of it, and in how many deliveries it was said to be
// changed, to the caller and on the bus.
func (tr *truth) changes(key, state string) (made, undone, told, announced int) {
	changed := func(k guard.KeyResult) bool { return k.ID == key && k.Outcome == guard.Changed }
	for _, d := range tr.deliveries {
		for _, effect := range d.effects[key] {
			if effect == state {
				made++
			} else {
				undone++
			}
		}
		if slices.ContainsFunc(d.result.Keys, changed) {
			told++
		}
		if slices.ContainsFunc(d.announced, func(f guard.Finished) bool { return slices.ContainsFunc(f.Keys, changed) }) {
			announced++
		}
	}
	return made, undone, told, announced
}

// happened counts the changes of all people that stand.
func (tr *truth) happened() (n int) {
	for _, p := range tr.people {
		for key, state := range tr.errand.wanted(p) {
			if stateOf(tr.api, p.ID, key) == state {
				n++
			}
		}
	}
	return n
}

func (tr *truth) counted(t *testing.T) int {
	t.Helper()
	counted, err := tr.memory.Reserve(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return counted
}

// freed checks that the user's lease is free once every invocation is over, at the latest.
func (tr *truth) freed(t *testing.T) {
	t.Helper()
	if tr.deliveries[len(tr.deliveries)-1].leaseLeft {
		<-time.After(invocationTime + 10*time.Second)
	}
	if err := tr.memory.Acquire(t.Context(), tr.alice.ID, "somebody else", time.Nanosecond); err != nil {
		tr.lie("the lease is still taken: %v", err)
	}
}
