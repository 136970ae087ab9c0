package proof_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// errand is one of the actions, on the keys of a user like every user of the matrix: an older and a newer active key,
// and one that has been off for long enough to be deleted.
type errand struct {
	name        string
	action      guard.Action
	offboarding bool
	// targets are the keys that it is about, as their places in the list of keys.
	targets []int
	// state is what becomes of them.
	state string
}

func errands() []errand {
	return []errand{
		{name: "deactivate", action: guard.Deactivate, targets: []int{0}, state: isOff},
		{name: "offboarding", action: guard.Deactivate, offboarding: true, targets: []int{0, 1, 2}, state: isOff},
		{name: "activate", action: guard.Activate, targets: []int{2}, state: isOn},
		{name: "delete", action: guard.Delete, targets: []int{2}, state: isGone},
	}
}

// write is the step that writes.
func (e errand) write() step {
	if e.action == guard.Delete {
		return deleteKey
	}
	return switchKey
}

// guarded reports whether the errand must not take the user's last active key.
func (e errand) guarded() bool { return e.action == guard.Deactivate && !e.offboarding }

// person is a user of the matrix and the request about them.
type person struct {
	ionostest.User

	keys []string
	req  guard.Request
}

// victim is the e-mail address of the user whose request meets the trouble.
const victim = "alice@example.com"

// person adds a user, whose request has the e-mail address for an id. The ledger knows since when a key is off that is
// to be deleted.
func (tr *trial) person(t *testing.T, email string) person {
	t.Helper()
	e := tr.errand
	p := person{User: tr.api.AddUser(ionostest.User{Email: email})}
	for i, days := range []int{400, 100, 300} {
		key := tr.api.AddKey(p.ID, ionostest.Key{Active: i != 2, Created: time.Now().AddDate(0, 0, -days)})
		p.keys = append(p.keys, key.ID)
	}
	if e.action == guard.Delete {
		long := time.Now().AddDate(0, 0, -60)
		off := guard.Change{Action: guard.Deactivate, At: long, OccurredAt: long, RequestID: "long ago"}
		if err := tr.memory.Record(t.Context(), p.ID, guard.Memory{Changes: map[string]guard.Change{p.keys[2]: off}}); err != nil {
			t.Fatal(err)
		}
	}
	p.req = guard.Request{
		Action: e.action, User: email, Offboarding: e.offboarding, Reason: "the matrix", Source: "hr", ID: email, OccurredAt: time.Now(),
		Actor: guard.Actor{Kind: guard.System, Name: "hr"},
	}
	if !e.offboarding {
		for _, i := range e.targets {
			p.req.Keys = append(p.req.Keys, p.keys[i])
		}
	}
	return p
}

// wanted returns what is to become of the keys that change, by key id.
func (e errand) wanted(p person) map[string]string {
	states := make(map[string]string)
	for _, i := range e.targets {
		if e.state != isOff || i != 2 {
			states[p.keys[i]] = e.state
		}
	}
	return states
}

// call is the HTTP call that asks for the same as the person's request.
func (e errand) call(p person) (method, path, body string) {
	method, path = http.MethodPost, "/v1/users/"+p.Email+"/keys/"
	switch {
	case e.offboarding:
		return method, path + "deactivate", `{"offboarding": true}`
	case e.action == guard.Delete:
		return http.MethodDelete, path + p.req.Keys[0], fmt.Sprintf(`{"confirm": [%q]}`, p.req.Keys[0])
	default:
		return method, path + p.req.Keys[0] + "/" + string(e.action), ""
	}
}

// detail is the request as a payload.
func (p person) detail(t *testing.T) json.RawMessage {
	t.Helper()
	return encoded(t, p.req)
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
