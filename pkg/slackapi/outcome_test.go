package slackapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
	"keyreeve/pkg/slackapi/slacktest"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write testdata anew")
	flag.Parse()
	os.Exit(m.Run())
}

// The keys of the tests, as they look.
const (
	one   = "00e1a7c4d9f0b2385c61"
	two   = "00e2b8d5e0a1c3496d72"
	three = "00e3c9e6f1b2d4507e83"
)

func now() time.Time { return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) }

func alice() guard.User {
	return guard.User{ID: "1c6ba1ba-4f9a-4f0a-9d3a-0d7b3b1c6c01", Email: "alice@example.com", Active: true}
}

func bob() guard.Actor {
	return guard.Actor{Kind: guard.ChatOps, Name: "bob", Email: "bob@example.com"}
}

func carol() guard.Actor {
	return guard.Actor{Kind: guard.ChatOps, Name: "carol", Email: "carol@example.com"}
}
func hr() guard.Actor { return guard.Actor{Kind: guard.System, Name: "okta"} }

// finished is what bob asked for in Slack, with the change.
func finished(action guard.Action, change func(*guard.Finished), keys ...guard.KeyResult) guard.Finished {
	f := guard.Finished{
		Result: guard.Result{ID: "r-1", Action: action, User: alice(), Keys: keys},
		Actor:  bob(), Reason: "laptop stolen", Source: "slack", OccurredAt: now(),
	}
	if change != nil {
		change(&f)
	}
	return f
}

func changed(id string, over ...guard.Rule) guard.KeyResult {
	return guard.KeyResult{ID: id, Outcome: guard.Changed, Overridden: over}
}

func withheld(id string, outcome guard.Outcome, rule guard.Rule, message, remedy string) guard.KeyResult {
	return guard.KeyResult{ID: id, Outcome: outcome, Rule: rule, Message: message, Remedy: remedy}
}

// refusals are one request for each rule, all about keys of alice: with the request as it is, the guard refuses.
func refusals() map[guard.Rule]func(*guard.Request, *guard.Reading, *guard.Policy) {
	const day = 24 * time.Hour
	off := func(reading *guard.Reading, since time.Duration) {
		for i := range reading.Keys {
			reading.Keys[i].Active = false
			reading.Keys[i].Modified = now().Add(-since)
		}
	}
	return map[guard.Rule]func(*guard.Request, *guard.Reading, *guard.Policy){
		guard.NotPermitted: func(_ *guard.Request, reading *guard.Reading, _ *guard.Policy) { reading.ActorAdministers = false },
		guard.UntrustedTrigger: func(req *guard.Request, _ *guard.Reading, _ *guard.Policy) {
			req.Action, req.Actor, req.Source = guard.Activate, hr(), "okta"
		},
		guard.Stale: func(req *guard.Request, _ *guard.Reading, _ *guard.Policy) { req.OccurredAt = now().Add(-3 * day) },
		guard.Exempt: func(_ *guard.Request, _ *guard.Reading, policy *guard.Policy) {
			policy.Exemptions = []guard.Exemption{{Pattern: "alice@*"}}
		},
		guard.OwnIdentity: func(_ *guard.Request, reading *guard.Reading, _ *guard.Policy) {
			reading.Self = guard.Identity{Email: alice().Email}
		},
		guard.Offboarded: func(req *guard.Request, reading *guard.Reading, _ *guard.Policy) {
			req.Action, reading.Memory.OffboardedAt = guard.Activate, now().Add(-day)
			off(reading, 2*day)
		},
		guard.LastActiveKey: func(*guard.Request, *guard.Reading, *guard.Policy) {},
		guard.StillActive: func(req *guard.Request, _ *guard.Reading, _ *guard.Policy) {
			req.Action, req.Confirm = guard.Delete, req.Keys
		},
		guard.Confirmation: func(req *guard.Request, reading *guard.Reading, _ *guard.Policy) {
			req.Action = guard.Delete
			off(reading, 40*day)
		},
		guard.GracePeriod: func(req *guard.Request, reading *guard.Reading, _ *guard.Policy) {
			req.Action, req.Confirm = guard.Delete, req.Keys
			off(reading, 2*day)
		},
		guard.OnlyKeyWithBuckets: func(req *guard.Request, reading *guard.Reading, _ *guard.Policy) {
			req.Action, req.Confirm = guard.Delete, req.Keys
			off(reading, 40*day)
		},
		guard.BlastRadius: func(req *guard.Request, reading *guard.Reading, policy *guard.Policy) {
			req.Action, reading.RecentChanges, policy.MaxChanges = guard.Activate, 50, 50
			off(reading, 2*day)
		},
	}
}

