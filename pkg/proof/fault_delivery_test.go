package proof_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/trigger"
)

// trial is a world in which one request is delivered until it has come to an end, with a trouble in its way.
type trial struct {
	*world
	*trouble

	errand errand
	sender sender
	memory ledgerCalls
	// people are those whose requests come together, in that order; alice is the victim.
	people []person
	alice  person
	// time is what the invocation has in the first delivery.
	time time.Duration
	// dies says when the process of the first delivery dies, see [process].
	dies func(user string, s step, after bool) bool

	deliveries []delivery
}

// delivery is what came of sending the request once.
type delivery struct {
	learned

	// code says what became of the request, see [trial.codeOf].
	code   string
	result guard.Result
	err    error
	// announced are the outcomes on the bus, without those that came twice because an answer was lost.
	announced []guard.Finished
	// effects are the states that each key went through.
	effects map[string][]string
	// leaseLeft is true where somebody else does not get the user's lease.
	leaseLeft bool
	// dead is true where the process died, so that nobody learned of any result.
	dead bool
	took time.Duration
}

// newTrial must be called in a bubble. The ledger is in the remote table, or in the world's file if that is nil.
func newTrial(t *testing.T, e errand, s sender, d *trouble, table *remote) *trial {
	t.Helper()
	tr := &trial{world: newWorld(t), trouble: d, errand: e, sender: s, time: invocationTime}
	tr.ledgerFile = filepath.Join(memoryDir(t), "ledger.db")
	if table != nil {
		tr.memory = table.ledger(t, d)
	} else {
		tr.memory = tr.ledger()
	}
	d.victim = victim
	tr.api.AddUser(ionostest.User{Email: ionostest.DefaultOwner})
	tr.api.Fault, tr.api.S3Fault = d.onCloud(tr.api), d.plan
	tr.cloud = labelled{next: tr.cloud}
	tr.storage = labelled{next: tr.storage, step: listBuckets}
	tr.events = labelled{next: serve(t, d.in(&tr.bus))}
	tr.alice = tr.person(t, victim)
	tr.people = []person{tr.alice}
	for i, email := range s.companions {
		tr.people = slices.Insert(tr.people, min(i*2, len(tr.people)), tr.person(t, email))
	}
	return tr
}

// deliver sends the people's requests to a new process.
func (tr *trial) deliver(t *testing.T, people []person) delivery {
	t.Helper()
	effects, announced := tr.count(), len(tr.bus.Finished())
	limit := invocationTime
	p := new(process)
	if len(tr.deliveries) == 0 {
		limit, p.dies = tr.time, tr.dies
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	p.kill = cancel
	var d delivery
	handler := &trigger.Handler{Action: tr.errand.action, Clock: time.Now, Logger: tr.logger, Do: tr.do(p, &d)}
	begun := time.Now()
	answer, err := handler.Invoke(ctx, tr.sender.payload(t, tr.errand, people, len(tr.deliveries)+1))
	if p.dead {
		d = delivery{dead: true, learned: learned{again: true, others: tr.sender.companions}}
	} else {
		d.learned = tr.sender.read(t, answer, err)
	}
	d.took = time.Since(begun)
	cancel()
	synctest.Wait()

	d.effects = make(map[string][]string)
	for _, key := range tr.alice.keys {
		d.effects[key] = tr.since(effects, key)
	}
	for _, finished := range tr.bus.Finished()[announced:] {
		twice := func(f guard.Finished) bool { return cmp.Equal(f, finished) }
		if finished.User.ID == tr.alice.ID && !slices.ContainsFunc(d.announced, twice) {
			d.announced = append(d.announced, finished)
		}
	}
	d.leaseLeft = tr.memory.Acquire(t.Context(), tr.alice.ID, "somebody else", time.Nanosecond) != nil
	d.code = tr.codeOf(d)
	tr.deliveries = append(tr.deliveries, d)
	return d
}

// do is the lifecycle of one process, and notes into d what it says of the victim's request.
func (tr *trial) do(p *process, d *delivery) func(context.Context, guard.Request) (guard.Result, error) {
	l := tr.process()
	l.Ledger, l.Leases = tr.memory, tr.memory
	return func(ctx context.Context, req guard.Request) (guard.Result, error) {
		result, err := p.carryOut(ctx, l, req)
		if req.User == victim {
			d.result, d.err = result, err
		}
		return result, err
	}
}

// codeOf says in a word what became of the victim's request:
//
//	done   the keys changed, and that was announced
//	quiet  the keys changed, and it could not be announced
//	same   the keys were already as they should be
//	ref    a key was refused
//	fail   a key failed
//
// or where there is no result, what kind of error there is: up for upstream, cred for credentials, thr for throttled,
// una for unavailable. A plus is added where the change stands at IONOS all the same, a tilde where it does for some of
// the keys, and an exclamation mark where the user's lease was not given back.
func (tr *trial) codeOf(d delivery) (code string) {
	changed := func(k guard.KeyResult) bool { return k.Outcome == guard.Changed }
	silent := func(w guard.Warning) bool { return w.Code == guard.NotAnnounced }
	unsaid := tr.stand()
	switch {
	case d.dead:
		code = "dead"
	case d.err != nil:
		code = map[guard.Kind]string{
			guard.Upstream: "up", guard.Credentials: "cred", guard.Throttled: "thr", guard.Unavailable: "una",
		}[guard.KindOf(d.err)]
	case d.result.Any(guard.Failed):
		code = "fail"
	case d.result.Any(guard.Refused):
		code = "ref"
	case slices.ContainsFunc(d.result.Warnings, silent):
		code, unsaid = "quiet", ""
	case slices.ContainsFunc(d.result.Keys, changed):
		code, unsaid = "done", ""
	default:
		code, unsaid = "same", ""
	}
	if d.leaseLeft {
		return code + unsaid + "!"
	}
	return code + unsaid
}

// stand says by a sign how many of the victim's keys are as they should become.
func (tr *trial) stand() string {
	wanted, stand := tr.errand.wanted(tr.alice), 0
	for key, state := range wanted {
		if stateOf(tr.api, tr.alice.ID, key) == state {
			stand++
		}
	}
	switch stand {
	case 0:
		return ""
	case len(wanted):
		return "+"
	default:
		return "~"
	}
}

// again sends what the sender sends again.
func (tr *trial) again(t *testing.T) delivery {
	t.Helper()
	last := tr.deliveries[len(tr.deliveries)-1]
	return tr.deliver(t, slices.DeleteFunc(slices.Clone(tr.people), func(p person) bool {
		return p.Email != victim && !slices.Contains(last.others, p.Email)
	}))
}

// lagging is how many reads do not show a write where the API is at its slowest: more than a request makes.
const lagging = 20

// catchUp lets the API show all writes from now on.
func (tr *trial) catchUp(t *testing.T) {
	t.Helper()
	if tr.api.Lag == 0 {
		return
	}
	tr.api.Lag = 0
	l := tr.process()
	for range lagging {
		if _, err := l.Keys.ListKeys(t.Context(), tr.alice.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// memoryDir returns a folder that is in memory where the system has such folders: a disk makes each write of a ledger
// wait until it is safe, and no power fails here.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("/dev/shm", "keyreeve-proof-"+rand.Text())
	if err := os.Mkdir(dir, 0o700); err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
