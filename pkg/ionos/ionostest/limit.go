package ionostest

import "time"

// Limit is a rate limit.
type Limit struct {
	// PerMinute is how many calls a minute are allowed in the long run, Burst how many at once. With a
	// PerMinute of zero, a spent burst does not come back.
	PerMinute, Burst int
}

// or returns l, or the fallback if l is zero.
func (l Limit) or(fallback Limit) Limit {
	if l == (Limit{}) {
		return fallback
	}
	return l
}

// tokens is a token bucket. The zero value is full.
type tokens struct {
	// spent is how many of a full bucket's tokens were taken and did not grow back by the time at.
	spent float64
	at    time.Time
}

const longestWait = time.Hour

// take takes a token if there is one. It returns how many are left, and if there was none, how long it takes
// until there is.
func (t *tokens) take(now time.Time, limit Limit) (remaining int, wait time.Duration) {
	perSecond := float64(limit.PerMinute) / 60
	t.spent = max(0, t.spent-perSecond*max(0, now.Sub(t.at).Seconds()))
	t.at = now
	if over := t.spent + 1 - float64(limit.Burst); over > 0 {
		return 0, time.Duration(min(over/perSecond, longestWait.Seconds()) * float64(time.Second))
	}
	t.spent++
	return int(float64(limit.Burst) - t.spent), 0
}
