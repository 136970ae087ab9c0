package chatops_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/slackapi/slacktest"
)

func TestTheListShowsKeysAndWhatMayBeDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := last(t, w.types(olga, "alice@example.com"))
	if list.To != olga {
		t.Errorf("everybody sees the list, want only who asked: %+v", list)
	}
	if !says(list, older, newer, off, "*active*, 400 days old", "inactive, nobody knows since when") {
		t.Errorf("the list is %s", list.Blocks)
	}
	if got, want := buttons(t, list), "deactivate activate deactivate"; got != want {
		t.Errorf("buttons %q, want %q: nobody knows when the grace period of the inactive one began", got, want)
	}

	w.types(olga, "deactivate alice@example.com "+older+" laptop stolen")
	w.pass(31 * 24 * time.Hour)
	list = last(t, w.types(olga, "<@"+alice+"|alice>"))
	if !says(list, "Last deactivated", "by olga@example.com: laptop stolen") {
		t.Errorf("the list does not say who switched the key and why: %s", list.Blocks)
	}
	if got, want := buttons(t, list), "activate delete activate"; got != want {
		t.Errorf("buttons %q, want %q: none for the last active key", got, want)
	}
}

func TestAKeyIsSwitchedByItsButton(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := last(t, w.types(olga, "alice@example.com"))
	outcome := last(t, w.presses(olga, list, "deactivate"))
	if outcome.To != "" || !says(outcome, older, "alice@example.com", "olga@example.com") {
		t.Errorf("the outcome is %+v", outcome)
	}
	if got, want := w.keys(alice), "1 off, 2 on, 3 off"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		user, text string
		keys       string   // of Alice, afterwards
		says       []string // in the last message
		to         string   // who sees it; empty: everybody
	}{
		"a key":                    {olga, "deactivate alice@example.com " + older + " laptop stolen", "1 off, 2 on, 3 off", []string{older, "laptop stolen", "olga@example.com"}, ""},
		"all keys but the last":    {olga, "deactivate alice@example.com moved to another team", "1 off, 2 on, 3 off", []string{"last_active_key", "--override last_active_key"}, ""},
		"on again":                 {olga, "activate alice@example.com " + off, "1 on, 2 on, 3 on", []string{off}, ""},
		"somebody who left":        {olga, "offboard alice@example.com left the company", "1 off, 2 off, 3 off", []string{"left the company"}, ""},
		"a dry run":                {olga, "deactivate alice@example.com " + older + " --dry-run", "1 on, 2 on, 3 off", []string{older}, olga},
		"one's own":                {alice, "deactivate alice@example.com " + older, "1 off, 2 on, 3 off", []string{older}, ""},
		"a colleague's":            {bob, "deactivate alice@example.com " + older, "1 on, 2 on, 3 off", []string{"neither the owner nor an administrator"}, ""},
		"a colleague's, to see":    {bob, "alice@example.com", "1 on, 2 on, 3 off", []string{"see their own keys only"}, bob},
		"nobody's":                 {olga, "deactivate alcie@example.com " + older, "1 on, 2 on, 3 off", []string{"alcie@example.com"}, olga},
		"nobody who left":          {olga, "offboard alcie@example.com", "1 on, 2 on, 3 off", []string{"alcie@example.com"}, olga},
		"a key of somebody else":   {olga, "deactivate alice@example.com " + bobs, "1 on, 2 on, 3 off", []string{bobs, "check the key id"}, olga},
		"help":                     {nameless, "help", "1 on, 2 on, 3 off", []string{"/keys deactivate"}, nameless},
		"nothing":                  {nameless, "", "1 on, 2 on, 3 off", []string{"/keys deactivate"}, nameless},
		"a misspelt verb":          {olga, "deactivat alice@example.com", "1 on, 2 on, 3 off", []string{"Did you mean", "deactivate"}, olga},
		"somebody without address": {nameless, "deactivate alice@example.com", "1 on, 2 on, 3 off", []string{"users:read.email", "slack:" + nameless}, nameless},
		"somebody by the map":      {mapped, "deactivate max@example.com", "1 on, 2 on, 3 off", []string{"max@example.com"}, ""},
		"a closed account":         {"U0GONE", "deactivate alice@example.com", "1 on, 2 on, 3 off", []string{"no person with an active account"}, "U0GONE"},
		"a bot":                    {"U0BOT", "deactivate alice@example.com", "1 on, 2 on, 3 off", []string{"no person with an active account"}, "U0BOT"},
		"a closed account's keys":  {olga, "offboard <@U0GONE|gone> left", "1 on, 2 on, 3 off", []string{"no person with an active account", "Name the user by e-mail address"}, olga},
		"another workspace":        {"U0ELSEWHERE", "deactivate alice@example.com", "1 on, 2 on, 3 off", []string{"another workspace"}, "U0ELSEWHERE"},
		"a stranger":               {"U0STRANGER", "deactivate alice@example.com", "1 on, 2 on, 3 off", []string{"another workspace"}, "U0STRANGER"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			got := last(t, w.types(tt.user, tt.text))
			if got.To != tt.to || !says(got, tt.says...) {
				t.Errorf("shown to %q: %s %s; want %q, to %q", got.To, got.Text, got.Blocks, tt.says, tt.to)
			}
			if keys := w.keys(alice); keys != tt.keys {
				t.Errorf("keys %s, want %s", keys, tt.keys)
			}
			if strings.Contains(name, "colleague") && says(got, newer) {
				t.Errorf("somebody who may not see the keys is shown one: %s", got.Blocks)
			}
		})
	}
}

