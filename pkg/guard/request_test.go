package guard_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
)

func TestValidate(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*guard.Request)
		want   string // What the message must name; empty: valid.
	}{
		"as it should be":            {func(*guard.Request) {}, ""},
		"a UUID":                     {func(r *guard.Request) { r.User = alice().ID }, ""},
		"a 92-character key":         {func(r *guard.Request) { r.Keys = []string{strings.Repeat("E", 92)} }, ""},
		"no action":                  {func(r *guard.Request) { r.Action = "" }, "action"},
		"an unknown action":          {func(r *guard.Request) { r.Action = "rotate" }, "rotate"},
		"no user":                    {func(r *guard.Request) { r.User = "" }, "user is missing"},
		"a name for a user":          {func(r *guard.Request) { r.User = "alice" }, "user must be"},
		"a display name":             {func(r *guard.Request) { r.User = "Alice <alice@example.com>" }, "user must be"},
		"an empty key":               {func(r *guard.Request) { r.Keys = []string{""} }, "keys"},
		"a key with a blank":         {func(r *guard.Request) { r.Keys = []string{"00 01"} }, "keys"},
		"a key twice":                {func(r *guard.Request) { r.Keys = []string{older, older} }, "twice"},
		"too many keys":              {func(r *guard.Request) { r.Keys = manyKeys(101) }, "more than 100"},
		"an empty confirmation":      {func(r *guard.Request) { r.Confirm = []string{""} }, "confirm"},
		"a line break in the reason": {func(r *guard.Request) { r.Reason = "lost\nlaptop" }, ""},
		"an escape in the reason":    {func(r *guard.Request) { r.Reason = "\x1b[31m" }, "reason"},
		"a novel as the reason":      {func(r *guard.Request) { r.Reason = strings.Repeat("é", 1001) }, "reason"},
		"no actor":                   {func(r *guard.Request) { r.Actor = guard.Actor{} }, "actor.kind"},
		"an unknown actor":           {func(r *guard.Request) { r.Actor.Kind = "root" }, "root"},
		"a clock that is ahead":      {func(r *guard.Request) { r.OccurredAt = now().Add(guard.ClockSkew) }, ""},
		"the future":                 {func(r *guard.Request) { r.OccurredAt = now().Add(guard.ClockSkew + time.Second) }, "future"},
		"offboarding by activating":  {func(r *guard.Request) { r.Action, r.Offboarding = guard.Activate, true }, "offboarding"},
		"an override that is none":   {func(r *guard.Request) { r.Override = []guard.Rule{"exempt"} }, "exempt"},
		"an override that is one":    {func(r *guard.Request) { r.Override = []guard.Rule{guard.BlastRadius} }, ""},
		"a reply to Slack":           {func(r *guard.Request) { r.ReplyTo.Slack = "https://hooks.slack.com/commands/1/2" }, ""},
		"a reply elsewhere":          {func(r *guard.Request) { r.ReplyTo.Slack = "https://hooks.slack.com.example.com/1" }, "replyTo"},
		"a reply with a user":        {func(r *guard.Request) { r.ReplyTo.Slack = "https://x@hooks.slack.com/1" }, "replyTo"},
		"a second person":            {func(r *guard.Request) { r.ApprovedBy = guard.Actor{Kind: guard.ChatOps, Email: "carol@example.com"} }, ""},
		"a second who is nobody":     {func(r *guard.Request) { r.ApprovedBy = guard.Actor{Kind: guard.System, Name: "hr"} }, "approvedBy.kind"},
		"a second without a kind":    {func(r *guard.Request) { r.ApprovedBy.Email = "carol@example.com" }, "approvedBy.kind"},
		"an escape in the second":    {func(r *guard.Request) { r.ApprovedBy = guard.Actor{Kind: guard.ChatOps, Name: "\x1b[31m"} }, "approvedBy.name"},
		"an escape in the channel":   {func(r *guard.Request) { r.ReplyTo.Channel = "\x1b[31m" }, "replyTo.channel"},
		"a reply in the clear":       {func(r *guard.Request) { r.ReplyTo.Slack = "http://hooks.slack.com/1" }, "replyTo"},
	} {
		t.Run(name, func(t *testing.T) {
			req := deactivate(older).req
			test.change(&req)
			err := req.Validate(now())
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && guard.KindOf(err) != guard.Invalid:
				t.Errorf("kind = %q, want invalid", guard.KindOf(err))
			case test.want != "" && !strings.Contains(err.Error(), test.want):
				t.Errorf("%q does not name %q", err, test.want)
			}
		})
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	err := guard.Request{Action: "x", User: "y", Override: []guard.Rule{"z"}}.Validate(now())
	for _, want := range []string{`"x"`, `"y"`, `"z"`, "actor.kind"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func manyKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%020d", i)
	}
	return keys
}

