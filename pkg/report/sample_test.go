package report_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/report"
)

const day = 24 * time.Hour

// night is when the sweeps of these tests started.
func night() time.Time { return time.Date(2026, time.November, 23, 2, 0, 0, 0, time.UTC) }

func ago(days int) time.Time { return night().Add(-time.Duration(days) * day) }

// dice roll the same numbers in every run.
type dice struct{ rolled uint64 }

// roll returns a number from 0 to n-1.
func (d *dice) roll(n int) int {
	d.rolled++
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, d.rolled))
	return int(binary.BigEndian.Uint32(sum[:])>>1) % n
}

// contract returns what a sweep finds of so many users with three keys each, the same in every run.
func contract(users int) (guard.Sweep, []report.Row) {
	var d dice
	names := []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj", "olivia", "peggy", "rupert", "sybil", "trent", "victor", "walter", "Zoe"}
	var rows []report.Row
	for i := range users {
		user := report.Row{User: fmt.Sprintf("%s.%d@example.com", names[i%len(names)], i), UserInactive: d.roll(40) == 0}
		user.UserID = fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", d.roll(1<<31), d.roll(1<<16), d.roll(1<<12), d.roll(1<<12), d.roll(1<<31))
		if d.roll(50) == 0 {
			user.User = user.UserID
		}
		for range 3 {
			rows = append(rows, found(&d, user))
		}
	}
	return tallied(rows), rows
}

// found makes the row of one key of the user's: about one in eight is due for something.
func found(d *dice, row report.Row) report.Row {
	age := d.roll(40) * d.roll(60)
	row.Key = fmt.Sprintf("%08x%04x%08x", d.roll(1<<31), d.roll(1<<16), d.roll(1<<31))
	row.Created = ago(age).Add(-time.Duration(d.roll(86400)) * time.Second)
	row.Legacy = row.Created.Before(time.Date(2024, time.April, 25, 0, 0, 0, 0, time.UTC))
	row.Active = d.roll(4) > 0
	if !row.Active {
		row.InactiveSince = ago(d.roll(age + 1))
	}
	switch {
	case !row.Active && d.roll(10) == 0:
		row.InactiveSince = time.Time{}
		return row
	case !row.Active && night().Sub(row.InactiveSince) > 30*day:
		return due(d, row, guard.DeleteAfterGrace, guard.StepDelete)
	case row.Active && row.UserInactive:
		return due(d, row, guard.InactiveUser, guard.StepDeactivate)
	case row.Active && age > 730:
		return due(d, row, guard.MaxAge, []guard.SweepStep{guard.StepDeactivate, guard.StepWarn, guard.StepWait}[d.roll(3)])
	case d.roll(200) == 0:
		row.Created, row.Legacy = time.Time{}, true
	}
	return row
}

func due(d *dice, row report.Row, policy guard.SweepPolicy, step guard.SweepStep) report.Row {
	row.Policy, row.Step, row.Mode = policy, step, guard.Enforce
	if policy == guard.DeleteAfterGrace {
		row.Mode = guard.Report
	}
	if step == guard.StepWarn || step == guard.StepWait {
		row.Due = night().Add(time.Duration(1+d.roll(14)) * day)
		return row
	}
	if d.roll(6) > 0 {
		return row
	}
	if step == guard.StepDelete {
		row.Rule = guard.OnlyKeyWithBuckets
		row.Message = row.Key + " is the only key of " + row.User + ", who owns buckets: without it nobody can reach them."
		row.Remedy = "Create another key first, or empty and delete the buckets; or let an administrator repeat the request with override [\"only_key_with_buckets\"]."
		return row
	}
	row.Rule = guard.LastActiveKey
	row.Message = row.Key + " is the last active key of " + row.User + " that opens all their buckets: without it they lose access."
	row.Remedy = "Activate or create another key first, or repeat the request with override [\"last_active_key\"], or with offboarding if the person left."
	return row
}

// tallied returns the sweep that found the rows.
func tallied(rows []report.Row) guard.Sweep {
	tallies := map[guard.SweepPolicy]*guard.SweepTally{}
	sweep := guard.Sweep{ID: "sweep-2026-11-23", StartedAt: night(), Keys: len(rows)}
	users := map[string]bool{}
	for _, policy := range guard.SweepPolicies() {
		tallies[policy] = &guard.SweepTally{Policy: policy, Mode: guard.Enforce}
	}
	tallies[guard.DeleteAfterGrace].Mode = guard.Report
	for _, row := range rows {
		users[row.UserID] = true
		switch tally := tallies[row.Policy]; {
		case row.Rule != "":
			tally.Refused++
		case row.Step == guard.StepWarn:
			tally.Warn++
		case row.Step == guard.StepWait:
			tally.Wait++
		case row.Step == guard.StepDeactivate:
			tally.Deactivate++
		case row.Step == guard.StepDelete:
			tally.Delete++
		}
	}
	sweep.Users = len(users)
	for _, policy := range guard.SweepPolicies() {
		sweep.Policies = append(sweep.Policies, *tallies[policy])
	}
	return sweep
}

// stream hands the rows out one by one.
func stream(rows []report.Row) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func mustNot(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
