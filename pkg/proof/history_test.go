package proof_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// history is a scenario in which more goes wrong than the explorer could go through: processes die before or after any
// of their calls, time passes, leases expire, readings lag. What does not come to an end is delivered again, as a queue
// does it.
type history struct {
	scenario

	// lag is how many readings a write does not show in.
	lag int
	// choices decide, one after the other, what happens next; when they are used up, everybody comes to an end.
	choices []uint8
}

func histories() *rapid.Generator[history] {
	return rapid.Custom(func(t *rapid.T) history {
		pool := []heldKey{legacyKey(), olderKey(), newerKey(), offKey(), longOff()}
		h := history{scenario: scenario{keys: rapid.Permutation(pool).Draw(t, "keys")[:rapid.SampledFrom([]int{1, 2, 2, 2, 3, 3, 5}).Draw(t, "how many")]}}
		one := rapid.SampledFrom(h.keys)
		for range rapid.IntRange(3, maxRequests).Draw(t, "requests") {
			if len(h.requests) > 0 && rapid.IntRange(0, 4).Draw(t, "again") == 0 {
				h.requests = append(h.requests, rapid.SampledFrom(h.requests).Draw(t, "request"))
				continue
			}
			h.requests = append(h.requests, drawRequest(t, len(h.requests), one))
		}
		for range rapid.IntRange(0, 4).Draw(t, "toggles") {
			h.toggles = append(h.toggles, move{by: hand, does: rapid.SampledFrom([]verb{turnsOff, turnsOff, turnsOn}).Draw(t, "toggle"), key: one.Draw(t, "key").id})
		}
		h.owns = rapid.SampledFrom([]guard.Ownership{guard.OwnsNone, guard.OwnsSome, guard.OwnsUnknown}).Draw(t, "owns")
		h.lag = rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "lag")
		h.choices = rapid.SliceOfN(rapid.Uint8(), 20, 150).Draw(t, "choices")
		return h
	})
}

func drawRequest(t *rapid.T, number int, one *rapid.Generator[heldKey]) guard.Request {
	action := rapid.SampledFrom([]guard.Action{guard.Deactivate, guard.Deactivate, guard.Activate, guard.Delete}).Draw(t, "action")
	var keys []string
	for _, k := range rapid.SliceOfNDistinct(one, rapid.SampledFrom([]int{0, 1, 1}).Draw(t, "at least"), rapid.SampledFrom([]int{1, 1, 2}).Draw(t, "at most"), func(k heldKey) string { return k.id }).Draw(t, "named") {
		keys = append(keys, k.id)
	}
	req := ask(action, fmt.Sprint("e", number), rapid.IntRange(1, 9).Draw(t, "minutes"), keys...)
	switch special := rapid.IntRange(0, 11).Draw(t, "special"); {
	case special == 0 && action == guard.Deactivate:
		req.Offboarding = true
	case special == 1 && action == guard.Deactivate:
		req.Override = []guard.Rule{guard.LastActiveKey}
	case special <= 1 && action == guard.Delete && len(keys) > 0:
		req.Override, req.Confirm = []guard.Rule{guard.GracePeriod}, keys
		req.Actor = guard.Actor{Kind: guard.Operator, Email: "operator@example.com"}
	}
	return req
}

// player plays one history.
type player struct {
	history
	*stage

	watch   observer
	waiting []int // requests to be delivered, again perhaps
	told    []string
}

// play must be called in a bubble. It returns what was broken, and all that happened.
func (h history) play(t *testing.T, ledgerFile string) (broke *violation, told []string) {
	t.Helper()
	p := &player{history: h, stage: h.stage(t, ledgerFile, time.Now)}
	p.api.Lag = h.lag
	p.watch = newObserver(&setting{requests: h.requests, keys: h.keys, owns: h.owns, lags: h.lag > 0})
	for by := range h.requests {
		p.waiting = append(p.waiting, by)
	}
	defer func() { // Nobody may be left in the bubble.
		for _, a := range p.attempts {
			p.kill(a)
		}
		synctest.Wait()
	}()
	for range 2000 {
		p.settle()
		if broke = p.ended(); broke != nil {
			return broke, p.told
		}
		if len(p.attempts)+len(p.waiting)+len(p.toggles) == 0 {
			return p.watch.close(p.scene(h.keys)), p.told
		}
		if broke = p.next(); broke != nil {
			return broke, p.told
		}
	}
	return broken(5, "it never ends"), p.told
}

// next lets one thing happen, as the next choice says.
func (p *player) next() *violation {
	var choice uint8
	chosen := len(p.choices) > 0
	if chosen {
		choice, p.choices = p.choices[0], p.choices[1:]
	}
	ready := slices.DeleteFunc(p.moves(), func(w *gated) bool { return w.does == acquires && p.scene(p.keys).leased })
	switch {
	case choice < 150 && len(ready) > 0:
		return p.make(ready[int(choice)%len(ready)])
	case choice < 190 && len(p.waiting) > 0:
		p.deliver(int(choice) % len(p.waiting))
	case choice < 215 && len(p.toggles) > 0:
		m := p.toggles[0]
		p.toggles = p.toggles[1:]
		return p.saw(m, func() string { p.toggle(m); return "" })
	case choice < 235 && len(p.attempts) > 0 && chosen:
		return p.crash(int(choice))
	case choice < 245 && chosen:
		p.pass(20 * time.Second)
	case chosen:
		p.pass(2 * time.Minute)
	case len(p.attempts) > 0:
		p.pass(20 * time.Second) // Somebody waits for the lease of a dead process.
	}
	return nil
}

