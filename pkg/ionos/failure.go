package ionos

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	ionoscloud "github.com/ionos-cloud/sdk-go/v6"

	"keyreeve/pkg/guard"
)

// failure is an attempt that came to nothing.
type failure struct {
	err *guard.Error
	// again is true where another attempt may succeed.
	again bool
}

// refusal is what an answer with a status other than 2xx means.
//
// A status of 4xx that is not listed is of kind Upstream and not Invalid: what the asker gave was checked
// before, so it is the API that is not as Keyreeve knows it.
func (c *Client) refusal(op operation, resp *ionoscloud.APIResponse) *failure {
	body := readRefusal(resp.Payload)
	status := resp.StatusCode
	wait := retryAfter(resp.Header, c.clock())
	err := &guard.Error{Kind: guard.Upstream, RetryAfter: wait, Err: refused(resp, body.code)}
	again := false
	switch {
	case status == http.StatusUnauthorized:
		err.Kind = guard.Credentials
		err.Message = "IONOS does not accept Keyreeve's credentials (status 401)."
		err.Remedy = "Set IONOS_TOKEN to a token that is valid, or IONOS_USERNAME and IONOS_PASSWORD to those of a user " +
			"without two-factor login; check IONOS_API_URL too, since IONOS answers so for unknown addresses."
	case status == http.StatusForbidden:
		err.Kind = guard.Credentials
		err.Message = "Keyreeve's IONOS user lacks the right to " + op.does + " (status 403)."
		err.Remedy = "Make that user an administrator of the contract, and check IONOS_CONTRACT_NUMBER if there are several."
	case op.missing != "" && (status == http.StatusNotFound || body.keyNotFound):
		err.Kind = guard.NotFound
		err.Message = "IONOS knows no " + op.missing + "."
		err.Remedy = "Check that it is spelled correctly and belongs to this contract."
	case status == http.StatusTooManyRequests:
		err, again = throttled(op, wait, err.Err), true
	case status < 400:
		err.Message = fmt.Sprintf("IONOS answered with a redirect, which is not followed, so it could not %s (status %d).", op.does, status)
		err.Remedy = "Check IONOS_API_URL."
	case status >= 500:
		err.Message = fmt.Sprintf("IONOS failed and could not %s (status %d).", op.does, status)
		err.Remedy = "Try again later."
		again = transient(status)
	default:
		err.Message = fmt.Sprintf("IONOS refused to %s (status %d).", op.does, status)
		err.Remedy = "Look in the function's log for the error code, and check IONOS_API_URL."
	}
	return &failure{err: err, again: again}
}

func transient(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// unanswered is what it means that no answer came, or not a whole one.
func unanswered(op operation, err error) *failure {
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return &failure{err: unreadable(op, fmt.Errorf("answer longer than %d bytes", maxAnswer))}
	}
	return &failure{again: true, err: &guard.Error{
		Kind:    guard.Upstream,
		Message: "IONOS could not be reached or broke off, and did not " + op.does + ".",
		Remedy:  "Try again later; if it stays so, check IONOS_API_URL and the network of the function.",
		Err:     harmless(err),
	}}
}

// ended is what it means that the caller's context ended before IONOS had answered.
func ended(ctx context.Context, op operation) *guard.Error {
	err := &guard.Error{
		Kind:    guard.Upstream,
		Message: "IONOS took longer to " + op.does + " than there was time.",
		Remedy:  "Try again later.",
		Err:     ctx.Err(),
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		err.Kind = guard.Unavailable
		err.Message = "Keyreeve was stopped while it waited for IONOS to " + op.does + "."
		err.Remedy = "Try again."
	}
	return err
}

func throttled(op operation, wait time.Duration, cause error) *guard.Error {
	err := &guard.Error{
		Kind:       guard.Throttled,
		Message:    "IONOS allows only so many calls a minute, and could not " + op.does + " for that reason.",
		Remedy:     "Try again in a minute.",
		RetryAfter: wait,
		Err:        cause,
	}
	if wait > 0 {
		err.Remedy = fmt.Sprintf("Try again in %.0f seconds.", math.Ceil(wait.Seconds()))
	}
	return err
}

// unreadable is an answer of status 2xx that cannot be what IONOS meant.
func unreadable(op operation, cause error) *guard.Error {
	return &guard.Error{
		Kind:    guard.Upstream,
		Message: "IONOS was asked to " + op.does + ", and its answer cannot be understood.",
		Remedy:  "Try again later; if it stays so, check IONOS_API_URL.",
		Err:     cause,
	}
}

// refused describes an answer for the log by what is known to hold no secret: a body may.
func refused(resp *ionoscloud.APIResponse, code string) error {
	text := fmt.Sprintf("%s answered %d", resp.Operation, resp.StatusCode)
	if harmlessWord(code, 32) {
		text += ", error code " + code
	}
	// At most as long as a UUID, and so shorter than the secret of a key.
	if id := resp.Header.Get("X-Request-ID"); harmlessWord(id, 36) {
		text += ", request id " + id
	}
	return errors.New(text)
}

func harmlessWord(s string, maxLength int) bool {
	return s != "" && len(s) <= maxLength && !strings.ContainsFunc(s, func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

// harmless returns what of a transport's error may be logged: the errors of other types may quote the answer, and
// the URL is left out.
func harmless(err error) error {
	if wrapper, ok := errors.AsType[*url.Error](err); ok {
		err = wrapper.Err
	}
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return network
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificate
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return errors.New("no answer in time")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the transport failed with a %T", err)
}

// refusalBody is what matters of the body of a refusal.
type refusalBody struct {
	code        string
	keyNotFound bool
}

// readRefusal reads as much of the body as it can: it may be a proxy's page as well.
func readRefusal(payload []byte) refusalBody {
	var wire struct {
		Messages []struct {
			ErrorCode json.RawMessage `json:"errorCode"`
			Message   string          `json:"message"`
		} `json:"messages"`
	}
	_ = json.Unmarshal(payload, &wire)
	var body refusalBody
	for _, m := range wire.Messages {
		if body.code == "" {
			body.code = strings.Trim(string(m.ErrorCode), `"`)
		}
		if strings.Contains(strings.ToLower(m.Message), "access key cannot be found") {
			body.keyNotFound = true
		}
	}
	return body
}

// retryAfter reads the Retry-After header, in seconds or as a date; 0 where there is none that can be read.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, math.MaxInt64/uint64(time.Second))) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, date.Sub(now))
}
