package slacktest_test

import (
	"fmt"
	"strings"
	"testing"

	"keyreeve/pkg/slackapi/slacktest"
)

func section(text string) string {
	return `{"type":"section","text":{"type":"mrkdwn","text":"` + text + `"}}`
}

func button(more string) string {
	return `{"type":"button","action_id":"go","text":{"type":"plain_text","text":"Go"}` + more + `}`
}

func actions(buttons ...string) string {
	return `{"type":"actions","elements":[` + strings.Join(buttons, ",") + `]}`
}

func confirm(title, text, yes, no string) string {
	plain := func(s string) string { return `{"type":"plain_text","text":"` + s + `"}` }
	return `,"confirm":{"title":` + plain(title) + `,"text":` + plain(text) + `,"confirm":` + plain(yes) + `,"deny":` + plain(no) + `}`
}

// many returns n blocks, elements or fields, told apart by a %d in the pattern.
func many(n int, pattern string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = pattern
		if strings.Contains(pattern, "%d") {
			all[i] = fmt.Sprintf(pattern, i)
		}
	}
	return strings.Join(all, ",")
}

func x(n int) string { return strings.Repeat("x", n) }

func TestCheckTakes(t *testing.T) {
	t.Parallel()
	const numbered = `{"type":"button","action_id":"go%d","text":{"type":"plain_text","text":"Go"}}`
	const field = `{"type":"mrkdwn","text":"x"}`
	for name, blocks := range map[string]string{
		"a divider":                     `{"type":"divider"}`,
		"a header":                      `{"type":"header","block_id":"h","text":{"type":"plain_text","text":"` + x(150) + `","emoji":true}}`,
		"a long section":                section(x(3000)),
		"fields":                        `{"type":"section","fields":[` + many(10, field) + `]}`,
		"a long field":                  `{"type":"section","fields":[{"type":"plain_text","text":"` + x(2000) + `"}]}`,
		"a section with a button":       `{"type":"section","expand":true,"text":{"type":"plain_text","text":"x"},"accessory":` + button("") + `}`,
		"a context":                     `{"type":"context","elements":[` + many(10, field) + `]}`,
		"many buttons":                  `{"type":"actions","elements":[` + many(25, numbered) + `]}`,
		"the same action in two blocks": actions(button("")) + "," + actions(button("")),
		"all that a button has": actions(button(`,"value":"` + x(2000) + `","style":"danger","url":"https://example.com","accessibility_label":"go"` +
			confirm(x(100), x(300), x(30), x(30)))),
		"many blocks":             many(50, `{"type":"divider"}`),
		"two ids":                 `{"type":"divider","block_id":"a"},{"type":"divider","block_id":"b"}`,
		"entities":                section("&lt;b&gt; &amp;amp;"),
		"mentions":                section("<@U0BOB> <@W0EVE|eve> <#C0KEYS> <#C0KEYS|keys>"),
		"links":                   section("<https://example.com/?a=b|an example> <mailto:bob@example.com|bob> <http://example.com>"),
		"a date":                  section("<!date^1392734382^{date_short_pretty} {time}|2014-02-18 14:39 UTC>"),
		"verbatim":                `{"type":"section","text":{"type":"mrkdwn","text":"x","verbatim":true}}`,
		"plain text, not escaped": `{"type":"section","text":{"type":"plain_text","text":"<b> & more"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := slacktest.Check([]byte("[" + blocks + "]")); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	const numbered = `{"type":"button","action_id":"go%d","text":{"type":"plain_text","text":"Go"}}`
	const field = `{"type":"mrkdwn","text":"x"}`
	for name, test := range map[string]struct{ blocks, want string }{
		"nothing":                       {``, "there are 0 blocks"},
		"too many blocks":               {many(51, `{"type":"divider"}`), "there are 51 blocks"},
		"a word":                        {`"divider"`, "cannot unmarshal"},
		"an unknown type":               {`{"type":"marquee"}`, "not known"},
		"no type":                       {`{}`, "not known"},
		"an unknown member":             {`{"type":"divider","colour":"red"}`, "unknown field"},
		"an unknown member of a text":   {`{"type":"section","text":{"type":"mrkdwn","text":"x","bold":true}}`, "unknown field"},
		"an unknown member of a button": {actions(button(`,"colour":"red"`)), "unknown field"},
		"a divider with text":           {`{"type":"divider","text":{"type":"plain_text","text":"x"}}`, "no text"},
		"a header with fields":          {`{"type":"header","text":{"type":"plain_text","text":"x"},"fields":[` + field + `]}`, "for sections"},
		"a section with elements":       {`{"type":"section","text":` + field + `,"elements":[` + field + `]}`, "no elements"},
		"an empty section":              {`{"type":"section"}`, "needs text or fields"},
		"an empty text":                 {section(""), "0 characters"},
		"a text that is too long":       {section(x(3001)), "3001 characters"},
		"two places each":               {section(strings.Repeat("🔑", 1501)), "3002 characters"},
		"a text of no type":             {`{"type":"section","text":{"text":"x"}}`, `its type is ""`},
		"a text of another type":        {`{"type":"section","text":{"type":"markdown","text":"x"}}`, "its type"},
		"too many fields":               {`{"type":"section","fields":[` + many(11, field) + `]}`, "11 fields"},
		"no fields":                     {`{"type":"section","text":` + field + `,"fields":[]}`, "0 fields"},
		"a field that is too long":      {`{"type":"section","fields":[{"type":"mrkdwn","text":"` + x(2001) + `"}]}`, "2001 characters"},
		"a header in markdown":          {`{"type":"header","text":` + field + `}`, "its type"},
		"a header that is too long":     {`{"type":"header","text":{"type":"plain_text","text":"` + x(151) + `"}}`, "151 characters"},
		"a header without text":         {`{"type":"header"}`, "there is no text"},
		"a context without elements":    {`{"type":"context","elements":[]}`, "0 elements"},
		"a context with too many":       {`{"type":"context","elements":[` + many(11, field) + `]}`, "11 elements"},
		"a context with a button":       {`{"type":"context","elements":[` + button("") + `]}`, "unknown field"},
		"actions without elements":      {`{"type":"actions"}`, "0 elements"},
		"actions with too many":         {`{"type":"actions","elements":[` + many(26, numbered) + `]}`, "26 elements"},
		"actions with a text":           {actions(field), "cannot unmarshal"},
		"the same action twice":         {actions(button(""), button("")), `action_id "go"`},
		"a button without text":         {actions(`{"type":"button","action_id":"go"}`), "there is no button text"},
		"a button in markdown":          {actions(`{"type":"button","action_id":"go","text":` + field + `}`), "its type"},
		"a button that is too long":     {actions(`{"type":"button","action_id":"go","text":{"type":"plain_text","text":"` + x(76) + `"}}`), "76 characters"},
		"a button without an action":    {actions(`{"type":"button","text":{"type":"plain_text","text":"Go"}}`), "no action_id"},
		"an action that is too long":    {actions(`{"type":"button","action_id":"` + x(256) + `","text":{"type":"plain_text","text":"Go"}}`), "256 characters"},
		"a value that is too long":      {actions(button(`,"value":"` + x(2001) + `"`)), "2001 characters"},
		"an unknown style":              {actions(button(`,"style":"bold"`)), "primary or danger"},
		"an empty style":                {actions(button(`,"style":""`)), "primary or danger"},
		"a select":                      {actions(`{"type":"overflow","action_id":"go","text":{"type":"plain_text","text":"Go"}}`), "not known"},
		"a long title":                  {actions(button(confirm(x(101), "x", "x", "x"))), "confirm.title: it has 101"},
		"a long question":               {actions(button(confirm("x", x(301), "x", "x"))), "confirm.text: it has 301"},
		"a long yes":                    {actions(button(confirm("x", "x", x(31), "x"))), "confirm.confirm: it has 31"},
		"a long no":                     {actions(button(confirm("x", "x", "x", x(31)))), "confirm.deny: it has 31"},
		"a question without a no":       {actions(button(`,"confirm":{"title":{"type":"plain_text","text":"x"}}`)), "no confirm.deny"},
		"a question in another style":   {actions(button(`,"confirm":{"style":"bold"}`)), "primary or danger"},
		"the same id twice":             {`{"type":"divider","block_id":"a"},{"type":"divider","block_id":"a"}`, `block_id "a"`},
		"an id that is too long":        {`{"type":"divider","block_id":"` + x(256) + `"}`, "256 characters"},
		"emoji in markdown":             {`{"type":"section","text":{"type":"mrkdwn","text":"x","emoji":true}}`, "emoji is for plain_text"},
		"verbatim in plain text":        {`{"type":"section","text":{"type":"plain_text","text":"x","verbatim":true}}`, "verbatim is for mrkdwn"},
		"a bare <":                      {section("a < b"), `"<" is not escaped`},
		"a bare >":                      {section("a > b"), `">" is not escaped`},
		"a bare &":                      {section("a & b"), `"&" is not escaped`},
		"half an entity":                {section("a &lt b"), `"&" is not escaped`},
		"HTML":                          {section("<b>bold</b>"), `"<" is not escaped`},
		"a call to everybody":           {section("<!channel>"), `"<" is not escaped`},
		"a date without a fallback":     {section("<!date^1392734382^{date}>"), `"<" is not escaped`},
		"a context that is not escaped": {`{"type":"context","elements":[{"type":"mrkdwn","text":"a < b"}]}`, `"<" is not escaped`},
		"a link with a javascript":      {section("<javascript:alert|x>"), `"<" is not escaped`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := slacktest.Check([]byte("[" + test.blocks + "]"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestCheckTellsEverything(t *testing.T) {
	t.Parallel()
	err := slacktest.Check([]byte("[" + section("") + "," + section("a < b") + "]"))
	if err == nil || !strings.Contains(err.Error(), "block 0") || !strings.Contains(err.Error(), "block 1") {
		t.Errorf("got %v, want what is wrong with both blocks", err)
	}
}
