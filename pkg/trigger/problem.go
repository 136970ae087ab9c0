package trigger

import (
	"math"
	"net/http"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/guard"
)

// problem is the RFC 9457 response to a call that came to no result. The error's cause is not part of it.
func problem(err *guard.Error) (events.APIGatewayV2HTTPResponse, error) {
	status := statusOf(err.Kind)
	body, encodeErr := encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Remedy string `json:"remedy,omitempty"`
	}{"about:blank", http.StatusText(status), status, err.Message, err.Remedy})
	answer := response(status, "application/problem+json", body)
	if status == http.StatusUnauthorized {
		answer.Headers["WWW-Authenticate"] = "Bearer"
	}
	if (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && err.RetryAfter > 0 {
		// IONOS may ask for so long a wait that adding to it overflows.
		answer.Headers["Retry-After"] = strconv.FormatFloat(math.Ceil(err.RetryAfter.Seconds()), 'f', 0, 64)
	}
	return answer, encodeErr
}

func response(status int, contentType string, body []byte) events.APIGatewayV2HTTPResponse {
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"Content-Type": contentType, "Cache-Control": "no-store"},
		Body:       string(body),
	}
}

// statusOf is the one place where kinds of error become HTTP statuses.
func statusOf(kind guard.Kind) int {
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
