package chatops_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/chatops"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const (
		maybe      = "may be an access key id or a part of one"
		looks      = "looks like an access key id, and is in the reason: this would be about all keys."
		noReason   = "is neither an access key id nor a reason."
		whole      = "Name key ids whole, right after the user"
		before     = "Name key ids whole, before the reason"
		rules      = "last_active_key, grace_period, only_key_with_buckets, offboarded, blast_radius."
		second     = "is a second person, and a command is about one."
		noOption   = "is no option."
		unclearDry = "It is not clear whether this is meant as a dry run."
	)
	long := ionostest.LongID(1)
	many := make([]string, guard.MaxKeys+1)
	for i := range many {
		many[i] = fmt.Sprintf("%020d", i)
	}
	for name, test := range map[string]struct{ text, message, remedy string }{
		"an unknown verb":       {"remove " + someone, `"remove" is neither a verb nor a user.`, "Begin with one of help, list, activate"},
		"a verb with a mistake": {"deactivat " + someone, `"deactivat" is neither`, "Did you mean `deactivate`?"},
		"a verb between two":    {"dactivate " + someone, `"dactivate" is neither`, "Did you mean `activate` or `deactivate`?"},
		"an invented verb":      {strings.Repeat("x", 15_000), `"` + strings.Repeat("x", 80) + `…" is neither`, "Begin with one of"},
		"no user":               {"deactivate", "The user is missing.", "`/keys deactivate alice@example.com`"},
		"no user but an option": {"deactivate --dry-run", "The user is missing.", "`/keys deactivate alice@example.com`"},
		"a name":                {"deactivate alice", `"alice" is not a user.`, "an e-mail address, a UUID or @somebody"},
		"a name with an @":      {"deactivate @alice", `"@alice" is not a user.`, "an e-mail address, a UUID or @somebody"},
		"a channel as a user":   {"deactivate <#C1|general>", `"#general" is not a user.`, "an e-mail address, a UUID or @somebody"},
		"a label that is none":  {"deactivate <mailto:alice@example.com|Alice>", `"Alice" is not a user.`, "an e-mail address, a UUID or @somebody"},
		"a key before the user": {"deactivate " + key1 + " " + someone, `"` + key1 + `" is not a user.`, "an e-mail address, a UUID or @somebody"},
		"a user in quotes":      {`deactivate "alice@example.com"`, `is not a user.`, "an e-mail address, a UUID or @somebody"},
		"more than a user":      {someone + " laptop stolen", "A list takes the user and nothing else.", "begin with what to do"},
		"a key to list":         {"list " + someone + " " + key1, "A list takes the user and nothing else.", "begin with what to do"},
		"a dry run of a list":   {"list " + someone + " --dry-run", "A list takes the user and nothing else.", "begin with what to do"},
		"an override of a list": {someone + " --override grace_period", "A list takes the user and nothing else.", "begin with what to do"},
		"two users":             {"deactivate " + someone + " bob@example.com", `"bob@example.com" ` + second, "a command for each"},
		"two users, a comma":    {"deactivate " + someone + ", bob@example.com", `"bob@example.com" ` + second, "a command for each"},
		"a user and a UUID":     {"deactivate " + someone + " " + someoneID, `"` + someoneID + `" ` + second, "a command for each"},
		"a user and a mention":  {"deactivate " + someone + " and <@U123|bob>", `"<@U123>" ` + second, "a command for each"},
		"too many keys":         {"delete " + someone + " " + strings.Join(many, " "), "These are 101 keys, and the limit is 100.", "Name fewer keys"},

		"a part of a key":            {"deactivate " + someone + " 4fec9c05 stolen", `"4fec9c05" ` + maybe, whole},
		"a short part":               {"deactivate " + someone + " 4fec stolen", `"4fec" ` + maybe, whole},
		"a part of digits":           {"deactivate " + someone + " 482013 stolen", `"482013" ` + maybe, whole},
		"a part of letters":          {"deactivate " + someone + " decade stolen", `"decade" ` + maybe, whole},
		"a part in capitals":         {"deactivate " + someone + " 4FEC9C", `"4FEC9C" ` + maybe, whole},
		"a key in capitals":          {"deactivate " + someone + " " + strings.ToUpper(key1), maybe, whole},
		"a digit short":              {"deactivate " + someone + " " + key1[1:], maybe, whole},
		"a digit more":               {"deactivate " + someone + " " + key1 + "0", maybe, whole},
		"with an ellipsis":           {"deactivate " + someone + " 00e1… laptop stolen", `"00e1…" ` + maybe, whole},
		"with three dots":            {"deactivate " + someone + " fe... laptop stolen", `"fe..." ` + maybe, whole},
		"with an ellipsis in it":     {"deactivate " + someone + " 4f…5f", maybe, whole},
		"a part in backticks":        {"deactivate " + someone + " `4f` stolen", maybe, whole},
		"a word in backticks":        {"deactivate " + someone + " on `prod`", maybe, whole},
		"a list with a part":         {"deactivate " + someone + " " + key1 + ",4fec9c stolen", maybe, whole},
		"a list with a word":         {"deactivate " + someone + " " + key1 + ",stolen", maybe, whole},
		"a list with other signs":    {"deactivate " + someone + " " + key1 + ";" + key2, maybe, whole},
		"in brackets":                {"deactivate " + someone + " (" + key1 + ")", maybe, whole},
		"with a point":               {"deactivate " + someone + " " + key1 + ".", maybe, whole},
		"a part with a colon":        {"deactivate " + someone + " key:482013", maybe, whole},
		"in bold":                    {"deactivate " + someone + " *482013*", maybe, whole},
		"struck out":                 {"deactivate " + someone + " ~decade~", maybe, whole},
		"in angle brackets":          {"deactivate " + someone + " &lt;482013&gt;", maybe, whole},
		"in single quotes":           {"deactivate " + someone + " ‘" + key1 + "’", maybe, whole},
		"after a word":               {"deactivate " + someone + " key " + key1, maybe, whole},
		"after the reason":           {"deactivate " + someone + " " + key1 + " stolen and " + key2, `"` + key2 + `" ` + maybe, whole},
		"a part after the reason":    {"deactivate " + someone + " " + key1 + " stolen b7a7f7", `"b7a7f7" ` + maybe, whole},
		"in an address":              {"deactivate " + someone + " see https://example.com/" + key1, maybe, whole},
		"cut in two":                 {"deactivate " + someone + " " + key1[:10] + " " + key1[10:], maybe, whole},
		"the head of a long key":     {"deactivate " + someone + " " + long[:6], maybe, whole},
		"the middle of a long key":   {"deactivate " + someone + " " + long[21:37], maybe, whole},
		"a long key and more":        {"deactivate " + someone + " " + long + "x", maybe, whole},
		"a jumble":                   {"deactivate " + someone + " xK3pQ9", maybe, whole},
		"a part to offboard":         {"offboard " + someone + " 4fec9c05", maybe, "`/keys offboard alice@example.com 4fec"},
		"the place of a key":         {"deactivate " + someone + " 2", `"2" ` + noReason, whole},
		"the end of a key":           {"deactivate " + someone + " 9c6", `"9c6" ` + noReason, whole},
		"places of keys":             {"deactivate " + someone + " 1, 3", `"1, 3" ` + noReason, whole},
		"a key, and a place":         {"deactivate " + someone + " " + key1 + " 2", `"2" ` + noReason, whole},
		"a number in quotes":         {"deactivate " + someone + ` "482013"`, `"482013" ` + noReason, whole},
		"a key in quotes":            {"deactivate " + someone + ` "` + key1 + `"`, looks, before},
		"a key in phone quotes":      {"deactivate " + someone + " “" + key1 + "”", looks, before},
		"a key within quotes":        {"deactivate " + someone + ` "the key ` + key1 + ` is old"`, looks, before},
		"a long key in quotes":       {"deactivate " + someone + ` "` + long + `"`, looks, before},
		"a part in quotes":           {"deactivate " + someone + ` "the key 4fec9c"`, `"4fec9c" ` + looks, before},
		"a cut key in quotes":        {"deactivate " + someone + ` "00e1… is old"`, `"00e1…" ` + looks, before},
		"a long key's head, quoted":  {"deactivate " + someone + ` "` + long[:6] + ` is old"`, looks, before},
		"a key behind the quotes":    {"deactivate " + someone + ` "stolen" ` + key1, `"` + key1 + `" comes after the reason in quotes.`, "all of the reason in quotes, after the keys"},
		"a word behind the quotes":   {"deactivate " + someone + ` "stolen" today`, `"today" comes after the reason in quotes.`, "all of the reason in quotes"},
		"an open quote":              {"deactivate " + someone + ` "stolen`, "The quotes around the reason are not closed.", "Close them"},
		"an open quote alone":        {"deactivate " + someone + ` "`, "The quotes around the reason are not closed.", "Close them"},
		"an open quote, an option":   {"deactivate " + someone + ` "stolen --dry-run`, "The quotes around the reason are not closed.", "Close them"},
		"a reason that is too long":  {"deactivate " + someone + " " + strings.Repeat("ü", 301), "The reason has 301 characters, and the limit is 300.", "shorter"},
		"a text that is too long":    {"deactivate " + someone + strings.Repeat(" stolen", 3000), "The command is too long.", "fewer"},
		"an escape":                  {"deactivate " + someone + " \x1b[31m", "characters that are no text", "Type it again"},
		"bytes that are no text":     {"deactivate " + someone + " \xff", "characters that are no text", "Type it again"},
		"one hyphen":                 {"deactivate " + someone + " -dry-run", `"-dry-run" ` + noOption, "Did you mean `--dry-run`?"},
		"an option with a mistake":   {"deactivate " + someone + " --dryrun", `"--dryrun" ` + noOption, "Did you mean `--dry-run`?"},
		"another mistake":            {"deactivate " + someone + " —overide last_active_key", `"—overide" ` + noOption, "Did you mean `--override`?"},
		"an option of others":        {"deactivate " + someone + " --force", `"--force" ` + noOption, "The options are --dry-run and --override RULE."},
		"a dry run with a value":     {"deactivate " + someone + " --dry-run=false", `"--dry-run=false" ` + noOption, "--dry-run"},
		"a dry run in words":         {"deactivate " + someone + " dry run", unclearDry, "--dry-run"},
		"a dry run without dashes":   {"deactivate " + someone + " laptop stolen dry-run", unclearDry, "--dry-run"},
		"a dry run, dash apart":      {"deactivate " + someone + " — Dry_Run", unclearDry, "--dry-run"},
		"an override of nothing":     {"deactivate " + someone + " --override", "The rule to override is missing.", rules},
		"an override of nothing, =":  {"deactivate " + someone + " --override= stolen", "The rule to override is missing.", rules},
		"a comma too many":           {"deactivate " + someone + " --override last_active_key,", "The rule to override is missing.", rules},
		"a word instead of a rule":   {"deactivate " + someone + " --override laptop stolen", `"laptop" is not a rule that can be overridden.`, rules},
		"a rule that has no way out": {"deactivate " + someone + " --override exempt", `"exempt" is not a rule that can be overridden.`, rules},
		"a rule with a mistake":      {"deactivate " + someone + " --override last-active-key", `"last-active-key" is not a rule`, "Did you mean `last_active_key`?"},
		"a rule in a list":           {"deactivate " + someone + " --override last_active_key,graceperiod", `"graceperiod" is not a rule`, "Did you mean `grace_period`?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := chatops.Parse(test.text)
			if err == nil {
				t.Fatalf("%q is taken for %+v", test.text, got)
			}
			wantMistake(t, err)
			known := guard.AsError(err)
			if !strings.Contains(known.Message, test.message) || !strings.Contains(known.Remedy, test.remedy) {
				t.Errorf("got %q, %q\nwant %q, %q", known.Message, known.Remedy, test.message, test.remedy)
			}
			if got.Verb != "" {
				t.Errorf("got %+v beside the error", got)
			}
		})
	}
}

