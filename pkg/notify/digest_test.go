package notify_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"keyreeve/pkg/edge/edgetest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi/slacktest"
)

// TestMain knows -update, which writes the snapshots in testdata.
func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the snapshots in testdata")
	os.Exit(m.Run())
}

// snapshot compares a message with the one in testdata.
func snapshot(t *testing.T, name string, shown slacktest.Shown) {
	t.Helper()
	got := append([]byte(shown.Text+"\n"), indented(t, shown.Blocks)...)
	file := filepath.Join("testdata", "digest", name+".txt")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, file, string(want), string(got))
}

func indented(t *testing.T, blocks []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, blocks, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// leaver is somebody with two keys who left, and can still log in.
func leaver(n int) guard.Finished {
	user := fmt.Sprintf("leaver%02d@example.com", n)
	f := outcome(fmt.Sprintf("hr-%d", n), user, changed(fmt.Sprintf("00e%02da", n)), changed(fmt.Sprintf("00e%02db", n)))
	f.Actor, f.Source, f.Offboarding = hr(), "hr", true
	f.Warnings = []guard.Warning{{Code: guard.UserCanCreateKeys, Message: user + " can still log in to IONOS and make a new key."}}
	return f
}

func many(n int, make func(int) guard.Finished) []guard.Finished {
	all := []guard.Finished{}
	for i := range n {
		all = append(all, make(i))
	}
	return all
}

// mixed has an outcome of every sort.
func mixed() []guard.Finished {
	sweep := func(f *guard.Finished) {
		f.DryRun, f.Action, f.Actor = true, guard.Delete, guard.Actor{Kind: guard.Schedule, Name: "sweep"}
	}
	forbidden := guard.KeyResult{ID: "00f0", Outcome: guard.Refused, Rule: guard.NotPermitted, Message: "dave@example.com may act on their own keys only."}
	again := forbidden
	again.ID = "00f1"
	return []guard.Finished{
		leaver(1),
		outcome("r1", "carol@example.com", changed("00c1"), refused("00c2")),
		with(outcome("r2", "Carol@example.com", changed("00c3")), func(f *guard.Finished) { f.Action = guard.Activate }),
		outcome("r3", "bob@example.com", failed("00b1"), failed("00b2"), failed("00b3"), failed("00b4")),
		outcome("r4", "alice@example.com", forbidden, again),
		warned(guard.UnknownUser),
		with(leaver(2), func(f *guard.Finished) { f.Keys = []guard.KeyResult{{ID: "00e02a", Outcome: guard.Unchanged}} }),
		with(outcome("s1", "erin@example.com", changed("00e1")), sweep),
		with(outcome("s2", "frank@example.com", refused("00f9"), changed("00f8")), sweep),
		with(outcome("s3", "carol@example.com", changed("00c9")), sweep),
	}
}

func TestDigests(t *testing.T) {
	t.Parallel()
	tests := map[string][]guard.Finished{
		"offboardings": many(6, leaver),
		"flood":        many(100, leaver),
		"mixed":        mixed(),
		"refused":      many(6, func(i int) guard.Finished { return outcome(fmt.Sprint(i), "dave@example.com", refused("00d1")) }),
	}
	for name, outcomes := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			diff(t, "to deliver again", []string{}, w.tell(t, outcomes...))
			diff(t, "refused by Slack", []string(nil), w.slack.Refused())
			lines := inChannel(w.slack)
			if len(lines) != 1 {
				t.Fatalf("%d messages in the channel, want a digest", len(lines))
			}
			snapshot(t, name, lines[0])
			diff(t, "to deliver again, the second time", []string{}, w.tell(t, outcomes...))
			diff(t, "lines after the second time", 1, len(inChannel(w.slack)))
		})
	}
}

// As many lines as people read one by one are no digest.
func TestNoDigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	diff(t, "to deliver again", []string{}, w.tell(t, many(5, leaver)...))
	diff(t, "lines", 5, len(inChannel(w.slack)))
}

// Outcomes that the channel does not see count for nothing in a digest.
func TestDigestOfWhatIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unseen := outcome("r0", "zoe@example.com", guard.KeyResult{ID: "00a1", Outcome: guard.Unchanged})
	personal := with(outcome("r9", "zoe@example.com", changed("00a1")), func(f *guard.Finished) { f.DryRun = true })
	w.tell(t, append(many(6, leaver), unseen, personal)...)
	lines := inChannel(w.slack)
	if len(lines) != 1 {
		t.Fatalf("%d messages in the channel, want a digest", len(lines))
	}
	diff(t, "headline", "6 requests: 12 keys deactivated of 6 people, 6 warnings", lines[0].Text)
	if strings.Contains(string(lines[0].Blocks), "zoe") {
		t.Errorf("the digest is about what nobody is to see: %s", lines[0].Blocks)
	}
}

