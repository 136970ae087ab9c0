package chatops_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"keyreeve/pkg/chatops"
	"keyreeve/pkg/ionos/ionostest"
)

// drawPart draws an access key id, or so much of its beginning that nobody types it by chance.
func drawPart(t *rapid.T) string {
	id := rapid.OneOf(
		rapid.StringMatching(`[0-9a-f]{20}`),
		rapid.Map(rapid.IntRange(0, 1000), ionostest.LongID),
	).Draw(t, "id")
	return id[:rapid.OneOf(rapid.Just(len(id)), rapid.IntRange(6, len(id))).Draw(t, "length")]
}

// drawReason draws words that ordinary reasons are made of.
func drawReason(t *rapid.T, label string) []string {
	return rapid.SliceOfN(rapid.SampledFrom([]string{
		"laptop", "stolen", "the", "key", "2", "2026-11-01", "OPS-1234", "INC0012345", "—", "and", "Q4", "a,", "(old)", "15\"", "…", "all",
		"--dry-run", "--override last_active_key", "&amp;", "<#C1|general>", "<https://example.com/x|x>",
	}), 0, 5).Draw(t, label)
}

// TestNoKeyBecomesAReason types commands with an access key id, or a part of one, in any place and in any dress: a command
// that does not name keys is about all of them, so it must not come of that. In quotes, numbers and words may be what
// they are, unless they are as long as an id.
func TestNoKeyBecomesAReason(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		part := drawPart(rt)
		dress := rapid.SampledFrom([]string{"%", "`%`", "%,", "(%)", "%.", "%:", "%…", "%...", "…%", "*%*", "'%'", "‘%’", "\u200b%", ",%", "key=%", "<%", "~%~", "%;%", "%,%"}).Draw(rt, "dress")
		words := slices.Concat(drawReason(rt, "before"), []string{strings.ReplaceAll(dress, "%", part)}, drawReason(rt, "after"))
		quotes := rapid.SampledFrom([]string{"", "", `""`, "“”", "„“"}).Draw(rt, "quotes")
		reason := strings.Join(words, rapid.SampledFrom([]string{" ", "\n", "\u00a0"}).Draw(rt, "space"))
		if quotes != "" {
			open := []rune(quotes)
			reason = string(open[0]) + reason + string(open[1])
		}
		verb := rapid.SampledFrom([]string{"activate", "deactivate", "delete", "offboard", "Deactivate"}).Draw(rt, "verb")
		user := rapid.SampledFrom([]string{someone, someoneID, "<@U123|alice>", "<mailto:alice@example.com|alice@example.com>"}).Draw(rt, "user")
		text := verb + " " + user + " " + reason

		command, err := chatops.Parse(text)
		one := regexp.MustCompile(`^([0-9]{6,15}|[a-f]{6,15})$`).MatchString(part)
		switch {
		case err != nil, quotes != "" && one:
			return
		case len(command.Keys) == 0:
			rt.Errorf("%q is about all keys: %+v", text, command)
		case quotes == "" && strings.Contains(command.Reason, part):
			rt.Errorf("%q is taken for a reason: %+v", part, command)
		}
	})
}

// TestOrdinaryReasons lets people give reasons as they do, and name keys or none.
func TestOrdinaryReasons(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.SliceOfN(rapid.OneOf(
			rapid.SampledFrom([]string{"laptop", "stolen", "2", "2026-11-01", "OPS-1234", "INC0012345", "Q4", "GitHub", "R&amp;D", "10.0.0.1", "it's", "–", "#482013"}),
			rapid.StringMatching(`[g-z]{1,12}[.,!]?`), rapid.StringMatching(`[B-Z]{2,5}-[0-9]{1,6}`), rapid.StringMatching(`[0-9]{1,5}`),
		), 1, 8).Draw(rt, "words")
		words = append([]string{"because"}, words...)
		keys := rapid.SliceOfNDistinct(rapid.StringMatching(`[0-9a-f]{20}`), 0, 3, rapid.ID[string]).Draw(rt, "keys")
		text := strings.Join(slices.Concat([]string{"deactivate", someone}, keys, words), " ")
		command, err := chatops.Parse(text)
		if err != nil {
			rt.Fatalf("%q: %v", text, err)
		}
		if reason := strings.ReplaceAll(strings.Join(words, " "), "&amp;", "&"); command.Reason != reason || !slices.Equal(command.Keys, keys) {
			rt.Errorf("%q is taken for %+v", text, command)
		}
	})
}
