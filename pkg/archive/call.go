package archive

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/sethvargo/go-retry"
)

const (
	// patience is how long an attempt may take until it is answered, enough for 20 MB on a slow line, and then how long
	// each reading of the answer may.
	patience = 30 * time.Second
	// retries is how often a call is made again that failed in a way that may pass, and retryWait the wait before the first
	// of them; each further wait is twice as long.
	retries   = 2
	retryWait = 500 * time.Millisecond
)

// order is one call of S3, about one object.
type order struct {
	operation, method, name string
	header                  http.Header
	load                    load
}

// doneBy reports whether the answer says that it was done: no tag of the object, and it may be the page of some proxy; no
// length, and nobody could tell whether it came whole.
func (o order) doneBy(r *http.Response) bool {
	if o.method == http.MethodDelete {
		return r.StatusCode == http.StatusNoContent
	}
	return r.StatusCode == http.StatusOK && r.Header.Get("ETag") != "" && r.ContentLength >= 0
}

// settle makes a call whose answer has nothing to read.
func (s *S3) settle(ctx context.Context, o order) error {
	response, err := s.call(ctx, o)
	if err != nil {
		return err
	}
	_ = response.Body.Close() // whatever becomes of the connection: it was done
	return nil
}

// call makes a call, and makes it again where that may help.
func (s *S3) call(ctx context.Context, o order) (*http.Response, error) {
	backoff := retry.WithMaxRetries(retries, retry.NewExponential(retryWait))
	response, err := retry.DoValue(ctx, backoff, func(ctx context.Context) (*http.Response, error) { return s.attempt(ctx, o) })
	if err != nil {
		return nil, failed(o.operation, err)
	}
	return response, nil
}

// attempt makes a call once. Its context ends when the body of the answer is closed.
func (s *S3) attempt(ctx context.Context, o order) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(patience, func() { cancel(fmt.Errorf("nothing came for %s", patience)) })
	response, err := s.send(ctx, o)
	timer.Stop()
	if err != nil {
		cancel(nil)
		return nil, err
	}
	response.Body = &answer{operation: o.operation, body: response.Body, timer: timer, cancel: cancel}
	if o.doneBy(response) {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	return nil, refusal(response)
}

// send signs a request and sends it.
func (s *S3) send(ctx context.Context, o order) (*http.Response, error) {
	body, err := o.load.lend()
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	request, err := http.NewRequestWithContext(ctx, o.method, s.address(o.name), body)
	if err != nil {
		return nil, err
	}
	request.ContentLength = o.load.size
	maps.Copy(request.Header, o.header)
	credentials, err := s.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := hex.EncodeToString(o.load.sum[:])
	request.Header.Set("X-Amz-Content-Sha256", sum)
	if err := s.signer.SignHTTP(ctx, credentials, request, sum, "s3", s.cfg.Region, s.cfg.Clock()); err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, retry.RetryableError(err)
	}
	return response, nil
}

// answer is the body of an answer. A reading of it fails when nothing comes for as long as patience; in between, the reader
// may take any time.
type answer struct {
	operation string
	body      io.ReadCloser
	timer     *time.Timer
	cancel    context.CancelCauseFunc
}

// Read reads the body. Its errors other than [io.EOF] are like those of a call.
func (a *answer) Read(p []byte) (int, error) {
	a.timer.Reset(patience)
	n, err := a.body.Read(p)
	a.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = failed(a.operation, err)
	}
	return n, err
}

// Close ends the attempt.
func (a *answer) Close() error {
	a.cancel(nil)
	return a.body.Close()
}
