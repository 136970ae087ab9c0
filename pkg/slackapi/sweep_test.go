package slackapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
	"keyreeve/pkg/slackapi/slacktest"
)

// sweep is one of a large contract, with the change.
func sweep(change func(*guard.Sweep), tallies ...guard.SweepTally) guard.Sweep {
	s := guard.Sweep{
		ID: "2026-11-22-1", StartedAt: now(), FinishedAt: now(), Users: 10_000, Keys: 30_000, Policies: tallies,
		Report: "https://reports.example.com/keys/2026-11-22/report.html?a=b&c=d",
	}
	if change != nil {
		change(&s)
	}
	return s
}

func enforced() guard.SweepTally {
	return guard.SweepTally{Policy: guard.MaxAge, Mode: guard.Enforce, Warn: 30, Wait: 41, Deactivate: 12, Refused: 2}
}

func reported() guard.SweepTally {
	return guard.SweepTally{Policy: guard.DeleteAfterGrace, Mode: guard.Report, Delete: 3}
}

// sweeps are those of the golden files, by name.
func sweeps() map[string]guard.Sweep {
	nothing := guard.SweepTally{Policy: guard.InactiveUser, Mode: guard.Enforce}
	reported := reported()
	stopped := func(stop guard.SweepStop) func(*guard.Sweep) { return func(s *guard.Sweep) { s.Stopped = &stop } }
	tooMany := guard.SweepStop{
		Brake: guard.TooManyDue, Message: "12000 of 30000 keys are due, and the limit is 20 percent.",
		Remedy: "Look at the report. If all of it is meant, raise KEYREEVE_SWEEP_MAX_SHARE.",
	}
	return map[string]guard.Sweep{
		"finished":        sweep(nil, enforced(), nothing, reported),
		"nothing_due":     sweep(nil, nothing, guard.SweepTally{Policy: guard.MaxAge, Mode: guard.Report}),
		"no_policy":       sweep(nil),
		"one_key":         sweep(func(s *guard.Sweep) { s.Users, s.Keys = 1, 1 }, guard.SweepTally{Policy: guard.MaxAge, Mode: guard.Enforce, Deactivate: 1}),
		"only_waiting":    sweep(nil, guard.SweepTally{Policy: guard.MaxAge, Mode: guard.Enforce, Wait: 1}),
		"report_in_file":  sweep(func(s *guard.Sweep) { s.Report = "file:///home/me/reports/2026-11-22/report.html" }, reported),
		"no_report":       sweep(func(s *guard.Sweep) { s.Report = "" }, reported),
		"stopped":         sweep(stopped(tooMany), enforced(), reported),
		"stopped_reading": sweep(stopped(guard.SweepStop{Brake: guard.BrokenReading, Message: "IONOS broke off."})),
		"what_outsiders_may_send": sweep(func(s *guard.Sweep) {
			stopped(guard.SweepStop{Brake: "<!here>", Message: "<!channel> & *all*\nof you\u202e", Remedy: "Call <@U0BOB>."})(s)
			s.Report = "javascript:alert(1)|`<!channel>`"
		}, guard.SweepTally{Policy: "a`b<c>", Mode: "<d>", Delete: 1}),
		"would_stop": sweep(func(s *guard.Sweep) { s.WouldStop = &tooMany }, enforced(), reported),
		"would_stop_what_outsiders_may_send": sweep(func(s *guard.Sweep) {
			s.WouldStop = &guard.SweepStop{Brake: "<!here>", Message: "<!channel> & *all*\nof you\u202e"}
		}),
		"stopped_and_would_stop": sweep(func(s *guard.Sweep) {
			stopped(guard.SweepStop{Brake: guard.ShrunkReading, Message: "Half of the users are missing."})(s)
			s.WouldStop = &tooMany
		}, enforced(), reported),
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	for name, s := range sweeps() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks(t, "sweep", name, slackapi.Sweep(s))
		})
	}
}

// Whatever a sweep holds, Slack takes the message.
func TestSweepFitsIntoSlack(t *testing.T) {
	t.Parallel()
	text := anyText()
	report := rapid.OneOf(text, rapid.StringMatching("https?://[!-~]{0,1000}"), rapid.Just("https://"+strings.Repeat("&", 1000)))
	rapid.Check(t, func(rt *rapid.T) {
		number := rapid.Int()
		s := guard.Sweep{
			ID: "s1", StartedAt: now(), Users: number.Draw(rt, "users"), Keys: number.Draw(rt, "keys"),
			Report: report.Draw(rt, "report"),
		}
		for range rapid.SampledFrom([]int{0, 1, 3, 200}).Draw(rt, "policies") {
			s.Policies = append(s.Policies, guard.SweepTally{
				Policy: guard.SweepPolicy(text.Draw(rt, "policy")), Mode: guard.SweepMode(text.Draw(rt, "mode")),
				Warn: number.Draw(rt, "warn"), Wait: number.Draw(rt, "wait"), Refused: number.Draw(rt, "refused"),
			})
		}
		stop := &guard.SweepStop{
			Brake: guard.Brake(text.Draw(rt, "brake")), Message: text.Draw(rt, "message"), Remedy: text.Draw(rt, "remedy"),
		}
		if rapid.Bool().Draw(rt, "stopped") {
			s.Stopped = stop
		}
		if rapid.Bool().Draw(rt, "would stop") {
			s.WouldStop = stop
		}
		fits(rt, slackapi.Sweep(s))
	})
}

func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringMatching("[&<>`*|@!# a🔑\u202e\n]{0,1000}"), rapid.Just(strings.Repeat("&", 1000)))
}

// fits makes sure that Slack takes the message. What it takes in all is not documented: 12000 characters, less what each
// block takes.
func fits(rt *rapid.T, m slackapi.Message) {
	rt.Helper()
	blocks, err := json.Marshal(m.Blocks)
	if err != nil {
		rt.Fatal(err)
	}
	if err := slacktest.Check(blocks); err != nil {
		rt.Fatalf("Slack refuses the blocks: %v\n%s", err, blocks)
	}
	if m.Text == "" || strings.Contains(m.Text, "\n") {
		rt.Errorf("the text for notifications is %q", m.Text)
	}
	type text struct {
		Text string `json:"text"`
	}
	var texts []struct {
		Text     text   `json:"text"`
		Elements []text `json:"elements"`
	}
	if err := json.Unmarshal(blocks, &texts); err != nil {
		rt.Fatal(err)
	}
	all := ""
	for _, block := range texts {
		all += block.Text.Text
		for _, element := range block.Elements {
			all += element.Text
		}
	}
	if n := len([]rune(all)); n > 11_000 {
		rt.Errorf("a message of %d characters is more than Slack takes", n)
	}
}
