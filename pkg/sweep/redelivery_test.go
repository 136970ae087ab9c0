package sweep_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// cuts has the page at an offset hang when it is asked for the next time. The zero value cuts nothing off.
type cuts struct{ offset atomic.Pointer[string] }

func (c *cuts) at(offset int) {
	next := strconv.Itoa(offset)
	c.offset.Store(&next)
}

func (c *cuts) plan(r *http.Request) ionostest.Fault {
	offset := c.offset.Load()
	if offset == nil || r.URL.Query().Get("offset") != *offset || !c.offset.CompareAndSwap(offset, nil) {
		return nil
	}
	return ionostest.Hang()
}

// shifted answers as if somebody had been added before the users of the page meanwhile.
func shifted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Query()
		offset, err := strconv.Atoi(asked.Get("offset"))
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		asked.Set("offset", strconv.Itoa(offset-1))
		r.URL.RawQuery = asked.Encode()
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		said, meant := fmt.Sprintf(`"offset":%d`, offset-1), fmt.Sprintf(`"offset":%d`, offset)
		_, _ = w.Write(bytes.Replace(answer.Body.Bytes(), []byte(said), []byte(meant), 1))
	})
}

func TestWhoeverIsOnTwoPagesCountsOnceAlsoWhereASweepGoesOn(t *testing.T) {
	synctest.Test(t, testTwoPages)
}

func testTwoPages(t *testing.T) {
	w := newWorld(t)
	w.crowd(120, 80)
	w.Policy.MaxChanges = 500
	w.mode(guard.Enforce)
	w.cuts.at(100)
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if fault := w.cuts.plan(r); fault != nil {
			return fault
		}
		if offset := r.URL.Query().Get("offset"); offset != "" && offset != "0" {
			return shifted
		}
		return nil
	}
	_, invocations := w.short(t)
	want(t, "invocations", invocations, 2)
	for _, req := range w.bus.Requests() {
		if err := req.Validate(w.now()); err != nil {
			t.Error(err)
		}
	}
	swept := w.bus.Sweeps()[0]
	want(t, "users, with Keyreeve's own", swept.Users, 201)
	want(t, "keys", swept.Keys, 200)
	want(t, "keys in the report", len(w.report(t, swept)), 200)
}

func TestAListMayEndWithSomebodyKnown(t *testing.T) {
	w := newWorld(t)
	w.crowd(0, 99)
	w.api.Fault = func(r *http.Request) ionostest.Fault {
		if r.URL.Query().Get("offset") == "100" {
			return shifted
		}
		return nil
	}
	result := w.night(t)
	want(t, "stopped", result.Stopped, (*guard.SweepStop)(nil))
	want(t, "users, with Keyreeve's own", result.Users, 100)
}

func TestAMessageThatComesAgainInBetweenSpoilsNoPlan(t *testing.T) { synctest.Test(t, testRepeat) }

func testRepeat(t *testing.T) {
	w := newWorld(t)
	w.crowd(20, 400)
	w.mode(guard.Enforce)
	w.cutOff(t, 200, `{}`)
	if _, err := w.Invoke(t.Context(), []byte(`{}`)); guard.KindOf(err) != guard.Unavailable {
		t.Errorf("another sweep in between: error %v", err)
	}
	w.cutOff(t, 400, w.continued(t)[0])
	w.cutOff(t, 300, w.continued(t)[0]) // The same again does not come as far.
	first, second := w.continued(t)[1], w.continued(t)[2]
	w.message(t.Context(), t, first)
	swept := w.bus.Sweeps()[0]
	want(t, "keys", swept.Keys, 420)
	want(t, "keys in the report", len(w.report(t, swept)), 420)
	want(t, "requests", len(w.requested()), 20)

	w.message(t.Context(), t, second)
	want(t, "sweeps announced", len(w.bus.Sweeps()), 1)
	plans, err := fs.Glob(os.DirFS(w.reports), "*/*/plan*")
	if err != nil || len(plans) > 0 {
		t.Errorf("left in the archive: %v, %v", plans, err)
	}
}

// cutOff delivers a message to an invocation that comes as far as the page at the offset.
func (w *world) cutOff(t *testing.T, offset int, body string) {
	t.Helper()
	w.cuts.at(offset)
	ctx, cancel := context.WithTimeout(t.Context(), finishing+time.Second)
	defer cancel()
	w.message(ctx, t, body)
}

