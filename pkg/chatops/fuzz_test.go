package chatops_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/chatops"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// FuzzParse types anything at all. What is understood makes a valid request, crosses the bus, and means the same when it
// is written out with the reason in quotes.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "help", someone, "<@U123|alice>", "list <mailto:alice@example.com|alice@example.com>",
		"deactivate alice@example.com 4fec9c05b7f6db9c1b5f laptop stolen", "deactivate alice@<http://example.com|example.com> `4fec9c05b7f6db9c1b5f`, b7a7f761815e89d6aa9c",
		"delete " + someoneID + " " + ionostest.LongID(1) + " “not needed” —dry-run", "offboard <@W1> left the company --override=blast_radius, grace_period",
		"activate alice@example.com 00e1… is back", `deactivate alice@example.com "2 laptops &amp; a &lt;phone&gt;"`, "deactivate alice@example.com\u00a02\u200b laptops «stolen»",
		"dactivate alice@example.com -dry-run", "deactivate alice@example.com dry run", "deactivate \x00 \xff", "deactivate alice@example.com --override exempt",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		command, err := chatops.Parse(text)
		if err != nil {
			wantMistake(t, err)
			if message := guard.AsError(err).Message; utf8.ValidString(text) && (!utf8.ValidString(message) || strings.ContainsFunc(message, unicode.IsControl)) {
				t.Errorf("the message is no plain text: %q", message)
			}
			return
		}
		wantSame(t, command)
		if command.Verb == chatops.Help {
			return
		}
		if (command.User == "") == (command.Mention == "") {
			t.Errorf("%q is about %q and %q", text, command.User, command.Mention)
		}
		if again := written(command); again != "" {
			same, err := chatops.Parse(again)
			if err != nil {
				t.Fatalf("%q, written out as %q: %v", text, again, err)
			}
			if diff := cmp.Diff(command, same); diff != "" {
				t.Errorf("%q, written out as %q (-first +second):\n%s", text, again, diff)
			}
		}
		if command.Verb == chatops.List {
			return
		}
		request := command.Request()
		if command.Mention != "" {
			request.User = someone
		}
		request.Actor = guard.Actor{Kind: guard.ChatOps, Email: someone}
		if err := request.Validate(noon()); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		part := regexp.MustCompile(`^[0-9]*([a-f]+[0-9]|[0-9][a-f])[0-9a-f]*$`)
		if i := slices.IndexFunc(strings.Fields(command.Reason), func(word string) bool {
			return len(word) >= 6 && part.MatchString(word)
		}); i >= 0 && len(command.Keys) == 0 {
			t.Errorf("%q is about all keys: %+v", text, command)
		}
		if strings.Join(strings.Fields(command.Reason), " ") != command.Reason || utf8.RuneCountInString(command.Reason) > 300 {
			t.Errorf("the reason is %q", command.Reason)
		}
	})
}

// wantSame checks that a command is the same when it was written as JSON and read again.
func wantSame(t *testing.T, command chatops.Command) {
	t.Helper()
	encoded, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	var got chatops.Command
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(command, got); diff != "" {
		t.Errorf("written and read again (-want +got):\n%s", diff)
	}
}

// written types a command as Slack sends it, with the reason in quotes; nothing where the reason itself has quotes.
func written(command chatops.Command) string {
	if strings.ContainsAny(command.Reason, "\"“”„‟«»") {
		return ""
	}
	words := []string{string(command.Verb), strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(command.User)}
	if command.Mention != "" {
		words[1] = "<@" + command.Mention + "|somebody>"
	}
	words = append(words, command.Keys...)
	if command.Reason != "" {
		words = append(words, `"`+strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(command.Reason)+`"`)
	}
	if command.DryRun {
		words = append(words, "--dry-run")
	}
	for _, rule := range command.Override {
		words = append(words, "--override", string(rule))
	}
	return strings.Join(words, " ")
}
