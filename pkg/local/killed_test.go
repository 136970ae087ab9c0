package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"keyreeve/pkg/ionos/ionostest"
)

// hurried is a folder with the repository's functions, and its template.yaml with another line in place of that one, which
// says how long functions may take.
func hurried(t *testing.T, line, instead string) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"functions", "pkg", "go.mod", "go.sum"} {
		original, err := filepath.Abs(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(original, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	template, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(template), "\n"+line+"\n")
	if !found {
		t.Fatalf("the template has no line %q", line)
	}
	changed, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(changed.WriteFile("template.yaml", []byte(before+"\n"+instead+"\n"+after), 0o600), changed.Close()); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestKilledBetweenTheWriteAndTheRecord kills a function's process when IONOS has carried out its first write, and
// before it hears of that. The queue delivers the message again, and in the end all is as if nothing had happened.
func TestKilledBetweenTheWriteAndTheRecord(t *testing.T) {
	withEachLedger(t, killed)
}

func killed(t *testing.T, ledger []string) {
	t.Helper()
	// A process that is killed leaves a lease behind for as long, and 10 seconds more.
	l := startLaptopIn(t, hurried(t, "    Timeout: 60", "    Timeout: 10"), new(ionostest.Server), ledger...)
	k := &killer{laptop: l, victims: make(map[string]victim), killed: make(chan error)}
	l.contract.Fault = k.plan
	tests := []killedRequest{
		{name: "activate", action: "activate", before: "off", after: "on", others: 1, opposite: "deactivate"},
		{name: "deactivate", action: "deactivate", before: "on", after: "off", others: 1, opposite: "activate"},
		{name: "delete", action: "delete", before: "off", after: "gone", others: 1, opposite: "activate"},
		{name: "delete-unknown", action: "delete", before: "off", byHand: true, after: "gone", others: 1, opposite: "activate"},
		{name: "offboard", action: "deactivate", offboarding: true, before: "on", after: "off", opposite: "activate"},
	}
	for i := range tests {
		tests[i].prepare(l)
		k.strike(tests[i].user, tests[i].action, tests[i].id(), tests[i].request(tests[i].action, tests[i].id(), tests[i].at), func() {})
	}
	// A person switches off the other key just after the request did the one: whoever comes next has to see to it.
	user, keys := l.person("killed-lonely", 2)
	k.strike(user, "deactivate", "lonely", request("deactivate", user.Email, keys[0], "lonely"), func() { l.contract.SwitchKey(user.ID, keys[1], false) })

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mine := *l
			mine.t = t
			tt.check(&mine)
		})
	}
	want(t, "outcome where it was the last key", l.finished("lonely").said(), map[string]string{keys[0]: "last_active_key"})
	want(t, "keys where it was the last", l.active(user), map[string]bool{keys[0]: true, keys[1]: false})
	for _, action := range []string{"activate", "deactivate", "delete"} {
		if dead := l.deadLetters(action); len(dead) != 0 {
			t.Errorf("dead letters: %v", dead)
		}
	}
}

// killedRequest is a request on two keys of a user of its own, whose process is killed in the middle.
type killedRequest struct {
	name, action string
	offboarding  bool
	// before and after are the states of the keys.
	before, after string
	// byHand: the keys were switched off elsewhere, and the ledger has never heard of them.
	byHand bool
	// others is how many active keys the user has besides.
	others int
	// opposite is an action that would undo it.
	opposite string

	user ionostest.User
	keys []string
	// at is when the request was made, older a moment before.
	older, at time.Time
	// writes is how many took effect on each key before the request.
	writes int
}

func (r *killedRequest) id() string { return "killed, " + r.name }

func (r *killedRequest) prepare(l *laptop) {
	l.t.Helper()
	r.user, r.keys = l.person("killed-"+r.name, 2+r.others)
	r.keys = r.keys[:2]
	if r.before == "off" {
		for _, key := range r.keys {
			if r.byHand {
				l.contract.SwitchKey(r.user.ID, key, false)
				continue
			}
			if status, answer := l.call(http.MethodPost, "/v1/users/"+r.user.ID+"/keys/"+key+"/deactivate", "operator@example.com", ""); status != http.StatusOK {
				l.t.Fatalf("%d %s", status, answer)
			}
		}
	}
	r.writes = len(l.effects.of(r.keys[0]))
	r.at = time.Now()
	r.older = r.at.Add(-time.Microsecond)
}

