package sweep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/sweep"
)

// finishing is what a sweep leaves of an invocation's time to hand over.
const finishing = 15 * time.Second

// continued are the messages of the queue that the sweep's own events end in.
func (w *world) continued(t *testing.T) []string {
	t.Helper()
	var bodies []string
	for _, detail := range w.bus.Continued() {
		body, err := json.Marshal(map[string]any{"source": "keyreeve", "detail-type": "Key Sweep Continued", "detail": detail})
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(body))
	}
	return bodies
}

// batch is a batch of the queue with one message.
func batch(t *testing.T, body string) []byte {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"Records": []any{map[string]any{"messageId": "m1", "body": body, "eventSource": "aws:sqs"}}})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestASweepThatIsCutOffGoesOn(t *testing.T) { synctest.Test(t, testCutOff) }

func testCutOff(t *testing.T) {
	whole := newWorld(t)
	whole.crowd(20, 400)
	whole.mode(guard.Enforce)
	uninterrupted := whole.steps(t, whole.night(t))

	w := newWorld(t)
	w.crowd(20, 400)
	w.mode(guard.Enforce)
	// Each page but the first hangs when it is asked for the first time, until the invocation has no time left.
	var mu sync.Mutex
	asked := map[string]bool{"offset=0": true}
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		mu.Lock()
		defer mu.Unlock()
		page := "offset=" + r.URL.Query().Get("offset")
		if asked[page] {
			return nil
		}
		asked[page] = true
		return ionostest.Hang()
	}
	result, invocations := w.short(t)
	want(t, "the first one continues", result.Continues, true)
	want(t, "invocations", invocations, 5)
	sweeps := w.bus.Sweeps()
	if len(sweeps) != 1 || sweeps[0].Users != 421 || sweeps[0].Keys != 420 {
		t.Fatalf("announced: %+v", sweeps)
	}
	want(t, "due", w.steps(t, sweeps[0]), uninterrupted)
	want(t, "requests", len(w.bus.Requests()), 20)
}

// short is a sweep in invocations that have a second to work, until none continues.
func (w *world) short(t *testing.T) (first guard.Sweep, invocations int) {
	t.Helper()
	time := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(t.Context(), finishing+time.Second)
	}
	ctx, cancel := time()
	first = w.sweep(ctx, t, `{}`)
	cancel()
	invocations = 1
	for continued := w.continued(t); len(continued) == invocations; continued = w.continued(t) {
		ctx, cancel := time()
		w.message(ctx, t, continued[invocations-1])
		cancel()
		invocations++
	}
	return first, invocations
}

// message delivers a message of the queue.
func (w *world) message(ctx context.Context, t *testing.T, body string) {
	t.Helper()
	answer, err := w.Invoke(ctx, batch(t, body))
	if err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Fatalf("%s, %v\n%s", answer, err, w.log.String())
	}
}

func TestASweepThatIsCutOffWhileItPublishes(t *testing.T) { synctest.Test(t, testCutOffPublishing) }

func testCutOffPublishing(t *testing.T) {
	w := newWorld(t)
	w.crowd(30, 1)
	w.mode(guard.Enforce)
	calls := 0
	w.hangs = func(body string) bool {
		if !strings.Contains(body, "Key Operation Requested") {
			return false
		}
		calls++
		return calls == 2
	}
	first, invocations := w.short(t)
	want(t, "the first one continues", first.Continues, true)
	want(t, "invocations", invocations, 2)
	want(t, "sweeps announced", len(w.bus.Sweeps()), 1)
	w.carryOut(t)
	want(t, "requests, by id", len(w.requested()), 30)
	want(t, "requests, each once", len(w.bus.Requests()), 30)
	want(t, "writes", w.writes(), 30)
}

// slow is the archive, where the first reports take longer than there is time.
type slow struct {
	sweep.Archive

	reports int
}

func (s *slow) Put(ctx context.Context, name, contentType string, content io.ReadSeeker) error {
	if strings.HasSuffix(name, "report.html") {
		if s.reports--; s.reports >= 0 {
			<-ctx.Done()
			return ctx.Err()
		}
	}
	return s.Archive.Put(ctx, name, contentType, content)
}

func TestASweepThatIsCutOffWhileItReports(t *testing.T) { synctest.Test(t, testCutOffReporting) }

func testCutOffReporting(t *testing.T) {
	w := newWorld(t)
	w.crowd(10, 10)
	w.mode(guard.Enforce)
	w.Archive = &slow{Archive: w.Archive, reports: 1}
	first, invocations := w.short(t)
	want(t, "the first one continues", first.Continues, true)
	want(t, "invocations", invocations, 2)
	want(t, "requests", len(w.requested()), 10)
	want(t, "a report", w.bus.Sweeps()[0].Report != "", true)

	// Queues deliver twice, also when all is over.
	w.message(t.Context(), t, w.continued(t)[0])
	want(t, "sweeps announced", len(w.bus.Sweeps()), 1)
	want(t, "requests after a repeat", len(w.bus.Requests()), 10)
}

func TestASweepThatCannotReportDoesNotGoOnForEver(t *testing.T) { synctest.Test(t, testNoReport) }

