package ionos_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
)

func TestPassingFailureIsSurvived(t *testing.T) {
	for name, tc := range map[string]struct {
		fault ionostest.Fault
		// after is the least time it takes.
		after time.Duration
		// applied faults let IONOS carry out what it does not answer.
		applied bool
	}{
		"connection reset":   {fault: ionostest.Reset()},
		"429":                {fault: ionostest.Status(429, 0)},
		"429, asks to wait":  {fault: ionostest.Status(429, 20*time.Second), after: 20 * time.Second},
		"500":                {fault: ionostest.Status(500, 0)},
		"502":                {fault: ionostest.Status(502, 0)},
		"503":                {fault: ionostest.Status(503, 0)},
		"503, asks to wait":  {fault: ionostest.Status(503, 7*time.Second), after: 7 * time.Second},
		"504":                {fault: ionostest.Status(504, 0)},
		"hangs":              {fault: ionostest.Hang(), after: 10 * time.Second},
		"cut off":            {fault: ionostest.Truncate(), applied: true},
		"lost after applied": {fault: ionostest.Applied(ionostest.Reset()), applied: true},
	} {
		t.Run(name, func(t *testing.T) {
			for method, want := range map[string]struct{ key, active bool }{
				http.MethodGet:    {key: true, active: true},
				http.MethodPut:    {key: true, active: false},
				http.MethodDelete: {key: false},
			} {
				synctest.Test(t, func(t *testing.T) {
					api := &ionostest.Server{Fault: ionostest.First(1, ionostest.Always(tc.fault))}
					user := api.AddUser(ionostest.User{})
					key := api.AddKey(user.ID, ionostest.Key{Active: true})
					client := newPipedClient(t, api)
					ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
					defer cancel()
					start := time.Now()
					var err error
					switch method {
					case http.MethodGet:
						_, err = client.ListKeys(ctx, user.ID)
					case http.MethodPut:
						err = client.SwitchKey(ctx, user.ID, key.ID, false)
					case http.MethodDelete:
						err = client.DeleteKey(ctx, user.ID, key.ID)
						if tc.applied && guard.KindOf(err) == guard.NotFound {
							err = nil // The first call deleted it, and the second could not know.
						}
					}
					if err != nil {
						t.Errorf("%s: %v", method, err)
					}
					if took := time.Since(start); took < tc.after || took > tc.after+time.Second {
						t.Errorf("%s took %s, want about %s", method, took, tc.after)
					}
					if got := len(api.Calls()); got != 2 {
						t.Errorf("%s: %d calls, want 2", method, got)
					}
					keys := api.Keys(user.ID)
					if (len(keys) == 1) != want.key || want.key && keys[0].Active != want.active {
						t.Errorf("%s: keys are %v", method, keys)
					}
				})
			}
		})
	}
}

func TestAnswerThatTricklesEndsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &ionostest.Server{Fault: ionostest.First(1, ionostest.Always(ionostest.Trickle(time.Second)))}
		user := api.AddUser(ionostest.User{})
		client := newPipedClient(t, api)
		start := time.Now()
		if _, err := client.ListKeys(t.Context(), user.ID); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("took %s, want 10s for the first attempt and little for the second", took)
		}
	})
}

func TestRetryAfterAsADate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &ionostest.Server{Fault: ionostest.First(1, ionostest.Always(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat))
				w.WriteHeader(http.StatusTooManyRequests)
			})
		}))}
		user := api.AddUser(ionostest.User{})
		client := newPipedClient(t, api)
		start := time.Now()
		if _, err := client.ListKeys(t.Context(), user.ID); err != nil {
			t.Fatal(err)
		}
		// A date has no fractions of a second.
		if took := time.Since(start); took < 29*time.Second || took > 31*time.Second {
			t.Errorf("took %s, want 30s", took)
		}
	})
}

// closing notes which bodies were closed.
type closing struct {
	http.RoundTripper
	opened, closed atomic.Int32
}

func (c *closing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		c.opened.Add(1)
		resp.Body = &closeNoter{resp.Body, &c.closed}
	}
	return resp, err
}

type closeNoter struct {
	io.ReadCloser
	closed *atomic.Int32
}

func (c *closeNoter) Close() error {
	c.closed.Add(1)
	return c.ReadCloser.Close()
}