func TestNoPolicyIsArmedInTheMiddleOfASweep(t *testing.T) {
	for name, arrange := range map[string]func(w *world){
		"it only reported":    func(w *world) { w.mode(guard.Report) },
		"it was switched off": func(w *world) { delete(w.Rules.Modes, guard.InactiveUser) },
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testArmed(t, arrange) }) })
	}
}

func testArmed(t *testing.T, arrange func(w *world)) {
	t.Helper()
	w := newWorld(t)
	w.crowd(0, 150)
	w.crowd(20, 0)
	w.Policy.MaxChanges = 19 // One less than are due.
	arrange(w)
	w.cutOff(t, 100, `{}`)
	w.mode(guard.Enforce)
	w.message(t.Context(), t, w.continued(t)[0])
	want(t, "requests", len(w.requested()), 0)
	for _, row := range w.report(t, w.bus.Sweeps()[0]) {
		want(t, "reported as enforced: "+row.Key, row.Mode == guard.Enforce, false)
	}
}

func TestAPolicyThatIsDisarmedMeanwhileIsNotCarriedOut(t *testing.T) {
	for name, disarm := range map[string]func(w *world){
		"it only reports":    func(w *world) { w.mode(guard.Report) },
		"it is switched off": func(w *world) { delete(w.Rules.Modes, guard.InactiveUser) },
		"all is a dry run":   func(w *world) { w.Rules.DryRun = true },
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testDisarmed(t, disarm) }) })
	}
}

func testDisarmed(t *testing.T, disarm func(w *world)) {
	t.Helper()
	w := newWorld(t)
	w.crowd(20, 100)
	w.crowd(20, 0)
	w.mode(guard.Enforce)
	w.cutOff(t, 100, `{}`)
	disarm(w)
	w.message(t.Context(), t, w.continued(t)[0])
	want(t, "requests", len(w.requested()), 0)
}

func TestAStateThatNoSweepLeftIsRefused(t *testing.T) {
	for name, detail := range map[string]string{
		"nothing":         `{}`,
		"no phase":        `{"night": {"id": "n", "day": "2026-11-23", "startedAt": "2026-11-23T02:00:00Z"}, "parts": ["0"]}`,
		"a phase of none": `{"night": {"id": "n", "day": "2026-11-23", "startedAt": "2026-11-23T02:00:00Z"}, "parts": ["0"], "phase": "finished"}`,
		"no id":           `{"night": {"day": "2026-11-23", "startedAt": "2026-11-23T02:00:00Z"}, "parts": ["0"], "phase": "publishing"}`,
		"no day":          `{"night": {"id": "n", "startedAt": "2026-11-23T02:00:00Z"}, "parts": ["0"], "phase": "publishing"}`,
		"no plan":         `{"night": {"id": "n", "day": "2026-11-23", "startedAt": "2026-11-23T02:00:00Z"}, "parts": [], "phase": "publishing"}`,
		"the day before":  `{"night": {"id": "n", "day": "2026-11-22", "startedAt": "2026-11-22T02:00:04Z"}, "parts": ["0"], "phase": "publishing"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.Invoke(t.Context(), []byte(`{"source": "keyreeve", "detail-type": "Key Sweep Continued", "detail": `+detail+`}`))
			want(t, "kind of error", guard.KindOf(err), guard.Invalid)
			want(t, "sweeps announced", len(w.bus.Sweeps()), 0)
		})
	}
}

func TestAPlanThatCannotBeReadIsNotCarriedOut(t *testing.T) {
	for name, damage := range map[string]func(plan []byte) []byte{
		"it broke off":         func(plan []byte) []byte { return plan[:len(plan)-2] },
		"it is something else": func([]byte) []byte { return []byte("<html>") },
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testDamaged(t, damage) }) })
	}
}

func testDamaged(t *testing.T, damage func(plan []byte) []byte) {
	t.Helper()
	w := newWorld(t)
	w.crowd(20, 100)
	w.mode(guard.Enforce)
	w.cutOff(t, 100, `{}`)
	files, err := filepath.Glob(filepath.Join(w.reports, "*", "*", "plan*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("plans: %v, %v", files, err)
	}
	plan, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], damage(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = w.Invoke(t.Context(), []byte(w.continued(t)[0]))
	if guard.KindOf(err) != guard.Unavailable || !strings.Contains(err.Error(), "The plan of the sweep cannot be read.") {
		t.Errorf("error %v", err)
	}
	want(t, "requests", len(w.bus.Requests()), 0)
	want(t, "sweeps announced", len(w.bus.Sweeps()), 0)
}