// One long explanation leaves room for the others.
func TestDigestOfLongExplanations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(t, many(6, func(i int) guard.Finished {
		key := failed(fmt.Sprint("00d", i))
		key.Message = strings.Repeat("x", 301)
		return outcome(fmt.Sprint(i), "dave@example.com", key)
	})...)
	text := string(inChannel(w.slack)[0].Blocks)
	if n := strings.Count(text, ": "+strings.Repeat("x", 300)+"…"); n != 6 {
		t.Errorf("%d explanations, want 6 of 300 characters: %s", n, text)
	}
}

// The same request at several of its tries is one request, and its keys are the same keys.
func TestDigestOfTries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tries := []guard.Finished{
		outcome("r1", "dave@example.com", failed("00d1"), failed("00d2")),
		outcome("r1", "dave@example.com", changed("00d1"), failed("00d2")),
		outcome("r1", "dave@example.com", guard.KeyResult{ID: "00d1", Outcome: guard.Unchanged}, changed("00d2")),
		outcome("r2", "dave@example.com", changed("00d1")),
		with(outcome("r2", "dave@example.com", changed("00d1")), func(f *guard.Finished) { f.OccurredAt = noon() }),
		with(outcome("r2", "dave@example.com", changed("00d1")), func(f *guard.Finished) { f.Action = guard.Activate }),
		with(outcome("r4", "", refused("00d1")), func(f *guard.Finished) { f.Action, f.User.ID = guard.Delete, "u4" }),
		with(outcome("r4", "", refused("00d1")), func(f *guard.Finished) { f.Action, f.User.ID = guard.Delete, "u5" }),
	}
	w.tell(t, tries...)
	diff(t, "headline", "6 requests: 1 key activated of 1 person, 2 keys deactivated of 1 person, 2 keys refused, 2 keys failed", inChannel(w.slack)[0].Text)
}

// Several people whom nobody knows may be in one message of a sender: there is a request for each, with the same id.
func TestDigestOfUnmapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(t, many(6, func(i int) guard.Finished {
		return with(warned(guard.UnmappedUser), func(f *guard.Finished) {
			f.User, f.Warnings = guard.User{}, []guard.Warning{{Code: guard.UnmappedUser, Message: fmt.Sprintf("Nobody knows okta:%d.", i)}}
		})
	})...)
	diff(t, "headline", "6 requests: 6 warnings", inChannel(w.slack)[0].Text)
}

// naive counts what a digest is to say, in the simplest way: by the names of what it has seen.
func naive(outcomes []guard.Finished, dryRun bool) string {
	seen := map[string][]string{}
	note := func(what, who string) {
		if !slices.Contains(seen[what], who) {
			seen[what] = append(seen[what], who)
		}
	}
	warnings := 0
	for _, f := range outcomes {
		if f.DryRun != dryRun {
			continue
		}
		note("requests", f.ID)
		warnings += len(f.Warnings)
		for _, k := range f.Keys {
			note(string(k.Outcome)+" "+string(f.Action), f.User.Email+" "+k.ID)
			note("of "+string(k.Outcome)+" "+string(f.Action), f.User.Email)
			note(string(k.Outcome), f.User.Email+" "+k.ID)
		}
	}
	n := func(what string) int { return len(seen[what]) }
	return fmt.Sprint(n("requests"), n("changed activate"), n("of changed activate"), n("changed deactivate"), n("of changed deactivate"),
		n("changed delete"), n("of changed delete"), n("refused"), n("failed"), warnings)
}

// said is what a sentence of a digest says, in the same form.
func said(sentence string) string {
	number := func(before, after string) (n int) {
		found := regexp.MustCompile(before + `(\d+) ` + after).FindStringSubmatch(sentence)
		if found != nil {
			_, _ = fmt.Sscan(found[1], &n) // they are digits
		}
		return n
	}
	keys := func(verb string) int { return number("", "keys? (would be )?"+verb) }
	people := func(verb string) int { return number(" "+verb+" of ", "(person|people)") }
	return fmt.Sprint(
		number("^", "(request|dry run)"),
		keys("activated"), people("activated"), keys("deactivated"), people("deactivated"), keys("deleted"), people("deleted"),
		keys("refused"), keys("failed"), number("", "warning"),
	)
}

