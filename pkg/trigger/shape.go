package trigger

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// shape is what sort of payload Lambda handed over.
type shape int

const (
	// direct: a request by itself, as EventBridge Scheduler, the CLI and the SDKs send it.
	direct shape = iota
	// httpCall: API Gateway HTTP API with payload format 2.0, or a function URL.
	httpCall
	// queueBatch: records of SQS.
	queueBatch
	// topicBatch: records of SNS.
	topicBatch
	// busEvent: an event of EventBridge.
	busEvent
)

// Sources, for requests that name none and whose envelope names none.
const (
	apiSource    = "api"
	directSource = "direct"
	queueSource  = "sqs"
	topicSource  = "sns"
)

// shapeOf recognises a payload by the members that only its sender writes.
func shapeOf(payload []byte) (shape, error) {
	var probe struct {
		RequestContext *struct {
			HTTP jsontext.Value `json:"http"`
		} `json:"requestContext"`
		Records    []recordSource `json:"Records"`
		DetailType jsontext.Value `json:"detail-type"`
		Detail     jsontext.Value `json:"detail"`
	}
	if err := edge.DecodeEnvelope(payload, &probe); err != nil {
		return direct, err
	}
	switch {
	case probe.RequestContext != nil && probe.RequestContext.HTTP.Kind() == jsontext.KindBeginObject:
		return httpCall, nil
	case probe.RequestContext != nil:
		return direct, &guard.Error{
			Kind:    guard.Invalid,
			Message: "The payload has a requestContext without http: it is no HTTP call in payload format 2.0.",
			Remedy:  "Put an HTTP API with payload format 2.0 or a function URL in front of the function.",
		}
	case probe.Records != nil:
		return batchOf(probe.Records)
	case probe.DetailType != nil && probe.Detail != nil:
		return busEvent, nil
	default:
		return direct, nil
	}
}

// recordSource tells the records of SQS from those of SNS, which spell the member differently.
type recordSource struct {
	SQS string `json:"eventSource"`
	SNS string `json:"EventSource"`
}

func batchOf(records []recordSource) (shape, error) {
	if len(records) == 0 {
		return direct, &guard.Error{Kind: guard.Invalid, Message: "The payload's Records are empty."}
	}
	for i, r := range records {
		if r != records[0] {
			return direct, &guard.Error{
				Kind:    guard.Invalid,
				Message: fmt.Sprintf("The payload's Records come from different sources: Records[%d] is unlike the first.", i),
			}
		}
	}
	switch records[0] {
	case recordSource{SQS: "aws:sqs"}:
		return queueBatch, nil
	case recordSource{SNS: "aws:sns"}:
		return topicBatch, nil
	default:
		return direct, &guard.Error{
			Kind:    guard.Invalid,
			Message: fmt.Sprintf("The payload's Records come from %q, which this function does not understand.", edge.Clip(records[0].SQS+records[0].SNS)),
			Remedy:  "Invoke the function from SQS, SNS, EventBridge or the HTTP API, or with a request itself.",
		}
	}
}
