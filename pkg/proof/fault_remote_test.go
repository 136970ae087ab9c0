package proof_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keyreeve/pkg/ledger"
	"keyreeve/pkg/ledger/ledgertest"
)

// remote is a DynamoDB table on the real network, and a handler that bubbles may serve: each of its calls is made by a
// goroutine outside. Whoever waits for that one keeps simulated time from going on.
type remote struct {
	emulator *ledgertest.DynamoDB
	table    string

	mu      sync.Mutex
	calls   chan *http.Request
	answers chan reply
}

// reply is a whole HTTP response, or why there is none.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error
}

func newRemote(t *testing.T, emulator *ledgertest.DynamoDB) *remote {
	t.Helper()
	r := &remote{emulator: emulator, table: emulator.Table(t), calls: make(chan *http.Request), answers: make(chan reply)}
	transport := new(http.Transport)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for call := range r.calls {
			r.answers <- exchange(transport, call)
		}
	}()
	t.Cleanup(func() {
		close(r.calls)
		<-done
		transport.CloseIdleConnections()
	})
	return r
}

func exchange(transport *http.Transport, call *http.Request) reply {
	response, err := transport.RoundTrip(call)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return reply{status: response.StatusCode, header: response.Header, body: body, err: err}
}

// ServeHTTP answers in a bubble what the table answers outside.
func (r *remote) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	// Nothing of the bubble may leave it, so neither may the context.
	call, err := http.NewRequestWithContext(context.WithoutCancel(in.Context()), in.Method, r.emulator.Endpoint, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	call.Header = in.Header.Clone()
	r.mu.Lock()
	r.calls <- call
	got := <-r.answers
	r.mu.Unlock()
	if got.err != nil {
		panic(http.ErrAbortHandler)
	}
	got.header.Del("Date") // Time is another one in here, and the SDK would take the clock to be wrong.
	maps.Copy(w.Header(), got.header)
	w.WriteHeader(got.status)
	_, _ = w.Write(got.body)
}

// ledger returns the ledger in the table, with the trouble in front of it.
func (r *remote) ledger(t *testing.T, d *trouble) ledgerCalls {
	t.Helper()
	return ledger.NewDynamoDB(ledger.DynamoDBConfig{
		Table: r.table, Region: "eu-central-1", Endpoint: "http://dynamodb.example", Clock: time.Now,
		Credentials: anybody(), Transport: labelled{next: serve(t, d.in(r))},
	})
}

// empty deletes all items.
func (r *remote) empty(t *testing.T) {
	t.Helper()
	items, err := r.emulator.Client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(r.table)})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items.Items {
		_, err := r.emulator.Client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
			TableName: aws.String(r.table), Key: map[string]types.AttributeValue{"id": item["id"]},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// anybody are credentials that emulators take.
func anybody() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
	})
}