// asked lets Olga ask to delete the key of Alice's that has been inactive for long enough, and returns the question.
func asked(t *testing.T, w *world) slacktest.Shown {
	t.Helper()
	w.types(olga, "deactivate alice@example.com "+older+" laptop stolen")
	w.pass(31 * 24 * time.Hour)
	question := last(t, w.types(olga, "delete alice@example.com "+older+" not needed any more"))
	if question.To != "" || !says(question, older, "olga@example.com", "alice@example.com", "not needed any more", "cannot be brought back") {
		t.Fatalf("the question is %+v", question)
	}
	if got, want := buttons(t, question), "approve cancel"; got != want {
		t.Fatalf("buttons %q, want %q", got, want)
	}
	if got, want := w.keys(alice), "1 off, 2 on, 3 off"; got != want {
		t.Fatalf("keys %s before anybody approved, want %s", got, want)
	}
	return question
}

func TestADeletionIsApprovedByASecondPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	question := asked(t, w)
	outcome := last(t, w.presses(otto, question, "approve"))
	if got, want := w.keys(alice), "2 on, 3 off"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
	if outcome.To != "" || !says(outcome, older, "olga@example.com", "otto@example.com", "not needed any more") {
		t.Errorf("the outcome does not say who asked, who approved and why: %s", outcome.Blocks)
	}
	after := w.slack.Shown()[question.Index]
	if buttons(t, after) != "" || !says(after, "Approved by <@"+otto+">") {
		t.Errorf("the question is %s", after.Blocks)
	}
	memory, err := w.ledger.Recall(t.Context(), w.users[alice].ID)
	must(t, err)
	change := memory.Changes[older]
	if change.Actor.Email != "olga@example.com" || change.ApprovedBy.Email != "otto@example.com" || change.Action != guard.Delete {
		t.Errorf("the ledger has %+v", change)
	}
}

// Who may not approve, and what cannot be approved, changes nothing.
func TestApprovalsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		by   string
		then func(w *world)
		says string
	}{
		"by who asked":                {olga, nil, "a second person must approve"},
		"by somebody not permitted":   {bob, nil, "see their own keys only"},
		"by somebody without address": {nameless, nil, "users:read.email"},
		"by a closed account":         {"U0GONE", nil, "no person with an active account"},
		"by another workspace":        {"U0ELSEWHERE", nil, "another workspace"},
		"too late":                    {otto, func(w *world) { w.pass(10*time.Minute + time.Second) }, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			question := asked(t, w)
			if tt.then != nil {
				tt.then(w)
			}
			told := last(t, w.presses(tt.by, question, "approve"))
			if told.To != tt.by || !says(told, tt.says) {
				t.Errorf("shown to %q: %s; want %q to %s alone", told.To, told.Text, tt.says, tt.by)
			}
			if got, want := w.keys(alice), "1 off, 2 on, 3 off"; got != want {
				t.Errorf("keys %s, want %s", got, want)
			}
			if tt.then == nil {
				w.presses(otto, question, "approve")
				if got, want := w.keys(alice), "2 on, 3 off"; got != want {
					t.Errorf("keys %s after somebody else approved, want %s", got, want)
				}
			}
		})
	}
}

// The owner of the keys is another permitted person, too.
func TestTheOwnerApproves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.presses(alice, asked(t, w), "approve")
	if got, want := w.keys(alice), "2 on, 3 off"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
}

func TestOneApprovesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.worker.Alone = true
	w.presses(olga, asked(t, w), "approve")
	if got, want := w.keys(alice), "2 on, 3 off"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
}

func TestACancelledQuestionCannotBeApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	question := asked(t, w)
	stale := w.approved(question)
	w.presses(bob, question, "cancel")
	if after := w.slack.Shown()[question.Index]; buttons(t, after) != "" || !says(after, "Cancelled by <@"+bob+">") {
		t.Errorf("the question is %s", after.Blocks)
	}
	w.deliver("Chat Message Received", stale)
	if told := last(t, w.slack.Shown()); told.To != otto || !says(told, "decided once") {
		t.Errorf("shown %+v", told)
	}
	if got, want := w.keys(alice), "1 off, 2 on, 3 off"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
}

// Whoever is nobody here, as somebody of another workspace in a shared channel, cannot keep others from deciding.
func TestNobodyCancels(t *testing.T) {
	t.Parallel()
	for _, nobody := range []string{"U0ELSEWHERE", "U0STRANGER", nameless} {
		w := newWorld(t)
		question := asked(t, w)
		if told := last(t, w.presses(nobody, question, "cancel")); told.To != nobody {
			t.Errorf("%s: shown %+v", nobody, told)
		}
		w.presses(otto, question, "approve")
		if got, want := w.keys(alice), "2 on, 3 off"; got != want {
			t.Errorf("%s: keys %s, want %s", nobody, got, want)
		}
	}
}

// approved is the message that Otto's press of Approve makes of itself, before anybody acts on it.
func (w *world) approved(question slacktest.Shown) map[string]any {
	w.t.Helper()
	_, err := w.slack.Press(w.t.Context(), otto, question.Index, "approve", 0)
	must(w.t, err)
	var m map[string]any
	all := w.bus.Chat()
	must(w.t, json.Unmarshal(all[len(all)-1], &m))
	w.chat = len(all)
	return m
}

// TestAnApprovalCountsOnce lets two presses of the button, and each of them twice, arrive behind the bus.
func TestAnApprovalCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	question := asked(t, w)
	first := w.approved(question)
	w.pass(time.Second)
	second := w.approved(question)
	for range 2 {
		w.deliver("Chat Message Received", first)
		w.deliver("Chat Message Received", second)
	}
	if got := len(w.bus.Requests()) - w.requests; got != 2 {
		t.Fatalf("%d requests, want that of the first press, delivered twice", got)
	}
	requests := w.bus.Requests()[w.requests:]
	if requests[0].Event() != requests[1].Event() {
		t.Errorf("the requests are of two events: %+v", requests)
	}
	w.settle()
	if got := w.deletions(); got != 1 {
		t.Errorf("%d deletions, want 1", got)
	}
}

func TestAlteredApprovals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	question := asked(t, w)
	genuine := w.approved(question)
	token, ok := genuine["button"].(map[string]any)["value"].(string)
	if !ok {
		t.Fatalf("the press has no token: %v", genuine)
	}
	for name, value := range map[string]string{
		"a letter changed": strings.Replace(token, token[60:61], string(token[60]^1), 1),
		"cut short":        token[:len(token)-1],
		"empty":            "",
		"none":             "eyJhbGciOiJub25lIn0." + strings.Split(token, ".")[1] + ".",
	} {
		t.Run(name, func(t *testing.T) {
			altered := maps.Clone(genuine)
			altered["id"], altered["button"] = "another press: "+name, map[string]any{"action": "approve", "value": value}
			w.deliver("Chat Message Received", altered)
			if got, want := w.keys(alice), "1 off, 2 on, 3 off"; got != want || len(w.bus.Requests()) != w.requests {
				t.Errorf("keys %s, %d new requests; want %s and none", got, len(w.bus.Requests())-w.requests, want)
			}
			if told := last(t, w.slack.Shown()); told.To != otto {
				t.Errorf("shown %+v, want Otto told", told)
			}
		})
	}
}

// A deletion that names no key is one of those that there are when it is asked for, and of no others.
func TestADeletionOfAllIsOfThoseThatWereShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.SetBuckets(w.users[alice].ID, ionostest.Berlin, "backups")
	w.types(olga, "offboard alice@example.com left")
	w.pass(31 * 24 * time.Hour)
	question := last(t, w.types(olga, "delete alice@example.com"))
	if !says(question, older, newer, off, "Left out:", "only key") {
		t.Fatalf("the question is %s", question.Blocks)
	}
	w.api.AddKey(w.users[alice].ID, ionostest.Key{ID: "00000000000000000004", Created: w.now()})
	w.presses(otto, question, "approve")
	if got, want := w.keys(alice), "2 off, 4 off"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
}