func TestParseExemption(t *testing.T) {
	for text, want := range map[string]guard.Exemption{
		"alice@example.com":        {Pattern: "alice@example.com"},
		"Alice@Example.com":        {Pattern: "alice@example.com"},
		"*@example.com@2027-01-31": {Pattern: "*@example.com", Until: time.Date(2027, time.February, 1, 0, 0, 0, 0, time.UTC)},
		older + "@2027-01-31":      {Pattern: older, Until: time.Date(2027, time.February, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if got, err := guard.ParseExemption(text); err != nil || got != want {
			t.Errorf("%q = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "@2027-01-31", "a@example.com@2027-13-45", "a@example.com@", "[", "alice@example.com@20270131"} {
		if got, err := guard.ParseExemption(text); err == nil {
			t.Errorf("%q = %v, want an error: an exemption that exempts nobody fails open", text, got)
		}
	}
}

func TestTrusts(t *testing.T) {
	policy := guard.Policy{Operators: []guard.Pattern{"*@ops.example.com", "arn:aws:sts::1:assumed-role/ci/*"}}
	for _, test := range []struct {
		actor guard.Actor
		want  bool
	}{
		{guard.Actor{Kind: guard.Operator, Email: "Eve@Ops.example.com"}, true},
		{guard.Actor{Kind: guard.Operator, Email: "eve@example.com"}, false},
		{guard.Actor{Kind: guard.Operator, Name: "arn:aws:sts::1:assumed-role/ci/build"}, true},
		{guard.Actor{Kind: guard.Operator, Name: "arn:aws:sts::1:assumed-role/dev/build"}, false},
		{guard.Actor{Kind: guard.ChatOps, Name: "arn:aws:sts::1:assumed-role/ci/build"}, false}, // A display name is anybody's choice.
		{guard.Actor{Kind: guard.Operator, Email: "eve@example.com", Name: "eve@ops.example.com"}, false},
	} {
		if got := policy.Trusts(test.actor); got != test.want {
			t.Errorf("%+v trusted = %v, want %v", test.actor, got, test.want)
		}
	}
	everybody := guard.Policy{Operators: []guard.Pattern{"*"}}
	if everybody.Trusts(guard.Actor{Kind: guard.ChatOps, Name: "eve"}) {
		t.Error("a pattern for every e-mail trusts somebody who has none")
	}
}

func TestAsError(t *testing.T) {
	known := &guard.Error{Kind: guard.Throttled, Message: "Too fast."}
	if got := guard.AsError(fmt.Errorf("listing: %w", known)); got != known {
		t.Errorf("wrapped: %v", got)
	}
	cause := errors.New("boom")
	if got := guard.AsError(cause); got.Kind != guard.Internal || strings.Contains(got.Message, "boom") || !errors.Is(got, cause) {
		t.Errorf("foreign: %+v", got)
	}
	if guard.KindOf(nil) != "" {
		t.Error("no error has a kind")
	}
}

func TestIsUUID(t *testing.T) {
	for ref, want := range map[string]bool{
		alice().ID:                               true,
		strings.ToUpper(alice().ID):              true,
		"":                                       false,
		"alice@example.com":                      false,
		"1c6ba1ba4f9a4f0a9d3a0d7b3b1c6c01":       false,
		"1c6ba1ba-4f9a-4f0a-9d3a-0d7b3b1c6c0":    false,
		"1c6ba1ba-4f9a-4f0a-9d3a-0d7b3b1c6c01-":  false,
		"1c6ba1ba-4f9a-4f0a-9d3a-0d7b3b1c6c0g":   false,
		"1c6ba1ba-4f9a-4f0a-9d3a-0d7b3b1c6c01\n": false,
	} {
		if got := guard.IsUUID(ref); got != want {
			t.Errorf("%q: %v, want %v", ref, got, want)
		}
	}
}
