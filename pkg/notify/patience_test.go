package notify_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/edge/edgetest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/notify"
)

// stuck answers no question within the time that it is given.
type stuck struct{}

func (*stuck) Seen(ctx context.Context, _ string) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func (*stuck) Remember(ctx context.Context, _ string, _ time.Time) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestMemoryIsStuck is about a batch of which everything has to be asked for: it is posted all the same, half a second
// later, and two seconds more are spent in vain to remember it.
func TestMemoryIsStuck(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 100} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				slack := newSlack(time.Now)
				transport, end := ionostest.Piped(slack)
				defer end()
				var log edgetest.Log
				queue := newQueue(newClient("http://slack.invalid", transport), new(stuck), time.Now, &log)
				batch := bodies(t, many(size, func(i int) guard.Finished { return outcome(fmt.Sprint(i), "dave@example.com", refused("00d1")) }))
				start := time.Now()
				diff(t, "to deliver again", []string{}, deliver(t.Context(), t, queue, batch...))
				diff(t, "took", 2500*time.Millisecond, time.Since(start))
				diff(t, "lines", 1, len(inChannel(slack)))
				mustSay(t, log.String(), "it counts as new", "could not be remembered")
			})
		})
	}
}

func (*stuck) WarningsOf(ctx context.Context, _ []string) (map[string]guard.KeyWarnings, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (*stuck) RecordWarnings(ctx context.Context, _ string, _ []string, _ time.Time) error {
	<-ctx.Done()
	return ctx.Err()
}

// A memory of warnings that is stuck takes two seconds, and no outcome with it.
func TestMemoryOfWarningsIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slack := newSlack(time.Now)
		transport, end := ionostest.Piped(slack)
		defer end()
		queue := newQueue(newClient("http://slack.invalid", transport), new(forgetful), time.Now, new(edgetest.Log))
		queue.Warnings = new(stuck)
		start := time.Now()
		again := deliver(t.Context(), t, queue, due(t, warning("s1", "alice@example.com", "00a1")), body(t, outcome("r1", "dave@example.com", refused("00d1"))))
		diff(t, "to deliver again", []string{"0"}, again)
		diff(t, "took", 2*time.Second, time.Since(start))
		diff(t, "messages", 1, len(slack.Shown()))
	})
}

// slow needs a while for each answer.
type slow struct{ each time.Duration }

func (s slow) Seen(context.Context, string) (bool, error) {
	<-time.After(s.each)
	return false, nil
}

func (s slow) Remember(context.Context, string, time.Time) error {
	<-time.After(s.each)
	return nil
}

// The memory is asked about ten notices at a time: neither one by one nor all at once.
func TestMemoryIsSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slack := newSlack(time.Now)
		transport, end := ionostest.Piped(slack)
		defer end()
		queue := newQueue(newClient("http://slack.invalid", transport), slow{5 * time.Millisecond}, time.Now, new(edgetest.Log))
		_, took := within(t, time.Minute, queue, many(100, func(i int) guard.Finished { return outcome(fmt.Sprint(i), "dave@example.com", refused("00d1")) }))
		diff(t, "took", 2*10*5*time.Millisecond, took)
	})
}

// TestShortTime is about five lines that Slack takes its time for, in an invocation that may not last long enough: it ends
// in time, what was not posted comes again, and nothing is begun that might be cut off.
func TestShortTime(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		// limit is the time of the invocation, each that of a call of Slack, took what the invocation needs.
		limit, each, took time.Duration
		lines, logged     int
	}{
		"all in time":                {22 * time.Second, 2 * time.Second, 10 * time.Second, 5, 0},
		"too slow for all":           {20 * time.Second, 2900 * time.Millisecond, 8700 * time.Millisecond, 3, 1},
		"too late to begin with any": {13 * time.Second, time.Millisecond, 0, 0, 1},
		"Slack never answers":        {25 * time.Second, time.Hour, 12 * time.Second, 0, 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log edgetest.Log
				slack := newSlack(time.Now)
				transport, end := slowly(slack, tt.each)
				defer end()
				queue := newQueue(newClient("http://slack.invalid", transport), new(forgetful), time.Now, &log)
				again, took := within(t, tt.limit, queue, many(5, func(i int) guard.Finished { return outcome(fmt.Sprint(i), "dave@example.com", refused("00d1")) }))
				diff(t, "took", tt.took, took)
				diff(t, "lines", tt.lines, len(inChannel(slack)))
				diff(t, "to deliver again", []string{"0", "1", "2", "3", "4"}[tt.lines:], again)
				diff(t, "logged", tt.logged, strings.Count(log.String(), "Slack did not get"))
			})
		})
	}
}

// mute is a memory of warnings that is stuck once it has told what it knows.
type mute struct{ stuck }

func (*mute) WarningsOf(context.Context, []string) (map[string]guard.KeyWarnings, error) {
	return nil, nil
}

// The longest that may still be begun with: a warning, with three calls of Slack that all but run out of time, and a memory
// that is stuck, after a line that is to be remembered.
func TestLastMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slack := newSlack(time.Now)
		transport, end := slowly(slack, 2999*time.Millisecond)
		defer end()
		queue := newQueue(newClient("http://slack.invalid", transport), new(stuck), time.Now, new(edgetest.Log))
		queue.Warnings = new(mute)
		aging := warning("s1", "alice@example.com", "00a1")
		aging.Keys[0].DeactivateAfter = time.Now().Add(14 * day)
		const limit = 16800 * time.Millisecond // the question to the memory is half a second of it, and the line three
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		start := time.Now()
		again := deliver(ctx, t, queue, body(t, outcome("r1", "dave@example.com", refused("00d1"))), due(t, aging))
		diff(t, "to deliver again", []string{"1"}, again) // for the memory
		diff(t, "messages", []int{1, 1}, []int{len(inChannel(slack)), len(direct(slack, alice))})
		if left := limit - time.Since(start); left < 300*time.Millisecond || left > time.Second {
			t.Errorf("%s are left for the answer", left)
		}
	})
}

// slowly leads to Slack, which needs a while for each call.
func slowly(slack http.Handler, each time.Duration) (transport *http.Transport, end func()) {
	return ionostest.Piped(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // A server does not see that a caller hangs up before it has read all.
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		select {
		case <-time.After(each):
			slack.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
}

// within delivers outcomes to an invocation that may last no longer than the limit, and measures it.
func within(t *testing.T, limit time.Duration, queue *notify.Queue, outcomes []guard.Finished) (again []string, took time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	start := time.Now()
	again = deliver(ctx, t, queue, bodies(t, outcomes)...)
	return again, time.Since(start)
}
