package buckets

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"keyreeve/pkg/guard"
)

// region is a region of Object Storage: what its requests are signed for, and its address.
type region struct{ name, endpoint string }

// userOwned returns the regions in which buckets belong to users. In all others they belong to the contract, and
// a list says nothing about one user.
func userOwned() []region {
	return []region{
		{"de", "https://s3.eu-central-1.ionoscloud.com"},
		{"eu-central-2", "https://s3.eu-central-2.ionoscloud.com"},
		{"eu-south-2", "https://s3.eu-south-2.ionoscloud.com"},
	}
}

// hasBuckets reports whether a list made with the credential shows a bucket. No error and no bucket means that the
// region itself said so.
func (r region) hasBuckets(ctx context.Context, client *http.Client, credential guard.Credential) (bool, error) {
	s3Client := s3.New(s3.Options{
		Region:       r.name,
		BaseEndpoint: aws.String(r.endpoint),
		UsePathStyle: true,
		HTTPClient:   client,
		Credentials:  credentials.NewStaticCredentialsProvider(credential.Key.ID, credential.Secret.Reveal(), ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = 2
			o.MaxBackoff = 100 * time.Millisecond
		}),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
	out, err := s3Client.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		return false, fmt.Errorf("list buckets in region %s: %w", r.name, describe(err))
	}
	if len(out.Buckets) > 0 {
		return true, nil
	}
	// The SDK reads an empty body and any XML that it does not know, such as a proxy's page, as a list without
	// buckets. Every real list names its owner.
	if out.Owner == nil || aws.ToString(out.ContinuationToken) != "" {
		return false, fmt.Errorf("list buckets in region %s: the answer is no complete list", r.name)
	}
	return false, nil
}

// describe leaves out what the storage says of an error, which may repeat parts of the signed request.
func describe(err error) error {
	api, refused := errors.AsType[smithy.APIError](err)
	if !refused {
		return err
	}
	status := 0
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = response.HTTPStatusCode()
	}
	return fmt.Errorf("%s (status %d)", api.ErrorCode(), status)
}

// boundedTransport cuts off answers that are far longer than any list of buckets.
type boundedTransport struct{ next http.RoundTripper }

const maxAnswer = 1 << 20

// RoundTrip implements [http.RoundTripper].
func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	return response, nil
}
