package slacktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
)

// The limits of Block Kit, in characters and in items.
const (
	maxBlocks   = 50
	maxSection  = 3000
	maxFields   = 10
	maxField    = 2000
	maxHeader   = 150
	maxContext  = 10
	maxActions  = 25
	maxID       = 255
	maxButton   = 75
	maxValue    = 2000
	maxURL      = 3000
	maxTitle    = 100
	maxQuestion = 300
	maxChoice   = 30
)

// The parts of Block Kit that messages of text and buttons are made of. A pointer is nil where a member is missing.
type (
	block struct {
		Type      string            `json:"type"`
		BlockID   *string           `json:"block_id"`
		Text      *text             `json:"text"`
		Fields    []text            `json:"fields"`
		Accessory *button           `json:"accessory"`
		Expand    *bool             `json:"expand"`
		Elements  []json.RawMessage `json:"elements"`
	}
	text struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Emoji    *bool  `json:"emoji"`
		Verbatim *bool  `json:"verbatim"`
	}
	button struct {
		Type     string  `json:"type"`
		Text     *text   `json:"text"`
		ActionID *string `json:"action_id"`
		URL      *string `json:"url"`
		Value    *string `json:"value"`
		Style    *string `json:"style"`
		Confirm  *dialog `json:"confirm"`
		Label    *string `json:"accessibility_label"`
	}
	dialog struct {
		Title   *text   `json:"title"`
		Text    *text   `json:"text"`
		Confirm *text   `json:"confirm"`
		Deny    *text   `json:"deny"`
		Style   *string `json:"style"`
	}
)

// Check reports everything that is wrong with the blocks of a message, a JSON array. It knows sections, headers, dividers,
// contexts and actions, of text and buttons, and takes nothing else. Markdown must be escaped: a < opens a link, a mention
// of a user or channel, or a date.
func Check(blocks []byte) error {
	var all []json.RawMessage
	if err := json.Unmarshal(blocks, &all); err != nil {
		return fmt.Errorf("the blocks are no JSON array: %w", err)
	}
	c := &checker{blockIDs: make(map[string]bool)}
	c.holds(len(all) >= 1 && len(all) <= maxBlocks, "there are %d blocks, not 1 to %d", len(all), maxBlocks)
	for i, raw := range all {
		c.at = fmt.Sprintf("block %d", i)
		c.block(raw)
	}
	return errors.Join(c.problems...)
}

// checker collects what is wrong.
type checker struct {
	at        string
	blockIDs  map[string]bool
	actionIDs map[string]bool // of the block
	problems  []error
}

func (c *checker) holds(ok bool, format string, args ...any) {
	if !ok {
		c.problems = append(c.problems, fmt.Errorf("%s: %s", c.at, fmt.Sprintf(format, args...)))
	}
}

// decode reads raw and reports members that Slack does not know.
func (c *checker) decode(raw json.RawMessage, into any) bool {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	c.holds(err == nil, "%v", err)
	return err == nil
}

func (c *checker) block(raw json.RawMessage) {
	var b block
	if !c.decode(raw, &b) {
		return
	}
	c.at += ", " + b.Type
	c.actionIDs = make(map[string]bool)
	if b.BlockID != nil {
		c.size("block_id", *b.BlockID, maxID)
		c.holds(!c.blockIDs[*b.BlockID], "another block has the block_id %q", *b.BlockID)
		c.blockIDs[*b.BlockID] = true
	}
	isSection := b.Type == "section"
	c.holds(isSection || b.Fields == nil && b.Accessory == nil && b.Expand == nil, "fields, accessory and expand are for sections")
	c.holds(isSection || b.Type == "header" || b.Text == nil, "it takes no text")
	c.holds(b.Type == "context" || b.Type == "actions" || b.Elements == nil, "it takes no elements")
	switch b.Type {
	case "divider":
	case "section":
		c.section(b)
	case "header":
		c.text("text", b.Text, maxHeader, "plain_text")
	case "context":
		c.elements(b.Elements, maxContext, func(raw json.RawMessage) {
			var t text
			if c.decode(raw, &t) {
				c.text("element", &t, maxSection, "plain_text", "mrkdwn")
			}
		})
	case "actions":
		c.elements(b.Elements, maxActions, func(raw json.RawMessage) {
			var element button
			if c.decode(raw, &element) {
				c.button(element)
			}
		})
	default:
		c.holds(false, "a block of this type is not known here")
	}
}

