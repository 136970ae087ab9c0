package guard

import (
	"context"
	"errors"
	"time"
)

// Kind is what sort of thing went wrong. Each edge translates kinds once: to an HTTP status, to a redelivery.
type Kind string

// The kinds of error.
const (
	// Invalid: the request itself is wrong; sending it again does not help.
	Invalid Kind = "invalid"
	// Unauthenticated: nobody vouches for the caller.
	Unauthenticated Kind = "unauthenticated"
	// Forbidden: the caller is known and may not do this.
	Forbidden Kind = "forbidden"
	// NotFound: there is no such user, key or route.
	NotFound Kind = "not_found"
	// NotAllowed: the route exists, not with this method.
	NotAllowed Kind = "not_allowed"
	// TooLarge: the payload is over the limit.
	TooLarge Kind = "too_large"
	// Throttled: a rate limit stands in the way; RetryAfter says for how long, where that is known.
	Throttled Kind = "throttled"
	// Credentials: IONOS does not accept Keyreeve's own credentials, or they lack a right.
	Credentials Kind = "credentials"
	// Upstream: the IONOS API failed, lied or could not be reached.
	Upstream Kind = "upstream"
	// Unavailable: something of Keyreeve's own could not be reached or is taken: the ledger, the lease, the bus.
	Unavailable Kind = "unavailable"
	// Internal: a defect of Keyreeve.
	Internal Kind = "internal"
)

// Error is the one error type of Keyreeve. Message and Remedy are sentences for the person who asked and hold
// nothing confidential; Err is for the log.
type Error struct {
	Kind    Kind
	Message string
	Remedy  string
	// RetryAfter is how long to wait before trying again; zero where that is not known.
	RetryAfter time.Duration
	Err        error
}

// Error is the message and its cause, for logs. What callers are shown is Message and Remedy alone.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + " (" + e.Err.Error() + ")"
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError returns err as an *Error: itself if it is or wraps one, of kind [Unavailable] where time ran out, else of
// kind [Internal].
func AsError(err error) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &Error{Kind: Unavailable, Message: "The time for this request ran out.", Remedy: "Send it again.", Err: err}
	}
	return &Error{Kind: Internal, Message: "Something went wrong inside Keyreeve.", Remedy: "Look in the function's log.", Err: err}
}

// KindOf returns the kind of err, [Internal] for errors of other types, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return AsError(err).Kind
}
