package slackapi

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"keyreeve/pkg/guard"
)

// How much one message about warnings tells.
const (
	// MaxWarned is how many keys [Warning] names: twice as many as IONOS lets a user have.
	MaxWarned = 10
	// MaxPassedOn is how many people [PassOn] names.
	MaxPassedOn = 20
)

const whatToDo = "Make a new key in the IONOS console, move everything that uses the old one to it, and switch the old one off."

// Warning tells the owner of keys that these will be switched off, and what to do. It names the first [MaxWarned] of them,
// and counts no others; there must be at least one.
func Warning(w guard.OwnerWarning) Message {
	fate := aged(w, "yours")
	if isLast(w) {
		fate = "Last warning: " + fate
	}
	lines := append([]string{"*" + fate + "*"}, aging(w, "your", "you")...)
	lines = append(lines, whatToDo)
	blocks := append(Sections(lines), Context("If you have questions, ask your administrators."))
	return Message{Text: fate, Blocks: blocks}
}

// PassOn asks a channel to pass warnings on to people who cannot be reached in Slack. There are one to [MaxPassedOn] of
// them, each with a key at least; only of a single one the keys are named, as far as [Warning] does.
func PassOn(warnings []guard.OwnerWarning) Message {
	if len(warnings) == 1 {
		w := warnings[0]
		unreached := ownerOf(w) + " cannot be reached in Slack"
		rest := ". Please pass on: " + aged(w, "theirs")
		lines := append([]string{"*" + unreached + "*" + rest}, aging(w, "their", "they")...)
		return Message{Text: unreached + rest, Blocks: Sections(append(lines, whatToDo))}
	}
	unreached := fmt.Sprintf("%d people cannot be reached in Slack", len(warnings))
	const rest = ". Please pass on that access keys of theirs in IONOS Object Storage will be switched off because of their age."
	lines := []string{"*" + unreached + "*" + rest}
	for _, w := range warnings {
		line := "• " + ownerOf(w) + ": " + count(len(named(w))) + ", not before " + When(earliest(w))
		if isLast(w) {
			line += " (last warning)"
		}
		lines = append(lines, line)
	}
	return Message{Text: unreached + rest, Blocks: Sections(append(lines, whatToDo))}
}

func ownerOf(w guard.OwnerWarning) string { return clip(cmp.Or(w.User.Email, w.User.ID), maxName) }

func named(w guard.OwnerWarning) []guard.AgingKey { return w.Keys[:min(len(w.Keys), MaxWarned)] }

// aged is what will become of the keys, in one sentence.
func aged(w guard.OwnerWarning, whose string) string {
	keys, age := count(len(named(w))), "their"
	if len(named(w)) == 1 {
		age = "its"
	}
	return fmt.Sprintf("%s of %s in IONOS Object Storage will be switched off because of %s age.", keys, whose, age)
}

// aging returns a line for each key.
func aging(w guard.OwnerWarning, whose, they string) []string {
	var lines []string
	for _, k := range named(w) {
		line := "• " + code(k.ID, maxName)
		if !k.Created.IsZero() {
			line += ", made " + When(k.Created)
		}
		line += ": will be switched off " + When(k.DeactivateAfter) + " at the earliest."
		if k.OnlyActive {
			line += fmt.Sprintf(" It is %s only active key and stays on until %s have made another one, which %s should.", whose, they, they)
		}
		if k.Last {
			line += " This is the last warning."
		} else {
			line += " There will be one more warning."
		}
		lines = append(lines, line)
	}
	return lines
}

func isLast(w guard.OwnerWarning) bool {
	return slices.ContainsFunc(named(w), func(k guard.AgingKey) bool { return k.Last })
}

// earliest is when the first of the keys may be switched off.
func earliest(w guard.OwnerWarning) time.Time {
	return slices.MinFunc(named(w), func(a, b guard.AgingKey) int { return a.DeactivateAfter.Compare(b.DeactivateAfter) }).DeactivateAfter
}
