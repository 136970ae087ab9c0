// Package deadletter puts messages whose requests could not be carried out into a queue of dead letters, and says why on
// them. SQS would move them there, too, but without a word. The trigger uses it after the last try of a message.
package deadletter

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"keyreeve/pkg/awscall"
	"keyreeve/pkg/guard"
)

const (
	// patience bounds all that one Bury does, attemptPatience one exchange with SQS.
	patience        = 2 * time.Second
	attemptPatience = time.Second
	// attempts is how often a call is made that fails in a way that may pass.
	attempts   = 3
	maxBackoff = 200 * time.Millisecond
)

// Config says which queue, and how to reach it.
type Config struct {
	// URL is that of the queue, as SQS knows it. It is the queue's name in a call, not where the call goes.
	URL    string
	Region string
	// Endpoint is the address of an emulator; empty for the real SQS.
	Endpoint    string
	Credentials aws.CredentialsProvider
	Transport   http.RoundTripper
}

// Queue is one queue of dead letters. It is safe for concurrent use.
type Queue struct {
	url    string
	client *sqs.Client
}

// New returns the queue that cfg describes. It calls nobody.
func New(cfg Config) *Queue {
	options := sqs.Options{
		Region:      cfg.Region,
		Credentials: cfg.Credentials,
		HTTPClient:  awscall.Client(cfg.Transport, attemptPatience),
		Retryer:     awscall.Retryer(attempts, maxBackoff),
	}
	if cfg.Endpoint != "" {
		options.BaseEndpoint = aws.String(cfg.Endpoint)
	}
	return &Queue{url: cfg.URL, client: sqs.New(options)}
}

// Bury sends the body, as it is, of the message with the id, and as attributes why its request was given up after so many
// tries. It takes two seconds at most. After an error, of kind [guard.Unavailable], the message may be in the queue all
// the same.
func (q *Queue) Bury(ctx context.Context, id, body string, why *guard.Error, tries int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sent, err := q.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(q.url), MessageBody: aws.String(body), MessageAttributes: epitaph(id, body, why, tries),
	})
	if err == nil && aws.ToString(sent.MessageId) == "" {
		err = errors.New("SendMessage: the answer names no message")
	}
	if err != nil {
		return &guard.Error{
			Kind:    guard.Unavailable,
			Message: "The queue of dead letters did not confirm that it has the message.",
			Remedy:  "Check that the queue named by KEYREEVE_DEAD_LETTERS exists and that the function may send to it.",
			Err:     awscall.Describe("SendMessage", err),
		}
	}
	return nil
}
