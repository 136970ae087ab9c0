package ionos_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
)

// limited returns an API that allows one write a second, three at once, and the id of a user and a key there.
func limited() (api *ionostest.Server, userID, keyID string) {
	api = &ionostest.Server{Now: time.Now, Writes: ionostest.Limit{PerMinute: 60, Burst: 3}}
	user := api.AddUser(ionostest.User{})
	return api, user.ID, api.AddKey(user.ID, ionostest.Key{}).ID
}

func wantNoRefusal(t *testing.T, api *ionostest.Server, calls int) {
	t.Helper()
	got := api.Calls()
	if len(got) != calls {
		t.Errorf("%d calls, want %d", len(got), calls)
	}
	for i, call := range got {
		if call.Status == http.StatusTooManyRequests {
			t.Errorf("call %d was over the limit", i+1)
		}
	}
}

func TestWritesKeepToTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, userID, keyID := limited()
		client := newPipedClient(t, api)
		start := time.Now()
		for i := range 10 {
			if err := client.SwitchKey(t.Context(), userID, keyID, i%2 == 0); err != nil {
				t.Fatal(err)
			}
		}
		wantNoRefusal(t, api, 10)
		if took := time.Since(start); took < 7*time.Second || took > 8*time.Second {
			t.Errorf("took %s, want 7s: three at once, then one a second", took)
		}
	})
}

func TestWritersAtOnceKeepToTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, userID, keyID := limited()
		client := newPipedClient(t, api)
		if err := client.SwitchKey(t.Context(), userID, keyID, true); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		switchAtOnce(t, client, userID, keyID, 12)
		wantNoRefusal(t, api, 13)
		if took := time.Since(start); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("took %s, want 10s: two at once, then one a second", took)
		}
	})
}

func TestWritersThatComeLaterQueueBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, userID, keyID := limited()
		api.Latency = 300 * time.Millisecond
		client := newPipedClient(t, api)
		if err := client.SwitchKey(t.Context(), userID, keyID, true); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() { switchAtOnce(t, client, userID, keyID, 6) })
		time.Sleep(100 * time.Millisecond)
		all.Go(func() { switchAtOnce(t, client, userID, keyID, 6) })
		all.Wait()
		wantNoRefusal(t, api, 13)
	})
}

func TestRestDoesNotAddUpToMoreThanABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, userID, keyID := limited()
		client := newPipedClient(t, api)
		if err := client.SwitchKey(t.Context(), userID, keyID, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		switchAtOnce(t, client, userID, keyID, 6)
		wantNoRefusal(t, api, 7)
	})
}

func switchAtOnce(t *testing.T, client *ionos.Client, userID, keyID string, writers int) {
	t.Helper()
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			if err := client.SwitchKey(t.Context(), userID, keyID, false); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// said is an answer to a write: how many are left, at 60 a minute and 10 at once, and how long it takes to say so.
type said struct {
	remaining string
	after     time.Duration
}

// script answers the nth write with the nth line, and later ones without a word on the rate limit.
func script(lines []said) http.HandlerFunc {
	var calls atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		if n := calls.Add(1); n <= int64(len(lines)) {
			// Not at once: all that write at once shall be under way when the first answer comes.
			time.Sleep(lines[n-1].after + time.Millisecond)
			w.Header().Set("X-Ratelimit-Limit", "60")
			w.Header().Set("X-Ratelimit-Burst", "10")
			w.Header().Set("X-Ratelimit-Remaining", lines[n-1].remaining)
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

func TestWhatAnswersSayOfTheRateLimit(t *testing.T) {
	const slack = 10 * time.Millisecond
	for name, tc := range map[string]struct {
		answers []said
		// writers are how many write at once, round by round; want is how long the last round takes.
		writers []int
		want    time.Duration
	}{
		"some are left":     {answers: []said{{remaining: "5"}}, writers: []int{1, 5}, want: 0},
		"none is left":      {answers: []said{{remaining: "0"}}, writers: []int{1, 1}, want: time.Second},
		"lone answer comes": {answers: []said{{remaining: "0"}, {remaining: "0"}, {remaining: "9"}}, writers: []int{2, 1, 9}, want: 0},
		// Where two writes are under way, the first answer may or may not count the second, so it is counted twice.
		"others used them up":               {answers: []said{{remaining: "9"}, {remaining: "0"}, {remaining: "0"}}, writers: []int{1, 2, 1}, want: 2 * time.Second},
		"older answer comes last":           {answers: []said{{remaining: "2"}, {remaining: "1", after: time.Second / 2}, {remaining: "0"}}, writers: []int{1, 2, 1}, want: 3 * time.Second / 2},
		"others' answers are still to come": {answers: []said{{remaining: "9"}, {remaining: "1"}, {after: 3 * time.Second}, {after: 3 * time.Second}}, writers: []int{1, 3, 3}, want: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newPipedClient(t, script(tc.answers))
				var took time.Duration
				for _, writers := range tc.writers {
					start := time.Now()
					switchAtOnce(t, client, selfID, "00e1", writers)
					took = time.Since(start)
				}
				if took < tc.want-slack || took > tc.want+slack {
					t.Errorf("the last round took %s, want about %s", took, tc.want)
				}
			})
		})
	}
}

func TestReadsDoNotWaitForWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, userID, keyID := limited()
		client := newPipedClient(t, api)
		for range 3 {
			if err := client.SwitchKey(t.Context(), userID, keyID, true); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if _, err := client.ListKeys(t.Context(), userID); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("a read took %s", took)
		}
	})
}

func TestTurnThatDoesNotComeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api, userID, keyID := limited()
		client := newPipedClient(t, api)
		for range 3 {
			if err := client.SwitchKey(t.Context(), userID, keyID, true); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()

		short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		err := client.SwitchKey(short, userID, keyID, false)
		wantKind(t, err, guard.Throttled)
		if got := guard.AsError(err).RetryAfter; got != time.Second {
			t.Errorf("RetryAfter is %s, want 1s", got)
		}

		stopped, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		wantKind(t, client.SwitchKey(stopped, userID, keyID, false), guard.Unavailable)

		wantNoRefusal(t, api, 3)
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("took %s, want 0s and 0.5s", took)
		}

		// The turns that were given back are there for the next one.
		if err := client.SwitchKey(t.Context(), userID, keyID, false); err != nil {
			t.Error(err)
		}
		wantNoRefusal(t, api, 4)
		if took := time.Since(start); took < time.Second || took > 1100*time.Millisecond {
			t.Errorf("took %s, want 1s", took)
		}
	})
}

func TestNonsenseAboutTheRateLimitIsIgnored(t *testing.T) {
	for name, headers := range map[string][3]string{
		"none":      {"", "", ""},
		"words":     {"many", "many", "0"},
		"zero":      {"0", "3", "0"},
		"negative":  {"-60", "-3", "-1"},
		"some only": {"60", "", "0"},
		"huge":      {"99999999999999999999", "3", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newPipedClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("X-Ratelimit-Limit", headers[0])
					w.Header().Set("X-Ratelimit-Burst", headers[1])
					w.Header().Set("X-Ratelimit-Remaining", headers[2])
					w.WriteHeader(http.StatusAccepted)
				}))
				start := time.Now()
				for range 5 {
					if err := client.SwitchKey(t.Context(), selfID, "00e1", true); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("waited %s", took)
				}
			})
		})
	}
}

// watched notes how an API answers reads: how many of keys are under way at once, how few reads were left at times, and
// how many were refused.
type watched struct {
	api http.Handler

	mu                         sync.Mutex
	atOnce, mostAtOnce         int
	fewestLeft, reads, refused int
}

func (w *watched) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/s3keys") {
		w.count(1)
		defer w.count(-1)
	}
	recorder := httptest.NewRecorder()
	w.api.ServeHTTP(recorder, r)
	maps.Copy(answer.Header(), recorder.Header())
	w.note(recorder)
	answer.WriteHeader(recorder.Code)
	_, _ = recorder.Body.WriteTo(answer)
}

func (w *watched) count(change int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.atOnce += change
	w.mostAtOnce = max(w.mostAtOnce, w.atOnce)
}

func (w *watched) note(answer *httptest.ResponseRecorder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	left, err := strconv.Atoi(answer.Header().Get("X-Ratelimit-Remaining"))
	if err == nil && (w.reads == 0 || left < w.fewestLeft) {
		w.fewestLeft = left
	}
	w.reads++
	if answer.Code == http.StatusTooManyRequests {
		w.refused++
	}
}

