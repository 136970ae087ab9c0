package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"keyreeve/pkg/awscall"
	"keyreeve/pkg/guard"
)

const (
	// maxSize is the most that is read of a source, and of one answer of Parameter Store, in bytes.
	maxSize = 1 << 20
	// patience bounds one reading, attemptPatience one exchange with Parameter Store.
	patience        = 5 * time.Second
	attemptPatience = 2 * time.Second
	// attempts is how often a call is made that fails in a way that may pass.
	attempts   = 3
	maxBackoff = 200 * time.Millisecond
)

// source returns the text of the items as it is at that moment. Its errors are of type *guard.Error.
type source func(ctx context.Context) (string, error)

func fromFile(path string) source {
	return func(context.Context) (string, error) {
		file, err := os.Open(path)
		if err != nil {
			return "", unreadable(err)
		}
		defer func() { _ = file.Close() }()
		text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
		if err != nil {
			return "", unreadable(err)
		}
		if len(text) > maxSize {
			return "", tooLarge()
		}
		return string(text), nil
	}
}

func fromParameterStore(cfg Config, name string) source {
	options := ssm.Options{
		Region:      cfg.Region,
		Credentials: cfg.Credentials,
		HTTPClient:  awscall.Client(bounded{cfg.Transport}, attemptPatience),
		Retryer:     awscall.Retryer(attempts, maxBackoff),
	}
	if cfg.Endpoint != "" {
		options.BaseEndpoint = aws.String(cfg.Endpoint)
	}
	client := ssm.New(options)
	path, below := strings.CutSuffix(name, "/")
	return func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if below {
			return readBelow(ctx, client, cmp.Or(path, "/"))
		}
		return readParameter(ctx, client, name)
	}
}

func readParameter(ctx context.Context, client *ssm.Client, name string) (string, error) {
	out, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(name), WithDecryption: aws.Bool(true)})
	if err != nil {
		return "", unreadable(awscall.Describe("GetParameter", err))
	}
	if out.Parameter == nil || out.Parameter.Value == nil {
		return "", unreadable(errors.New("GetParameter: the answer has no value"))
	}
	return *out.Parameter.Value, nil
}

// readBelow reads all parameters below the path. That there are none is an error, as it is for a single parameter: it is
// all that Parameter Store says to a path that is misspelt.
func readBelow(ctx context.Context, client *ssm.Client, path string) (string, error) {
	pages := ssm.NewGetParametersByPathPaginator(client, &ssm.GetParametersByPathInput{
		Path: aws.String(path), Recursive: aws.Bool(true), WithDecryption: aws.Bool(true),
	})
	var parameters []types.Parameter
	size := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", unreadable(awscall.Describe("GetParametersByPath", err))
		}
		for _, parameter := range page.Parameters {
			if parameter.Value == nil {
				return "", unreadable(errors.New("GetParametersByPath: a parameter has no value"))
			}
			if size += len(*parameter.Value) + 1; size > maxSize {
				return "", tooLarge()
			}
			parameters = append(parameters, parameter)
		}
	}
	if len(parameters) == 0 {
		return "", unreadable(fmt.Errorf("GetParametersByPath: there are no parameters below %s", path))
	}
	slices.SortFunc(parameters, func(a, b types.Parameter) int { return cmp.Compare(aws.ToString(a.Name), aws.ToString(b.Name)) })
	var text strings.Builder
	for _, parameter := range parameters {
		text.WriteString(*parameter.Value + "\n")
	}
	return text.String(), nil
}

// bounded lets no answer get longer than maxSize: the SDK reads them whole.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(request)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxSize)
	}
	return response, err
}

func tooLarge() *guard.Error { return invalid(fmt.Sprintf("it has more than %d bytes", maxSize)) }

func unreadable(err error) *guard.Error {
	return &guard.Error{
		Kind:    guard.Unavailable,
		Message: "The identity map cannot be read.",
		Remedy:  "See in the log why, and check that KEYREEVE_IDENTITY_MAP names what exists and what the function may read: a file, a parameter, or a path that begins and ends with a slash.",
		Err:     err,
	}
}