func testNoReport(t *testing.T) {
	w := newWorld(t)
	w.crowd(10, 10)
	w.mode(guard.Enforce)
	w.Archive = &slow{Archive: w.Archive, reports: 2}
	ctx, cancel := context.WithTimeout(t.Context(), finishing+time.Second)
	defer cancel()
	want(t, "the first one continues", w.sweep(ctx, t, `{}`).Continues, true)
	again, cancel := context.WithTimeout(t.Context(), finishing+time.Second)
	defer cancel()
	_, err := w.Invoke(again, []byte(w.continued(t)[0]))
	if guard.KindOf(err) != guard.Unavailable || !strings.Contains(fmt.Sprint(err), "got nowhere") {
		t.Errorf("error %v", err)
	}
	w.message(t.Context(), t, w.continued(t)[0]) // The queue delivers it again.
	want(t, "requests", len(w.requested()), 10)
}

func TestASweepThatGetsNowhereStops(t *testing.T) { synctest.Test(t, testNowhere) }

func testNowhere(t *testing.T) {
	w := newWorld(t)
	w.crowd(1, 1)
	w.api.Fault = ionostest.Always(ionostest.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), finishing+time.Second)
	defer cancel()
	result := w.sweep(ctx, t, `{}`)
	if result.Stopped == nil || result.Stopped.Brake != guard.BrokenReading || !strings.Contains(result.Stopped.Message, "Not one page") {
		t.Errorf("stopped by %+v", result.Stopped)
	}
}

func TestAMessageThatComesAgainIsTheSameSweep(t *testing.T) {
	w := newWorld(t)
	w.crowd(20, 100)
	w.mode(guard.Enforce)
	w.bus.Refuse() // The invocation dies before it can say what it did.
	if _, err := w.Invoke(t.Context(), []byte(`{}`)); guard.KindOf(err) != guard.Unavailable {
		t.Fatalf("error %v", err)
	}
	w.bus.Accept()
	w.night(t)
	w.night(t)
	want(t, "requests", len(w.requested()), 20)
	want(t, "writes", w.writes(), 20)
}

func TestTwoSweepsAtOnce(t *testing.T) {
	w := newWorld(t)
	if err := w.ledger.Acquire(t.Context(), "sweep", "another", time.Minute); err != nil {
		t.Fatal(err)
	}
	_, err := w.Invoke(t.Context(), []byte(`{}`))
	if guard.KindOf(err) != guard.Unavailable {
		t.Errorf("error %v", err)
	}
	answer, err := w.Invoke(t.Context(), batch(t, `{}`))
	if err != nil || string(answer) != `{"batchItemFailures":[{"itemIdentifier":"m1"}]}` {
		t.Errorf("%s, %v: want it to come again", answer, err)
	}
	w.pass(time.Minute)
	w.night(t)
	w.night(t) // The lease was given back.
}

func TestOrders(t *testing.T) {
	for payload, says := range map[string]string{
		`{}`:                          "",
		`{"policy": "max_age"}`:       "",
		`{"policy": "inactive_user"}`: "",
		`{"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}`: "",
		`{"policy": "all"}`:                `There is no policy "all".`,
		`{"policy": "delete_after_grace"}`: "The policy delete_after_grace is switched off.",
		`{"override": ["blast_radius"]}`:   `The brake "blast_radius" cannot be overridden.`,
		`{"mode": "enforce"}`:              "The payload cannot be read: it must not hold mode.",
		`[]`:                               "The payload cannot be read: it must be an object.",
		`{"source": "keyreeve", "detail-type": "Key Sweep Continued", "detail": {"offset": "1"}}`: "The state of the sweep cannot be read: offset must be a number.",
		`{"source": "elsewhere", "detail-type": "Key Sweep Continued", "detail": {}}`:             "The payload cannot be read: it must not hold source.",
		`{"source": "keyreeve", "detail-type": "Key Sweep Finished", "detail": {}}`:               "The payload cannot be read: it must not hold source.",
	} {
		t.Run(payload, func(t *testing.T) {
			w := newWorld(t)
			delete(w.Rules.Modes, guard.DeleteAfterGrace)
			_, err := w.Invoke(t.Context(), []byte(payload))
			if says == "" {
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			if guard.KindOf(err) != guard.Invalid || !strings.Contains(fmt.Sprint(err), says) {
				t.Errorf("error %v, want %s", err, says)
			}
		})
	}
}

func TestASweepThatIsThrottledGoesOn(t *testing.T) { synctest.Test(t, testThrottled) }

func testThrottled(t *testing.T) {
	w := newWorld(t)
	w.crowd(20, 400)
	w.mode(guard.Enforce)
	// After the first page IONOS wants no more calls for a long while.
	var refused atomic.Int64
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if r.URL.Query().Get("offset") == "100" && refused.Add(1) == 1 {
			return ionostest.Status(http.StatusTooManyRequests, time.Hour)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	result := w.sweep(ctx, t, `{}`)
	want(t, "it continues", result.Continues, true)
	w.message(t.Context(), t, w.continued(t)[0])
	want(t, "users", w.bus.Sweeps()[0].Users, 421)
}

func TestAListThatRepeatsItselfIsBroken(t *testing.T) {
	w := newWorld(t)
	w.crowd(0, 300)
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if r.URL.Query().Get("offset") == "200" {
			return repeated
		}
		return nil
	}
	result := w.sweep(t.Context(), t, `{}`)
	if result.Stopped == nil || result.Stopped.Brake != guard.BrokenReading || !strings.Contains(result.Stopped.Message, "the same users again") {
		t.Errorf("stopped by %+v", result.Stopped)
	}
}

// repeated answers with the page before, as if it were the one that was asked for.
func repeated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Query()
		asked.Set("offset", "100")
		r.URL.RawQuery = asked.Encode()
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		_, _ = w.Write(bytes.Replace(answer.Body.Bytes(), []byte(`"offset":100`), []byte(`"offset":200`), 1))
	})
}
