package slackapi

import (
	"fmt"
	"strings"
	"time"

	"keyreeve/pkg/guard"
)

// Escape returns s as mrkdwn shows it to the letter, on one line: in Slack's own notation <, > and & open links and
// mentions.
func Escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(strings.Join(strings.Fields(s), " "))
}

// Code returns s in a fixed width, to be copied.
func Code(s string) string { return "`" + Escape(strings.ReplaceAll(s, "`", "'")) + "`" }

// Mention returns what calls the user with the id by name.
func Mention(userID string) string { return "<@" + userID + ">" }

// When returns a time as each reader's own clock shows it, and in UTC where that cannot be shown.
func When(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), t.UTC().Format("2006-01-02 15:04 UTC"))
}

// Outcome says briefly what became of a request: to whoever asked, to a channel and to the owner of the keys alike.
func Outcome(f guard.Finished) Message { return Message{} }