func (c *checker) section(b block) {
	c.holds(b.Text != nil || len(b.Fields) > 0, "a section needs text or fields")
	if b.Text != nil {
		c.text("text", b.Text, maxSection, "plain_text", "mrkdwn")
	}
	c.holds(b.Fields == nil || len(b.Fields) >= 1 && len(b.Fields) <= maxFields, "there are %d fields, not 1 to %d", len(b.Fields), maxFields)
	for _, field := range b.Fields {
		c.text("field", &field, maxField, "plain_text", "mrkdwn")
	}
	if b.Accessory != nil {
		c.button(*b.Accessory)
	}
}

func (c *checker) elements(all []json.RawMessage, most int, check func(json.RawMessage)) {
	c.holds(len(all) >= 1 && len(all) <= most, "there are %d elements, not 1 to %d", len(all), most)
	for _, raw := range all {
		check(raw)
	}
}

func (c *checker) button(b button) {
	c.holds(b.Type == "button", "an element of type %q is not known here", b.Type)
	c.text("button text", b.Text, maxButton, "plain_text")
	c.holds(b.ActionID != nil, "a button has no action_id")
	if b.ActionID != nil {
		c.size("action_id", *b.ActionID, maxID)
		c.holds(!c.actionIDs[*b.ActionID], "another element of the block has the action_id %q", *b.ActionID)
		c.actionIDs[*b.ActionID] = true
	}
	for _, member := range []struct {
		name string
		is   *string
		most int
	}{{"value", b.Value, maxValue}, {"url", b.URL, maxURL}, {"accessibility_label", b.Label, maxButton}} {
		if member.is != nil {
			c.size(member.name, *member.is, member.most)
		}
	}
	c.style(b.Style)
	if b.Confirm != nil {
		c.text("confirm.title", b.Confirm.Title, maxTitle, "plain_text")
		c.text("confirm.text", b.Confirm.Text, maxQuestion, "plain_text")
		c.text("confirm.confirm", b.Confirm.Confirm, maxChoice, "plain_text")
		c.text("confirm.deny", b.Confirm.Deny, maxChoice, "plain_text")
		c.style(b.Confirm.Style)
	}
}

func (c *checker) style(style *string) {
	c.holds(style == nil || *style == "primary" || *style == "danger", "a style is primary or danger, or is left out")
}

func (c *checker) text(name string, t *text, most int, types ...string) {
	if t == nil {
		c.holds(false, "there is no %s", name)
		return
	}
	c.holds(strings.Contains(strings.Join(types, " "), t.Type) && t.Type != "", "%s: its type is %q, not %s", name, t.Type, strings.Join(types, " or "))
	c.size(name, t.Text, most)
	c.holds(t.Type != "mrkdwn" || t.Emoji == nil, "%s: emoji is for plain_text", name)
	c.holds(t.Type != "plain_text" || t.Verbatim == nil, "%s: verbatim is for mrkdwn", name)
	if t.Type == "mrkdwn" {
		why := markup(t.Text)
		c.holds(why == "", "%s: %s", name, why)
	}
}

func (c *checker) size(name, s string, most int) {
	c.holds(length(s) >= 1 && length(s) <= most, "%s: it has %d characters, not 1 to %d", name, length(s), most)
}

// length counts characters so that no way of counting finds more: some take two places.
func length(s string) int { return len(utf16.Encode([]rune(s))) }

// markup returns what is wrong with a text in markdown: a character that should have been escaped, since what it opens is
// none of what Slack knows.
func markup(s string) string {
	const label = `(\|[^<>|]+)?`
	known := regexp.MustCompile(`<(@[UW][A-Z0-9]+` + label + `|#[CG][A-Z0-9]+` + label + `|(https?://|mailto:)[^<>|\s]+` + label +
		`|!date\^[0-9]+\^[^<>|^]*\{(date|time|ago)[a-z_]*\}[^<>|^]*\|[^<>|]+)>|&(amp|lt|gt);`)
	rest := known.ReplaceAllString(s, "")
	if i := strings.IndexAny(rest, "<>&"); i >= 0 {
		return fmt.Sprintf("%q is not escaped, in %.40q", rest[i:i+1], rest[i:])
	}
	return ""
}
