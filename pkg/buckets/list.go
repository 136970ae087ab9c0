package buckets

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/sethvargo/go-retry"

	"keyreeve/pkg/awscall"
	"keyreeve/pkg/guard"
)

const (
	// retries is how often a region is asked again that failed in a way that may pass.
	retries   = 1
	retryWait = 100 * time.Millisecond
	// maxAnswer is far longer than any list of buckets, in bytes.
	maxAnswer = 1 << 20
	// emptyBody is the SHA-256 of a request body of no bytes, in hex.
	emptyBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// hasBuckets reports whether a list made with the credential shows a bucket. No error and no bucket means that the
// region itself said so.
func (a *Asker) hasBuckets(ctx context.Context, r region, credential guard.Credential) (bool, error) {
	backoff := retry.WithMaxRetries(retries, retry.NewConstant(retryWait))
	some, err := retry.DoValue(ctx, backoff, func(ctx context.Context) (bool, error) {
		return a.list(ctx, r, credential)
	})
	if err != nil {
		return false, fmt.Errorf("list buckets in region %s: %w", r.name, err)
	}
	return some, nil
}

// list asks a region once. S3 calls this ListBuckets: a signed GET of the root. Without parameters it answers with
// all buckets at once.
func (a *Asker) list(ctx context.Context, r region, credential guard.Credential) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.endpoint+"/", http.NoBody)
	if err != nil {
		return false, err
	}
	if err := a.sign(request, r, credential); err != nil {
		return false, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return false, retry.RetryableError(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(http.MaxBytesReader(nil, response.Body, maxAnswer))
	if err != nil {
		return false, retry.RetryableError(err)
	}
	some, err := read(response.StatusCode, body)
	if response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= http.StatusInternalServerError {
		err = retry.RetryableError(err)
	}
	return some, err
}

func (a *Asker) sign(request *http.Request, r region, credential guard.Credential) error {
	secret := credential.Secret.Reveal()
	if secret == "" {
		return errors.New("the access key came without its secret")
	}
	request.Header.Set("X-Amz-Content-Sha256", emptyBody)
	// A signer keeps what it derives from a secret, so none outlives its request. S3, unlike other services, signs paths as they are.
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return signer.SignHTTP(request.Context(), aws.Credentials{AccessKeyID: credential.Key.ID, SecretAccessKey: secret},
		request, emptyBody, "s3", r.name, a.clock())
}

// answer is what matters of the two documents that S3 answers with. Elements count by their names, in any namespace.
type answer struct {
	root string

	// Of a ListAllMyBucketsResult. Every real one names its owner.
	Owner             *struct{}  `xml:"Owner"`
	Buckets           []struct{} `xml:"Buckets>Bucket"`
	ContinuationToken string     `xml:"ContinuationToken"`

	// Of an Error.
	Code string `xml:"Code"`
}

// read reports whether an answer shows a bucket. It fails for all but a list that shows one and a complete list
// without any. Of an error it keeps the code alone: the rest may repeat parts of the signed request.
func read(status int, body []byte) (bool, error) {
	found, err := decode(body)
	listed := found.root == "ListAllMyBucketsResult"
	switch {
	case found.root == "Error":
		return false, fmt.Errorf("%s (status %d)", awscall.Code(found.Code), status)
	case status != http.StatusOK:
		return false, fmt.Errorf("status %d", status)
	case err != nil:
		return false, fmt.Errorf("the answer is no complete list: %w", err)
	case listed && len(found.Buckets) > 0:
		return true, nil
	case !listed || found.Owner == nil || found.ContinuationToken != "":
		return false, errors.New("the answer is no complete list")
	}
	return false, nil
}

// decode reads a body that is one XML document and nothing else.
func decode(body []byte) (answer, error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	root, err := nextElement(decoder)
	if err != nil {
		return answer{}, err
	}
	found := answer{root: root.Name.Local}
	if err := decoder.DecodeElement(&found, &root); err != nil {
		return answer{}, err
	}
	if _, err := nextElement(decoder); !errors.Is(err, io.EOF) {
		return answer{}, errors.New("there is more behind the document")
	}
	return found, nil
}

// nextElement returns the next element outside all others, or [io.EOF]. Between them there may be white space,
// comments and declarations, but no text: the decoder by itself skips that.
func nextElement(decoder *xml.Decoder) (xml.StartElement, error) {
	for {
		token, err := decoder.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			return token, nil
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return xml.StartElement{}, errors.New("there is text outside the document")
			}
		}
	}
}
