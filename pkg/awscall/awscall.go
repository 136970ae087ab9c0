// Package awscall is how Keyreeve calls AWS: how long it waits, how often it tries, and what it says of an error. It is
// used by the packages that call AWS, and knows nothing of them.
package awscall

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Client returns a client that waits for an answer no longer than patience.
func Client(transport http.RoundTripper, patience time.Duration) *http.Client {
	return &http.Client{
		Transport: transport,
		Timeout:   patience,
		// Followed, a redirect could make it seem as if something had been done; as an answer it is an error.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Retryer makes a call that many times at most, if it fails in a way that may pass, and waits no longer than that in
// between.
func Retryer(attempts int, maxWait time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, maxWait })
}

// Describe returns what may be logged of an error of the named call, as some answers quote from the request, session
// token and all: of an answer its code and its status, and of one that cannot be understood nothing. Errors that are no
// answer have nothing of the request, and stay as they are.
func Describe(call string, err error) error {
	if _, garbled := errors.AsType[*smithy.DeserializationError](err); garbled {
		return fmt.Errorf("%s: the answer cannot be understood", call)
	}
	api, refused := errors.AsType[smithy.APIError](err)
	if !refused {
		return err
	}
	status := 0
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = response.HTTPStatusCode()
	}
	return fmt.Errorf("%s: %s (status %d)", call, Code(api.ErrorCode()), status)
}

// Code returns an error code if it looks like one of AWS: a word of letters, or those of SQS several with dots between.
func Code(code string) string {
	const longest = 64
	if code == "" || len(code) > longest || strings.Trim(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.") != "" {
		return "an unknown error code"
	}
	return code
}