func TestBodyIsClosedWhereTheSDKGivesUp(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	})
	transport := &closing{RoundTripper: &http.Transport{}}
	client := newClient(t, api, func(cfg *ionos.Config) { cfg.Transport = transport })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := client.ListKeys(ctx, selfID)
	wantKind(t, err, guard.Throttled)
	if transport.opened.Load() != 1 || transport.closed.Load() == 0 {
		t.Errorf("%d bodies, %d closed", transport.opened.Load(), transport.closed.Load())
	}
}

func TestWaitThatDoesNotFitIsNotBegun(t *testing.T) {
	for name, tc := range map[string]struct {
		status     int
		retryAfter time.Duration
		deadline   time.Duration
		want       guard.Kind
	}{
		"429, asks for too much": {429, 20 * time.Second, 15 * time.Second, guard.Throttled},
		"503, asks for too much": {503, 20 * time.Second, 15 * time.Second, guard.Upstream},
		"429, hardly any time":   {429, 0, 100 * time.Millisecond, guard.Throttled},
		"500, hardly any time":   {500, 0, 100 * time.Millisecond, guard.Upstream},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &ionostest.Server{Fault: ionostest.Always(ionostest.Status(tc.status, tc.retryAfter))}
				client := newPipedClient(t, api)
				ctx, cancel := context.WithTimeout(t.Context(), tc.deadline)
				defer cancel()
				start := time.Now()
				_, err := client.ListKeys(ctx, selfID)
				wantKind(t, err, tc.want)
				if got := guard.AsError(err).RetryAfter; got != tc.retryAfter {
					t.Errorf("RetryAfter is %s, want %s", got, tc.retryAfter)
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("waited %s", took)
				}
				if got := len(api.Calls()); got != 1 {
					t.Errorf("%d calls, want 1", got)
				}
			})
		})
	}
}

func TestRetryAfterThatCannotBeRead(t *testing.T) {
	for _, value := range []string{"soon", "-5", "1.5", "Mon, 02 Jan 2006 15:04:05 GMT"} {
		synctest.Test(t, func(t *testing.T) {
			client := newPipedClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", value)
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			_, err := client.ListKeys(t.Context(), selfID)
			wantKind(t, err, guard.Throttled)
			if got := guard.AsError(err).RetryAfter; got != 0 {
				t.Errorf("Retry-After %q was read as %s", value, got)
			}
		})
	}
}

func TestHugeRetryAfterDoesNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newPipedClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "9223372036854775807")
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := client.ListKeys(ctx, selfID)
		wantKind(t, err, guard.Throttled)
		if got := guard.AsError(err).RetryAfter; got < 24*time.Hour {
			t.Errorf("RetryAfter is %s", got)
		}
	})
}

func TestContextEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  ionostest.Fault
		cancel bool
		want   guard.Kind
	}{
		"deadline while an answer is awaited": {fault: ionostest.Hang(), want: guard.Upstream},
		"cancelled while awaiting an answer":  {fault: ionostest.Hang(), cancel: true, want: guard.Unavailable},
		"cancelled between two attempts":      {fault: ionostest.Status(503, time.Hour), cancel: true, want: guard.Unavailable},
	} {
		for method, call := range callsOfAKey() {
			t.Run(name+" "+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := &ionostest.Server{Fault: ionostest.Always(tc.fault)}
					client := newPipedClient(t, api)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if tc.cancel {
						time.AfterFunc(5*time.Second, cancel)
					} else {
						ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
						defer cancel()
					}
					start := time.Now()
					err := call(ctx, client)
					wantKind(t, err, tc.want)
					if !errors.Is(err, ctx.Err()) {
						t.Errorf("%v does not wrap %v", err, ctx.Err())
					}
					if took := time.Since(start); took != 5*time.Second {
						t.Errorf("returned after %s, want 5s", took)
					}
					if got := len(api.Calls()); got != 1 {
						t.Errorf("%d calls, want 1", got)
					}
				})
			})
		}
	}
}

func TestNoCallAfterTheContextEnded(t *testing.T) {
	api := &ionostest.Server{}
	client := newClient(t, api)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range callsOfAKey() {
		if err := call(ctx, client); guard.KindOf(err) != guard.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := len(api.Calls()); got != 0 {
		t.Errorf("%d calls, want none", got)
	}
}
