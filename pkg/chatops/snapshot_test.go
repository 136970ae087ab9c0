package chatops_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/slackapi/slacktest"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write testdata/messages anew")
	m.Run()
}

// TestMessages compares what people read in Slack with testdata/messages. `go test -update` writes it anew, for somebody
// to read: it has to be short and clear, the ids of keys whole, and nothing secret.
func TestMessages(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		user string
		text []string // the last command is the one that counts
		wait time.Duration
		then func(t *testing.T, w *world, m slacktest.Shown) slacktest.Shown
	}{
		"help":                     {olga, []string{"help"}, 0, nil},
		"list":                     {olga, []string{"deactivate alice@example.com " + older + " laptop stolen", "alice@example.com"}, 31 * 24 * time.Hour, nil},
		"list_of_nobody":           {olga, []string{"otto@example.com"}, 0, nil},
		"list_of_a_leaver":         {olga, []string{"offboard bob@example.com left", "bob@example.com"}, 0, nil},
		"list_refused":             {bob, []string{"alice@example.com"}, 0, nil},
		"list_unknown":             {olga, []string{"alcie@example.com"}, 0, nil},
		"question_delete":          {olga, []string{"offboard alice@example.com left", "delete alice@example.com \"*not* needed <!channel> & <b> `gone`\""}, 31 * 24 * time.Hour, nil},
		"question_override":        {olga, []string{"deactivate bob@example.com moved --override last_active_key"}, 0, nil},
		"question_offboard":        {olga, []string{"offboard alice@example.com left --override blast_radius"}, 0, nil},
		"question_approved":        {olga, []string{"deactivate bob@example.com moved --override last_active_key"}, 0, pressed(otto, "approve")},
		"question_cancelled":       {olga, []string{"deactivate bob@example.com moved --override last_active_key"}, 0, pressed(bob, "cancel")},
		"question_by_oneself":      {olga, []string{"deactivate bob@example.com moved --override last_active_key"}, 0, told(olga, "approve")},
		"question_too_late":        {olga, []string{"deactivate bob@example.com moved --override last_active_key"}, 0, later(otto)},
		"error_misspelt":           {olga, []string{"deactivat alice@example.com"}, 0, nil},
		"error_without_an_address": {nameless, []string{"alice@example.com"}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.api.SetBuckets(w.users[alice].ID, ionostest.Berlin, "backups")
			var shown slacktest.Shown
			for i, text := range tt.text {
				if i == len(tt.text)-1 {
					w.pass(tt.wait)
				}
				shown = last(t, w.types(tt.user, text))
			}
			if tt.then != nil {
				shown = tt.then(t, w, shown)
			}
			compare(t, filepath.Join("testdata", "messages", name+".json"), shown)
		})
	}
}

// pressed presses a button and looks at its message again; told looks at what the person is told.
func pressed(user, action string) func(*testing.T, *world, slacktest.Shown) slacktest.Shown {
	return func(_ *testing.T, w *world, m slacktest.Shown) slacktest.Shown {
		w.presses(user, m, action)
		return w.slack.Shown()[m.Index]
	}
}

func told(user, action string) func(*testing.T, *world, slacktest.Shown) slacktest.Shown {
	return func(t *testing.T, w *world, m slacktest.Shown) slacktest.Shown {
		t.Helper()
		return last(t, w.presses(user, m, action))
	}
}

func later(user string) func(*testing.T, *world, slacktest.Shown) slacktest.Shown {
	return func(t *testing.T, w *world, m slacktest.Shown) slacktest.Shown {
		t.Helper()
		w.pass(11 * time.Minute)
		return last(t, w.presses(user, m, "approve"))
	}
}

// compare holds a message against the file, but for what is random.
func compare(t *testing.T, path string, m slacktest.Shown) {
	t.Helper()
	if err := slacktest.Check(m.Blocks); err != nil {
		t.Errorf("Slack would not take it: %v", err)
	}
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	must(t, encoder.Encode(map[string]any{"to": m.To, "text": m.Text, "blocks": m.Blocks}))
	text := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllString(got.String(), "UUID")
	text = regexp.MustCompile(`eyJ[\w.-]+`).ReplaceAllString(text, "TOKEN")
	text = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(text)
	if flag.Lookup("update").Value.String() == "true" {
		must(t, os.MkdirAll(filepath.Dir(path), 0o750))
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// A question stays within Slack's limits whatever was asked for.
func TestTheLargestQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	why := strings.Repeat("so ", 99) + "so"
	var keys []string
	for i := range 5 {
		id := "EAAAA" + strings.Repeat("bC3-dE5_", 10) + "000000" + string(rune('a'+i))
		keys = append(keys, id)
		w.api.AddKey(w.users[otto].ID, ionostest.Key{ID: id, Created: w.now()})
	}
	question := last(t, w.types(olga, "delete otto@example.com "+strings.Join(keys, " ")+" "+why+" --override grace_period,only_key_with_buckets"))
	if got, want := buttons(t, question), "approve cancel"; got != want || !says(question, keys...) {
		t.Fatalf("the question is %s", question.Blocks)
	}
	w.presses(otto, question, "approve")
	if got := w.keys(otto); got != "" {
		t.Errorf("keys %s, want none", got)
	}
	if outcome := w.bus.Finished(); len(outcome) != 1 || !outcome[0].Any(guard.Changed) {
		t.Errorf("announced %+v", outcome)
	}
}

// The longest names that there can be fit, too.
func TestTheLargestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat("x", 60) + "@" + strings.Repeat(strings.Repeat("y", 60)+".", 3) + "example.com"
	person := w.api.AddUser(ionostest.User{Email: long})
	for i := range 12 {
		w.api.AddKey(person.ID, ionostest.Key{ID: "EAAAA" + strings.Repeat("bC3-dE5_", 10) + "00000" + string(rune('a'+i)) + "x", Active: i%2 == 0, Created: w.now()})
	}
	list := last(t, w.types(olga, long))
	if !says(list, "*12 access keys of "+long+"*", "and 2 more") || len(list.Blocks) > 12_000 {
		t.Errorf("%d characters: %s", len(list.Blocks), list.Blocks)
	}
}