// wantMistake checks what somebody is told who typed a mistake: it is short, and each command in it can be typed as it
// stands.
func wantMistake(t *testing.T, err error) {
	t.Helper()
	known := guard.AsError(err)
	if known.Kind != guard.Invalid || known.Message == "" || known.Remedy == "" || len(known.Message)+len(known.Remedy) > 1000 {
		t.Errorf("an error of kind %q with %d bytes of message and %d of remedy", known.Kind, len(known.Message), len(known.Remedy))
	}
	for _, example := range regexp.MustCompile("`/keys ([^`]*)`").FindAllStringSubmatch(known.Remedy, -1) {
		if _, err := chatops.Parse(example[1]); err != nil {
			t.Errorf("the remedy is %q, and that is refused: %v", example[0], err)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		request  guard.Request
		approval bool
	}{
		"activate " + someone + " " + key1 + " is back": {guard.Request{Action: guard.Activate, User: someone, Keys: []string{key1}, Reason: "is back"}, false},
		"deactivate <@U123> --dry-run":                  {guard.Request{Action: guard.Deactivate, DryRun: true}, false},
		"delete " + someone:                             {guard.Request{Action: guard.Delete, User: someone}, true},
		"delete " + someone + " --dry-run":              {guard.Request{Action: guard.Delete, User: someone, DryRun: true}, false},
		"offboard " + someone + " left":                 {guard.Request{Action: guard.Deactivate, User: someone, Reason: "left", Offboarding: true}, false},
		"deactivate " + someone + " --override last_active_key": {
			guard.Request{Action: guard.Deactivate, User: someone, Override: []guard.Rule{guard.LastActiveKey}}, true,
		},
		"activate " + someone + " --override offboarded --dry-run": {
			guard.Request{Action: guard.Activate, User: someone, Override: []guard.Rule{guard.Offboarded}, DryRun: true}, false,
		},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			command, err := chatops.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.request, command.Request()); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if got := command.NeedsApproval(); got != want.approval {
				t.Errorf("needs approval: %t, want %t", got, want.approval)
			}
		})
	}
}
