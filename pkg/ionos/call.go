package ionos

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	ionoscloud "github.com/ionos-cloud/sdk-go/v6"
	"github.com/sethvargo/go-retry"

	"keyreeve/pkg/guard"
)

const (
	// attemptLimit is how long one attempt may take, body included, so that a connection that hangs costs the
	// caller one attempt and not the whole time.
	attemptLimit = 10 * time.Second
	// A call is attempted four times at most, after waits of about 0.3, 0.6 and 1.2 seconds unless IONOS asks
	// for longer ones.
	maxRetries    = 3
	firstWait     = 300 * time.Millisecond
	jitterPercent = 30
)

// operation says what a call is for. Every call may be sent twice.
type operation struct {
	// does completes the sentence "IONOS could not …".
	does string
	// missing is what does not exist where IONOS does not find the resource; empty where it always exists.
	missing string
	// pace is what the call keeps to; nil where it is sent at once.
	pace *pace
}

// execute is a call of the SDK, without its model of the answer.
type execute func(ctx context.Context) (*ionoscloud.APIResponse, error)

// call carries out a call of the SDK and returns the body of an answer with a status of 2xx. It tries again where
// that may help and there is time for it; the error is that of the last attempt.
func (c *Client) call(ctx context.Context, op operation, send execute) ([]byte, error) {
	var last *guard.Error
	schedule := retry.WithMaxRetries(maxRetries, retry.WithJitterPercent(jitterPercent, retry.NewExponential(firstWait)))
	backoff := retry.BackoffFunc(func() (time.Duration, bool) {
		wait, stop := schedule.Next()
		wait = max(wait, last.RetryAfter)
		if stop || !c.fits(ctx, wait) {
			return 0, true
		}
		c.logger.LogAttrs(ctx, slog.LevelWarn, "IONOS call failed, trying again",
			slog.String("call", op.does), slog.String("wait", wait.Round(time.Millisecond).String()), slog.Any("error", last))
		return wait, false
	})
	payload, err := retry.DoValue(ctx, backoff, func(ctx context.Context) ([]byte, error) {
		payload, failed := c.attempt(ctx, op, send)
		switch {
		case failed == nil:
			return payload, nil
		case failed.again:
			last = failed.err
			return nil, retry.RetryableError(failed.err)
		default:
			return nil, failed.err
		}
	})
	if err == nil {
		return payload, nil
	}
	if known, ok := errors.AsType[*guard.Error](err); ok {
		return nil, known
	}
	return nil, ended(ctx, op)
}

// attempt carries out the call once.
func (c *Client) attempt(ctx context.Context, op operation, send execute) ([]byte, *failure) {
	if op.pace != nil {
		if failed := c.awaitTurn(ctx, op); failed != nil {
			return nil, failed
		}
	}
	limited, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	resp, err := send(limited)
	answered := resp != nil && resp.Response != nil
	var header http.Header
	if answered {
		header = resp.Header
		// The SDK leaves it open where it cannot read a Retry-After header.
		defer func() { _ = resp.Body.Close() }()
	}
	if op.pace != nil {
		op.pace.answered(header, c.clock())
	}
	switch {
	case answered && resp.StatusCode >= 300:
		return nil, c.refusal(op, resp)
	case answered && (err == nil || undecoded(err)):
		return resp.Payload, nil
	case ctx.Err() != nil:
		return nil, &failure{err: ended(ctx, op)}
	default:
		return nil, unanswered(op, err)
	}
}

// undecoded reports whether the SDK got a whole answer and merely found no use for it: it cannot read all dates.
// What is needed of the answer is read here, see answer.go.
func undecoded(err error) bool {
	_, ok := errors.AsType[ionoscloud.GenericOpenAPIError](err)
	return ok
}

// awaitTurn waits until the pace allows another call.
func (c *Client) awaitTurn(ctx context.Context, op operation) *failure {
	wait := op.pace.take(c.clock())
	if wait == 0 {
		return nil
	}
	if !c.fits(ctx, wait) {
		op.pace.giveBack()
		return &failure{err: throttled(op, wait, errors.New("the rate limit that IONOS reported leaves no call for now"))}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		op.pace.giveBack()
		return &failure{err: ended(ctx, op)}
	}
}