// refusedBy returns what the guard itself says of a request that the rule refuses.
func refusedBy(t *testing.T, rule guard.Rule) guard.Finished {
	t.Helper()
	req := guard.Request{Action: guard.Deactivate, User: alice().Email, Keys: []string{one}, Actor: bob(), Source: "slack", Reason: "laptop stolen", OccurredAt: now()}
	reading := guard.Reading{
		User: alice(), ActorAdministers: true,
		Keys: []guard.Key{{ID: one, Active: true, Created: now().Add(-1000 * time.Hour), Modified: now().Add(-1000 * time.Hour)}},
	}
	policy := guard.Policy{DeleteGrace: 30 * 24 * time.Hour, EventMaxAge: 24 * time.Hour, MaxChanges: 50}
	refusals()[rule](&req, &reading, &policy)
	v := guard.Judge(req, reading, policy, now())[0]
	if v.Rule != rule {
		t.Fatalf("the guard refuses by %q: %s", v.Rule, v.Message)
	}
	return req.Finish(guard.Result{
		ID: "r-1", Action: req.Action, User: alice(), Keys: []guard.KeyResult{withheld(one, v.Outcome, v.Rule, v.Message, v.Remedy)},
	})
}

// told are the outcomes of the golden files, by name, apart from the refusals.
func told() map[string]guard.Finished {
	lastActive := withheld(two, guard.Refused, guard.LastActiveKey, two+" is the last active key of alice@example.com that opens all their buckets: without it they lose access.",
		`Activate or create another key first, or repeat the request with override ["last_active_key"], or with offboarding if the person left.`)
	failed := withheld(three, guard.Failed, "", "IONOS failed and could not switch the key off (status 500).", "Try again later.")
	late := withheld(three, guard.Superseded, "", "A newer event, of 2026-11-22 11:58 UTC, already decided on this key (activate).", "")
	offboarding := func(f *guard.Finished) {
		f.Offboarding, f.Actor, f.Source, f.Reason = true, hr(), "okta", "user.lifecycle.deactivate"
	}
	warning := func(code guard.WarningCode, message string) func(*guard.Finished) {
		return func(f *guard.Finished) {
			offboarding(f)
			f.Warnings = []guard.Warning{{Code: code, Message: message}}
		}
	}
	crowd := make([]guard.KeyResult, 100)
	for i := range crowd {
		crowd[i] = changed(fmt.Sprintf("%092d", i))
	}
	return map[string]guard.Finished{
		"deactivated":           finished(guard.Deactivate, nil, changed(one), changed(two)),
		"activated":             finished(guard.Activate, func(f *guard.Finished) { f.Reason = "" }, changed(one)),
		"deleted_with_approval": finished(guard.Delete, func(f *guard.Finished) { f.ApprovedBy = carol() }, changed(one, guard.GracePeriod, guard.OnlyKeyWithBuckets), changed(two)),
		"unchanged":             finished(guard.Deactivate, nil, withheld(one, guard.Unchanged, "", "", "")),
		"carried_out_before":    finished(guard.Deactivate, nil, withheld(one, guard.Unchanged, "", "This very event was carried out before.", "")),
		"superseded":            finished(guard.Deactivate, nil, late),
		"failed":                finished(guard.Deactivate, nil, failed),
		"mixed":                 finished(guard.Deactivate, nil, changed(one), lastActive, failed),
		"all_fates":             finished(guard.Deactivate, nil, withheld("00e4", guard.Unchanged, "", "", ""), late, changed(one), lastActive, withheld("00e5", guard.Failed, "", failed.Message, failed.Remedy)),
		"dry_run":               finished(guard.Deactivate, func(f *guard.Finished) { f.DryRun = true }, changed(one), lastActive),
		"dry_run_refused":       finished(guard.Deactivate, func(f *guard.Finished) { f.DryRun = true }, lastActive),
		"offboarding":           finished(guard.Deactivate, warning(guard.UserCanCreateKeys, "alice@example.com can still log in to IONOS and make a new key: deactivate the user, or take them out of the groups with object storage."), changed(one), changed(two)),
		"no_keys":               finished(guard.Deactivate, offboarding),
		"switched_back_on":      finished(guard.Activate, warning(guard.SwitchedBackOn, one+" was switched back on: an earlier request had switched it off and did not live to see whether the user has another key."), changed(two)),
		"not_announced":         finished(guard.Deactivate, warning(guard.NotAnnounced, "The bus did not confirm that it has the outcome; it is in the function's log, and changes are in the ledger."), changed(one)),
		"unknown_user":          finished(guard.Deactivate, warning(guard.UnknownUser, "alice@example.com left and is no user of the IONOS contract.")),
		"repeated":              finished(guard.Deactivate, warning(guard.Repeated, "okta said again, to the letter, that alice@example.com left. It was not carried out again: if they were back and left once more, let an operator deactivate their keys.")),
		"given_up":              finished(guard.Delete, warning(guard.GivenUp, "The request failed too often and waits with the dead letters: IONOS could not be reached or broke off, and did not list keys.")),
		"unmapped_user": finished(guard.Deactivate, func(f *guard.Finished) {
			warning(guard.UnmappedUser, "Nobody knows the e-mail address of github:4711, so no access key was switched off. Add it to KEYREEVE_IDENTITY_MAP; the request waits.")(f)
			f.User = guard.User{}
		}),
		"hundred_keys": finished(guard.Deactivate, nil, crowd...),
		"what_outsiders_may_send": finished(guard.Deactivate, func(f *guard.Finished) {
			f.User.Email, f.Reason, f.Actor = "a&b@example.com", "<!channel> *urgent* <https://example.com|click>\nlast line \u202etxt", guard.Actor{Kind: guard.System, Name: "<@U0BOB>"}
		}, changed("00`e1"), withheld(two, guard.Refused, guard.Exempt, `"<b>" is exempt: Keyreeve leaves it alone.`, "Take it out.")),
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	all := told()
	for rule := range refusals() {
		all["refused_"+string(rule)] = refusedBy(t, rule)
	}
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks(t, "outcome", name, slackapi.Outcome(f))
		})
	}
}

