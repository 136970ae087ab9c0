package lifecycle_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
)

// A preview is what a dry run says, without its lease and without anybody hearing of it.
func TestPreview(t *testing.T) {
	w := newWorld(t)
	alice := w.alice(older, newer, off)
	bob := guard.Actor{Kind: guard.ChatOps, Email: "bob@example.com"}
	for name, change := range map[string]func(*guard.Request){
		"all keys":                func(r *guard.Request) { r.Keys = nil },
		"one key":                 func(*guard.Request) {},
		"an offboarding":          func(r *guard.Request) { r.Keys, r.Offboarding = nil, true },
		"an activation":           func(r *guard.Request) { r.Action, r.Keys = guard.Activate, []string{off, older} },
		"a deletion":              func(r *guard.Request) { *r = w.deletion(off) },
		"a deletion, overridden":  func(r *guard.Request) { *r = w.deletion(off); r.Override = []guard.Rule{guard.GracePeriod} },
		"one that is not allowed": func(r *guard.Request) { r.Actor = bob },
		"some keys are nobody's":  func(r *guard.Request) { r.Keys = []string{older, "00ff00ff00ff00ff00ff"} },
		"all keys are nobody's":   func(r *guard.Request) { r.Keys = []string{"00ff00ff00ff00ff00ff"} },
		"nobody":                  func(r *guard.Request) { r.User = "nobody@example.com" },
	} {
		t.Run(name, func(t *testing.T) {
			req := w.request(older)
			change(&req)
			announced := len(w.bus.Finished())
			got, err := w.Preview(t.Context(), req)
			if heard := len(w.bus.Finished()); heard != announced {
				t.Errorf("%d outcomes were announced", heard-announced)
			}
			req.DryRun = true
			want, wantErr := w.Do(t.Context(), req)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the dry run and the preview (-want +got):\n%s", diff)
			}
			if guard.KindOf(err) != guard.KindOf(wantErr) {
				t.Errorf("error = %v, want %v", err, wantErr)
			}
		})
	}
	want(t, "writes", w.calls(http.MethodPut)+w.calls(http.MethodDelete), 0)
	want(t, "changes", len(w.recall(t, alice).Changes), 0)
	if counted, err := w.Ledger.Reserve(t.Context(), 0, 0); err != nil || counted != 0 {
		t.Errorf("%d changes count (%v), want none: chatops may not even write that", counted, err)
	}

	if err := w.Leases.Acquire(t.Context(), alice.ID, "another", time.Minute); err != nil {
		t.Fatal(err)
	}
	if result, err := w.Preview(t.Context(), w.request(older)); err != nil || !result.Any(guard.Changed) {
		t.Errorf("while another has the lease: %+v, %v", result, err)
	}
}

func TestAdmit(t *testing.T) {
	w := newWorld(t)
	w.alice(older)
	for email, kind := range map[string]guard.Kind{"bob@example.com": guard.Forbidden, "alice@example.com": "", "operator@example.com": ""} {
		if err := w.Admit(t.Context(), "alice@example.com", guard.Actor{Kind: guard.ChatOps, Email: email}); guard.KindOf(err) != kind {
			t.Errorf("%s: error = %v, want kind %q", email, err, kind)
		}
	}
	if err := w.Admit(t.Context(), "nobody@example.com", operator()); guard.KindOf(err) != guard.NotFound {
		t.Errorf("nobody: %v", err)
	}
}

// Whoever hears of what becomes of a leaver's keys later, hears that they left.
func TestTheResultSaysWhoLeft(t *testing.T) {
	w := newWorld(t)
	w.alice(older, newer)
	leaving := w.leaving()
	w.do(t, leaving)
	later := w.request()
	later.ID = "e2"
	w.pass(time.Hour)
	done, err := w.Do(t.Context(), later)
	if err != nil || !done.OffboardedAt.Equal(leaving.OccurredAt) {
		t.Errorf("the result has %s, %v; want %s", done.OffboardedAt, err, leaving.OccurredAt)
	}
	told := w.bus.Finished()
	if got := told[len(told)-1].OffboardedAt; !got.Equal(leaving.OccurredAt) {
		t.Errorf("announced %s, want %s", got, leaving.OccurredAt)
	}
}
