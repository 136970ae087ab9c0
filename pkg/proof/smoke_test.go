package proof_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// TestTheWorld shows that timeouts are kept in simulated time.
func TestTheWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.alice(older, newer)
		w.api.Fault = ionostest.Nth(1, ionostest.On(http.MethodPut, ionostest.Hang()))
		begun := time.Now()
		result, err := w.process().Do(t.Context(), guard.Request{
			Action: guard.Deactivate, User: alice.Email, Keys: []string{older}, ID: "e1", OccurredAt: begun,
			Actor: guard.Actor{Kind: guard.System, Name: "hr"},
		})
		if err != nil || !result.Any(guard.Changed) || len(w.bus.Finished()) != 1 {
			t.Errorf("result = %+v, %v; announced %+v", result, err, w.bus.Finished())
		}
		if diff := cmp.Diff(map[string]bool{older: false, newer: true}, w.states(alice)); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		if took := time.Since(begun); took < 5*time.Second {
			t.Errorf("it took %s, and the first write hung", took)
		}
	})
}
