package chatops

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"keyreeve/pkg/guard"
)

// mostText is how many bytes are read: a hundred keys of 92 characters and a reason have room.
const mostText = 20_000

// split returns the words of what somebody typed, as they saw it.
//
// Source: Slack's documentation of slash commands and of how it formats text.
func split(text string) ([]string, error) {
	if len(text) > mostText {
		return nil, mistake("The command is too long.", "Name fewer keys at a time.")
	}
	control := func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, control) {
		return nil, mistake("The command holds characters that are no text.", "Type it again rather than paste it.")
	}
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // Nobody sees these, and they come along with what is pasted.
			return -1
		}
		return r
	}, text)
	text = regexp.MustCompile(`<[^<>]+>`).ReplaceAllStringFunc(text, visible)
	return strings.Fields(strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(text)), nil
}

// visible returns what a person saw where Slack wrote <target> or <target|label>. Of people it leaves <@U123>.
func visible(marked string) string {
	target, label, labelled := strings.Cut(strings.Trim(marked, "<>"), "|")
	switch {
	case strings.HasPrefix(target, "@"):
		return "<" + target + ">"
	case labelled && strings.HasPrefix(target, "#"):
		return "#" + label
	case labelled:
		return label
	case strings.HasPrefix(target, "!"):
		return "@" + target[1:]
	default:
		return strings.TrimPrefix(target, "mailto:")
	}
}

// undecorated is a word without what may be around a user or a key and does not count.
func undecorated(word string) string { return strings.Trim(word, "`,") }

// isUser reports whether a word names a user.
func isUser(word string) bool {
	word = undecorated(word)
	return guard.IsEmail(word) || guard.IsUUID(word) || mentionID(word) != ""
}

// mentionID returns the id of somebody in Slack that a word mentions, nothing where it is another word.
func mentionID(word string) string {
	id, mentions := strings.CutPrefix(word, "<@")
	id, closed := strings.CutSuffix(id, ">")
	if !mentions || !closed || id == "" || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return ""
	}
	return id
}

// withoutMentions writes @U123 for <@U123>, which would notify people wherever the text is shown.
func withoutMentions(text string) string {
	return regexp.MustCompile(`<(@[A-Z0-9]+)>`).ReplaceAllString(text, "$1")
}

// isQuote reports whether it opens or closes quotes, on a keyboard or as phones write them.
func isQuote(r rune) bool { return strings.ContainsRune("\"“”„‟«»", r) }

func endsQuote(word string) bool {
	last, _ := utf8.DecodeLastRuneInString(word)
	return isQuote(last)
}
