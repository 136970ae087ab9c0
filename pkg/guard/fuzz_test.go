package guard_test

import (
	"encoding/json"
	"path"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
)

// maxSentence is how long what a request is refused with may get: it ends in answers and in the log.
const maxSentence = 4 << 10

// listOf reads a list as a fuzzer can write one. An empty text is no list.
func listOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// FuzzRequest fills in every field. What is refused is refused in a few words. What is valid can be written and read
// again as the same request, wherever it goes: so no two requests that differ have the same fingerprint.
func FuzzRequest(f *testing.F) {
	noon := now().Unix()
	f.Add("deactivate", alice().Email, older, "left", "system", "hr", "", "hr", "evt-1", noon, int64(1), true, "", "", "")
	f.Add("delete", alice().ID, older+","+newer, "a\nb", "operator", "", "o@example.com", "api", "", noon, int64(0), false, "grace_period", newer+","+older, "")
	f.Add("activate", alice().Email, "", "", "chatops", "", "", "slack", "", noon, int64(0), false, "", "", "https://hooks.slack.com/x")
	f.Add("activate", "alice", "a b", "\x1b", "root", "\x00", "\xff", "", "", noon+301, int64(0), true, "exempt", older+","+older, "http://hooks.slack.com/x")
	f.Add("deactivate", alice().Email, "", "", "system", "", "", "", "", int64(-62167222800), int64(0), false, "", "", "")
	f.Add("deactivate", alice().Email, "", "", "system", "", "", "", "", noon, int64(0), false, "", "", "https://hooks.slack.com/\xff")
	f.Add(strings.Repeat("a", 9000), strings.Repeat("\x00", 9000), strings.Repeat(",", 9000), "", strings.Repeat("a", 9000), "", "", "", "", noon, int64(0), false,
		strings.Repeat(",", 9000), strings.Repeat(",", 9000), "")
	f.Fuzz(func(t *testing.T, action, user, keys, reason, kind, name, email, source, id string, seconds, nanos int64, flag bool, override, confirm, slack string) {
		want := guard.Request{
			Action: guard.Action(action), User: user, Keys: listOf(keys), Reason: reason,
			Actor:  guard.Actor{Kind: guard.ActorKind(kind), Name: name, Email: email},
			Source: source, ID: id, OccurredAt: time.Unix(seconds, nanos).UTC(), Offboarding: flag, DryRun: !flag,
			Confirm: listOf(confirm), ReplyTo: guard.ReplyTo{Slack: slack},
		}
		for _, rule := range listOf(override) {
			want.Override = append(want.Override, guard.Rule(rule))
		}
		if err := want.Validate(now()); err != nil {
			wantSentence(t, err)
			return
		}
		encoded, err := json.Marshal(want)
		if err != nil {
			t.Fatalf("a valid request cannot be written: %v", err)
		}
		var got guard.Request
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatalf("a valid request cannot be read again: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("written and read again (-want +got):\n%s", diff)
		}
		if print := want.Fingerprint(); print == "" || print != got.Fingerprint() {
			t.Errorf("fingerprint %q, and %q when read again", print, got.Fingerprint())
		}
	})
}

// wantSentence checks what a person is told of a request that is not valid.
func wantSentence(t *testing.T, err error) {
	t.Helper()
	known := guard.AsError(err)
	if known.Kind != guard.Invalid || known.Message == "" || known.Remedy == "" || len(known.Message) > maxSentence {
		t.Errorf("an error of kind %q with a message of %d bytes and the remedy %q", known.Kind, len(known.Message), known.Remedy)
	}
	if !utf8.ValidString(known.Message) || strings.ContainsFunc(known.Message, unicode.IsControl) {
		t.Errorf("the message is not plain text: %q", known.Message)
	}
}

