package proof_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/ionos/ionostest"
)

// deathTable says how many of the keys are as they should become when the process dies before or after a step, one column
// an action. A dash is a step that the action does not take. What the next delivery makes of it follows from that: it does
// what is left to do, and says "unchanged" of what stands. So a change is announced once at most, and not at all where the
// process died between the write and the announcement: the ledger and the log have it.
//
// In the last row somebody switched off the user's other key meanwhile: the next delivery switches the key back on.
const deathTable = `
                    deactivate  offboarding  activate  delete
before acquire      none        none         none      none
after acquire       none        none         none      none
after recall        none        none         none      none
after reserve       none        none         none      none
after attempt       none        none         none      none
after write         all         some         all       all
before second-look  all         -            -         -
after second-look   all         -            -         -
before record       all         all          all       all
after record        all         all          all       all
after announce      all         all          all       all
alone second-look   all         -            -         -
`

// TestDeath lets the process die at every turn of every action and has the request delivered again by everybody who
// does so: what nobody finished is finished, what was done is done once.
func TestDeath(t *testing.T) {
	var head []string
	for line := range strings.Lines(strings.TrimSpace(deathTable)) {
		fields := strings.Fields(line)
		if head == nil {
			head = fields
			continue
		}
		for i, e := range errands() {
			if head[i] != e.name {
				t.Fatalf("column %d is %s, want %s", i, head[i], e.name)
			}
			t.Run(fields[0]+" "+fields[1]+"/"+e.name, func(t *testing.T) {
				t.Parallel()
				for _, s := range senders()[1:] { // Who calls over HTTP learns that the call came to nothing.
					d := death{errand: e, sender: s, when: fields[0], step: step(fields[1]), stands: fields[2+i]}
					if d.step == "write" {
						d.step = e.write()
					}
					for _, lie := range d.run(t) {
						t.Errorf("%s: %s", s.name, lie)
					}
				}
			})
		}
	}
}

// death is one field of the table for one sender.
type death struct {
	errand errand
	sender sender
	when   string
	step   step
	stands string
}

func (d death) run(t *testing.T) (lies []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tr := &truth{trial: newTrial(t, d.errand, d.sender, new(trouble), nil), mayOvercount: true}
		tr.dies = func(user string, s step, after bool) bool {
			return user == victim && s == d.step && after == (d.when == "after")
		}
		if d.when == "alone" && d.errand.guarded() {
			tr.before = map[step]ionostest.Fault{switchKey: ionostest.Meanwhile(func() {
				tr.api.SwitchKey(tr.alice.ID, tr.alice.keys[1], false)
			})}
		}
		first := tr.deliver(t, tr.people)
		tr.delivery(first)
		tr.trouble.end()
		if first.dead != (d.stands != "-") {
			tr.lie("the process is dead: %t, and the table has %s", first.dead, d.stands)
		}
		if first.dead {
			if !d.fits(first.code) {
				tr.lie("the first delivery ends as %s, want %s", first.code, d.stands)
			}
			time.Sleep(tr.sender.after)
			second := tr.again(t)
			tr.delivery(second)
			if want := d.second(first.code); second.code != want {
				tr.lie("the second delivery ends as %s, want %s", second.code, want)
			}
		}
		tr.end(t)
		tr.freed(t)
		lies = tr.lies
	})
	return lies
}

// fits reports whether the table's word fits the code.
func (d death) fits(code string) bool {
	some, all := strings.Contains(code, "~"), strings.Contains(code, "+")
	switch d.stands {
	case "none":
		return !some && !all
	case "some": // What was under way when the process died may have arrived.
		return some || all
	default:
		return all
	}
}

// second is the code of the second delivery.
func (d death) second(first string) string {
	switch {
	case d.when == "alone":
		return "ref"
	case strings.Contains(first, "+"):
		return "same"
	default:
		return "done"
	}
}
