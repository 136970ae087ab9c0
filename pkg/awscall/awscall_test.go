package awscall_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"keyreeve/pkg/awscall"
)

func TestDescribe(t *testing.T) {
	const token = "the-session-token"
	answered := func(code string) error {
		response := &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest}}
		refusal := &smithy.GenericAPIError{Code: code, Message: "you sent " + token}
		return fmt.Errorf("operation error: %w", &smithyhttp.ResponseError{Response: response, Err: refusal})
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"refused":      {answered("AccessDeniedException"), "Call: AccessDeniedException (status 400)"},
		"of SQS":       {answered("AWS.SimpleQueueService.NonExistentQueue"), "Call: AWS.SimpleQueueService.NonExistentQueue (status 400)"},
		"no code":      {answered("bad " + token), "Call: an unknown error code (status 400)"},
		"a long code":  {answered(strings.Repeat("a", 65)), "Call: an unknown error code (status 400)"},
		"garbled":      {fmt.Errorf("operation error: %w", &smithy.DeserializationError{Err: errors.New("unexpected " + token)}), "Call: the answer cannot be understood"},
		"not answered": {io.ErrUnexpectedEOF, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := awscall.Describe("Call", test.err); got.Error() != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if err := awscall.Describe("Call", nil); err != nil {
		t.Errorf("of no error: %v", err)
	}
}
