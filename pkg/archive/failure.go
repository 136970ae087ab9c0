package archive

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/sethvargo/go-retry"

	"keyreeve/pkg/awscall"
	"keyreeve/pkg/guard"
)

// maxRefusal is more than any error document of S3 has, in bytes.
const maxRefusal = 64 << 10

// refusalError is an answer that does not say that the thing was done. Of its document it has the code alone: the rest may
// repeat parts of the signed request.
type refusalError struct {
	status int
	code   string
}

func (e *refusalError) Error() string {
	if e.status < http.StatusMultipleChoices {
		return fmt.Sprintf("the answer is none of S3 (status %d)", e.status)
	}
	return fmt.Sprintf("%s (status %d)", awscall.Code(e.code), e.status)
}

// refusal reads an answer that does not say that the thing was done.
func refusal(response *http.Response) error {
	var document struct {
		XMLName xml.Name `xml:"Error"`
		Code    string   `xml:"Code"`
	}
	if err := xml.NewDecoder(io.LimitReader(response.Body, maxRefusal)).Decode(&document); err != nil {
		document.Code = "" // the status tells enough
	}
	err := &refusalError{response.StatusCode, document.Code}
	if err.status == http.StatusTooManyRequests || err.status >= http.StatusInternalServerError {
		return retry.RetryableError(err)
	}
	return err
}

// failed says what became of a call that failed. The cause is for the log.
func failed(operation string, err error) error {
	cause := fmt.Errorf("%s: %w", operation, err)
	refused, answered := errors.AsType[*refusalError](err)
	switch {
	case answered && refused.status == http.StatusNotFound && refused.code == "NoSuchKey":
		return missing(cause)
	case answered && (refused.status/100 == 3 || refused.code == "AuthorizationHeaderMalformed"):
		return &guard.Error{
			Kind:    guard.Unavailable,
			Message: "The bucket of the archive is not in the region of the function.",
			Remedy:  "Name a bucket of that region in KEYREEVE_SWEEP_REPORTS.",
			Err:     cause,
		}
	default:
		return &guard.Error{
			Kind:    guard.Unavailable,
			Message: "The bucket of the archive cannot be used.",
			Remedy:  "Check that the bucket named by KEYREEVE_SWEEP_REPORTS exists, and that the function has s3:PutObject, s3:GetObject and s3:DeleteObject on what is in it.",
			Err:     cause,
		}
	}
}
