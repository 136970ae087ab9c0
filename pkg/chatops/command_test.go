package chatops_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/chatops"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

const (
	someone   = "alice@example.com"
	someoneID = "1c6ba1ba-4f9a-4f0a-9d3a-0d7b3b1c6c01"
	key1      = "4fec9c05b7f6db9c1b5f"
	key2      = "b7a7f761815e89d6aa9c"
)

func TestParse(t *testing.T) {
	t.Parallel()
	long := ionostest.LongID(1)
	list := chatops.Command{Verb: chatops.List, User: someone}
	because := func(reason string) chatops.Command {
		return chatops.Command{Verb: chatops.Deactivate, User: someone, Reason: reason}
	}
	about := func(reason string, keys ...string) chatops.Command {
		return chatops.Command{Verb: chatops.Deactivate, User: someone, Keys: keys, Reason: reason}
	}
	overriding := func(reason string, rules ...guard.Rule) chatops.Command {
		return chatops.Command{Verb: chatops.Deactivate, User: someone, Reason: reason, Override: rules}
	}
	dry := chatops.Command{Verb: chatops.Deactivate, User: someone, Keys: []string{key1}, Reason: "laptop stolen", DryRun: true}
	for name, test := range map[string]struct {
		text string
		want chatops.Command
	}{
		"nothing":              {"", chatops.Command{Verb: chatops.Help}},
		"nothing but space":    {" \u00a0\n ", chatops.Command{Verb: chatops.Help}},
		"help":                 {"help", chatops.Command{Verb: chatops.Help}},
		"help about something": {"HELP deactivate 4fec", chatops.Command{Verb: chatops.Help}},
		"help as an option":    {"deactivate --help", chatops.Command{Verb: chatops.Help}},
		"a user":               {someone, list},
		"list":                 {"list " + someone, list},
		"a UUID":               {someoneID, chatops.Command{Verb: chatops.List, User: someoneID}},

		"activate":              {"activate " + someone, chatops.Command{Verb: chatops.Activate, User: someone}},
		"deactivate":            {"deactivate " + someone, because("")},
		"delete":                {"delete " + someone + " " + key1, chatops.Command{Verb: chatops.Delete, User: someone, Keys: []string{key1}}},
		"offboard, one key":     {"offboard " + someone + " " + key1 + " left", chatops.Command{Verb: chatops.Offboard, User: someone, Keys: []string{key1}, Reason: "left"}},
		"offboard":              {"offboard " + someone + " left the company", chatops.Command{Verb: chatops.Offboard, User: someone, Reason: "left the company"}},
		"a capital of a phone":  {"Deactivate " + someone, because("")},
		"a user in capitals":    {"deactivate Alice@Example.com", chatops.Command{Verb: chatops.Deactivate, User: "Alice@Example.com"}},
		"space, and much of it": {"  deactivate\u00a0" + someone + "\u202f\n laptop \t stolen ", because("laptop stolen")},

		"a mention":                {"<@U123ABC>", chatops.Command{Verb: chatops.List, Mention: "U123ABC"}},
		"a mention with a name":    {"deactivate <@W123|alice> laptop stolen", chatops.Command{Verb: chatops.Deactivate, Mention: "W123", Reason: "laptop stolen"}},
		"an address as a link":     {"deactivate <mailto:alice@example.com|alice@example.com> laptop stolen", because("laptop stolen")},
		"an address without label": {"deactivate <mailto:alice@example.com>", because("")},
		"a domain as a link":       {"deactivate alice@<http://example.com|example.com>", because("")},
		"an address as it is seen": {"deactivate <mailto:bob@example.com|alice@example.com>", because("")},
		"an address in backticks":  {"deactivate `alice@example.com`", because("")},
		"an address with a comma":  {"deactivate alice@example.com, laptop stolen", because("laptop stolen")},
		"escapes":                  {"deactivate " + someone + " R&amp;D &lt;3 &amp;lt;", because("R&D <3 &lt;")},
		"a channel":                {"deactivate " + someone + " see <#C123|incidents> and <#C124>", because("see #incidents and #C124")},
		"everybody":                {"deactivate " + someone + " told <!here> and <!subteam^S1|@ops>", because("told @here and @ops")},
		"a link":                   {"deactivate " + someone + " see <https://jira.example.com/browse/OPS-1234>", because("see https://jira.example.com/browse/OPS-1234")},
		"what nobody sees":         {"deactivate " + someone + " \u200b4fec9c05\u200bb7f6db9c1b5f\ufeff lap\u00adtop stolen", about("laptop stolen", key1)},
		"letters of other tongues": {"deactivate " + someone + " Gerät gestohlen 紛失", because("Gerät gestohlen 紛失")},

		"one key":                     {"deactivate " + someone + " " + key1, about("", key1)},
		"a key and a reason":          {"deactivate " + someone + " " + key1 + " laptop stolen", about("laptop stolen", key1)},
		"keys":                        {"deactivate " + someone + " " + key1 + " " + key2 + " stolen", about("stolen", key1, key2)},
		"keys with commas":            {"deactivate " + someone + " " + key1 + ", " + key2 + ", stolen", about("stolen", key1, key2)},
		"keys with commas alone":      {"deactivate " + someone + " " + key1 + "," + key2, about("", key1, key2)},
		"a comma between space":       {"deactivate " + someone + " " + key1 + " , " + key2, about("", key1, key2)},
		"keys in backticks":           {"deactivate " + someone + " `" + key1 + "` `" + key2 + "`", about("", key1, key2)},
		"keys in backticks, a comma":  {"deactivate " + someone + " `" + key1 + "`, `" + key2 + "` stolen", about("stolen", key1, key2)},
		"keys in backticks together":  {"deactivate " + someone + " `" + key1 + ", " + key2 + "` stolen", about("stolen", key1, key2)},
		"keys on lines":               {"deactivate " + someone + "\n" + key1 + "\n" + key2 + "\nstolen", about("stolen", key1, key2)},
		"a key twice":                 {"deactivate " + someone + " " + key1 + " " + key1, about("", key1)},
		"a long key":                  {"deactivate " + someone + " " + long + " stolen", about("stolen", long)},
		"a key of digits":             {"deactivate " + someone + " 00000000000000000001 stolen", about("stolen", "00000000000000000001")},
		"a key between options":       {"--dry-run deactivate --dry-run " + someone + " --dry-run " + key1 + " --dry-run laptop --dry-run stolen --dry-run", dry},
		"a key that may be of others": {"deactivate " + someone + " AKIAIOSFODNN7EXAMPLE stolen", about("stolen", "AKIAIOSFODNN7EXAMPLE")},

		"laptops":              {"deactivate " + someone + " 2 laptops stolen", because("2 laptops stolen")},
		"a ticket":             {"deactivate " + someone + " ticket OPS-1234", because("ticket OPS-1234")},
		"another ticket":       {"deactivate " + someone + " see INC0012345.", because("see INC0012345.")},
		"a ticket's number":    {"deactivate " + someone + " ticket #482013", because("ticket #482013")},
		"a date":               {"deactivate " + someone + " left on 2026-11-01", because("left on 2026-11-01")},
		"a date with points":   {"deactivate " + someone + " left on 01.11.2026, 10:30", because("left on 01.11.2026, 10:30")},
		"a quarter":            {"deactivate " + someone + " rotation Q4", because("rotation Q4")},
		"names of things":      {"deactivate " + someone + " iPhone15 with GitHub and PagerDuty 2FA lost", because("iPhone15 with GitHub and PagerDuty 2FA lost")},
		"an address":           {"deactivate " + someone + " seen from 10.20.30.40 at night", because("seen from 10.20.30.40 at night")},
		"short hex words":      {"deactivate " + someone + " a bad cafe, dead face", because("a bad cafe, dead face")},
		"a long word of words": {"deactivate " + someone + " left-the-company-on-2026-11-01", because("left-the-company-on-2026-11-01")},
		"a phone's apostrophe": {"deactivate " + someone + " alice’s phone, it's gone", because("alice’s phone, it's gone")},
		"a dash":               {"deactivate " + someone + " stolen — reported - -5 degrees", because("stolen — reported - -5 degrees")},
		"three dots apart":     {"deactivate " + someone + " well … stolen ...", because("well … stolen ...")},
		"inches":               {"deactivate " + someone + ` a 15" laptop "blue"`, because(`a 15" laptop "blue"`)},
		"all of 300":           {"deactivate " + someone + " " + strings.Repeat("ü", 300), because(strings.Repeat("ü", 300))},

		"in quotes":                     {"deactivate " + someone + ` "laptop stolen"`, because("laptop stolen")},
		"in quotes of phones":           {"deactivate " + someone + " “laptop stolen”", because("laptop stolen")},
		"in German quotes":              {"deactivate " + someone + " „laptop stolen“", because("laptop stolen")},
		"in French quotes":              {"deactivate " + someone + " « laptop stolen »", because("laptop stolen")},
		"in quotes with space":          {"deactivate " + someone + ` " laptop   stolen "`, because("laptop stolen")},
		"one word in quotes":            {"deactivate " + someone + ` "stolen"`, because("stolen")},
		"quotes with nothing in them":   {"deactivate " + someone + ` ""`, because("")},
		"a number in quotes":            {"deactivate " + someone + ` "ticket 4820193"`, because("ticket 4820193")},
		"a serial number in quotes":     {"deactivate " + someone + ` "laptop C02XK0AAJG5H"`, because("laptop C02XK0AAJG5H")},
		"an option in quotes":           {"deactivate " + someone + ` "after --dry-run or -x"`, because("after --dry-run or -x")},
		"people in quotes":              {"deactivate " + someone + ` "asked by <@U9|bob> and <mailto:carol@example.com|carol@example.com>"`, because("asked by @U9 and carol@example.com")},
		"a key in quotes behind a key":  {"deactivate " + someone + " " + key1 + ` "has ` + key2 + ` in its place"`, about("has "+key2+" in its place", key1)},
		"an option behind the quotes":   {"deactivate " + someone + " " + key1 + ` "laptop stolen" --dry-run`, dry},
		"an option in front of quotes":  {"deactivate " + someone + " " + key1 + ` --dry-run "laptop stolen"`, dry},
		"quotes within quotes":          {"deactivate " + someone + ` "the "blue"ish laptop"`, because(`the "blue"ish laptop`)},
		"a quote at the end of a quote": {"deactivate " + someone + ` "the 15""`, because("the 15")},

		"a dash of a phone":      {"deactivate " + someone + " " + key1 + " laptop stolen —dry-run", dry},
		"a shorter dash":         {"deactivate " + someone + " " + key1 + " laptop stolen –dry‑run", dry},
		"an option in capitals":  {"deactivate " + someone + " " + key1 + " laptop stolen --Dry-Run", dry},
		"an override":            {"deactivate " + someone + " --override last_active_key laptop stolen", overriding("laptop stolen", guard.LastActiveKey)},
		"an override with =":     {"deactivate " + someone + " laptop stolen —override=last_active_key", overriding("laptop stolen", guard.LastActiveKey)},
		"overrides":              {"--override last_active_key,grace_period deactivate " + someone, overriding("", guard.LastActiveKey, guard.GracePeriod)},
		"overrides with a space": {"deactivate " + someone + " --override last_active_key, grace_period stolen", overriding("stolen", guard.LastActiveKey, guard.GracePeriod)},
		"overrides one by one":   {"deactivate " + someone + " --override `LAST_ACTIVE_KEY` --override=offboarded --override last_active_key", overriding("", guard.LastActiveKey, guard.Offboarded)},
		"every override": {
			"deactivate " + someone + " --override last_active_key,grace_period,only_key_with_buckets,offboarded,blast_radius",
			overriding("", guard.LastActiveKey, guard.GracePeriod, guard.OnlyKeyWithBuckets, guard.Offboarded, guard.BlastRadius),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := chatops.Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("command (-want +got):\n%s", diff)
			}
		})
	}
}
