package slackapi_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

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

func TestWhenItIsLongAgo(t *testing.T) {
	t.Parallel()
	at := time.Date(1969, time.December, 31, 23, 59, 59, 0, time.UTC)
	if got, want := slackapi.When(at), "1969-12-31 23:59 UTC"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	long := "https://example.com/" + strings.Repeat("x", 1980)
	for address, want := range map[string]string{
		"https://example.com/a?b=1&c=%3E":     "<https://example.com/a?b=1&amp;c=%3E|the &lt;page&gt;>",
		"http://localhost:8080/":              "<http://localhost:8080/|the &lt;page&gt;>",
		long:                                  "<" + long + "|the &lt;page&gt;>",
		long + "x":                            "`" + long[:299] + "…`",
		"file:///tmp/report.html":             "`file:///tmp/report.html`",
		"javascript:alert(1)":                 "`javascript:alert(1)`",
		"https://example.com/|x":              "`https://example.com/|x`",
		"https://example.com/> <!here>":       "`https://example.com/&gt; &lt;!here&gt;`",
		"https://example.com/\u202e":          "`https://example.com/`",
		"HTTPS://example.com/":                "`HTTPS://example.com/`",
		"https://":                            "`https://`",
		"https://" + strings.Repeat("&", 400): "`https://" + strings.Repeat("&amp;", 58) + "…`",
		"":                                    "``",
	} {
		if got := slackapi.Link(address, "the <page>"); got != want {
			t.Errorf("Link(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestSections(t *testing.T) {
	t.Parallel()
	long, longest := strings.Repeat("x", 1449), strings.Repeat("x", 2900)
	for name, test := range map[string]struct{ lines, want []string }{
		"one":                  {[]string{"a"}, []string{"a"}},
		"some":                 {[]string{"a", "b", "c"}, []string{"a\nb\nc"}},
		"as many as there fit": {[]string{long, long, "c"}, []string{long + "\n" + long, "c"}},
		"long ones":            {[]string{longest, longest}, []string{longest, longest}},
		"one too many":         {[]string{long, long + "xx", "c"}, []string{long, long + "xx\nc"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, block := range slackapi.Sections(test.lines) {
				section, ok := block.(*slack.SectionBlock)
				if !ok {
					t.Fatalf("a block is a %T", block)
				}
				got = append(got, section.Text.Text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
