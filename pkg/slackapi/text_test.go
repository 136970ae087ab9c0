package slackapi_test

import (
	"testing"
	"time"

	"keyreeve/pkg/slackapi"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                       "",
		"plain text":             "plain text",
		"<!channel> & <@U0BOB>":  "&lt;!channel&gt; &amp; &lt;@U0BOB&gt;",
		"&amp;":                  "&amp;amp;",
		"two\nlines\r\n\tindent": "two lines indent",
		"a\x00b\x1b[31m":         "a b [31m",
		"gpj\u202e.exe":          "gpj.exe",
		"schlüssel 🔑":            "schlüssel 🔑",
	} {
		if got := slackapi.Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"00e1a7": "`00e1a7`", "00`e1": "`00'e1`", "<b>": "`&lt;b&gt;`"} {
		if got := slackapi.Code(in); got != want {
			t.Errorf("Code(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMention(t *testing.T) {
	t.Parallel()
	if got, want := slackapi.Mention("U0BOB"), "<@U0BOB>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhen(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.November, 22, 13, 30, 0, 0, time.FixedZone("CET", 3600))
	if got, want := slackapi.When(at), "<!date^1795350600^{date_short_pretty} {time}|2026-11-22 12:30 UTC>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
