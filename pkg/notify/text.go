package notify

import (
	"cmp"
	"fmt"
	"slices"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// maxList bounds a list, in bytes, which are no fewer than characters. Slack takes 3000 characters a section, and a message
// of something less than 12000, for which there is no documentation.
const maxList = 2500

// itemized is a list with a title, and as many of its lines as there is room for, each once.
func itemized(title string, lines []string) string {
	text := "*" + title + "*"
	lines = distinct(lines)
	for i, line := range lines {
		rest := ""
		if i+1 < len(lines) {
			rest = "\n" + more(len(lines)-i-1)
		}
		item := "\n• " + line
		if len(text)+len(item)+len(rest) > maxList {
			return text + "\n" + more(len(lines)-i)
		}
		text += item
	}
	return text
}

func distinct(lines []string) []string {
	var all []string
	for _, line := range lines {
		if !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

func more(n int) string { return fmt.Sprintf("… and %d more", n) }

// many is like "1 key" and "2 keys".
func many(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n) + " " + several
}

// named is the user as people know them.
func named(u guard.User) string { return slackapi.Escape(edge.Clip(cmp.Or(u.Email, u.ID))) }

// told is an explanation, no longer than one line of many should be.
func told(message string) string {
	const limit = 300
	for i := range message {
		if i >= limit {
			return slackapi.Escape(message[:i]) + "…"
		}
	}
	return slackapi.Escape(message)
}

// past is what keys are after the action.
func past(action guard.Action) string {
	switch action {
	case guard.Activate:
		return "activated"
	case guard.Deactivate:
		return "deactivated"
	default:
		return "deleted"
	}
}
