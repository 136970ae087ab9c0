package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdle(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		act     func(t *tracker) // while the call is waiting, with messages of r (two) and s (one) pending
		status  int
		want    string
		waiting time.Duration
	}{
		{"all done", func(t *tracker) {
			t.finished("r")
			t.finished("s")
			time.Sleep(time.Second)
			t.finished("r")
		}, 200, `{"waitedFor":2}`, time.Second},
		{"another request between", func(t *tracker) {
			t.queued("later", "Queue")
			t.finished("r")
			t.finished("r")
			t.finished("s")
			time.Sleep(time.Second)
			t.finished("later")
		}, 200, `{"waitedFor":2}`, time.Second},
		{"one left", func(t *tracker) {
			t.finished("r")
			t.finished("s")
		}, 503, `{"message":"Messages of these requests are still under way.","pending":{"r":1}}`, 30 * time.Second},
		{"a new one just before the end", func(t *tracker) {
			t.finished("r")
			t.finished("r")
			time.Sleep(30*time.Second - time.Nanosecond)
			t.queued("n", "Queue")
			t.finished("s")
		}, 503, `{"message":"Messages of these requests are still under way.","pending":{"n":1}}`, 30 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tracker := newTracker()
				handler := (&control{tracker: tracker}).handler()
				idle := func() *httptest.ResponseRecorder {
					answer := httptest.NewRecorder()
					handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/_idle", nil))
					return answer
				}
				if got := strings.TrimSpace(idle().Body.String()); got != `{"waitedFor":0}` {
					t.Errorf("before anything happened: got %s", got)
				}
				tracker.queued("r", "Queue")
				tracker.queued("s", "Queue")
				tracker.queued("r", "Other")
				start := time.Now()
				var got *httptest.ResponseRecorder
				var waited time.Duration
				answered := make(chan struct{})
				go func() {
					defer close(answered)
					got = idle()
					waited = time.Since(start)
				}()
				synctest.Wait()
				tt.act(tracker)
				<-answered
				if body := strings.TrimSpace(got.Body.String()); got.Code != tt.status || body != tt.want {
					t.Errorf("got %d %s, want %d %s", got.Code, body, tt.status, tt.want)
				}
				if waited != tt.waiting {
					t.Errorf("answered after %v, want %v", waited, tt.waiting)
				}
			})
		})
	}
}