func (r *killedRequest) request(action, id string, at time.Time) string {
	return fmt.Sprintf(`{"action":%q,"user":%q,"keys":["%s"],"id":%q,"source":"test","occurredAt":%q,"offboarding":%v,
		"override":["grace_period"],"confirm":["%[3]s"],"actor":{"kind":"operator","email":"operator@example.com"}}`,
		action, r.user.Email, strings.Join(r.keys, `","`), id, at.Format(time.RFC3339Nano), r.offboarding && action == r.action)
}

func (r *killedRequest) check(l *laptop) {
	l.t.Helper()
	l.finished(r.id())
	for _, key := range r.keys {
		want(l.t, key+": state", l.effects.state(r.user.ID, key), r.after)
		want(l.t, key+": writes that took effect", l.effects.of(key)[r.writes:], []string{r.after})
	}
	recorded := make(map[string]string)
	_, answer := l.call(http.MethodGet, "/v1/users/"+r.user.ID+"/keys", "operator@example.com", "")
	for _, k := range decode[struct {
		Keys []struct {
			ID         string `json:"id"`
			LastChange struct {
				RequestID string `json:"requestId"`
			} `json:"lastChange"`
		} `json:"keys"`
	}](l.t, answer).Keys {
		recorded[k.ID] = k.LastChange.RequestID
	}
	for _, key := range r.keys {
		if by, shown := recorded[key]; by != r.id() && shown {
			l.t.Errorf("%s: the last change in the inventory is of %q, want %q", key, by, r.id())
		}
	}
	// Of keys that are gone the inventory says nothing, but what was recorded is newer than this.
	l.send(byQueue, r.opposite, r.id()+", older", r.request(r.opposite, r.id()+", older", r.older))
	want(l.t, "an older event", l.finished(r.id()+", older").said(), map[string]string{r.keys[0]: "superseded", r.keys[1]: "superseded"})
	want(l.t, "outcomes announced", len(l.announced()[r.id()]), 1)
}

// killer kills the process of a function that writes to a user's keys, after the write and before its answer.
type killer struct {
	laptop *laptop
	// killed gets an entry for each kill.
	killed chan error

	mu      sync.Mutex
	victims map[string]victim // by user
}

// victim is the process that has the request in hand, and what happens just before it is killed.
type victim struct {
	action, id string
	meanwhile  func()
}

// strike puts the request in the action's queue and returns when its process is dead.
func (k *killer) strike(user ionostest.User, action, id, request string, meanwhile func()) {
	k.laptop.t.Helper()
	k.mu.Lock()
	k.victims[user.ID] = victim{action, id, meanwhile}
	k.mu.Unlock()
	k.laptop.send(byQueue, action, id, request)
	select {
	case err := <-k.killed:
		if err != nil {
			k.laptop.t.Fatalf("%s: %v", id, err)
		}
	case <-time.After(20 * time.Second):
		k.laptop.t.Fatalf("%s: nothing was written", id)
	}
}

func (k *killer) plan(r *http.Request) ionostest.Fault {
	if r.Method == http.MethodGet {
		return nil
	}
	path := strings.Split(r.URL.Path, "/") // …/users/{user}/s3keys/{key}
	user := path[len(path)-3]
	k.mu.Lock()
	defer k.mu.Unlock()
	v, found := k.victims[user]
	if !found {
		return k.laptop.effects.note
	}
	delete(k.victims, user)
	return func(api http.Handler) http.Handler {
		kill := ionostest.Meanwhile(func() {
			v.meanwhile()
			k.killed <- k.kill(v.action, v.id)
		})
		return ionostest.Applied(func(http.Handler) http.Handler { return kill(ionostest.Hang()(nil)) })(k.laptop.effects.note(api))
	}
}

// kill kills the process that has the request with the id in hand.
func (k *killer) kill(action, id string) error {
	processes, err := k.laptop.processes(action)
	if err != nil {
		return err
	}
	for _, p := range processes {
		if strings.Contains(p.InHand, id+`\"`) { // in the body of a message
			victim, err := os.FindProcess(p.PID)
			if err != nil {
				return err
			}
			return victim.Kill()
		}
	}
	return fmt.Errorf("none of %d processes has the request in hand", len(processes))
}
