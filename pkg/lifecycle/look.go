package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/sethvargo/go-retry"

	"keyreeve/pkg/guard"
)

// Writes take a moment to show in reads. Nobody knows how long; after this the second look gives up.
const (
	settlePoll  = 200 * time.Millisecond
	settleReads = 5
)

// look is what a second look came to.
type look struct {
	// sure is true where nothing is left to follow up.
	sure bool
	// backOn is the id of the key that was switched back on, if there is one.
	backOn string
}

// lookAgain makes sure that a guarded deactivation left its user an active key, whatever else happened at the same
// moment, and switches one back on if not. Keys that were tried count as off, whatever became of it. Where it
// cannot be read, nobody can be sure, and the key goes back on.
func (r run) lookAgain(ctx context.Context, reading guard.Reading, verdicts []guard.Verdict, results []guard.KeyResult) look {
	user, tried := reading.User, make(map[string]int)
	var off []guard.Key
	for i, v := range verdicts {
		if v.Allowed() {
			tried[v.KeyID] = i
			if guard.MayBeOn(reading, v.KeyID) {
				off = append(off, v.Key)
			}
		}
	}
	if len(off) == 0 {
		return look{sure: true}
	}
	looking, stop := until(ctx, lookingTime)
	defer stop()
	keys, unread := r.settledKeys(looking, user, results)
	ctx, cancel := until(ctx, recordingTime)
	defer cancel()
	var others []guard.Key
	for _, k := range guard.ActiveKeys(keys) {
		if _, ours := tried[k.ID]; !ours {
			others = append(others, k)
		}
	}
	sure := true
	for {
		last, must := guard.MustStay(off, others)
		if !must {
			return look{sure: sure}
		}
		i := tried[last.ID]
		err := r.Keys.SwitchKey(ctx, user.ID, last.ID, true)
		if err == nil {
			results[i] = switchedBackOn(last.ID, unread)
			return look{sure: sure, backOn: last.ID}
		}
		sure = false
		results[i] = failed(last.ID, err, false)
		results[i].Message = "The key was switched off, may be the user's last, and could not be switched back on: " + results[i].Message
		results[i].Remedy = "Look at the user's keys at once and activate one."
		off = slices.DeleteFunc(off, func(k guard.Key) bool { return k.ID == last.ID })
	}
}

// switchedBackOn is the outcome of a key that was switched off and on again: because the user had no other, or because
// the keys could not be read.
func switchedBackOn(keyID string, unread error) guard.KeyResult {
	if unread != nil {
		result := failed(keyID, unread, true)
		result.Message = "The key was switched off and on again, as nobody could make sure that another key is active: " + result.Message
		return result
	}
	return guard.KeyResult{
		ID: keyID, Outcome: guard.Refused, Rule: guard.LastActiveKey, Active: true,
		Message: "The key was switched off and on again: meanwhile the user's other keys were switched off elsewhere.",
		Remedy:  "Look at who else changes this user's keys, then send the request again.",
	}
}

// settledKeys reads the user's keys as soon as what this request switched off shows in them: a reading from before
// that may hide as well what others did since.
func (r run) settledKeys(ctx context.Context, user guard.User, results []guard.KeyResult) ([]guard.Key, error) {
	switchedOff := func(k guard.Key) bool {
		return slices.ContainsFunc(results, func(result guard.KeyResult) bool { return result.ID == k.ID && result.Outcome == guard.Changed })
	}
	return retry.DoValue(ctx, retry.WithMaxRetries(settleReads, retry.NewConstant(settlePoll)), func(ctx context.Context) ([]guard.Key, error) {
		keys, err := r.Keys.ListKeys(ctx, user.ID)
		if err == nil && slices.ContainsFunc(guard.ActiveKeys(keys), switchedOff) {
			return nil, retry.RetryableError(&guard.Error{
				Kind: guard.Upstream, Message: "IONOS does not show what was switched off.", Remedy: "Send the request again later.",
			})
		}
		return keys, err
	})
}
