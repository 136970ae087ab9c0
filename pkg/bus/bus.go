// Package bus puts what Keyreeve has to say on an EventBridge bus: requests, which a rule takes to the queue of the
// function that carries them out; requests whose user nobody knows yet, which wait in another; what people write in chat;
// the outcomes of finished requests, which notify and everybody else may listen to; and what a sweep came to, whom it wants
// warned, and where it goes on. The front doors publish, the lifecycle announces.
package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"keyreeve/pkg/awscall"
	"keyreeve/pkg/guard"
)

// The envelope of every event. Rules match on these.
const (
	source         = "keyreeve"
	detailFinished = "Key Operation Finished"
	detailRequest  = "Key Operation Requested"
	detailUnmapped = "Key Operation Unmapped"
	detailChat     = "Chat Message Received"
	detailWarning  = "Key Warning Due"
	detailSwept    = "Key Sweep Finished"
	detailStopped  = "Key Sweep Stopped"
	detailContinue = "Key Sweep Continued"
)

// Config says which bus, and how to reach it.
type Config struct {
	// Name is the name or the ARN of the bus.
	Name   string
	Region string
	// Endpoint is the address of an emulator; empty for the real EventBridge.
	Endpoint    string
	Credentials aws.CredentialsProvider
	Transport   http.RoundTripper
	// Clock gives the time of the events.
	Clock func() time.Time
}

// Bus is one EventBridge bus. It is safe for concurrent use.
type Bus struct {
	name   string
	client *eventbridge.Client
	clock  func() time.Time
}

// New returns the bus that cfg describes. It calls nobody.
func New(cfg Config) *Bus {
	options := eventbridge.Options{
		Region:      cfg.Region,
		Credentials: cfg.Credentials,
		HTTPClient:  awscall.Client(cfg.Transport, attemptPatience),
		Retryer:     awscall.Retryer(attempts, maxBackoff),
	}
	if cfg.Endpoint != "" {
		options.BaseEndpoint = aws.String(cfg.Endpoint)
	}
	return &Bus{name: cfg.Name, client: eventbridge.New(options), clock: cfg.Clock}
}

// Announce puts the outcome of a request on the bus.
func (b *Bus) Announce(ctx context.Context, finished guard.Finished) error {
	entry, err := b.entry(detailFinished, finished)
	if err != nil {
		return err
	}
	return b.put(ctx, []types.PutEventsRequestEntry{entry})
}

// Publish puts requests on the bus, ten a call. Where it fails, some of them may be on the bus all the same, and the
// error says how many are not; a request that is published twice is carried out once, thanks to its id.
// A request too large for the bus is an error of kind [guard.Invalid], and then none is sent.
func (b *Bus) Publish(ctx context.Context, requests ...guard.Request) error {
	return publish(ctx, b, detailRequest, requests)
}

// PublishUnmapped puts requests on the bus whose user is not known yet, like Publish.
func (b *Bus) PublishUnmapped(ctx context.Context, requests ...guard.Unmapped) error {
	return publish(ctx, b, detailUnmapped, requests)
}

// PublishChat puts a message on the bus that a person wrote in chat, like Publish. What it looks like is between those who
// send and those who receive it.
func (b *Bus) PublishChat(ctx context.Context, message any) error {
	return publish(ctx, b, detailChat, []any{message})
}

// PublishWarnings puts warnings on the bus that the owners of keys are to get, like Publish.
func (b *Bus) PublishWarnings(ctx context.Context, warnings ...guard.OwnerWarning) error {
	return publish(ctx, b, detailWarning, warnings)
}

// AnnounceSweep puts on the bus what a sweep came to. One that was stopped is an event of another type, so that rules can
// tell them apart.
func (b *Bus) AnnounceSweep(ctx context.Context, sweep guard.Sweep) error {
	detailType := detailSwept
	if sweep.Stopped != nil {
		detailType = detailStopped
	}
	return publish(ctx, b, detailType, []guard.Sweep{sweep})
}

// ContinueSweep puts on the bus where another invocation is to go on. What it looks like is the sweep's own affair.
func (b *Bus) ContinueSweep(ctx context.Context, state any) error {
	return publish(ctx, b, detailContinue, []any{state})
}

func publish[T any](ctx context.Context, b *Bus, detailType string, details []T) error {
	entries := make([]types.PutEventsRequestEntry, len(details))
	for i, detail := range details {
		entry, err := b.entry(detailType, detail)
		if err != nil {
			return err
		}
		entries[i] = entry
	}
	return b.put(ctx, entries)
}

func (b *Bus) entry(detailType string, detail any) (types.PutEventsRequestEntry, error) {
	data, err := json.Marshal(detail)
	if err != nil {
		return types.PutEventsRequestEntry{}, &guard.Error{
			Kind: guard.Internal, Message: "An event could not be written as JSON.", Err: fmt.Errorf("write %s: %w", detailType, err),
		}
	}
	entry := types.PutEventsRequestEntry{
		EventBusName: aws.String(b.name),
		Source:       aws.String(source),
		DetailType:   aws.String(detailType),
		Detail:       aws.String(string(data)),
		Time:         aws.Time(b.clock()),
	}
	if size := sizeOf(entry); size > maxCallSize {
		return types.PutEventsRequestEntry{}, &guard.Error{
			Kind:    guard.Invalid,
			Message: fmt.Sprintf("The event is too large for the bus: %d bytes, where %d are allowed.", size, maxCallSize),
			Remedy:  "Name fewer access keys in one request.",
		}
	}
	return entry, nil
}
