package slackapi

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/slack-go/slack"
)

// Section is a block of text in mrkdwn.
func Section(text string) slack.Block { return slack.NewSectionBlock(markdown(text), nil, nil) }

// Sections are blocks of lines in mrkdwn, as few as these fit into, and no line divided. A line may take up to 2900
// characters.
func Sections(lines []string) []slack.Block {
	var blocks []slack.Block
	text := ""
	for _, line := range lines {
		if text != "" && length(text)+length("\n"+line) > maxSection {
			blocks, text = append(blocks, Section(text)), ""
		}
		text = strings.TrimPrefix(text+"\n"+line, "\n")
	}
	return append(blocks, Section(text))
}

// Context is a block of text in mrkdwn, smaller and paler than a section.
func Context(text string) slack.Block { return slack.NewContextBlock("", markdown(text)) }

// markdown is a text in which nothing is marked up that is not marked up here: Slack would make mentions of some words.
func markdown(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}

// Escape returns s as mrkdwn shows it to the letter, on one line. Slack opens links and mentions with < and &; characters
// that turn the direction of writing are left out, because they can make a line read as something else.
func Escape(s string) string { return clip(s, math.MaxInt) }

// clip is [Escape], cut so that it takes no more than so many characters.
func clip(s string, most int) string {
	plain := strings.Join(strings.Fields(strings.Map(visible, s)), " ")
	var shown strings.Builder
	end, used := 0, 0 // end is where shown may be cut
	for _, r := range plain {
		escaped := entity(r)
		shown.WriteString(escaped)
		used += length(escaped)
		if used < most {
			end = shown.Len()
		}
		if used > most {
			return shown.String()[:end] + "…"
		}
	}
	return shown.String()
}

func visible(r rune) rune {
	switch {
	case unicode.Is(unicode.Bidi_Control, r):
		return -1
	case unicode.IsControl(r):
		return ' '
	default:
		return r
	}
}

func entity(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	default:
		return string(r)
	}
}

// length counts characters as the stricter ways of counting do, to which some are two.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// Code returns s in a fixed width, to be copied. A backtick would end it, and becomes an apostrophe.
func Code(s string) string { return code(s, math.MaxInt) }

// code is [Code], cut so that what stands between the backticks takes no more than so many characters.
func code(s string, most int) string { return "`" + clip(strings.ReplaceAll(s, "`", "'"), most) + "`" }

// Mention returns what calls the user with the id by name.
func Mention(userID string) string { return "<@" + userID + ">" }

// When returns a time as each reader's own clock shows it, and in UTC where that cannot be shown, as times before 1970
// cannot.
func When(t time.Time) string {
	inUTC := t.UTC().Format("2006-01-02 15:04 UTC")
	if t.Unix() < 0 {
		return inUTC
	}
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), inUTC)
}

// Link returns what opens the address under the name, or the address itself as code where it is not one of the web that
// can stand as it is in a link.
func Link(address, name string) string {
	const longest = 2000
	web := regexp.MustCompile(`^https?://[!-;=?-{}~]+$`) // printable, without < and > and |
	escaped := Escape(address)
	if !web.MatchString(address) || length(escaped) > longest {
		return code(address, maxName)
	}
	return "<" + escaped + "|" + Escape(name) + ">"
}