// Whoever is asked learns why a key is left out, of each: else a misspelt one would pass for one that is off.
func TestTheQuestionSaysWhyKeysAreLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	question := last(t, w.types(olga, "deactivate alice@example.com "+newer+" "+off+" "+bobs+" moved --override last_active_key"))
	if !says(question, "`"+off+"`: nothing would change", "alice@example.com has no access key `"+bobs+"`: check the key id") {
		t.Errorf("the question is %s", question.Blocks)
	}
}

func TestAnOverrideIsApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	question := last(t, w.types(olga, "deactivate bob@example.com moved --override last_active_key"))
	if !says(question, bobs, "overriding `last_active_key`", "moved") || w.keys(bob) != "9 on" {
		t.Fatalf("the question is %s, the key %s", question.Blocks, w.keys(bob))
	}
	outcome := last(t, w.presses(otto, question, "approve"))
	if w.keys(bob) != "9 off" || !says(outcome, "last_active_key") {
		t.Errorf("the key is %s, the outcome %s", w.keys(bob), outcome.Blocks)
	}
}

// What is approved is that somebody left, and that they lose exactly these keys.
func TestAnOffboardingIsApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	question := last(t, w.types(olga, "offboard alice@example.com left the company --override blast_radius"))
	if !says(question, "*offboard* alice@example.com and switch off 2 access keys", older, newer, "overriding `blast_radius`") {
		t.Fatalf("the question is %s", question.Blocks)
	}
	w.api.AddKey(w.users[alice].ID, ionostest.Key{ID: "00000000000000000004", Active: true, Created: w.now()})
	w.presses(otto, question, "approve")
	if got, want := w.keys(alice), "1 off, 2 off, 3 off, 4 on"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
	memory, err := w.ledger.Recall(t.Context(), w.users[alice].ID)
	must(t, err)
	if got, want := memory.OffboardedAt, w.now(); !got.Equal(want) {
		t.Errorf("the ledger has that Alice left at %s, want %s", got, want)
	}
}

// That somebody left is kept, also where no key of theirs is on, and then there is nothing to approve.
func TestAnOffboardingThatChangesNoKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.SwitchKey(w.users[bob].ID, bobs, false)
	if got := last(t, w.types(olga, "offboard bob@example.com left the company --override blast_radius")); buttons(t, got) != "" || !says(got, "Left unchanged", "offboarding") {
		t.Errorf("shown %s", got.Blocks)
	}
	memory, err := w.ledger.Recall(t.Context(), w.users[bob].ID)
	must(t, err)
	if got, want := memory.OffboardedAt, w.now(); !got.Equal(want) {
		t.Errorf("the ledger has that Bob left at %s, want %s", got, want)
	}
	if requests := w.bus.Requests(); len(requests) != 1 || len(requests[0].Override) != 0 {
		t.Errorf("requests %+v, want one that overrides nothing", requests)
	}
}

// What the guard would refuse in whole is refused at once, and everybody hears of it as of every refusal.
func TestNobodyIsAskedAboutWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ user, text, rule string }{
		"too young":           {olga, "delete alice@example.com " + off, "grace_period"},
		"active":              {olga, "delete alice@example.com " + older, "still_active"},
		"not theirs":          {bob, "delete alice@example.com " + off, "not_permitted"},
		"not theirs, and all": {bob, "delete alice@example.com", "not_permitted"},
		"no administrator":    {alice, "delete alice@example.com " + off + " --override grace_period", "grace_period"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			got := last(t, w.types(tt.user, tt.text))
			if buttons(t, got) != "" || !says(got, "Refused to delete") {
				t.Errorf("shown %s, want a refusal", got.Blocks)
			}
			finished := w.bus.Finished()
			if len(finished) != 1 || finished[0].Keys[0].Rule != guard.Rule(tt.rule) || finished[0].DryRun || len(w.bus.Requests()) != 0 {
				t.Errorf("announced %+v after %d requests, want the refusal", finished, len(w.bus.Requests()))
			}
		})
	}
}

// buttons returns the action ids of a message's buttons.
func buttons(t *testing.T, m slacktest.Shown) string {
	t.Helper()
	var blocks []struct {
		Type     string `json:"type"`
		Elements []struct {
			ActionID string `json:"action_id"`
		} `json:"elements"`
	}
	must(t, json.Unmarshal(m.Blocks, &blocks))
	var ids []string
	for _, block := range blocks {
		for _, element := range block.Elements {
			if block.Type == "actions" {
				ids = append(ids, element.ActionID)
			}
		}
	}
	return strings.Join(ids, " ")
}