// looks compares the message as it is sent with the golden file of that name.
func looks(t *testing.T, folder, name string, m slackapi.Message) {
	t.Helper()
	got := rendered(t, m)
	golden := filepath.Join("testdata", folder, name+".json")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A golden file that no test reads would go on showing what nobody sees any more.
func TestEveryGoldenFileIsRead(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		folder, name := filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".json")
		read := false
		switch folder {
		case "outcome":
			_, isTold := told()[name]
			_, isRefusal := refusals()[guard.Rule(strings.TrimPrefix(name, "refused_"))]
			read = isTold || isRefusal
		case "sweep":
			_, read = sweeps()[name]
		case "warning":
			_, read = warnings()[name]
		}
		if !read {
			t.Errorf("nothing looks like %s", file)
		}
	}
}

// rendered returns the message as it is sent, and makes sure that Slack takes it.
func rendered(t *testing.T, m slackapi.Message) []byte {
	t.Helper()
	blocks, err := json.Marshal(m.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	if err := slacktest.Check(blocks); err != nil {
		t.Errorf("Slack refuses the blocks: %v", err)
	}
	if m.Text == "" || strings.Contains(m.Text, "\n") {
		t.Errorf("the text for notifications is %q, want one line", m.Text)
	}
	var indented bytes.Buffer
	encoder := json.NewEncoder(&indented)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(map[string]any{"text": m.Text, "blocks": m.Blocks}); err != nil {
		t.Fatal(err)
	}
	return indented.Bytes()
}

// Whatever rule can be overridden, its refusal says how that is typed in Slack.
func TestOverridesAreAsTheyAreTyped(t *testing.T) {
	t.Parallel()
	err := guard.Request{Override: []guard.Rule{"no_such_rule"}}.Validate(now())
	_, list, _ := strings.Cut(err.Error(), `"no_such_rule" is not a rule that can be overridden (`)
	list, _, _ = strings.Cut(list, ")")
	overridable := strings.Split(list, ", ")
	if len(overridable) < 5 {
		t.Fatalf("the guard names %q as what can be overridden, want more", overridable)
	}
	for _, rule := range overridable {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			if _, ok := refusals()[guard.Rule(rule)]; !ok {
				t.Fatal("no test knows a request that the rule refuses")
			}
			got := string(rendered(t, slackapi.Outcome(refusedBy(t, guard.Rule(rule)))))
			if !strings.Contains(got, "`--override "+rule+"`") || strings.Contains(got, "override [") {
				t.Errorf("the refusal is %s, want `--override %s` in it", got, rule)
			}
		})
	}
}

// Whoever may not touch a person's keys does not get to know them.
func TestRefusedOutrightNamesNoKey(t *testing.T) {
	t.Parallel()
	f := refusedBy(t, guard.NotPermitted)
	f.Keys = append(f.Keys, withheld(two, guard.Refused, guard.NotPermitted, f.Keys[0].Message, f.Keys[0].Remedy))
	got := string(rendered(t, slackapi.Outcome(f)))
	if strings.Contains(got, one) || strings.Contains(got, two) || strings.Contains(got, "2") {
		t.Errorf("it tells the keys, or how many there are: %s", got)
	}
	if n := strings.Count(got, "KEYREEVE_OPERATORS"); n != 1 {
		t.Errorf("the remedy is there %d times: %s", n, got)
	}
}

