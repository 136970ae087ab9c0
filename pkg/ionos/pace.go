package ionos

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// pace spreads calls so that they stay within the rate limit that IONOS reports with every answer: a bucket of a
// burst of calls, refilled evenly. Writes and reads have a limit each, and so a pace each. The zero pace knows no
// limit yet, holds nobody up and leaves nothing to others. It waits for nobody either: callers do.
//
// Where it cannot know, it takes the bucket to be emptier than it may be: that costs a moment, and the opposite
// a refusal.
type pace struct {
	// reserve is the share of a burst that is left to whoever else calls IONOS, from 0 to 1.
	reserve float64

	mu sync.Mutex
	// rate is how many calls a second are allowed; 0 where IONOS has not said.
	rate, burst float64
	// left is how many calls were left at that time; below zero, calls that wait their turn have claimed them.
	left float64
	at   time.Time
	// unanswered counts the calls that claimed a turn and have no answer yet, whether they wait or are under way.
	unanswered int
	// overlapping is true while there may be answers that overtook each other, so that the last one to arrive is
	// not the latest news.
	overlapping bool
}

// longestTurn is longer than anybody waits, and short enough to be counted in nanoseconds.
const longestTurn = 24 * time.Hour

// take claims the next turn and returns how long it is until then. Every take is followed by one answered or
// giveBack.
func (p *pace) take(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unanswered++
	p.overlapping = p.overlapping || p.unanswered > 1
	if p.rate == 0 {
		return 0
	}
	p.refill(now)
	p.left--
	seconds := (p.reserve*p.burst - p.left) / p.rate
	return time.Duration(min(max(0, seconds), longestTurn.Seconds()) * float64(time.Second))
}

// giveBack returns a turn that was not used.
func (p *pace) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left++
	p.settle()
}

// answered notes what the answer to a call says of the rate limit. An answer that says nothing, or did not come,
// leaves the estimate as it was.
func (p *pace) answered(header http.Header, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.settle()
	limit, limitErr := strconv.ParseUint(header.Get("X-Ratelimit-Limit"), 10, 31)
	burst, burstErr := strconv.ParseUint(header.Get("X-Ratelimit-Burst"), 10, 31)
	remaining, remainingErr := strconv.ParseUint(header.Get("X-Ratelimit-Remaining"), 10, 31)
	if limitErr != nil || burstErr != nil || remainingErr != nil {
		return
	}
	// The other calls may have reached IONOS after this one.
	left := float64(remaining) - float64(p.unanswered-1)
	if p.rate > 0 && p.overlapping {
		p.refill(now)
		left = min(left, p.left)
	}
	p.rate, p.burst, p.left, p.at = float64(limit)/60, float64(burst), left, now
}

// refill brings left up to date.
func (p *pace) refill(now time.Time) {
	p.left = min(p.burst, p.left+p.rate*now.Sub(p.at).Seconds())
	p.at = now
}

// settle ends a turn.
func (p *pace) settle() {
	p.unanswered--
	p.overlapping = p.overlapping && p.unanswered > 0
}
