package edge

import (
	"math"
	"net/http"
	"strconv"

	"keyreeve/pkg/guard"
)

// Problem is the RFC 9457 answer to a call that came to no result. The error's cause is no part of it.
func Problem(err error) (status int, headers map[string]string, body []byte) {
	known := guard.AsError(err)
	status = Status(known.Kind)
	headers = Headers("application/problem+json")
	if status == http.StatusUnauthorized {
		headers["WWW-Authenticate"] = "Bearer"
	}
	if (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && known.RetryAfter > 0 {
		// IONOS may ask for so long a wait that adding to it overflows.
		headers["Retry-After"] = strconv.FormatFloat(math.Ceil(known.RetryAfter.Seconds()), 'f', 0, 64)
	}
	body, encodeErr := Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Remedy string `json:"remedy,omitempty"`
	}{"about:blank", http.StatusText(status), status, known.Message, known.Remedy})
	if encodeErr != nil { // Strings and a number can be encoded; a body that could not be is none.
		body = nil
	}
	return status, headers, body
}

// Headers are those of every answer: it has a type, and nobody keeps it.
func Headers(contentType string) map[string]string {
	return map[string]string{"Content-Type": contentType, "Cache-Control": "no-store"}
}

// Status is the one place where kinds of error become HTTP statuses.
func Status(kind guard.Kind) int {
	switch kind {
	case guard.Invalid:
		return http.StatusBadRequest
	case guard.Unauthenticated:
		return http.StatusUnauthorized
	case guard.Forbidden:
		return http.StatusForbidden
	case guard.NotFound:
		return http.StatusNotFound
	case guard.NotAllowed:
		return http.StatusMethodNotAllowed
	case guard.TooLarge:
		return http.StatusRequestEntityTooLarge
	case guard.Throttled:
		return http.StatusTooManyRequests
	case guard.Credentials, guard.Upstream:
		return http.StatusBadGateway
	case guard.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
