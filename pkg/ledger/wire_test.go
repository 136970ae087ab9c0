package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ledger/ledgertest"
)

// wire stands between a ledger and the emulator and does what AWS and networks do.
type wire struct {
	*httptest.Server
	emulator string
	// fault says what becomes of the nth call of an operation, such as PutItem. May be nil.
	fault func(operation string, n int) fault
	// asAWS adds the item to the answer that a condition failed, where the request asks for it. The emulator does not.
	asAWS bool
	// before is called ahead of the nth call of an operation. May be nil.
	before func(operation string, n int)

	mu    sync.Mutex
	calls map[string]int
}

// fault is what becomes of a call. The zero fault is that all goes well.
type fault struct {
	// lost: DynamoDB does not get the call.
	lost bool
	// reset: the connection breaks instead of an answer.
	reset bool
	// status and body are an answer in place of DynamoDB's.
	status int
	body   string
}

func newWire(t *testing.T, emulator *ledgertest.DynamoDB) *wire {
	t.Helper()
	w := &wire{emulator: emulator.Endpoint, calls: make(map[string]int)}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *wire) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if strings.HasSuffix(operation, "GetItem") && !bytes.Contains(body, []byte(`"ConsistentRead":true`)) {
		http.Error(answer, "this may be an old item", http.StatusNotImplemented) // The emulator has only the latest.
		return
	}
	w.mu.Lock()
	w.calls[operation]++
	n := w.calls[operation]
	w.mu.Unlock()

	var f fault
	if w.fault != nil {
		f = w.fault(operation, n)
	}
	if w.before != nil {
		w.before(operation, n)
	}
	status, data := 0, []byte(nil)
	if !f.lost {
		status, data = w.forward(r, operation, body)
	}
	switch {
	case f.reset:
		connection, _, err := http.NewResponseController(answer).Hijack()
		if err != nil {
			panic(err)
		}
		if tcp, ok := connection.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = connection.Close()
		return
	case f.status != 0:
		status, data = f.status, []byte(f.body)
	case status == http.StatusBadRequest && w.asAWS:
		data = w.withItem(r, body, data)
	}
	answer.Header().Set("Content-Type", "application/x-amz-json-1.0")
	answer.Header().Set("Location", "/") // which counts with a redirect only
	answer.WriteHeader(status)
	_, _ = answer.Write(data)
}

