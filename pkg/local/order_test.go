package main_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// dated is the request with a sender and a time.
func dated(request string, at time.Time) string {
	return strings.TrimSuffix(request, "}") + fmt.Sprintf(`,"source":"test","occurredAt":%q}`, at.Format(time.RFC3339Nano))
}

// sameEventAgain sends one event by one way in after the other, and each time somebody has undone what it did.
func sameEventAgain(l *laptop) {
	for _, tt := range []struct{ action, undone, done string }{
		{"activate", "off", "on"},
		{"deactivate", "on", "off"},
	} {
		user, keys := l.person("again-"+tt.action, 2)
		id := "again, " + tt.action
		event := dated(request(tt.action, user.Email, keys[0], id), time.Now())
		for i, by := range []string{byQueue, byBus, byDirect, byTopic, "SNS in SQS", "EventBridge straight to the function", byQueue} {
			l.contract.SwitchKey(user.ID, keys[0], tt.undone == "on")
			l.send(by, tt.action, id, event)
			wanted := map[string]string{keys[0]: "unchanged"}
			if i == 0 {
				wanted[keys[0]] = "changed"
			}
			want(l.t, fmt.Sprintf("%s, time %d, by %s", tt.action, i+1, by), l.finishedAgain(id, i+1).said(), wanted)
		}
		want(l.t, tt.action+": writes that took effect", l.effects.of(keys[0]), []string{tt.done})
	}
}

// olderEvent sends an event to one function, and then an older one by another way to another function.
func olderEvent(l *laptop) {
	for i, tt := range []struct{ newer, newerBy, older, olderBy, done string }{
		{"deactivate", byQueue, "activate", byBus, "off"},
		{"activate", byDirect, "deactivate", "SNS in SQS", "on"},
		{"deactivate", byTopic, "delete", byDirect, "off"},
		{"delete", "EventBridge straight to the function", "activate", byQueue, "gone"},
		{"deactivate", byHTTP, "activate", byTopic, "off"},
	} {
		user, keys := l.person(fmt.Sprintf("older-%d", i), 2)
		if tt.newer != "deactivate" {
			l.contract.SwitchKey(user.ID, keys[0], false)
		}
		before := time.Now().Add(-time.Minute)
		newer := triggers()[tt.newerBy](l, tt.newer, user.Email, keys[0], user.Email+", newer")
		want(l.t, "the newer, "+tt.newer+" by "+tt.newerBy, newer.said(), map[string]string{keys[0]: "changed"})
		id := user.Email + ", older"
		l.send(tt.olderBy, tt.older, id, dated(request(tt.older, user.Email, keys[0], id), before))
		want(l.t, "the older, "+tt.older+" by "+tt.olderBy, l.finished(id).said(), map[string]string{keys[0]: "superseded"})
		want(l.t, tt.newer+": writes that took effect", l.effects.of(keys[0]), []string{tt.done})
	}
}

// oldEvent sends an event of yesterday by each way in. If it says that somebody left, a person has to hear of it.
func oldEvent(l *laptop) {
	user, keys := l.person("old", 2)
	yesterday := time.Now().Add(-25 * time.Hour)
	for by := range ways() {
		id := "old, " + by
		l.send(by, "deactivate", id, dated(request("deactivate", user.Email, keys[0], id), yesterday))
		want(l.t, by, l.finished(id).said(), map[string]string{keys[0]: "stale"})
	}
	outcomes, dead := l.event("script", "Key Operation Requested",
		fmt.Sprintf(`{"action":"deactivate","user":%q,"keys":[%q],"offboarding":true,"occurredAt":%q}`, user.Email, keys[0], yesterday.Format(time.RFC3339)))
	last := len(outcomes) - 1
	if last < 1 || dead != 1 || !outcomes[last].givenUp() {
		l.t.Fatalf("an old offboarding: outcomes %v, %d dead letters, want refusals and then that it was given up", outcomes, dead)
	}
	for _, outcome := range outcomes[:last] {
		want(l.t, "an old offboarding", outcome.said(), map[string]string{keys[0]: "stale"})
	}
	want(l.t, "writes that took effect", len(l.effects.of(keys[0])), 0)
}

// whoLeft has somebody leave by the bus and tries to have a key of theirs back.
func whoLeft(l *laptop) {
	user, keys := l.person("leaver", 2)
	outcomes, dead := l.event("com.example.hr", "Employee Offboarded", fmt.Sprintf(`{"employee":{"email":%q}}`, user.Email))
	if len(outcomes) != 1 || dead != 0 {
		l.t.Fatalf("outcomes %v, %d dead letters", outcomes, dead)
	}
	want(l.t, "the offboarding", outcomes[0].said(), map[string]string{keys[0]: "changed", keys[1]: "changed"})
	call := func(caller, body string) result {
		_, answer := l.call(http.MethodPost, "/v1/users/"+user.Email+"/keys/"+keys[1]+"/activate", caller, body)
		return decode[result](l.t, answer)
	}
	refused := map[string]string{keys[1]: "offboarded"}
	want(l.t, "an operator", call("operator@example.com", ``).said(), refused)
	want(l.t, "the leaver", call(user.Email, `{"override":["offboarded"]}`).said(), refused)
	for by := range ways() {
		id := "left, " + by
		l.send(by, "activate", id, fmt.Sprintf(`{"action":"activate","user":%q,"keys":[%q],"id":%q,"override":["offboarded"]}`, user.Email, keys[1], id))
		want(l.t, "a system by "+by, l.finished(id).said(), refused)
	}
	want(l.t, "writes that took effect", l.effects.of(keys[1]), []string{"off"})
	want(l.t, "an operator who means it", call("operator@example.com", `{"override":["offboarded"]}`).said(), map[string]string{keys[1]: "changed"})
}

// TestTheLimitHoldsWhileSeveralFunctionsCount changes the keys of thirty users at once, where ten are allowed an hour.
func TestTheLimitHoldsWhileSeveralFunctionsCount(t *testing.T) {
	onEachLedger(t, limit, "KEYREEVE_MAX_CHANGES=10")
}

func limit(l *laptop) {
	by := slices.Sorted(maps.Keys(ways()))
	var asks []ask
	for i := range 30 {
		user, keys := l.person(fmt.Sprintf("one-of-many-%d", i), 2)
		action := "deactivate"
		if i%2 == 1 {
			action = "activate"
			l.contract.SwitchKey(user.ID, keys[0], false)
		}
		a := ask{id: user.Email, by: by[i/2%len(by)], keys: keys[:1]}
		a.send = func(l *laptop) (reply, error) {
			return ways()[a.by](l, action, a.id, request(action, user.Email, a.keys[0], a.id))
		}
		asks = append(asks, a)
	}
	l.sendAtOnce(asks)
	outcomes := l.await("outcome of every request", func(outcomes map[string][]result) bool { return len(outcomes) == len(asks) })

	counts, writes := make(map[string]int), 0
	for _, a := range asks {
		for _, outcome := range outcomes[a.id] {
			counts[outcome.said()[a.keys[0]]]++
		}
		writes += len(l.effects.of(a.keys[0]))
	}
	want(l.t, "outcomes", counts, map[string]int{"changed": 10, "blast_radius": 20})
	want(l.t, "writes that took effect", writes, 10)

	// What was refused does not count.
	user, keys := l.person("one-too-many", 2)
	l.send(byQueue, "deactivate", user.Email, request("deactivate", user.Email, keys[0], user.Email))
	if message := l.finished(user.Email).Keys[0].Message; !strings.HasPrefix(message, "10 keys were changed in the last hour") {
		l.t.Errorf("one more request is told %q", message)
	}
}
