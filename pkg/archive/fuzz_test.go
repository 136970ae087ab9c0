package archive_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"keyreeve/pkg/archive"
	"keyreeve/pkg/guard"
)

// answering answers every request by itself, without a network.
type answering func() *http.Response

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return a(), nil }

// Whatever a document has in it, no more of it than a code gets into an error.
func FuzzErrorDocument(f *testing.F) {
	for _, body := range []string{
		errorDocument("AccessDenied", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-central-1/s3/aws4_request"),
		errorDocument("NoSuchKey", ""),
		errorDocument("NoSuchBucket", ""),
		errorDocument("AuthorizationHeaderMalformed", ""),
		errorDocument("you sent "+session, ""),
		errorDocument("<Code>Access</Code>", ""),
		errorDocument(strings.Repeat("a", 65), ""),
		"", "<Error/>", "<Error><Code>A</Code><Code>B</Code></Error>", `<Error xmlns="urn:s3"><Code> A </Code></Error>`,
		"<Error><Code>AccessDenied", "<ListBucketResult><Code>AccessDenied</Code></ListBucketResult>",
		"<!DOCTYPE html><html><body>Log in<br></body></html>", `{"code":"AccessDenied"}`,
	} {
		for _, status := range []uint8{1, 3, 4} {
			f.Add(status, body)
		}
	}
	shown := regexp.MustCompile(`^[A-Za-z. ]+ \(GetObject: ([A-Za-z.]{1,64}|an unknown error code) \(status 4\d\d\)\)$`)
	f.Fuzz(func(t *testing.T, status uint8, body string) {
		code := http.StatusBadRequest + int(status)%29 // up to 428: from then on it would be called again
		a := archive.NewS3(config("http://s3.test", answering(func() *http.Response {
			return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
		})))
		_, err := a.Get(t.Context(), report)
		want := guard.Unavailable
		if code == http.StatusNotFound && strings.Contains(body, "NoSuchKey") && strings.Contains(err.Error(), "NoSuchKey") {
			want = guard.NotFound
		}
		wantKind(t, "Get", err, want)
		if !shown.MatchString(err.Error()) {
			t.Errorf("the error is %q", err)
		}
	})
}
