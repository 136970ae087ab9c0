package ionostest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/ionos/ionostest"
)

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault ionostest.Fault
		// applied says whether the key was switched off; status is 0 where the caller gets no whole answer.
		applied    bool
		status     int
		retryAfter string
	}{
		{"status", ionostest.Status(503, 0), false, 503, ""},
		{"status with Retry-After", ionostest.Status(429, 1500*time.Millisecond), false, 429, "2"},
		{"status, but applied", ionostest.Applied(ionostest.Status(500, 0)), true, 500, ""},
		{"reset", ionostest.Reset(), false, 0, ""},
		{"reset, but applied", ionostest.Applied(ionostest.Reset()), true, 0, ""},
		{"truncated", ionostest.Truncate(), true, 0, ""},
		{"malformed", ionostest.Malformed(), false, 200, ""},
		{"malformed, but applied", ionostest.Applied(ionostest.Malformed()), true, 200, ""},
		{"slow", ionostest.Trickle(time.Nanosecond), true, 202, ""},
		{"meanwhile", ionostest.Meanwhile(func() {}), true, 202, ""},
		{"none", nil, true, 202, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := withAlice(&ionostest.Server{Fault: ionostest.On(http.MethodPut, tt.fault)})
			c := serve(t, s)
			got, err := c.try(http.MethodPut, keysPath(aliceID)+"/"+keyID+"?depth=1", switchBody(false))
			if (err != nil) != (tt.status == 0) || err == nil && got.status != tt.status {
				t.Errorf("answer %d, error %v; want %d", got.status, err, tt.status)
			}
			if got.header.Get("Retry-After") != tt.retryAfter {
				t.Errorf("Retry-After %q, want %q", got.header.Get("Retry-After"), tt.retryAfter)
			}
			if applied := !s.Keys(aliceID)[0].Active; applied != tt.applied {
				t.Errorf("applied: %t, want %t", applied, tt.applied)
			}
			if err == nil && got.status == http.StatusAccepted && !strings.Contains(got.body, `"active": false`) {
				t.Errorf("body %q, want the whole entity", got.body)
			}
			if other := c.get(keysPath(aliceID)).status; other != http.StatusOK {
				t.Errorf("a call that is not meant: %d, want 200", other)
			}
		})
	}
}

func TestTruncateWithoutBody(t *testing.T) {
	s := withAlice(&ionostest.Server{Fault: ionostest.Always(ionostest.Truncate())})
	if _, err := serve(t, s).try(http.MethodDelete, keysPath(aliceID)+"/"+keyID, ""); err == nil || len(s.Keys(aliceID)) != 0 {
		t.Errorf("error %v, keys %+v; want an error and the key deleted", err, s.Keys(aliceID))
	}
}

func TestHang(t *testing.T) {
	arrived := make(chan struct{})
	s := withAlice(&ionostest.Server{Fault: func(*http.Request) ionostest.Fault {
		close(arrived)
		return ionostest.Hang()
	}})
	c := serve(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.url+ionostest.BasePath+keysPath(aliceID)+"/"+keyID, strings.NewReader(switchBody(false)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.http.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, context.Canceled) || !s.Keys(aliceID)[0].Active {
		t.Errorf("error %v, keys %+v; want the call cancelled and nothing applied", err, s.Keys(aliceID))
	}
}

func TestPlans(t *testing.T) {
	broken := ionostest.Always(ionostest.Status(503, 0))
	writes := ionostest.On(http.MethodPut, ionostest.Status(503, 0))
	for _, tt := range []struct {
		name string
		plan ionostest.Plan
		want []int // of PUT, GET, PUT, GET, PUT
	}{
		{"none", nil, []int{202, 200, 202, 200, 202}},
		{"always", broken, []int{503, 503, 503, 503, 503}},
		{"writes", writes, []int{503, 200, 503, 200, 503}},
		{"first three", ionostest.First(3, broken), []int{503, 503, 503, 200, 202}},
		{"second write", ionostest.Nth(2, writes), []int{202, 200, 503, 200, 202}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := withAlice(&ionostest.Server{Fault: tt.plan})
			c := serve(t, s)
			var got []int
			for i := range tt.want {
				method := []string{http.MethodPut, http.MethodGet}[i%2]
				got = append(got, c.call(method, keysPath(aliceID)+"/"+keyID, switchBody(false)).status)
			}
			var noted []int
			for _, call := range s.Calls() {
				noted = append(noted, call.Status)
			}
			if diff := cmp.Diff(tt.want, got) + cmp.Diff(tt.want, noted); diff != "" {
				t.Errorf("statuses as answered, then as noted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMeanwhile(t *testing.T) {
	var s ionostest.Server
	withAlice(&s)
	off := func() { s.SwitchKey(aliceID, keyID, false) }
	path := keysPath(aliceID) + "?depth=1&pretty=false"
	c := serve(t, &s)

	s.Fault = ionostest.Always(ionostest.Applied(ionostest.Meanwhile(off)))
	if got := c.get(path).body; !strings.Contains(got, `"active":true`) || s.Keys(aliceID)[0].Active {
		t.Errorf("switched off after the read: %s", got)
	}
	s.SwitchKey(aliceID, keyID, true)
	s.Fault = ionostest.Always(ionostest.Meanwhile(off))
	if got := c.get(path).body; !strings.Contains(got, `"active":false`) {
		t.Errorf("switched off before the read: %s", got)
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &ionostest.Server{Latency: time.Second, Now: time.Now}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, ionostest.BasePath+"/contracts", http.NoBody)
		r.SetBasicAuth("anybody", "x")
		w := httptest.NewRecorder()
		start := time.Now()
		s.ServeHTTP(w, r)
		if took := time.Since(start); took != time.Second || w.Code != http.StatusOK {
			t.Errorf("answer %d after %v, want 200 after a second", w.Code, took)
		}
	})
}
