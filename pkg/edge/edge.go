// Package edge is what all ways into Keyreeve have in common: how strictly the bytes of outsiders are read and how many
// of them, what becomes of a panic, which HTTP status an error is, and how it is told. The trigger package and the front
// doors use it, and it knows nothing of them.
package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"keyreeve/pkg/guard"
)

// MaxBody is the limit in bytes of what a sender may send, the same as that of SQS.
const MaxBody = 1 << 20

// Patience is how long an HTTP call may take: API Gateway answers 503 after thirty seconds, whatever still happens.
const Patience = 28 * time.Second

// NoSuchPath is the error of a call to a path where there is nothing, or nothing that is switched on.
func NoSuchPath() error {
	return &guard.Error{Kind: guard.NotFound, Message: "There is nothing at this path."}
}

// WithinLimit returns an error of kind [guard.TooLarge] where the body has more than [MaxBody] bytes.
func WithinLimit(body []byte) error {
	if len(body) <= MaxBody {
		return nil
	}
	return tooLarge(fmt.Sprintf("The body has %d bytes, and the limit is %d.", len(body), MaxBody))
}

func tooLarge(message string) error {
	return &guard.Error{Kind: guard.TooLarge, Message: message, Remedy: "Send fewer keys at a time."}
}

// ReadBody reads the body of a call, no more than [MaxBody] bytes of it: one that has more is an error of kind
// [guard.TooLarge], and one that cannot be read of kind [guard.Invalid].
func ReadBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, MaxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, tooLarge(fmt.Sprintf("The body has more than %d bytes.", MaxBody))
	}
	if err != nil {
		return nil, &guard.Error{Kind: guard.Invalid, Message: "The body cannot be read: it is not whole, or not the base64 that it is said to be.", Err: err}
	}
	return body, nil
}

// ReadRequest reads a request as a person or a program wrote it, strictly. It is not validated: what its envelope knows
// better may be missing from it.
func ReadRequest(data []byte) (guard.Request, error) {
	var request guard.Request
	form := Form{
		Name:    "The request",
		Members: "action, user, keys, reason, actor (kind, name, email), approvedBy (likewise), source, id, occurredAt, offboarding, dryRun, override, confirm and replyTo (slack, channel)",
	}
	if err := DecodeStrictly(data, &request, form); err != nil {
		return guard.Request{}, err
	}
	if request.Keys != nil && len(request.Keys) == 0 {
		// A list that came out empty is a mistake, and taking it for all keys would be the worst reading of it.
		return guard.Request{}, &guard.Error{
			Kind:    guard.Invalid,
			Message: "The request's keys are an empty list.",
			Remedy:  "Name the keys, or leave keys out to mean all keys of the user.",
		}
	}
	return request, nil
}

// Answer answers a call with a body of that type, or with none where the type is empty.
func Answer(w http.ResponseWriter, status int, contentType string, body []byte) {
	write(w, status, Headers(contentType), body)
}

// Refuse answers a call with err as a problem and logs it with its cause.
func Refuse(ctx context.Context, w http.ResponseWriter, logger *slog.Logger, err error, attrs ...slog.Attr) {
	status, headers, body := Problem(err)
	LogRefusal(ctx, logger, status, err, attrs...)
	write(w, status, headers, body)
}

// LogRefusal logs that a call was answered with err.
func LogRefusal(ctx context.Context, logger *slog.Logger, status int, err error, attrs ...slog.Attr) {
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs = append(attrs, slog.Int("status", status), slog.Any("error", err))
	logger.LogAttrs(ctx, level, "The call was answered with a problem.", attrs...)
}

func write(w http.ResponseWriter, status int, headers map[string]string, body []byte) {
	for name, value := range headers {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // Lambda takes it whole; a caller elsewhere may have hung up, and there is nobody to tell.
}

// Until returns a context that ends when only left remains of the time of ctx.
func Until(ctx context.Context, left time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-left))
}

// Shield calls do and turns a panic into an error with the stack, so that one request's defect leaves the others of
// its batch alone and an HTTP caller gets an answer.
func Shield[T any](do func() (T, error)) (result T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = guard.AsError(fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
		}
	}()
	return do()
}
