package proof_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/ledger/ledgertest"
)

// TestDeadline shows that a function answers before its invocation ends, whatever hangs, and that what comes of it is the
// same as with more time.
func TestDeadline(t *testing.T) {
	t.Run("API", func(t *testing.T) { testHanging(t, row.onWire, nil) })
	t.Run("ledger", func(t *testing.T) { testHanging(t, row.onLedger, newRemote(t, ledgertest.Start(t))) })
}

// testHanging lets each step hang for longer than the invocation lasts.
func testHanging(t *testing.T, mine func(row) bool, table *remote) {
	t.Helper()
	for _, e := range errands() {
		for _, r := range expected(t, e) {
			if !mine(r) || r.lasts != "lasting" || r.codes[0] == "-" {
				continue
			}
			for _, s := range senders() {
				s.companions = nil // They have to wait for the next delivery.
				if r.step.takenFor(s) {
					c := cell{errand: e, sender: s, step: r.step, fault: "hang", time: 9 * time.Second}
					c.check(t, table, r.codes[0])
				}
			}
		}
	}
}

// TestBatchOutOfTime is about a batch of five of which the second message's write hangs until no time is left: the first is
// done, nobody hears of the last three, and all but the first come again.
func TestBatchOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sender := senders()[1]
		sender.companions = []string{"bob@example.com", "carol@example.com", "dan@example.com", "erin@example.com"}
		d := &trouble{step: switchKey, fault: ionostest.Hang()}
		tr := &truth{trial: newTrial(t, errands()[0], sender, d, nil)}
		tr.time = 40 * time.Second
		first := tr.deliver(t, tr.people)
		tr.trouble.end()
		if want := sender.companions[1:]; first.code != "fail" || !first.again || !slices.Equal(first.others, want) {
			t.Errorf("alice's ends as %s, again %t, others %v; want fail, true, %v", first.code, first.again, first.others, want)
		}
		if left := tr.time - first.took; left <= 0 || left > 3*time.Second {
			t.Errorf("%s were left", left)
		}
		for _, email := range sender.companions[1:] {
			if n := tr.calls[email]; n != 0 {
				t.Errorf("%d calls were made for %s", n, email)
			}
		}
		time.Sleep(sender.after)
		second := tr.again(t)
		tr.delivery(second)
		tr.end(t)
		tr.freed(t)
		if second.code != "done" || len(tr.lies) > 0 {
			t.Errorf("the second delivery ends as %s; %s", second.code, strings.Join(tr.lies, "; "))
		}
	})
}

// TestOneSlowWrite is about a request for three keys, one of which cannot be written in time: the others are changed,
// recorded and announced as such, and the request comes again.
func TestOneSlowWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &truth{trial: newTrial(t, errands()[1], senders()[4], new(trouble), nil)}
		tr.time = 20 * time.Second
		slow := tr.alice.keys[0]
		tr.api.SwitchKey(tr.alice.ID, tr.alice.keys[2], true)
		tr.step, tr.fault = switchKey, func(api http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, slow) {
					api = ionostest.Hang()(api)
				}
				api.ServeHTTP(w, r)
			})
		}
		first := tr.deliver(t, tr.people)
		tr.trouble.end()
		want := map[string]guard.Outcome{slow: guard.Failed, tr.alice.keys[1]: guard.Changed, tr.alice.keys[2]: guard.Changed}
		if len(first.announced) != 1 {
			t.Fatalf("announced: %+v", first.announced)
		}
		for where, keys := range map[string][]guard.KeyResult{"result": first.result.Keys, "bus": first.announced[0].Keys} {
			if diff := cmp.Diff(want, outcomes(keys)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", where, diff)
			}
		}
		memory, err := tr.memory.Recall(t.Context(), tr.alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, unsettled := memory.Attempts[slow]; len(memory.Changes) != 2 || len(memory.Attempts) != 1 || !unsettled {
			t.Errorf("the ledger has %+v", memory)
		}
		if !first.again || first.took >= tr.time {
			t.Errorf("again %t, after %s", first.again, first.took)
		}
		second := tr.again(t)
		want = map[string]guard.Outcome{slow: guard.Changed, tr.alice.keys[1]: guard.Unchanged, tr.alice.keys[2]: guard.Unchanged}
		if diff := cmp.Diff(want, outcomes(second.result.Keys)); diff != "" {
			t.Errorf("second delivery (-want +got):\n%s", diff)
		}
	})
}

func outcomes(keys []guard.KeyResult) map[string]guard.Outcome {
	said := make(map[string]guard.Outcome)
	for _, k := range keys {
		said[k.ID] = k.Outcome
	}
	return said
}