// FuzzEmail makes sure that nobody is taken for somebody else. Case does not matter in an address, and outside ASCII
// the case of one letter is another letter: K, the sign of the kelvin, is a k in capitals.
func FuzzEmail(f *testing.F) {
	for _, ref := range []string{
		alice().Email, "Alice <alice@example.com>", "<alice@example.com>", " alice@example.com", `"a b"@example.com`, `"a@b"@example.com`,
		"alice@[127.0.0.1]", "alice@example.com (Alice)", "bo\u017fs@example.com", "alice@\u212aayak.example", "a/b@example.com", "\xff@example.com",
		"alice@example.com, bob@example.com", "leavers: alice@example.com;", "=?utf-8?q?alice?=@example.com",
	} {
		f.Add(ref)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		if !guard.IsEmail(ref) {
			return
		}
		if strings.ContainsFunc(ref, func(c rune) bool { return c <= ' ' || c > '~' }) || strings.Count(ref, "@") != 1 {
			t.Errorf("%q is taken for a bare e-mail address", ref)
		}
		if guard.IsUUID(ref) {
			t.Errorf("%q is taken for a UUID too", ref)
		}
	})
}

// wild are the characters with a meaning in patterns.
const wild = `*?[\`

// FuzzPattern matches names against patterns that were accepted.
func FuzzPattern(f *testing.F) {
	f.Add("*@example.com", alice().Email)
	f.Add("arn:aws:sts::1:assumed-role/ci/*", "arn:aws:sts::1:assumed-role/ci/build/x")
	f.Add("[a-z]*", "ALICE")
	f.Add("Alice@Example.com", "")
	f.Add("[", "[")
	f.Add("[]a]", "a")
	f.Add(`\`, `\`)
	f.Add("[A-z]", "a")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, text, name string) {
		pattern, err := guard.ParsePattern(text)
		if err != nil {
			return
		}
		if _, err := path.Match(string(pattern), strings.ToLower(name)); err != nil {
			t.Errorf("%q was accepted and cannot be matched with %q: %v", text, name, err)
		}
		if pattern.Matches("") {
			t.Errorf("%q names somebody without a name", text)
		}
		if strings.ContainsAny(text, wild) {
			return
		}
		if ascii := utf8.RuneCountInString(text) == len(text); ascii && pattern.Matches(name) && !strings.EqualFold(strings.TrimSpace(text), name) {
			t.Errorf("%q names %q", text, name)
		}
		if itself := strings.TrimSpace(text); !pattern.Matches(itself) || !pattern.Matches(strings.ToLower(itself)) {
			t.Errorf("%q does not name itself", text)
		}
	})
}

// FuzzExemption makes sure that an exemption that is accepted can exempt somebody: one that cannot fails open.
func FuzzExemption(f *testing.F) {
	for _, text := range []string{
		alice().Email, alice().ID, older, "*@example.com", "*@example.com@2027-01-31", older + "@2027-01-31", "@2027-01-31",
		"alice@example.com@ 2027-01-31", "alice@example.com@2027/01/31", "alice@example.com@never", "@example.com", "alice@",
		"alice@example.com bob@example.com", "*@example.com@31.01.2027", "alice@example.com@9999-12-31", "alice@example.com@0000-01-01",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		exemption, err := guard.ParseExemption(text)
		if err != nil {
			if message := err.Error(); message == "" || len(text) > 40 && strings.Contains(message, text) {
				t.Errorf("%q is refused with %q", text, message)
			}
			return
		}
		pattern := string(exemption.Pattern)
		if pattern == "" || strings.ContainsFunc(pattern, unicode.IsSpace) || strings.Count(pattern, "@") > 1 {
			t.Errorf("%q became %q, which names no user and no key", text, pattern)
		}
		if strings.Contains(pattern, "@") && !strings.ContainsAny(pattern, wild) && !guard.IsEmail(pattern) {
			t.Errorf("%q became %q, which is nobody's e-mail address", text, pattern)
		}
		if until := exemption.Until; !until.Equal(until.Truncate(24*time.Hour)) || !until.IsZero() && !strings.Contains(text, until.AddDate(0, 0, -1).Format(time.DateOnly)) {
			t.Errorf("%q ends at %s", text, until)
		}
	})
}
