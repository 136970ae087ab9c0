package notify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// digest tells of many outcomes in one message: numbers first, then what somebody may have to see to, then whose keys were
// changed.
func digest(outcomes []guard.Finished) slackapi.Message {
	var sentences []string
	for _, dryRun := range []bool{false, true} {
		if t := count(outcomes, dryRun); len(t.requests) > 0 {
			sentences = append(sentences, t.sentence())
		}
	}
	blocks := []slack.Block{slackapi.Section(strings.Join(sentences, "\n"))}
	for _, list := range []struct {
		title string
		lines []string
	}{
		{"Refused and failed", troubles(outcomes)},
		{"Warnings", warnings(outcomes)},
		{"People", people(outcomes)},
	} {
		if len(list.lines) > 0 {
			blocks = append(blocks, slackapi.Section(itemized(list.title, list.lines)))
		}
	}
	return slackapi.Message{Text: strings.ReplaceAll(strings.Join(sentences, "; "), "*", ""), Blocks: blocks}
}

// tally is what a number of outcomes come to. What several of them are about counts once.
type tally struct {
	dryRun   bool
	requests map[string]bool
	// changed are keys by what was done to them.
	changed         map[guard.Action]keySet
	refused, failed keySet
	warnings        int
}

// keySet holds keys by their owner and their id.
type keySet map[[2]string]bool

// count counts the outcomes that are dry runs, or those that are not.
func count(outcomes []guard.Finished, dryRun bool) tally {
	t := tally{dryRun: dryRun, requests: map[string]bool{}, changed: map[guard.Action]keySet{}, refused: keySet{}, failed: keySet{}}
	for _, action := range guard.Actions() {
		t.changed[action] = keySet{}
	}
	for _, f := range outcomes {
		if f.DryRun != dryRun {
			continue
		}
		t.requests[request(f)] = true
		t.warnings += len(f.Warnings)
		for _, k := range f.Keys {
			key := [2]string{person(f.User), k.ID}
			switch k.Outcome {
			case guard.Changed:
				t.changed[f.Action][key] = true
			case guard.Refused:
				t.refused[key] = true
			case guard.Failed:
				t.failed[key] = true
			default:
			}
		}
	}
	return t
}

// person is the same for the same user.
func person(u guard.User) string { return cmp.Or(strings.ToLower(u.Email), u.ID) }

// request is the same for what became of one request at each of its tries. One about somebody whom nobody knows has no
// user, and a warning that says whom the sender means.
func request(f guard.Finished) string {
	about := person(f.User)
	if about == "" && len(f.Warnings) > 0 {
		about = f.Warnings[0].Message
	}
	return fmt.Sprintf("%q %q %q %q %s", f.ID, f.Source, f.Action, about, f.OccurredAt.UTC().Format(time.RFC3339Nano))
}

// sentence is like "*3 requests*: 4 keys deactivated of 2 people, 1 key refused", without a period.
func (t tally) sentence() string {
	what := many(len(t.requests), "request", "requests")
	if t.dryRun {
		what = many(len(t.requests), "dry run", "dry runs")
	}
	var parts []string
	for _, action := range guard.Actions() {
		if keys := t.changed[action]; len(keys) > 0 {
			parts = append(parts, t.become(keys, past(action))+" of "+many(keys.people(), "person", "people"))
		}
	}
	if len(t.refused) > 0 {
		parts = append(parts, t.become(t.refused, "refused"))
	}
	if len(t.failed) > 0 {
		parts = append(parts, many(len(t.failed), "key", "keys")+" failed")
	}
	if t.warnings > 0 {
		parts = append(parts, many(t.warnings, "warning", "warnings"))
	}
	return "*" + what + "*: " + strings.Join(parts, ", ")
}

// become is like "2 keys deactivated", or "2 keys would be deactivated".
func (t tally) become(keys keySet, what string) string {
	if t.dryRun {
		what = "would be " + what
	}
	return many(len(keys), "key", "keys") + " " + what
}

