package main_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"keyreeve/pkg/ionos/ionostest"
)

// TestACrowdLeavesOneKey sends two hundred requests to deactivate keys of one user at once, by all ways in, and some of
// them a second time by another way, so that processes of the function get into each other's way.
func TestACrowdLeavesOneKey(t *testing.T) {
	onEachLedger(t, crowd)
}

func crowd(l *laptop) {
	user, keys := l.person("crowded", 3)
	legacy := l.contract.AddKey(user.ID, ionostest.Key{Active: true, Created: time.Date(2023, time.March, 1, 9, 0, 0, 0, time.UTC)}).ID
	keys = append(keys, legacy)
	asks := crowdOfAsks(user.Email, keys)

	start := time.Now()
	l.sendAtOnce(asks)
	asked, times := make(map[string]ask), make(map[string]int)
	for _, a := range asks {
		asked[a.id] = a
		times[a.id]++
	}
	outcomes := l.await("outcome of every request", func(outcomes map[string][]result) bool {
		return !slices.ContainsFunc(asks, func(a ask) bool { return len(outcomes[a.id]) < times[a.id] })
	})
	l.t.Logf("all outcomes of %d requests after %v", len(asks), time.Since(start).Round(time.Millisecond))

	for id := range asked {
		want(l.t, id+": outcomes", len(outcomes[id]), times[id])
	}
	changes := l.toldChanges(asked, outcomes)
	if dead := l.deadLetters("deactivate"); len(dead) != 0 {
		l.t.Errorf("dead letters: %v", dead)
	}
	left := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !l.active(user)[key] })
	if len(left) != 1 || left[0] == legacy {
		l.t.Errorf("%v are active, want one key, and not the legacy key %s", left, legacy)
	}
	for _, key := range keys {
		var writes []string
		if !slices.Contains(left, key) {
			writes = []string{"off"}
		}
		want(l.t, key+": writes that took effect", l.effects.of(key), writes)
		want(l.t, key+": times that it was said to be changed", changes[key], len(writes))
	}
	processes, err := l.processes("deactivate")
	if err != nil || len(processes) < 3 {
		l.t.Errorf("%d processes were at work, want at least 3, %v", len(processes), err)
	}
}

// toldChanges checks the outcomes of each request by themselves, and returns how often each key is said to be changed.
func (l *laptop) toldChanges(asked map[string]ask, outcomes map[string][]result) map[string]int {
	changes := make(map[string]int)
	for id, a := range asked {
		for _, outcome := range outcomes[id] {
			said := outcome.said()
			want(l.t, id+": keys of the outcome", slices.Sorted(maps.Keys(said)), slices.Sorted(slices.Values(a.keys)))
			for key, what := range said {
				switch what {
				case "changed":
					changes[key]++
				case "unchanged", "superseded", "last_active_key":
				default:
					l.t.Errorf("%s: %s is %s", id, key, what)
				}
			}
		}
		if a.by == byHTTP {
			want(l.t, id+": the answer, beside what was announced", decode[result](l.t, a.answer.body), outcomes[id][0])
		}
	}
	return changes
}

// ask is one request of the crowd.
type ask struct {
	// id is the request's; that of an HTTP call is known when it is answered.
	id   string
	by   string
	keys []string
	send func(*laptop) (reply, error)
	// answer is what came back at once, if anything did.
	answer reply
}

// crowdOfAsks makes two hundred different requests for each key and for all of them, by each way in, and further ones
// that repeat an earlier one by another way.
func crowdOfAsks(email string, keys []string) []ask {
	targets := append(slices.Collect(slices.Chunk(keys, 1)), keys)
	by := append(slices.Sorted(maps.Keys(ways())), byHTTP)
	var asks []ask
	for i := range 200 {
		a := ask{id: fmt.Sprintf("crowd %d", i), by: by[i%len(by)], keys: targets[i%len(targets)]}
		if a.by == byHTTP {
			a.send = callFor(email, a.keys)
			asks = append(asks, a)
			continue
		}
		request := fmt.Sprintf(`{"action":"deactivate","user":%q,"id":%q,"source":"crowd","occurredAt":%q}`, email, a.id, time.Now().Format(time.RFC3339Nano))
		if len(a.keys) == 1 {
			request = strings.TrimSuffix(request, "}") + fmt.Sprintf(`,"keys":[%q]}`, a.keys[0])
		}
		a.send = func(l *laptop) (reply, error) { return ways()[a.by](l, "deactivate", a.id, request) }
		asks = append(asks, a)
		if i%8 == 0 {
			next := by[(i%len(by)+1)%len(ways())]
			a.send = func(l *laptop) (reply, error) { return ways()[next](l, "deactivate", a.id, request) }
			asks = append(asks, a)
		}
	}
	return asks
}

// callFor is the HTTP call of an operator for one key, or else for all.
func callFor(email string, keys []string) func(*laptop) (reply, error) {
	method, path := http.MethodPost, "/v1/users/"+email+"/keys/deactivate"
	if len(keys) == 1 {
		method, path = endpoint("deactivate", email, keys[0])
	}
	return func(l *laptop) (reply, error) {
		got, err := l.try(method, path, "operator@example.com", "")
		if err == nil && got.status != http.StatusOK && got.status != http.StatusConflict {
			err = fmt.Errorf("%s: %d %s", path, got.status, got.body)
		}
		return got, err
	}
}

// sendAtOnce sends all requests at the same time and returns when each has been handed over.
func (l *laptop) sendAtOnce(asks []ask) {
	l.t.Helper()
	var senders errgroup.Group
	var tries atomic.Int64
	for i := range asks {
		senders.Go(func() (err error) {
			// Who is told that another request is at work knows that nothing was done, and sends it again.
			for try := 0; try == 0 || try < 5 && asks[i].busy(); try++ {
				tries.Add(1)
				asks[i].answer, err = asks[i].send(l)
			}
			return err
		})
	}
	if err := senders.Wait(); err != nil {
		l.t.Fatal(err)
	}
	for i := range asks {
		if asks[i].by == byHTTP {
			asks[i].id = decode[result](l.t, asks[i].answer.body).ID
		}
	}
	l.t.Logf("%d requests were sent %d times", len(asks), tries.Load())
}

// busy reports whether the answer says that nothing was done, for want of the lease, and when to come again.
func (a ask) busy() bool {
	return strings.Contains(a.answer.body, "Another request is at work") && (a.by != byHTTP || a.answer.header.Get("Retry-After") != "")
}