// IONOS allows 1150 reads a minute and 900 at once, of which 225 are left to others: 10,101 reads take 491.8 seconds.
func TestReadingAWholeContractUserByUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &ionostest.Server{Now: time.Now, Latency: 50 * time.Millisecond, Nesting: always(ionostest.NoKeys)}
		want := populate(api, 10_000, threeEach)
		seen := &watched{api: api}
		client := newPipedClient(t, seen)
		start := time.Now()
		got, err := readContract(t.Context(), client)
		wantKind(t, err, "")
		wantContract(t, want, got)
		if seen.reads > 10_101 || seen.refused > 0 || seen.mostAtOnce > 8 || seen.fewestLeft < 225 {
			t.Errorf("%d reads, of which %d were refused, %d at once, %d left to others; want 10101, 0, 8 and 225",
				seen.reads, seen.refused, seen.mostAtOnce, seen.fewestLeft)
		}
		if took := time.Since(start); took < 491*time.Second || took > 500*time.Second {
			t.Errorf("took %s, want 492s", took)
		}
	})
}

func TestReadingAWholeContractHoldsNobodyElseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &ionostest.Server{Now: time.Now, Latency: 50 * time.Millisecond, Nesting: always(ionostest.NoKeys)}
		users := populate(api, 1500, threeEach)
		seen := &watched{api: api}
		reader, other := newPipedClient(t, seen), newPipedClient(t, seen)
		var all sync.WaitGroup
		all.Go(func() {
			_, err := readContract(t.Context(), reader)
			wantKind(t, err, "")
		})
		// By then the reader waits for each turn.
		time.Sleep(30 * time.Second)
		start := time.Now()
		for _, client := range []*ionos.Client{reader, other} {
			for i := range 110 {
				all.Go(func() {
					_, err := client.ListKeys(t.Context(), users[i].User.ID)
					wantKind(t, err, "")
					if took := time.Since(start); took > time.Second {
						t.Errorf("a single read took %s", took)
					}
				})
			}
		}
		all.Wait()
		if seen.refused > 0 || seen.fewestLeft > 30 {
			t.Errorf("%d reads were refused, and %d left at times; want 0, and next to none", seen.refused, seen.fewestLeft)
		}
	})
}

func TestReserveOfReads(t *testing.T) {
	turn := time.Minute / 1150
	for remaining, want := range map[string]time.Duration{
		"899": 0, "226": 0, "225": turn, "100": 126 * turn, "0": 226 * turn,
	} {
		t.Run(remaining, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newPipedClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Ratelimit-Limit", "1150")
					w.Header().Set("X-Ratelimit-Burst", "900")
					w.Header().Set("X-Ratelimit-Remaining", remaining)
					answering(http.StatusOK, `{"items":[]}`)(w, r)
				}))
				start := time.Now()
				for range 2 {
					if _, err := client.UserPage(t.Context(), 0); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(start); took < want-time.Millisecond || took > want+time.Millisecond {
					t.Errorf("the second page took %s, want %s", took, want)
				}
				// Single reads take what is left.
				start = time.Now()
				if _, err := client.ListKeys(t.Context(), selfID); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("a single read took %s", took)
				}
			})
		})
	}
}

func TestReadThatIsNotDueInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &ionostest.Server{Now: time.Now, Reads: ionostest.Limit{PerMinute: 60, Burst: 40}, Nesting: always(ionostest.NoKeys)}
		populate(api, 60, threeEach)
		client := newPipedClient(t, api)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		page, err := client.UserPage(ctx, 0)
		wantKind(t, err, guard.Throttled)
		if wait := guard.AsError(err).RetryAfter; wait < 5*time.Second || wait > 6*time.Second || time.Since(start) > 5*time.Second {
			t.Errorf("after %s the next try is said to be worth it in %s", time.Since(start), wait)
		}
		if page.Users != nil {
			t.Errorf("%d users and an error", len(page.Users))
		}
		for i, call := range api.Calls() {
			if call.Status == http.StatusTooManyRequests {
				t.Errorf("call %d was over the limit", i+1)
			}
		}
	})
}
