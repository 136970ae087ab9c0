package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyreeve/pkg/ionos/ionostest"
)

// TestPartnerEvents lets partners of EventBridge say that people leave.
func TestPartnerEvents(t *testing.T) {
	l := startLaptop(t, new(ionostest.Server))
	for name, event := range map[string]struct {
		source, detailType, detail string
		leaves                     bool
	}{
		"okta-deactivates": {"aws.partner/okta.com/example/keyreeve", "SystemLog", `{"uuid":"u1","published":%q,"eventType":"user.lifecycle.deactivate",
			"outcome":{"result":"SUCCESS"},"target":[{"id":"00u1","type":"User","alternateId":%q}]}`, true},
		"okta-failed": {"aws.partner/okta.com/example/keyreeve", "SystemLog", `{"uuid":"u2","published":%q,"eventType":"user.lifecycle.deactivate",
			"outcome":{"result":"FAILURE"},"target":[{"id":"00u2","type":"User","alternateId":%q}]}`, false},
		"auth0-deletes": {"aws.partner/auth0.com/example/keyreeve", "Auth0 log", `{"log_id":"l1","data":{"type":"sdu","log_id":"l1","date":%q,"user_id":"auth0|1","user_name":%q}}`, true},
	} {
		user, keys := l.person(name, 2)
		l.event(event.source, event.detailType, fmt.Sprintf(event.detail, time.Now().UTC().Format(time.RFC3339Nano), user.Email))
		l.idle()
		want(t, name, l.active(user), map[string]bool{keys[0]: !event.leaves, keys[1]: !event.leaves})
	}
}

// TestSomebodyWhomNobodyKnows leaves: that is seen at once, the request waits among the dead letters, and goes on its way
// from there when the map has the address.
func TestSomebodyWhomNobodyKnows(t *testing.T) {
	settings := sendersOn(t, []string{"somebody"})
	people := strings.TrimPrefix(settings[0], "KEYREEVE_IDENTITY_MAP=file:")
	l := startLaptop(t, new(ionostest.Server), settings...)
	user, keys := l.person("stranger", 2)
	github := senders()[slices.IndexFunc(senders(), func(s sender) bool { return s.name == "github" })]
	c := github.says(user, "stranger-gh").sign(github, "new", time.Now())
	want(t, "status", l.deliver(c).status, github.status)
	l.idle()
	want(t, "keys", l.active(user), map[string]bool{keys[0]: true, keys[1]: true})
	if _, events := l.call(http.MethodGet, "/_events", "", ""); strings.Count(events, `"unmapped_user"`) != 1 || !strings.Contains(events, "github:stranger-gh") {
		t.Errorf("it was not announced once: %s", events)
	}
	dead := l.deadLetters("sender")
	if len(dead) != 1 || !strings.Contains(dead[0], "stranger-gh") {
		t.Fatalf("dead letters: %q", dead)
	}

	file, err := os.OpenFile(people, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(file, "\ngithub:Stranger-GH="+user.Email); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	l.renew("webhook") // A process reads the map again when a minute has passed.
	l.moveBack("SenderDeadLetters", "SenderEvents")
	want(t, "keys, when the map has them", l.active(user), map[string]bool{keys[0]: false, keys[1]: false})
	want(t, "dead letters left", len(l.deadLetters("sender")), 0)
}

// renew ends the idle processes of a function and waits until they are gone, so that the next invocation starts another.
func (l *laptop) renew(name string) {
	l.t.Helper()
	running, err := l.processes(name)
	for _, p := range running {
		err = errors.Join(err, syscall.Kill(p.PID, syscall.SIGKILL))
	}
	for look := time.Tick(20 * time.Millisecond); err == nil && len(running) > 0; <-look {
		running, err = l.processes(name)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}
