package proof_test

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/ledger/ledgertest"
)

// TestFaultMatrix lets every call that a request makes go wrong in every way, with every action and for every sender.
// What has to come of it stands in the tables of [expected]. With -v it shows what did.
func TestFaultMatrix(t *testing.T) {
	for _, e := range errands() {
		t.Run(e.name, func(t *testing.T) { testErrand(t, e, row.onWire, nil) })
	}
}

// TestLedgerFaults is the part of the matrix where the ledger goes wrong, which takes one on the wire.
func TestLedgerFaults(t *testing.T) {
	emulator := ledgertest.Start(t)
	for _, e := range errands() {
		t.Run(e.name, func(t *testing.T) { testErrand(t, e, row.onLedger, emulator) })
	}
}

func testErrand(t *testing.T, e errand, mine func(row) bool, emulator *ledgertest.DynamoDB) {
	t.Helper()
	rows := slices.DeleteFunc(expected(t, e), func(r row) bool { return !mine(r) })
	var cells atomic.Int64
	t.Run("cells", func(t *testing.T) {
		for i := range rows {
			t.Run(rows[i].lasts+" "+string(rows[i].step), func(t *testing.T) {
				t.Parallel()
				var table *remote
				if emulator != nil {
					table = newRemote(t, emulator)
				}
				rows[i].got = rows[i].run(t, e, table, &cells)
			})
		}
	})
	t.Logf("%d cells\n%s", cells.Load(), shown(rows))
}

// run runs the row's cells, counts them, and returns what came of each fault.
func (r row) run(t *testing.T, e errand, table *remote, cells *atomic.Int64) []string {
	t.Helper()
	got := slices.Clone(r.codes)
	for i, want := range r.codes {
		if want == "." {
			continue
		}
		codes := make(map[string]bool)
		for _, s := range senders() {
			c := cell{errand: e, sender: s, step: r.step, fault: r.faults[i], once: r.lasts == "once"}
			if r.step.takenFor(s) {
				codes[c.check(t, table, r.want(i)...)] = true
			} else {
				c.check(t, table, "-")
			}
			cells.Add(1)
		}
		got[i] = strings.Join(slices.Sorted(maps.Keys(codes)), "/")
	}
	return got
}

// cell is one field of the matrix, for one sender.
type cell struct {
	errand errand
	sender sender
	step   step
	fault  string
	once   bool
	// time is what the invocation has; zero: what template.yaml gives it.
	time time.Duration
}

// check runs the cell, reports what is not as it has to be, and returns the code.
func (c cell) check(t *testing.T, table *remote, want ...string) string {
	t.Helper()
	if table != nil {
		table.empty(t)
	}
	code, lies := c.run(t, table)
	if !slices.Contains(want, code) {
		t.Errorf("%s for %s: got %s, want %s", c.fault, c.sender.name, code, strings.Join(want, " or "))
	}
	if len(lies) > 0 {
		t.Errorf("%s for %s: %s, but\n  %s", c.fault, c.sender.name, code, strings.Join(lies, "\n  "))
	}
	return code
}

// run carries out the cell and returns the code of the first delivery, a dash if it did not take the step, and what is
// not true of what was said.
func (c cell) run(t *testing.T, table *remote) (code string, lies []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &trouble{step: c.step, fault: faults()[c.fault], once: c.once}
		tr := &truth{trial: newTrial(t, c.errand, c.sender, d, table), mayOvercount: table != nil}
		tr.time = cmp.Or(c.time, invocationTime)
		c.prepare(tr.trial)
		first := tr.deliver(t, tr.people)
		tr.delivery(first)
		code = first.code
		switch seen, struck := d.end(); {
		case seen == 0:
			code = "-"
		case struck == 0, !c.once && struck < seen:
			tr.lie("the fault struck %d of %d calls", struck, seen)
		}
		if first.again {
			tr.catchUp(t)
			time.Sleep(tr.sender.after)
			second := tr.again(t)
			tr.delivery(second)
			if want := c.second(first.code); second.code != want {
				tr.lie("the second delivery ends as %s, want %s", second.code, want)
			}
		}
		tr.end(t)
		tr.freed(t)
		lies = tr.lies
	})
	return code, lies
}

// prepare arranges that the step is taken at all, and the lag.
func (c cell) prepare(tr *trial) {
	switch {
	case c.step == switchBack && c.errand.guarded(): // Somebody switches the user's other key off at the same moment.
		tr.before = map[step]ionostest.Fault{switchKey: ionostest.Meanwhile(func() {
			tr.api.SwitchKey(tr.alice.ID, tr.alice.keys[1], false)
		})}
	case c.step == giveBack: // What was reserved does not happen.
		tr.before = map[step]ionostest.Fault{c.errand.write(): ionostest.Status(http.StatusBadRequest, 0)}
	}
	if c.fault != "lag" {
		return
	}
	tr.people = []person{tr.alice} // It would be the others' too.
	tr.api.Lag = lagging
	if c.once {
		tr.api.Lag = 2
	}
}

// second is the code of the second delivery, without trouble: what stands already is the same, and what would leave
// the user without a key is refused.
func (c cell) second(first string) string {
	switch {
	case c.step == switchBack:
		return "ref"
	case strings.HasSuffix(first, "+"):
		return "same"
	default:
		return "done"
	}
}
