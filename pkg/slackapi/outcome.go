package slackapi

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"keyreeve/pkg/guard"
)

// How many characters what comes from outside may take. Slack allows a section 3000 of them.
const (
	maxSection  = 2900
	maxKeys     = 700 // the ids on one line
	maxWhy      = 600
	maxRemedy   = 600
	maxWarnings = 900
	maxName     = 300
	maxReason   = 1200
)

// Outcome says briefly what became of a request: to whoever asked, to a channel and to the owner of the keys alike. It is
// a section, with a headline and a line for each thing that befell keys, and a context: who asked, who approved, and why.
func Outcome(f guard.Finished) Message {
	word, rest := headline(f)
	told := section("*"+word+"*"+rest, fates(f), warnings(f))
	message := Message{Text: word + rest, Blocks: []slack.Block{Section(told)}}
	if background := background(f); background != "" {
		message.Blocks = append(message.Blocks, Context(background))
	}
	return message
}

// section puts lines between the first and the last, as many as there is room for.
func section(first string, lines []line, last string) string {
	told := first
	for i, l := range lines {
		next := "\n" + l.text()
		if length(told)+length(next)+length(last) > maxSection {
			left := 0
			for _, l := range lines[i:] {
				left += len(l.keys)
			}
			told += fmt.Sprintf("\n… and %d more", left)
			break
		}
		told += next
	}
	return told + last
}

// headline says the most important in one sentence, whose first words are for the eye.
func headline(f guard.Finished) (word, rest string) {
	if len(f.Keys) == 0 && len(f.Warnings) > 0 {
		return warned(f)
	}
	if len(f.Keys) == 0 {
		return "No access keys", ": " + whose(f) + " has none."
	}
	if refusedOutright(f) {
		return verbs(f).refused, " access keys of " + whose(f) + "."
	}
	counts := make(map[guard.Outcome]int)
	for _, k := range f.Keys {
		counts[k.Outcome]++
	}
	for _, outcome := range outcomes() {
		n := counts[outcome]
		switch {
		case n == 0:
		case word == "":
			word, rest = verbs(f).of(outcome), " "+count(n)+" of "+whose(f)
		default:
			rest += fmt.Sprintf(", %d %s", n, outcome)
		}
	}
	return word, rest + "."
}

// outcomes returns the outcomes in the order in which they are told.
func outcomes() []guard.Outcome {
	return []guard.Outcome{guard.Changed, guard.Refused, guard.Failed, guard.Superseded, guard.Unchanged}
}

// warned is the headline of a request that came to no key.
func warned(f guard.Finished) (word, rest string) {
	switch f.Warnings[0].Code {
	case guard.GivenUp:
		return "Gave up", ": could not " + verbs(f).do + " access keys of " + whose(f) + "."
	case guard.UnmappedUser:
		return "Waiting to " + verbs(f).do, " access keys of " + whose(f) + "."
	case guard.UnknownUser:
		return "Nothing to do", " for " + whose(f) + "."
	case guard.Repeated:
		return "Not done again", " for " + whose(f) + "."
	default:
		return "No access keys", " of " + whose(f) + " were touched."
	}
}

func whose(f guard.Finished) string {
	name := cmp.Or(f.User.Email, f.User.ID, "somebody unknown")
	if f.Offboarding {
		return clip(name, maxName) + " (offboarding)"
	}
	return clip(name, maxName)
}

// refusedOutright reports whether the asker may not do anything to these keys, nor know of them.
func refusedOutright(f guard.Finished) bool {
	return slices.ContainsFunc(f.Keys, func(k guard.KeyResult) bool { return k.Rule == guard.NotPermitted })
}

func count(keys int) string {
	if keys == 1 {
		return "1 access key"
	}
	return fmt.Sprintf("%d access keys", keys)
}

// wording is how an action is spoken of. What is refused is not done in a dry run either.
type wording struct{ do, done, refused, failed, late, unchanged string }

func verbs(f guard.Finished) wording {
	do := cmp.Or(string(f.Action), "change")
	w := wording{
		do: do, done: strings.ToUpper(do[:1]) + do[1:] + "d",
		refused: "Refused to " + do, failed: "Failed to " + do, late: "Too late to " + do, unchanged: "Left unchanged",
	}
	if f.DryRun {
		w.done, w.refused, w.failed, w.late, w.unchanged = "Would "+do, "Would refuse to "+do, "Would fail to "+do, "Would be too late to "+do, "Would leave unchanged"
	}
	return w
}

