package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestGuides runs every command of the set-up guides as it is written, and looks what came of it.
func TestGuides(t *testing.T) {
	const armed = "KEYREEVE_SWEEP_INACTIVE_USER=enforce"
	l := &laptop{t: t, seen: new(record), client: &http.Client{Timeout: 40 * time.Second}}
	l.address = start(t, root, l.seen, []string{"IONOS_TOKEN=", "IONOS_USERNAME=", "KEYREEVE_MAX_CHANGES=1000", armed})["Keyreeve listens on"]
	l.sweepGuide(armed) // first, as nobody has left
	l.slackGuide()
	l.senderGuides()
}

// sweepGuide sweeps, and looks for what the guide promises: what is due by each policy, the page of the report, and what
// Slack shows where the policy is armed.
func (l *laptop) sweepGuide(armed string) {
	l.t.Helper()
	if text := guide(l.t, "sweep"); !strings.Contains(text, "`"+armed+" make run`") {
		l.t.Errorf("the guide arms another policy than %s", armed)
	}
	blocks := commands(l.t, "sweep")
	if len(blocks) != 2 {
		l.t.Fatalf("%d commands, want 2", len(blocks))
	}
	answer := decode[struct {
		Policies []struct {
			Policy     string `json:"policy"`
			Warn       int    `json:"warn"`
			Deactivate int    `json:"deactivate"`
			Delete     int    `json:"delete"`
		} `json:"policies"`
		Report string `json:"report"`
	}](l.t, l.run(blocks[0]))
	found := make(map[string]string)
	for _, p := range answer.Policies {
		found[p.Policy] = fmt.Sprintf("warn %d, deactivate %d, delete %d", p.Warn, p.Deactivate, p.Delete)
	}
	want(l.t, "what is due", found, map[string]string{
		"inactive_user":      "warn 0, deactivate 1, delete 0",
		"max_age":            "warn 3, deactivate 0, delete 0",
		"delete_after_grace": "warn 0, deactivate 0, delete 1",
	})
	if status, page := l.call(http.MethodGet, strings.TrimPrefix(answer.Report, l.address), "", ""); status != http.StatusOK || !strings.Contains(page, "dora@example.com") {
		l.t.Errorf("the report at %s: %d", answer.Report, status)
	}
	shown := l.run(blocks[1])
	for _, promise := range []string{answer.Report + "|Report", "Deactivated 1 access key of dora@example.com", `"refused":[]`} {
		if !strings.Contains(shown, promise) {
			l.t.Errorf("Slack does not show %q:\n%s", promise, shown)
		}
	}
}

// slackGuide asks in Slack and looks for what the guide promises: a no and what would make it a yes, then that.
func (l *laptop) slackGuide() {
	l.t.Helper()
	blocks := commands(l.t, "chatops")
	promised := [][]string{
		{"1 access key of bob@example.com", "Refused to deactivate", "last active key", "--override last_active_key"},
		{"Deactivated 1 access key of bob@example.com", "approved by bob@example.com", "overridden: last_active_key"},
	}
	if len(blocks) != len(promised) {
		l.t.Fatalf("%d commands, want %d", len(blocks), len(promised))
	}
	for i, block := range blocks {
		printed := l.run(block)
		for _, promise := range append(promised[i], `"refused":[]`) {
			if !strings.Contains(printed, promise) {
				l.t.Errorf("Slack does not show %q:\n%s", promise, printed)
			}
		}
	}
	if got := l.finishedFor()["bob"]; got != len(blocks) {
		l.t.Errorf("%d outcomes for bob, want %d", got, len(blocks))
	}
}

// senderGuides lets each sender tell that somebody left, and looks what became of the people in it.
func (l *laptop) senderGuides() {
	l.t.Helper()
	blocks := commands(l.t, "webhook")
	if len(blocks) < 10 {
		l.t.Fatalf("%d commands, want at least one a sender", len(blocks))
	}
	tells := regexp.MustCompile(`127\.0\.0\.1:8080/(hooks|scim|_events)`)
	person := regexp.MustCompile(`\b(alice|bob|carol)\b`)
	inAll := map[string]string{"203": "carol", "00u2": "bob"} // whom a sender has numbers for
	sent := 0
	for _, block := range blocks {
		before := l.finishedFor()
		printed := l.run(block)
		l.idle()
		if !tells.MatchString(block) {
			continue
		}
		sent++
		name := person.FindString(block)
		for number, known := range inAll {
			if name == "" && strings.Contains(block, number) {
				name = known
			}
		}
		if after := l.finishedFor(); after[name] != before[name]+1 {
			l.t.Errorf("nothing became of %q:\n%s\n→ %s", name, block, printed)
		}
	}
	if sent != 10 {
		l.t.Errorf("%d commands tell make run that somebody left, want one a guide", sent)
	}
}

// guide returns the text of the guide of a function.
func guide(t *testing.T, function string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/functions/" + function + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// commands returns the blocks of shell commands in the guide of a function.
func commands(t *testing.T, function string) []string {
	t.Helper()
	var blocks []string
	for _, found := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(guide(t, function), -1) {
		blocks = append(blocks, found[1])
	}
	return blocks
}

// run runs a block of commands as it is written, but for the port, and returns what it prints.
func (l *laptop) run(block string) (printed string) {
	l.t.Helper()
	script := strings.ReplaceAll(block, "http://127.0.0.1:8080", l.address)
	output, err := exec.CommandContext(l.t.Context(), "bash", "-euo", "pipefail", "-c", script).CombinedOutput()
	if err != nil {
		l.t.Errorf("%v\n%s\n%s", err, block, output)
	}
	return string(output)
}

// finishedFor returns how many outcomes there are of each person whom make run knows, by first name.
func (l *laptop) finishedFor() map[string]int {
	l.t.Helper()
	count := make(map[string]int)
	for _, outcomes := range l.announced() {
		for _, outcome := range outcomes {
			name, _, _ := strings.Cut(outcome.User.Email, "@")
			count[name]++
		}
	}
	return count
}
