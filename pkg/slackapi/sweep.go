package slackapi

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"keyreeve/pkg/guard"
)

// maxPolicies is how many policies of a sweep are told of: there are three.
const maxPolicies = 10

// Sweep says what a sweep found and asked for, in a few lines, or which brake stopped it. Changes that a sweep asked for
// are told again, as outcomes, when they are made. What would stop it if all its policies were enforced stands below.
func Sweep(s guard.Sweep) Message {
	if s.Stopped != nil {
		return stoppedSweep(s)
	}
	name, rest := nameOf(s), " over "+extent(s)+"."
	due := tallies(s)
	if len(due) == 0 {
		rest = " over " + extent(s) + ": nothing is due."
	}
	blocks := Sections(append([]string{"*" + name + "*" + rest}, due...))
	if stop := s.WouldStop; stop != nil {
		brake, why := clip(string(stop.Brake), maxName), clip(stop.Message, maxWhy)
		blocks = append(blocks, Context("If every policy were enforced, the sweep would stop ("+brake+"): "+why))
	}
	return Message{Text: name + rest, Blocks: append(blocks, reportOf(s)...)}
}

// stoppedSweep is hard to overlook: somebody has to see to it, or no sweep goes on.
func stoppedSweep(s guard.Sweep) Message {
	const headline = "Key sweep stopped: nothing was done"
	why := clip(s.Stopped.Message, maxWhy)
	lines := []string{
		strings.TrimSpace("*" + why + "* (" + clip(string(s.Stopped.Brake), maxName) + ") " + clip(s.Stopped.Remedy, maxRemedy)),
		nameOf(s) + " over " + extent(s) + ".",
	}
	title := slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, headline, false, false))
	blocks := append([]slack.Block{title}, Sections(append(lines, tallies(s)...))...)
	return Message{Text: headline + ". " + why, Blocks: append(blocks, reportOf(s)...)}
}

func nameOf(s guard.Sweep) string { return "Key sweep of " + s.StartedAt.UTC().Format(time.DateOnly) }

// extent is like "3 access keys of 2 users".
func extent(s guard.Sweep) string {
	users := fmt.Sprintf("%d users", s.Users)
	if s.Users == 1 {
		users = "1 user"
	}
	return count(s.Keys) + " of " + users
}

// reportOf is a block with the way to the report, if there is one.
func reportOf(s guard.Sweep) []slack.Block {
	if s.Report == "" {
		return nil
	}
	return []slack.Block{Context(Link(s.Report, "Report"))}
}

// tallies returns a line for each policy by which something is due.
func tallies(s guard.Sweep) []string {
	var lines []string
	for _, t := range s.Policies[:min(len(s.Policies), maxPolicies)] {
		due := tally(t)
		if due == "" {
			continue
		}
		asked := "Would be asked for"
		if t.Mode == guard.Enforce && s.Stopped == nil {
			asked = "Asked for"
		}
		lines = append(lines, "• "+asked+" by "+code(string(t.Policy), maxName)+": "+due)
	}
	return lines
}

// tally is like "2 to deactivate, 1 refused", in numbers of keys; empty where all are zero.
func tally(t guard.SweepTally) string {
	var parts []string
	for _, part := range []struct {
		keys int
		what string
	}{
		{t.Deactivate, "to deactivate"},
		{t.Delete, "to delete"},
		{t.Warn, "to warn of"},
		{t.Wait, "waiting for their warnings"},
		{t.Refused, "refused"},
	} {
		if part.keys != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.keys, part.what))
		}
	}
	return strings.Join(parts, ", ")
}