func (s keySet) people() int {
	owners := map[string]bool{}
	for key := range s {
		owners[key[0]] = true
	}
	return len(owners)
}

// troubles returns a line for each reason for which keys of a request were refused or failed.
func troubles(outcomes []guard.Finished) []string {
	type reason struct {
		outcome guard.Outcome
		rule    guard.Rule
		message string
	}
	var lines []string
	for _, f := range outcomes {
		alike := map[reason][]guard.KeyResult{}
		var reasons []reason
		for _, k := range f.Keys {
			if k.Outcome != guard.Refused && k.Outcome != guard.Failed {
				continue
			}
			why := reason{k.Outcome, k.Rule, k.Message}
			if alike[why] == nil {
				reasons = append(reasons, why)
			}
			alike[why] = append(alike[why], k)
		}
		for _, why := range reasons {
			lines = append(lines, trouble(f, alike[why]))
		}
	}
	return lines
}

// trouble is like "Refused to deactivate `00e1` of bob@example.com, `last_active_key`: without it they lose access". Keys
// are named where they are few, unless the asker must not learn of them.
func trouble(f guard.Finished, keys []guard.KeyResult) string {
	const atMost = 3
	which := many(len(keys), "key", "keys")
	if len(keys) <= atMost && keys[0].Rule != guard.NotPermitted {
		var codes []string
		for _, k := range keys {
			codes = append(codes, slackapi.Code(k.ID))
		}
		which = strings.Join(codes, ", ")
	}
	verb := "Refused"
	if keys[0].Outcome == guard.Failed {
		verb = "Failed"
	}
	if f.DryRun {
		verb = "Dry run: " + strings.ToLower(verb)
	}
	line := verb + " to " + string(f.Action) + " " + which + " of " + named(f.User)
	if keys[0].Rule != "" {
		line += ", " + slackapi.Code(edge.Clip(string(keys[0].Rule)))
	}
	if keys[0].Message != "" {
		line += ": " + told(keys[0].Message)
	}
	return line
}

// warnings returns a line for each, but one for all leavers who can still log in.
func warnings(outcomes []guard.Finished) []string {
	var lines []string
	leavers := map[string]bool{}
	for _, f := range outcomes {
		if canLogIn(f) {
			leavers[person(f.User)] = true
		}
		for _, w := range f.Warnings {
			if w.Code != guard.UserCanCreateKeys {
				lines = append(lines, told(w.Message))
			}
		}
	}
	if n := len(leavers); n > 0 {
		lines = append(lines, many(n, "person", "people")+" who left can still log in to IONOS and make a new key: "+
			"deactivate the users, or take them out of the groups with object storage.")
	}
	return lines
}

// people returns a line for each user whose keys were changed, or would be, and for each who left and can still log in; by
// name.
func people(outcomes []guard.Finished) []string {
	byPerson := map[string][]guard.Finished{}
	for _, f := range outcomes {
		if f.Any(guard.Changed) || canLogIn(f) {
			byPerson[person(f.User)] = append(byPerson[person(f.User)], f)
		}
	}
	var lines []string
	for _, who := range slices.Sorted(maps.Keys(byPerson)) {
		var parts []string
		for _, dryRun := range []bool{false, true} {
			t := count(byPerson[who], dryRun)
			for _, action := range guard.Actions() {
				if keys := t.changed[action]; len(keys) > 0 {
					parts = append(parts, t.become(keys, past(action)))
				}
			}
		}
		if slices.ContainsFunc(byPerson[who], canLogIn) {
			parts = append(parts, "can still log in")
		}
		lines = append(lines, named(byPerson[who][0].User)+": "+strings.Join(parts, ", "))
	}
	return lines
}

func canLogIn(f guard.Finished) bool {
	return slices.ContainsFunc(f.Warnings, func(w guard.Warning) bool { return w.Code == guard.UserCanCreateKeys })
}
