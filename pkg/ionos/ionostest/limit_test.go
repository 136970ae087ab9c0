package ionostest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/ionos/ionostest"
)

// limits is what an answer says of the rate limit.
type limits struct {
	Status                              int
	Limit, Burst, Remaining, RetryAfter string
}

func limitsOf(got response) limits {
	return limits{
		got.status, got.header.Get("X-Ratelimit-Limit"), got.header.Get("X-Ratelimit-Burst"),
		got.header.Get("X-Ratelimit-Remaining"), got.header.Get("Retry-After"),
	}
}

func TestRateLimit(t *testing.T) {
	now := ionostest.Epoch()
	s := withAlice(&ionostest.Server{
		Now:        func() time.Time { return now },
		Writes:     ionostest.Limit{PerMinute: 20, Burst: 2},
		RetryAfter: true,
	})
	c := serve(t, s)
	key := keysPath(aliceID) + "/" + keyID
	write := func() limits { return limitsOf(c.call(http.MethodPut, key, switchBody(false))) }

	for _, tt := range []struct {
		name string
		call func() limits
		want limits
	}{
		{"first write", write, limits{202, "20", "2", "1", ""}},
		{"second write", write, limits{202, "20", "2", "0", ""}},
		{"dry", write, limits{429, "20", "2", "0", "3"}},
		{"reads have their own", func() limits { return limitsOf(c.get(key)) }, limits{200, "1150", "900", "899", ""}},
		{"too early", func() limits { now = now.Add(time.Second); return write() }, limits{429, "20", "2", "0", "2"}},
		{"a token is back", func() limits { now = now.Add(2 * time.Second); return write() }, limits{202, "20", "2", "0", ""}},
		{"full again", func() limits { now = now.Add(time.Hour); return write() }, limits{202, "20", "2", "1", ""}},
	} {
		if diff := cmp.Diff(tt.want, tt.call()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}

	write()
	s.SwitchKey(aliceID, keyID, true)
	if got := write(); got.Status != http.StatusTooManyRequests || !s.Keys(aliceID)[0].Active {
		t.Errorf("a write over the limit: %+v, key %+v; want it not applied", got, s.Keys(aliceID)[0])
	}
}

func TestRateLimitWithoutHelp(t *testing.T) {
	s := withAlice(&ionostest.Server{
		Now:   ionostest.Epoch,
		Reads: ionostest.Limit{Burst: 1},
	})
	c := serve(t, s)
	c.get("/contracts")
	if diff := cmp.Diff(limits{429, "0", "1", "0", ""}, limitsOf(c.get("/contracts"))); diff != "" {
		t.Errorf("without Retry-After (-want +got):\n%s", diff)
	}
	s.Unlimited = true
	if diff := cmp.Diff(limits{200, "0", "1", "0", ""}, limitsOf(c.get("/contracts"))); diff != "" {
		t.Errorf("unlimited (-want +got):\n%s", diff)
	}
}
