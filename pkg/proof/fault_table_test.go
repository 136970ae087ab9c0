package proof_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// row is a row of a table: a step that goes wrong, and what comes of it, fault by fault.
type row struct {
	// lasts is lasting where every attempt goes wrong in the first delivery, once where the first one does.
	lasts string
	step  step
	// faults are the names of the columns, codes and got what has to come of each and what did.
	faults, codes, got []string
}

// onLedger reports whether the row is about the ledger.
func (r row) onLedger() bool {
	return slices.Contains([]step{takeLease, recall, reserve, setOut, record, giveBack, dropLease}, r.step)
}

func (r row) onWire() bool { return !r.onLedger() }

// want returns the codes that may come of the ith fault.
func (r row) want(i int) []string {
	if r.codes[i] == "either" {
		return []string{"done", r.codes[slices.Index(r.faults, "cut+")]}
	}
	return r.codes[i : i+1]
}

// takenFor reports whether a sender's requests may take the step at all: only an HTTP call has an actor to look up.
func (s step) takenFor(by sender) bool {
	return by.name == "http" || s != findActor && s != readContract
}

// expected reads the errand's table.
func expected(t *testing.T, e errand) (rows []row) {
	t.Helper()
	text := everyTable + map[string]string{
		"deactivate": deactivateTable, "offboarding": offboardingTable, "activate": activateTable, "delete": deleteTable,
	}[e.name]
	var head []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case fields[0] == "lasting" || fields[0] == "once":
			head = fields
		case len(fields) == 2 && fields[1] == "-": // One fault shows as well as all that the step is not taken.
			rows = append(rows, row{lasts: head[0], step: step(fields[0]), faults: []string{"500"}, codes: []string{"-"}})
		case len(fields) == len(head):
			rows = append(rows, row{lasts: head[0], step: step(fields[0]), faults: head[1:], codes: fields[1:]})
		default:
			t.Fatalf("%d columns and %d fields in %s", len(head), len(fields), line)
		}
	}
	return rows
}

// shown is the table of what came of each cell.
func shown(rows []row) string {
	var text strings.Builder
	line := func(name string, cells []string) {
		fmt.Fprintf(&text, "%-13s", name)
		for _, cell := range cells {
			fmt.Fprintf(&text, "%-9s", cell)
		}
		text.WriteByte('\n')
	}
	for i, r := range rows {
		if len(r.faults) > 1 && (i == 0 || rows[i-1].lasts != r.lasts || !slices.Equal(rows[i-1].faults, r.faults) && len(rows[i-1].faults) > 1) {
			line(r.lasts, r.faults)
		}
		line(string(r.step), r.got)
	}
	return text.String()
}