// Whatever an outcome holds, Slack takes the message; every id in it is complete; and all keys are counted.
func TestOutcomeFitsIntoSlack(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.String(), rapid.StringMatching("[&<>`*|@!# a🔑\u202e\n]{0,1000}"), rapid.Just(strings.Repeat("&", 1000)))
	ids := rapid.SliceOfNDistinct(rapid.StringMatching("[!-~]{1,128}"), 0, 100, rapid.ID[string])
	rapid.Check(t, func(rt *rapid.T) {
		f := finished(rapid.SampledFrom(append(guard.Actions(), "")).Draw(rt, "action"), func(f *guard.Finished) {
			f.User.Email, f.Reason, f.Source = text.Draw(rt, "user"), text.Draw(rt, "reason"), text.Draw(rt, "source")
			f.Actor.Email, f.ApprovedBy.Name = text.Draw(rt, "actor"), text.Draw(rt, "approver")
			for _, message := range rapid.SliceOfN(text, 0, 5).Draw(rt, "warnings") {
				f.Warnings = append(f.Warnings, guard.Warning{Code: guard.NotAnnounced, Message: message})
			}
			f.DryRun, f.Offboarding = rapid.Bool().Draw(rt, "dry run"), rapid.Bool().Draw(rt, "offboarding")
		})
		same := rapid.Bool().Draw(rt, "one fate")
		why, remedy := text.Draw(rt, "message"), text.Draw(rt, "remedy")
		for _, id := range ids.Draw(rt, "ids") {
			k := withheld(id, guard.Refused, guard.StillActive, why, remedy)
			if !same {
				k.Outcome = rapid.SampledFrom([]guard.Outcome{guard.Changed, guard.Refused, guard.Failed, guard.Superseded, guard.Unchanged}).Draw(rt, "outcome")
				k.Message = text.Draw(rt, "its message")
			}
			f.Keys = append(f.Keys, k)
		}
		got := slackapi.Outcome(f)
		blocks, err := json.Marshal(got.Blocks)
		if err != nil {
			rt.Fatal(err)
		}
		if err := slacktest.Check(blocks); err != nil {
			rt.Fatalf("Slack refuses the blocks: %v\n%s", err, blocks)
		}
		if got.Text == "" || strings.Contains(got.Text, "\n") {
			rt.Errorf("the text for notifications is %q", got.Text)
		}
	})
}

// Some characters count as two.
func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	for long, want := range map[string]string{
		strings.Repeat("y", 600): strings.Repeat("y", 600),
		strings.Repeat("y", 601): strings.Repeat("y", 599) + "…",
		strings.Repeat("🔑", 300): strings.Repeat("🔑", 300),
		strings.Repeat("🔑", 301): strings.Repeat("🔑", 299) + "…",
	} {
		got := string(rendered(t, slackapi.Outcome(finished(guard.Deactivate, nil, withheld(one, guard.Failed, "", long, "")))))
		if !strings.Contains(got, "`: "+want+`"`) {
			t.Errorf("%d bytes become %s", len(long), got)
		}
	}
}

// However many keys there are, each is shown to its last character or counted among those that are not.
func TestEveryKeyIsShownOrCounted(t *testing.T) {
	t.Parallel()
	more := regexp.MustCompile(`\band ([0-9]+) more\b`)
	rapid.Check(t, func(rt *rapid.T) {
		f := finished(guard.Deactivate, nil)
		keys := rapid.SampledFrom([]int{1, 2, 10, 100}).Draw(rt, "keys")
		ids := rapid.SliceOfNDistinct(rapid.StringMatching("[0-9a-f]{20}|[0-9A-Za-z]{92}"), keys, keys, rapid.ID[string])
		for _, id := range ids.Draw(rt, "ids") {
			k := changed(id)
			k.Outcome = rapid.SampledFrom([]guard.Outcome{guard.Changed, guard.Refused, guard.Failed, guard.Superseded, guard.Unchanged}).Draw(rt, "outcome")
			k.Message = rapid.SampledFrom([]string{"", "IONOS failed.", id + " is active.", "Nobody knows since when " + id + " has been off."}).Draw(rt, "message")
			f.Keys = append(f.Keys, k)
		}
		got := string(rendered(t, slackapi.Outcome(f)))
		counted := 0
		for _, k := range f.Keys {
			counted += min(1, strings.Count(got, "`"+k.ID+"`"))
		}
		for _, match := range more.FindAllStringSubmatch(got, -1) {
			n, err := strconv.Atoi(match[1])
			if err != nil {
				rt.Fatal(err)
			}
			counted += n
		}
		if counted != len(f.Keys) {
			rt.Errorf("%d keys are shown or counted, want %d: %s", counted, len(f.Keys), got)
		}
	})
}
