package app

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/akrylysov/algnhsa"
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// frontDoor is a function that outsiders reach over HTTP, and that empties a queue besides.
type frontDoor struct {
	http, queue lambda.Handler
	logger      *slog.Logger
}

// Invoke hands a batch of the queue to one handler and everything else to the other.
func (f *frontDoor) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var batch struct {
		Records jsontext.Value `json:"Records"`
	}
	if err := json.Unmarshal(payload, &batch, jsontext.AllowInvalidUTF8(true)); err == nil && batch.Records != nil {
		return f.queue.Invoke(ctx, payload)
	}
	return f.http.Invoke(ctx, payload)
}

// needsBus returns a sentence where there is no bus: without one, what a front door takes goes nowhere.
func (c Config) needsBus() (problems []string) {
	if c.Bus == "" {
		return []string{"KEYREEVE_BUS is missing: it must be the name of the bus that requests are put on."}
	}
	return nil
}

// leastMemory is how long what came to a front door is remembered at least. Whoever redelivers a webhook by hand does so
// within days; GitHub offers it for three.
const leastMemory = 7 * 24 * time.Hour

func newRepeats(config Config, memory edge.Memory, logger *slog.Logger) edge.Repeats {
	return edge.Repeats{Memory: memory, For: max(leastMemory, time.Duration(config.EventMaxAge)+time.Hour), Clock: time.Now, Logger: logger}
}

// adapter lets API Gateway call an http.Handler. What cannot be made into a call is answered with a problem: an error
// would reach the caller as an unexplained 500, and look like a defect of the function.
type adapter struct {
	next   lambda.Handler
	logger *slog.Logger
}

func adapt(handler http.Handler, logger *slog.Logger) lambda.Handler {
	options := &algnhsa.Options{RequestType: algnhsa.RequestTypeAPIGatewayV2}
	return &adapter{next: algnhsa.New(handler, options), logger: logger}
}

func (a *adapter) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, edge.Patience)
	defer cancel()
	answer, err := a.next.Invoke(ctx, payload)
	if err == nil {
		return answer, nil
	}
	problem := &guard.Error{
		Kind: guard.Invalid, Message: "This is no HTTP call that can be read.", Err: err,
		Remedy: "Call over an HTTP API with payload format 2.0 or a function URL, with a path that is percent-encoded correctly.",
	}
	status, headers, body := edge.Problem(problem)
	edge.LogRefusal(ctx, a.logger, status, problem)
	return edge.Encode(events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: headers, Body: string(body)})
}

// routes leads calls to handlers by how their paths begin. A ServeMux would redirect paths that are not clean, and
// senders do not follow.
func routes(handlers map[string]http.Handler, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for start, handler := range handlers {
			if strings.HasPrefix(r.URL.Path, start) {
				handler.ServeHTTP(w, r)
				return
			}
		}
		edge.Refuse(r.Context(), w, logger, edge.NoSuchPath())
	})
}
