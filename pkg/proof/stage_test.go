package proof_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/lifecycle"
)

// aliceID is the user of the explorer and the histories.
const aliceID = "a11ce000-0000-4000-8000-000000000001"

// heldKey is an access key of the user before anything happens.
type heldKey struct {
	id string
	// age is in days, and so is inactive: for how long the key has been switched off; 0 where it is active.
	age, inactive int
}

// stage is a world all calls to which are gated.
type stage struct {
	*world
	*gates

	attempts []*attempt
}

// noon is when it begins.
func noon() time.Time { return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) }

// newStage must be called in a bubble. The ledger's file is there already.
func newStage(t *testing.T, ledgerFile string, clock func() time.Time, keys []heldKey) *stage {
	t.Helper()
	<-time.After(time.Until(noon()))
	logger := slog.New(slog.DiscardHandler)
	w := &world{t: t, clock: clock, logger: logger, ledgerFile: ledgerFile, api: &ionostest.Server{Now: clock, Unlimited: true, ModifiedMetadata: true}}
	w.self = w.api.AddUser(ionostest.User{Email: "keyreeve@example.com", Administrator: true})
	w.api.AddUser(ionostest.User{Email: "operator@example.com", Administrator: true})
	w.api.AddUser(ionostest.User{ID: aliceID, Email: "alice@example.com"})
	for _, k := range keys {
		key := ionostest.Key{ID: k.id, Active: k.inactive == 0, Created: k.created()}
		if !key.Active {
			key.Modified = noon().AddDate(0, 0, -k.inactive)
		}
		w.api.AddKey(aliceID, key)
	}
	s := &stage{world: w, gates: &gates{open: commutes}}
	w.cloud, w.storage = gatedTransport{s.gates, w.api}, gatedTransport{s.gates, w.api.S3()}
	w.events = gatedTransport{s.gates, &w.bus}
	return s
}

// commutes reports whether it does not matter when the move is made: nobody changes users, and nobody reads what was
// announced. The lists of buckets in the three regions are alike: two of them follow at once where the third waits.
func commutes(m move) bool {
	return m.does == looksUp || m.does == announces || m.does == asks && m.with != "keys" && !strings.Contains(m.with, "/"+string(ionostest.Frankfurt)+"/")
}

// begin delivers the request to a new process, which may be changed before.
func (s *stage) begin(by int, req guard.Request, limit time.Duration, change func(*lifecycle.Lifecycle)) {
	ctx, cancel := context.WithCancel(context.Background())
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	a := &attempt{by: by, req: req, dead: make(chan struct{}), cancel: cancel}
	p := s.process()
	memory := gatedLedger{s.gates, s.ledger()}
	holder := fmt.Sprint("request ", by, " delivery ", len(s.attempts))
	p.Ledger, p.Leases, p.Buckets, p.Holder = memory, memory, markedBuckets{p.Buckets}, func() string { return holder }
	if change != nil {
		change(p)
	}
	s.attempts = append(s.attempts, a)
	go func() {
		a.result, a.err = p.Do(context.WithValue(ctx, attemptKey{}, a), req)
		cancel()
		a.done = true
	}()
}

// settle lets time pass until every request that is alive waits at a gate. A request that sleeps before its next call
// may as well have that call delayed: nothing is lost by waking it first.
func (s *stage) settle() {
	for synctest.Wait(); s.asleep(); synctest.Wait() {
		<-time.After(50 * time.Millisecond)
	}
}

func (s *stage) asleep() bool {
	atGates := make(map[*attempt]bool)
	for _, w := range s.moves() {
		atGates[w.attempt] = true
	}
	for _, a := range s.attempts {
		if !a.done && !atGates[a] {
			return true
		}
	}
	return false
}

// kill lets the process of the attempt die.
func (*stage) kill(a *attempt) {
	if !a.died() {
		close(a.dead)
	}
	a.cancel()
}

// scene is the state of the world, as far as anything that happens next can depend on it.
type scene struct {
	keys [maxKeys]keyState
	// leased is true while somebody's lease lasts.
	leased bool
	// rest is everything, in words.
	rest string
}

type keyState uint8

const (
	gone keyState = iota
	inactive
	active
)

func (s *stage) scene(keys []heldKey) scene {
	var now scene
	var rest strings.Builder
	for _, k := range s.api.Keys(aliceID) {
		state := inactive
		if k.Active {
			state = active
		}
		now.keys[indexOf(keys, k.ID)] = state
		fmt.Fprintln(&rest, k.ID, k.Active, k.Modified)
	}
	db, err := bbolt.Open(s.ledgerFile, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(bucket []byte, items *bbolt.Bucket) error {
			return items.ForEach(func(key, item []byte) error {
				fmt.Fprintf(&rest, "%s/%s %s\n", bucket, key, item)
				if string(bucket) != "leases" {
					return nil
				}
				var lease struct {
					Until time.Time `json:"until"`
				}
				now.leased = json.Unmarshal(item, &lease) == nil && lease.Until.After(s.clock())
				return nil
			})
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	now.rest = rest.String()
	return now
}

func (s *stage) waitingFor(m move) *gated {
	for _, w := range s.moves() {
		if w.move == m {
			return w
		}
	}
	s.t.Fatalf("nobody waits for %+v", m)
	return nil
}

// checkAnnounced makes sure that what was announced is what the callers were told.
func (s *stage) checkAnnounced(t *testing.T) {
	t.Helper()
	var told, announced []string
	for _, a := range s.attempts {
		if a.done && a.err == nil {
			told = append(told, fmt.Sprintf("%+v", a.result.Keys))
		}
	}
	for _, finished := range s.bus.Finished() {
		announced = append(announced, fmt.Sprintf("%+v", finished.Keys))
	}
	slices.Sort(told)
	slices.Sort(announced)
	if diff := cmp.Diff(told, announced); diff != "" {
		t.Errorf("announced (-told +announced):\n%s", diff)
	}
}

// toggle lets the hand switch a key that is there.
func (s *stage) toggle(m move) {
	if slices.ContainsFunc(s.api.Keys(aliceID), func(k ionostest.Key) bool { return k.ID == m.key }) {
		s.api.SwitchKey(aliceID, m.key, m.does == turnsOn)
	}
}
