package main_test

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestGuides runs every command of the set-up guides as it is written, and looks what became of the people in it.
func TestGuides(t *testing.T) {
	guides, err := os.ReadFile(root + "/functions/webhook/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(string(guides), -1)
	if len(blocks) < 10 {
		t.Fatalf("%d commands, want at least one a sender", len(blocks))
	}
	l := &laptop{t: t, seen: new(record), client: &http.Client{Timeout: 40 * time.Second}}
	l.address = start(t, root, l.seen, []string{"IONOS_TOKEN=", "IONOS_USERNAME=", "KEYREEVE_MAX_CHANGES=1000"})["Keyreeve listens on"]
	tells := regexp.MustCompile(`127\.0\.0\.1:8080/(hooks|scim|_events)`)
	person := regexp.MustCompile(`\b(alice|bob|carol)\b`)
	inAll := map[string]string{"203": "carol", "00u2": "bob"} // whom a sender has numbers for
	sent := 0
	for _, block := range blocks {
		script := strings.ReplaceAll(block[1], "http://127.0.0.1:8080", l.address)
		before := l.finishedFor()
		printed, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s\n%s", err, block[1], printed)
		}
		l.idle()
		if !tells.MatchString(block[1]) {
			continue
		}
		sent++
		name := person.FindString(block[1])
		for number, known := range inAll {
			if name == "" && strings.Contains(block[1], number) {
				name = known
			}
		}
		if after := l.finishedFor(); after[name] != before[name]+1 {
			t.Errorf("nothing became of %q:\n%s\n→ %s", name, block[1], printed)
		}
	}
	if sent != 10 {
		t.Errorf("%d commands tell make run that somebody left, want one a guide", sent)
	}
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