// forward passes a call on to the emulator.
func (w *wire) forward(r *http.Request, operation string, body []byte) (int, []byte) {
	forwarded, err := http.NewRequestWithContext(r.Context(), http.MethodPost, w.emulator, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	forwarded.Header = r.Header.Clone()
	forwarded.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	response, err := w.Client().Do(forwarded)
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	return response.StatusCode, data
}

// withItem makes the answer to a put whose condition failed what AWS makes of it.
func (w *wire) withItem(r *http.Request, request, answer []byte) []byte {
	var put struct {
		TableName                           string                       `json:"TableName"`
		Item                                map[string]map[string]string `json:"Item"`
		ReturnValuesOnConditionCheckFailure string                       `json:"ReturnValuesOnConditionCheckFailure"`
	}
	var failure map[string]any
	if json.Unmarshal(request, &put) != nil || json.Unmarshal(answer, &failure) != nil ||
		put.ReturnValuesOnConditionCheckFailure != "ALL_OLD" || !strings.HasSuffix(fmt.Sprint(failure["__type"]), "#ConditionalCheckFailedException") {
		return answer
	}
	get, err := json.Marshal(map[string]any{"TableName": put.TableName, "Key": map[string]any{"id": put.Item["id"]}, "ConsistentRead": true})
	if err != nil {
		panic(err)
	}
	_, found := w.forward(r, "GetItem", get)
	var item struct {
		Item json.RawMessage `json:"Item"`
	}
	if err := json.Unmarshal(found, &item); err != nil {
		panic(err)
	}
	failure["Item"] = item.Item
	data, err := json.Marshal(failure)
	if err != nil {
		panic(err)
	}
	return data
}

// testFailedCondition is about who has a lease that cannot be had. AWS says so at once, the emulator has to be asked.
func testFailedCondition(t *testing.T, emulator *ledgertest.DynamoDB) {
	t.Helper()
	for _, test := range []struct {
		name      string
		asAWS     bool
		wantCalls map[string]int
	}{
		{"with the item in the answer", true, map[string]int{"PutItem": 2}},
		{"without", false, map[string]int{"PutItem": 2, "GetItem": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWire(t, emulator)
			w.asAWS = test.asAWS
			c := clockAt(noon())
			l := openDynamoDB(t, w.URL, emulator.Table(t), c.now)
			acquire(t, l, alice, "first")
			c.advance(time.Second)
			wantTaken(t, l.Acquire(t.Context(), alice, "second", time.Minute), 59*time.Second)
			if diff := cmp.Diff(test.wantCalls, w.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("the contract with the item in the answer", func(t *testing.T) {
		testLeases(t, func(t *testing.T, clock func() time.Time) Ledger {
			t.Helper()
			w := newWire(t, emulator)
			w.asAWS = true
			return openDynamoDB(t, w.URL, emulator.Table(t), clock)
		})
	})
	t.Run("a lease that is given back before one asks whose it was", func(t *testing.T) {
		w := newWire(t, emulator)
		table := emulator.Table(t)
		direct := openDynamoDB(t, emulator.Endpoint, table, clockAt(noon()).now)
		acquire(t, direct, alice, "first")
		w.before = func(operation string, n int) {
			if operation == "GetItem" && n == 1 {
				release(t, direct, alice, "first")
			}
		}
		acquire(t, openDynamoDB(t, w.URL, table, clockAt(noon()).now), alice, "second")
		if diff := cmp.Diff(map[string]int{"PutItem": 2, "GetItem": 1}, w.calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// refusal is an answer of DynamoDB that it did not do what was asked.
func refusal(code string) fault {
	body := fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"the request had %s and %s"}`, code, sessionToken, private)
	return fault{lost: true, status: http.StatusBadRequest, body: body}
}

// first is the fault of the first n calls of an operation.
func first(n int, operation string, f fault) func(string, int) fault {
	return func(called string, nth int) fault {
		if called == operation && nth <= n {
			return f
		}
		return fault{}
	}
}

// testWire makes every call of a ledger once while something goes wrong, and looks at what is in the table then: alice's
// lease is taken by "first", she left at noon, 5 changes are counted, an event is remembered for an hour, and she was
// warned of a key at noon, unless the call changes that.
func testWire(t *testing.T, emulator *ledgertest.DynamoDB) {
	t.Helper()
	calls := map[string]func(context.Context, Ledger) error{
		"Acquire": func(ctx context.Context, l Ledger) error { return l.Acquire(ctx, bob, "first", time.Minute) },
		"Release": func(ctx context.Context, l Ledger) error { return l.Release(ctx, alice, "first") },
		"Recall":  func(ctx context.Context, l Ledger) error { _, err := l.Recall(ctx, alice); return err },
		"Record": func(ctx context.Context, l Ledger) error {
			return l.Record(ctx, alice, guard.Memory{OffboardedAt: noon().Add(time.Hour)})
		},
		"Reserve":   func(ctx context.Context, l Ledger) error { _, err := l.Reserve(ctx, 2, 100); return err },
		"give back": func(ctx context.Context, l Ledger) error { _, err := l.Reserve(ctx, -2, 0); return err },
		"Seen":      func(ctx context.Context, l Ledger) error { _, err := l.Seen(ctx, event); return err },
		"Remember":  func(ctx context.Context, l Ledger) error { return l.Remember(ctx, event, noon().Add(2*time.Hour)) },
		"RecallAll": func(ctx context.Context, l Ledger) error {
			_, err := l.RecallAll(ctx, []string{alice, bob})
			return err
		},
		"WarningsOf": func(ctx context.Context, l Ledger) error {
			_, err := l.WarningsOf(ctx, []string{alice, bob})
			return err
		},
		"RecordWarnings": func(ctx context.Context, l Ledger) error {
			return l.RecordWarnings(ctx, alice, []string{"00e1"}, noon().Add(7*24*time.Hour))
		},
		"RecallSweeps": func(ctx context.Context, l Ledger) error { _, err := l.RecallSweeps(ctx); return err },
		"RecordSweep":  func(ctx context.Context, l Ledger) error { return l.RecordSweep(ctx, sweepOn(noon())) },
	}
	writes := map[string]string{
		"Acquire": "PutItem", "Release": "DeleteItem", "Recall": "GetItem", "Record": "PutItem", "Reserve": "PutItem", "give back": "PutItem",
		"Seen": "GetItem", "Remember": "PutItem",
		"RecallAll": "BatchGetItem", "WarningsOf": "BatchGetItem", "RecordWarnings": "PutItem", "RecallSweeps": "GetItem", "RecordSweep": "PutItem",
	}
	unharmed := map[string]int{"Reserve": 7, "give back": 3}
	failed := fault{status: http.StatusInternalServerError, body: `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`}
	for _, test := range []struct {
		name string
		// fault is what becomes of the first two calls that matter, only of one where once is set.
		fault fault
		once  bool
		// wantErrors are the calls that fail, and what their errors say.
		wantErrors map[string]string
		// wantCounted are the changes that are counted in the end, where they are others than if all went well.
		wantCounted map[string]int
	}{
		{name: "nothing goes wrong"},
		{name: "throughput exceeded", fault: refusal("ProvisionedThroughputExceededException")},
		{name: "throttled", fault: refusal("ThrottlingException")},
		{name: "request limit exceeded", fault: refusal("RequestLimitExceeded")},
		{
			name: "the answer is lost on the way", fault: fault{reset: true}, once: true,
			wantErrors:  map[string]string{"give back": "PutItem"},
			wantCounted: map[string]int{"Reserve": 9}, // too many, which errs on the side of the limit
		},
		{
			name: "done, and reported as failed", fault: failed, once: true,
			wantErrors:  map[string]string{"give back": "InternalServerError"},
			wantCounted: map[string]int{"Reserve": 9},
		},
		{
			name: "the call is lost on the way", fault: fault{lost: true, reset: true}, once: true,
			wantErrors:  map[string]string{"give back": "PutItem"},
			wantCounted: map[string]int{"give back": 5},
		},
	} {
		for call, do := range calls {
			t.Run(test.name+": "+call, func(t *testing.T) {
				t.Parallel()
				w := newWire(t, emulator)
				name := emulator.Table(t)
				direct := openDynamoDB(t, emulator.Endpoint, name, clockAt(noon()).now)
				acquire(t, direct, alice, "first")
				record(t, direct, alice, guard.Memory{OffboardedAt: noon()})
				wantReserve(t, direct, 5, 0, 0)
				remember(t, direct, event, noon().Add(time.Hour))
				warn(t, direct, alice, noon(), "00e1")

				n := 2
				if test.once {
					n = 1
				}
				w.fault = first(n, writes[call], test.fault)
				err := do(t.Context(), openDynamoDB(t, w.URL, name, clockAt(noon()).now))
				if cause, fails := test.wantErrors[call]; fails {
					wantUnusableTable(t, call, err, cause)
				} else if err != nil {
					t.Errorf("%s: %v", call, err)
				}

				items := scan(t, emulator, name)
				_, aliceHeld := items["leases/"+alice]
				_, bobHeld := items["leases/"+bob]
				if aliceHeld == (call == "Release") || bobHeld != (call == "Acquire") {
					t.Errorf("leases: alice's %v, bob's %v", aliceHeld, bobHeld)
				}
				left := noon()
				if call == "Record" {
					left = noon().Add(time.Hour)
				}
				wantMemory(t, direct, alice, guard.Memory{OffboardedAt: left})
				counted := 5
				for _, want := range []map[string]int{unharmed, test.wantCounted} {
					if n, ok := want[call]; ok {
						counted = n
					}
				}
				wantReserve(t, direct, 0, 0, counted)
				later := openDynamoDB(t, emulator.Endpoint, name, clockAt(noon().Add(time.Hour)).now)
				wantSeen(t, later, event, call == "Remember")
				warned := []time.Time{noon()}
				if call == "RecordWarnings" {
					warned = append(warned, noon().Add(7*24*time.Hour))
				}
				wantWarnings(t, direct, alice, guard.KeyWarnings{"00e1": warned})
				var swept guard.SweepMemory
				if call == "RecordSweep" {
					swept = sweepOn(noon())
				}
				wantSweeps(t, direct, swept)
			})
		}
	}
	t.Run("what is given back is so once, although another was faster", func(t *testing.T) {
		t.Parallel()
		w := newWire(t, emulator)
		name := emulator.Table(t)
		direct := openDynamoDB(t, emulator.Endpoint, name, clockAt(noon()).now)
		wantReserve(t, direct, 5, 0, 0)
		w.before = func(operation string, n int) {
			if operation == "PutItem" && n <= 2 {
				if _, err := direct.Reserve(t.Context(), 1, 0); err != nil {
					t.Error(err)
				}
			}
		}
		wantReserve(t, openDynamoDB(t, w.URL, name, clockAt(noon()).now), -2, 0, 7)
		wantReserve(t, direct, 0, 0, 5)
		if w.calls["PutItem"] != 3 {
			t.Errorf("%d puts, want 3", w.calls["PutItem"])
		}
	})
	t.Run("what changes nothing is not written", func(t *testing.T) {
		t.Parallel()
		w := newWire(t, emulator)
		l := openDynamoDB(t, w.URL, emulator.Table(t), clockAt(noon()).now)
		wantReserve(t, l, 0, 0, 0)
		record(t, l, alice, guard.Memory{})
		record(t, l, alice, guard.Memory{OffboardedAt: noon()}) // this is written
		record(t, l, alice, guard.Memory{OffboardedAt: noon()})
		wantReserve(t, l, 2, 1, 0)
		wantReserve(t, l, 0, 1, 0)
		wantMemory(t, l, alice, guard.Memory{OffboardedAt: noon()})
		wantSeen(t, l, event, false)
		remember(t, l, event, noon().Add(time.Hour)) // so is this
		remember(t, l, event, noon().Add(time.Hour))
		remember(t, l, event, noon().Add(time.Minute))
		wantSeen(t, l, event, true)
		warn(t, l, alice, noon(), "00e1") // and this
		warn(t, l, alice, noon().Add(time.Hour), "00e1")
		for range 2 {
			if err := l.RecordSweep(t.Context(), sweepOn(noon())); err != nil { // and this once
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(map[string]int{"GetItem": 16, "PutItem": 4}, w.calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
	t.Run("a table that is not there", func(t *testing.T) {
		t.Parallel()
		for call, do := range calls {
			err := do(t.Context(), openDynamoDB(t, emulator.Endpoint, "missing", clockAt(noon()).now))
			wantUnusableTable(t, call, err, "ResourceNotFoundException")
		}
	})
	for _, test := range []struct {
		name      string
		fault     fault
		wantCause string
	}{
		{"denied", refusal("AccessDeniedException"), "AccessDeniedException (status 400)"},
		{"a signature that does not match", refusal("InvalidSignatureException"), "InvalidSignatureException"},
		{"a page", fault{lost: true, status: http.StatusOK, body: "<html>Welcome</html>"}, "cannot be understood"},
		{"half an answer", fault{lost: true, status: http.StatusOK, body: `{"Item":{"id":`}, "cannot be understood"},
		{"a redirect", fault{lost: true, status: http.StatusFound}, "302"},
	} {
		t.Run("answered with "+test.name, func(t *testing.T) {
			t.Parallel()
			for call, do := range calls {
				w := newWire(t, emulator)
				w.fault = func(string, int) fault { return test.fault }
				wantUnusableTable(t, call, do(t.Context(), openDynamoDB(t, w.URL, "table", clockAt(noon()).now)), test.wantCause)
				if n := slices.Collect(maps.Values(w.calls)); !slices.Equal(n, []int{1}) {
					t.Errorf("%s made the calls %v, want one", call, w.calls)
				}
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		for call, do := range calls {
			err := do(t.Context(), openDynamoDB(t, "http://127.0.0.1:1", "table", clockAt(noon()).now))
			wantUnusableTable(t, call, err, "connection refused")
		}
	})
}

// network finds no item, and answers every other call alike, or never.
type network struct{ refusal string }

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.refusal == "" {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	answer := httptest.NewRecorder()
	body := "{}"
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetItem") {
		answer.WriteHeader(http.StatusBadRequest)
		body = fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s"}`, n.refusal)
	}
	_, err := answer.WriteString(body)
	return answer.Result(), err
}

func TestDynamoDBIsWaitedForNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		network  network
		deadline time.Duration
		min, max time.Duration
		cause    string
	}{
		{"silent, with a deadline", network{}, time.Second, time.Second, time.Second, "deadline exceeded"},
		{"silent", network{}, time.Hour, 5 * time.Second, 5 * time.Second, "deadline exceeded"},
		{"throttled, with a deadline", network{"ThrottlingException"}, 2 * time.Second, 2 * time.Second, 2 * time.Second, "ThrottlingException"},
		{"throttled", network{"ThrottlingException"}, time.Hour, 5 * time.Second, 5 * time.Second, "ThrottlingException"},
		{"always too late", network{"ConditionalCheckFailedException"}, time.Hour, 5 * time.Second, 5 * time.Second, "ConditionalCheckFailedException"},
	} {
		for call, do := range map[string]func(context.Context, Ledger) error{
			"Acquire": func(ctx context.Context, l Ledger) error { return l.Acquire(ctx, alice, "first", time.Minute) },
			"Record": func(ctx context.Context, l Ledger) error {
				return l.Record(ctx, alice, guard.Memory{OffboardedAt: noon()})
			},
			"Reserve":   func(ctx context.Context, l Ledger) error { _, err := l.Reserve(ctx, 1, 1); return err },
			"give back": func(ctx context.Context, l Ledger) error { _, err := l.Reserve(ctx, -1, 1); return err },
			"Remember":  func(ctx context.Context, l Ledger) error { return l.Remember(ctx, event, noon().Add(time.Hour)) },
			"RecordWarnings": func(ctx context.Context, l Ledger) error {
				return l.RecordWarnings(ctx, alice, []string{"00e1"}, noon())
			},
		} {
			t.Run(test.name+": "+call, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
					defer cancel()
					start := time.Now()
					err := do(ctx, newDynamoDB("http://dynamodb.test", "table", test.network, time.Now))
					wantUnavailable(t, call, err, "The ledger could not be had in time.", test.cause)
					if waited := time.Since(start); waited < test.min || waited > test.max {
						t.Errorf("waited %s, want %s to %s", waited, test.min, test.max)
					}
				})
			})
		}
	}
}

// deafOnce does not answer the first call.
type deafOnce struct {
	network
	called bool
}

func (d *deafOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	if !d.called {
		d.called = true
		return network{}.RoundTrip(r)
	}
	return d.network.RoundTrip(r)
}

func TestDynamoDBThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wantMemory(t, newDynamoDB("http://dynamodb.test", "table", &deafOnce{network: network{"not asked for"}}, time.Now), alice, guard.Memory{})
	})
}
