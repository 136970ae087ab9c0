// Package awserror says of an error of AWS only what may be logged: some answers quote from the request, session token
// and all. It is used by the packages that call AWS, and knows nothing of them.
package awserror

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Describe returns what may be logged of an error of the named call: of an answer its code and its status, and of one
// that cannot be understood nothing. Errors that are no answer have nothing of the request, and stay as they are.
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

// Code returns an error code if it looks like one of AWS: a word of letters.
func Code(code string) string {
	const longest = 64
	if code == "" || len(code) > longest || strings.Trim(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "an unknown error code"
	}
	return code
}