func (w wording) of(outcome guard.Outcome) string {
	switch outcome {
	case guard.Changed:
		return w.done
	case guard.Refused:
		return w.refused
	case guard.Failed:
		return w.failed
	case guard.Superseded:
		return w.late
	default:
		return w.unchanged
	}
}

// line is what befell some of the keys in the same way.
type line struct {
	label       string
	keys        []string
	why, remedy string
	// note names the rule that refused, or those that were overridden.
	note string
}

// fates tells what became of the keys, those with the same fate together.
func fates(f guard.Finished) []line {
	if refusedOutright(f) {
		return []line{{why: f.Keys[0].Message, remedy: f.Keys[0].Remedy, note: note(f.Keys[0])}}
	}
	var all []line
	mixed := slices.ContainsFunc(f.Keys, func(k guard.KeyResult) bool { return k.Outcome != f.Keys[0].Outcome })
	for _, outcome := range outcomes() {
		for _, k := range f.Keys {
			if k.Outcome != outcome {
				continue
			}
			next := line{why: k.Message, remedy: k.Remedy, note: note(k)}
			if outcome == guard.Unchanged && next.why == "" {
				next.why = already(f.Action)
			}
			if mixed {
				next.label = label(f, outcome)
			}
			i := slices.IndexFunc(all, next.sameFate)
			if i < 0 {
				i, all = len(all), append(all, next)
			}
			all[i].keys = append(all[i].keys, k.ID)
		}
	}
	return all
}

// warnings is a last line with all of them, empty if there are none.
func warnings(f guard.Finished) string {
	if len(f.Warnings) == 0 {
		return ""
	}
	var all []string
	for _, w := range f.Warnings {
		all = append(all, w.Message)
	}
	return "\n" + clip(strings.Join(all, " "), maxWarnings)
}

// already is why nothing had to be done.
func already(action guard.Action) string {
	switch action {
	case guard.Activate:
		return "Active already."
	case guard.Delete:
		return "Gone already."
	default:
		return "Inactive already."
	}
}

func label(f guard.Finished, outcome guard.Outcome) string {
	if outcome == guard.Changed {
		return verbs(f).done + ": "
	}
	return strings.ToUpper(string(outcome[:1])) + string(outcome[1:]) + ": "
}

func (l line) sameFate(other line) bool {
	return l.label == other.label && l.why == other.why && l.remedy == other.remedy && l.note == other.note
}

func note(k guard.KeyResult) string {
	if len(k.Overridden) == 0 {
		return string(k.Rule)
	}
	names := make([]string, len(k.Overridden))
	for i, rule := range k.Overridden {
		names[i] = string(rule)
	}
	return "overridden: " + strings.Join(names, ", ")
}

// text is the line in mrkdwn. The id of a key is never cut, and stands where the explanation has it, if it does.
func (l line) text() string {
	why, keys := clip(l.why, maxWhy), l.ids()
	if words := strings.Fields(why); len(l.keys) == 1 {
		if i := slices.Index(words, Escape(l.keys[0])); i >= 0 {
			words[i], keys = keys, ""
		}
		why = strings.Join(words, " ")
	}
	if keys != "" && why != "" {
		keys += ": "
	}
	text := l.label + keys + why
	if l.note != "" {
		text += " (" + clip(l.note, maxName) + ")"
	}
	return strings.TrimSpace(text + " " + inChat(clip(l.remedy, maxRemedy)))
}

// ids lists as many keys as there is room for, at least one.
func (l line) ids() string {
	listed := ""
	for i, id := range l.keys {
		next := Code(id)
		if i > 0 {
			next = ", " + next
		}
		if i > 0 && length(listed)+length(next) > maxKeys {
			return fmt.Sprintf("%s and %d more", listed, len(l.keys)-i)
		}
		listed += next
	}
	return listed
}

// inChat writes an override as it is typed in Slack.
func inChat(remedy string) string {
	return regexp.MustCompile(`override \["([a-z_]+)"\]`).ReplaceAllString(remedy, "`--override $1`")
}

// background tells who wanted it and why.
func background(f guard.Finished) string {
	var parts []string
	add := func(before, what string, most int) {
		if what != "" {
			parts = append(parts, before+clip(what, most))
		}
	}
	if f.DryRun {
		add("", "Dry run: nothing was changed", maxName)
	}
	add("Asked by ", f.Actor.String(), maxName)
	add("approved by ", f.ApprovedBy.String(), maxName)
	if f.Source != f.Actor.String() {
		add("through ", f.Source, maxName)
	}
	add("reason: ", f.Reason, maxReason)
	return strings.Join(parts, " · ")
}