func (p *player) make(w *gated) *violation {
	return p.saw(w.move, func() string { return p.let(w) })
}

// saw lets the move happen before the observer's eyes.
func (p *player) saw(m move, happen func() string) *violation {
	before := p.scene(p.keys)
	words := happen()
	after := p.scene(p.keys)
	p.told = append(p.told, p.tell(m)+" → "+inShort(words, after, p.keys))
	if m.does == reads && !shows(words, after, p.keys) {
		return nil // It is not a reading of how things are.
	}
	return p.watch.see(time.Now(), m, before, after)
}

// shows reports whether the answer to a reading shows the keys as they are.
func shows(answer string, now scene, keys []heldKey) bool {
	var list struct {
		Items []struct {
			ID         string `json:"id"`
			Properties struct {
				Active bool `json:"active"`
			} `json:"properties"`
		} `json:"items"`
	}
	_, body, _ := strings.Cut(answer, " ")
	if json.Unmarshal([]byte(body), &list) != nil {
		return false
	}
	var shown [maxKeys]keyState
	for _, item := range list.Items {
		shown[indexOf(keys, item.ID)] = inactive
		if item.Properties.Active {
			shown[indexOf(keys, item.ID)] = active
		}
	}
	return shown == now.keys
}

func (p *player) deliver(i int) {
	by := p.waiting[i]
	p.waiting = slices.Delete(p.waiting, i, i+1)
	p.told = append(p.told, fmt.Sprintf("request %d (%s %v) is delivered", by, p.requests[by].Action, p.requests[by].Keys))
	p.begin(by, p.requests[by], time.Minute, p.change)
}

// crash lets a process die, before or after its next call reaches the API or the ledger.
func (p *player) crash(choice int) *violation {
	a := p.attempts[choice%len(p.attempts)]
	var broke *violation
	if pending := slices.DeleteFunc(p.moves(), func(w *gated) bool { return w.attempt != a || w.does == acquires && p.scene(p.keys).leased }); choice%2 == 0 && len(pending) > 0 {
		w := pending[0]
		broke = p.saw(w.move, func() string {
			w.last = true
			return p.let(w)
		})
	}
	p.told = append(p.told, fmt.Sprintf("request %d dies", a.by))
	p.kill(a)
	synctest.Wait()
	return broke
}

// pass lets time pass, in which readings catch up: Keyreeve counts on that they do within a minute.
func (p *player) pass(d time.Duration) {
	p.told = append(p.told, fmt.Sprint(d, " pass"))
	<-time.After(d)
	for range p.lag {
		read := httptest.NewRequestWithContext(p.t.Context(), http.MethodGet, ionostest.BasePath+"/um/users/"+aliceID+"/s3keys?depth=1", nil)
		read.Header.Set("Authorization", "Bearer "+p.api.Token(p.self.ID))
		p.api.ServeHTTP(httptest.NewRecorder(), read)
	}
}

// ended takes note of who came to an end: what is not done is delivered again.
func (p *player) ended() (broke *violation) {
	p.attempts = slices.DeleteFunc(p.attempts, func(a *attempt) bool {
		if !a.done || broke != nil {
			return false
		}
		p.told = append(p.told, fmt.Sprintf("request %d ends: %+v %v", a.by, a.result.Keys, a.err))
		if !a.died() {
			broke = p.watch.end(a.by, a.result, a.err)
		}
		if a.died() || p.unfinished(a) {
			p.watch.died(a.by)
			p.waiting = append(p.waiting, a.by)
		}
		return true
	})
	return broke
}

// unfinished reports whether the request has to be delivered again. Where it failed because a key is gone, that would
// change nothing: in the end it becomes a dead letter.
func (p *player) unfinished(a *attempt) bool {
	if a.err != nil {
		return guard.KindOf(a.err) != guard.NotFound
	}
	return slices.ContainsFunc(a.result.Keys, func(k guard.KeyResult) bool {
		return k.Outcome == guard.Failed && p.scene(p.keys).keys[indexOf(p.keys, k.ID)] != gone
	})
}

// TestHistories shows that no invariant is broken in any history that was tried.
func TestHistories(t *testing.T) {
	file := filepath.Join(memoryDir(t), "ledger.db")
	rapid.Check(t, func(rt *rapid.T) {
		h := histories().Draw(rt, "history")
		if broke, told := h.run(t, file); broke != nil {
			rt.Fatalf("invariant %d is broken: %s\nlag %d, owns %s, keys %+v\n%s", broke.invariant, broke.how, h.lag, h.owns, h.keys, strings.Join(told, "\n"))
		}
	})
}

// run plays the history in a bubble, with a new ledger in the file.
func (h history) run(t *testing.T, file string) (broke *violation, told []string) {
	t.Helper()
	_ = os.Remove(file)
	h.remembers(t, file)
	synctest.Test(t, func(t *testing.T) { broke, told = h.play(t, file) })
	return broke, told
}
