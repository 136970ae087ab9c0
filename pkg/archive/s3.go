package archive

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"

	"keyreeve/pkg/awscall"
)

// S3Config says which bucket, and how to reach it.
type S3Config struct {
	Bucket string
	// Prefix stands before every name, with a slash between; empty: nothing does.
	Prefix string
	Region string
	// Endpoint is the address of an emulator; empty for the real S3.
	Endpoint    string
	Credentials aws.CredentialsProvider
	// Transport should have an ExpectContinueTimeout: S3 closes the connection of a content that it does not take, and who
	// sends without waiting for its word may not get to read why.
	Transport http.RoundTripper
	// Clock dates the signatures.
	Clock func() time.Time
}

// S3 keeps everything in a bucket of AWS S3. It needs s3:PutObject, s3:GetObject and s3:DeleteObject, and s3:ListBucket to
// be told that there is nothing under a name: without it S3 answers as if it were forbidden. It is safe for concurrent use.
//
// It signs its few calls by hand: with the SDK's client of S3 the zip of a function would be over its limit.
type S3 struct {
	cfg    S3Config
	signer *v4.Signer
	client *http.Client
}

// NewS3 returns the archive that cfg describes. It calls nobody.
func NewS3(cfg S3Config) *S3 {
	return &S3{
		cfg: cfg,
		// S3, unlike other services, signs paths as they are.
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		// How long to wait is the matter of each attempt: a limit here would count the time in which an answer is read.
		client: awscall.Client(cfg.Transport, 0),
	}
}

// Put keeps the content, from its beginning, under the name, in place of what was there. Whoever reads meanwhile gets all
// of the one or all of the other. Browsers go by the type of the content, such as "text/html; charset=utf-8". After an
// error, of kind [guard.Unavailable], the content may be there all the same.
func (s *S3) Put(ctx context.Context, name, contentType string, content io.ReadSeeker) error {
	if err := check(name); err != nil {
		return err
	}
	load, err := measure(content)
	if err != nil {
		return failed("PutObject", err)
	}
	return s.settle(ctx, order{operation: "PutObject", method: http.MethodPut, name: name, load: load, header: http.Header{
		"Content-Type": {contentType},
		"Expect":       {"100-continue"},
		// Without it a bucket whose objects are locked takes none.
		"X-Amz-Checksum-Sha256": {base64.StdEncoding.EncodeToString(load.sum[:])},
	}})
}

// Get opens what is kept under the name; the caller closes it. Where there is nothing the error is of kind [guard.NotFound].
// Reading ends with [io.EOF] only after the whole of it; a part of it ends with an error of kind [guard.Unavailable].
func (s *S3) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := check(name); err != nil {
		return nil, err
	}
	response, err := s.call(ctx, order{operation: "GetObject", method: http.MethodGet, name: name, load: nothing()})
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// Remove removes what is kept under the name. That there is nothing is no error.
func (s *S3) Remove(ctx context.Context, name string) error {
	if err := check(name); err != nil {
		return err
	}
	return s.settle(ctx, order{operation: "DeleteObject", method: http.MethodDelete, name: name, load: nothing()})
}

// Link returns the address of what is kept under the name: in the console of AWS, where people sign in. A presigned address
// would be a secret in every chat channel that it is posted to. In an emulator it is the address of the object itself.
func (s *S3) Link(name string) string {
	if s.cfg.Endpoint != "" {
		return s.address(name)
	}
	return "https://" + s.cfg.Region + ".console.aws.amazon.com/s3/object/" + s.cfg.Bucket +
		"?region=" + s.cfg.Region + "&prefix=" + url.QueryEscape(s.key(name))
}

// key is the name of the object.
func (s *S3) key(name string) string { return path.Join(strings.Trim(s.cfg.Prefix, "/"), name) }

// address is where S3 has the object, with more of it escaped than a URL needs: S3 signs it that way.
func (s *S3) address(name string) string {
	bucket := "https://" + s.cfg.Bucket + ".s3." + s.cfg.Region + ".amazonaws.com"
	switch {
	case s.cfg.Endpoint != "":
		bucket = strings.TrimSuffix(s.cfg.Endpoint, "/") + "/" + s.cfg.Bucket
	case strings.Contains(s.cfg.Bucket, "."):
		// The certificate of S3 is good for a name without dots before its own.
		bucket = "https://s3." + s.cfg.Region + ".amazonaws.com/" + s.cfg.Bucket
	}
	return bucket + "/" + httpbinding.EscapePath(s.key(name), false)
}