// TestDigestCounts holds the numbers of a digest against a naive count, whatever happened.
func TestDigestCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		outcomes := rapid.SliceOfNDistinct(rapid.Custom(anyOutcome), 6, 40, func(f guard.Finished) string { return f.ID }).Draw(t, "outcomes")
		slack := newSlack(noon)
		queue := newQueue(newClient("", straight{slack}), new(forgetful), noon, new(edgetest.Log))
		if failed := deliver(t.Context(), t, queue, bodies(t, outcomes)...); len(failed) > 0 {
			t.Fatalf("%v are to be delivered again: %v", failed, slack.Refused())
		}
		lines := inChannel(slack)
		if len(lines) != 1 {
			t.Fatalf("%d messages, want one", len(lines))
		}
		sentences := map[bool]string{}
		for sentence := range strings.SplitSeq(lines[0].Text, "; ") {
			sentences[strings.Contains(sentence, "dry run")] = sentence
		}
		for _, dryRun := range []bool{false, true} {
			if want, got := naive(outcomes, dryRun), said(sentences[dryRun]); want != got {
				t.Errorf("dry run %t: got %s, want %s, from %q", dryRun, got, want, lines[0].Text)
			}
		}
	})
}

// anyOutcome is one that the channel sees.
func anyOutcome(t *rapid.T) guard.Finished {
	f := outcome(rapid.StringMatching(`r[0-9]{1,4}`).Draw(t, "id"), rapid.SampledFrom([]string{"ann@x.de", "ben@x.de", "cat@x.de", "dan@x.de"}).Draw(t, "user"))
	f.Action = rapid.SampledFrom(guard.Actions()).Draw(t, "action")
	f.Actor, f.DryRun, f.Offboarding = hr(), rapid.Bool().Draw(t, "dry run"), true
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"k1", "k2", "k3", "k4", "k5"}), 1, 5, rapid.ID).Draw(t, "keys") {
		became := rapid.SampledFrom([]guard.Outcome{guard.Changed, guard.Unchanged, guard.Refused, guard.Superseded, guard.Failed}).Draw(t, "outcome")
		f.Keys = append(f.Keys, guard.KeyResult{ID: id, Outcome: became})
	}
	seen := f.Any(guard.Changed) || f.Any(guard.Refused) || f.Any(guard.Failed)
	if rapid.Bool().Draw(t, "warned") || !seen {
		f.Warnings = []guard.Warning{{Code: guard.SwitchedBackOn, Message: "A key was switched back on."}}
	}
	return f
}

// characters counts those of all texts.
func characters(t *testing.T, blocks []byte) int {
	t.Helper()
	type text struct {
		Text string `json:"text"`
	}
	var all []struct {
		Text     text   `json:"text"`
		Elements []text `json:"elements"`
	}
	if err := json.Unmarshal(blocks, &all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range all {
		for _, part := range append(block.Elements, block.Text) {
			n += len(utf16.Encode([]rune(part.Text)))
		}
	}
	return n
}

// TestLimits is about a hundred outcomes with all that Slack might choke on.
func TestLimits(t *testing.T) {
	t.Parallel()
	nasty := strings.Repeat("<!channel> & `*_~ ä😀\n", 45)
	long := func(i int) guard.Finished {
		f := outcome(fmt.Sprint(i)+nasty, fmt.Sprint("u", i, nasty))
		f.Reason, f.Source, f.Actor = nasty, nasty, guard.Actor{Kind: guard.System, Name: fmt.Sprint(i) + nasty}
		for k := range 20 {
			key := guard.KeyResult{ID: fmt.Sprintf("%092d", k), Outcome: guard.Changed, Message: nasty, Remedy: nasty}
			if k%2 == 0 {
				key.Outcome, key.Rule = guard.Refused, guard.Rule(nasty)
			}
			f.Keys = append(f.Keys, key)
		}
		f.Warnings = []guard.Warning{{Code: guard.GivenUp, Message: nasty}}
		return f
	}
	for name, outcomes := range map[string][]guard.Finished{
		"digest": many(100, long),
		"lines":  many(5, long),
		"a letter about a hundred changes": many(100, func(i int) guard.Finished {
			f := long(i)
			f.User.Email = "alice@example.com"
			return f
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slack := newSlack(noon)
			queue := newQueue(newClient("", straight{slack}), new(forgetful), noon, new(edgetest.Log))
			diff(t, "to deliver again", []string{}, deliver(t.Context(), t, queue, bodies(t, outcomes)...))
			diff(t, "refused by Slack", []string(nil), slack.Refused())
			if len(inChannel(slack)) == 0 {
				t.Error("the channel sees nothing")
			}
			for _, m := range slack.Shown() {
				if name == "digest" && strings.Count(string(m.Blocks), "•") < 6 {
					t.Errorf("the digest names hardly anything: %s", m.Blocks)
				}
				// What Slack takes in all is not documented: 12000 characters, less what each block takes.
				if n := characters(t, m.Blocks); n > 11_000 {
					t.Errorf("a message of %d characters is more than Slack takes", n)
				}
			}
		})
	}
}
