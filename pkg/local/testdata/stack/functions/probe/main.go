// Probe is a function that does what its payload tells it, well or badly.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

func main() {
	if os.Getenv("KEYREEVE_BROKEN") != "" {
		fmt.Fprintln(os.Stderr, "KEYREEVE_BROKEN must not be set")
		os.Exit(1)
	}
	lambda.Start(handle)
}

func handle(ctx context.Context, payload json.RawMessage) (any, error) {
	var order struct {
		Do             string
		Records        []events.SQSMessage
		Body           string
		RequestContext struct{ HTTP struct{ Path string } }
	}
	if err := json.Unmarshal(payload, &order); err != nil {
		return nil, err
	}
	switch {
	case order.Records != nil:
		return batch(ctx, order.Records)
	case order.RequestContext.HTTP.Path == "/open/fail":
		return nil, errors.New("told to fail")
	case order.RequestContext.HTTP.Path == "/open/hook":
		return events.APIGatewayV2HTTPResponse{StatusCode: 202}, put(ctx, "Do", order.Body)
	case order.RequestContext.HTTP.Path != "":
		return events.APIGatewayV2HTTPResponse{StatusCode: 201, Headers: map[string]string{"X-Probe": "yes"}, Body: string(payload)}, nil
	}
	return obey(ctx, order.Do, payload)
}

func obey(ctx context.Context, order string, payload json.RawMessage) (any, error) {
	switch order {
	case "fail":
		return nil, errors.New("told to fail")
	case "panic":
		panic("told to panic")
	case "exit":
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	case "nap":
		time.Sleep(300 * time.Millisecond)
		return os.Getpid(), nil
	case "context":
		invocation, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"requestID": invocation.AwsRequestID, "arn": invocation.InvokedFunctionArn, "left": time.Until(deadline).Seconds(),
			"environment": os.Environ(),
		}, nil
	}
	return payload, nil
}

// batch fails the messages that say so, and announces the others.
func batch(ctx context.Context, records []events.SQSMessage) (events.SQSEventResponse, error) {
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, record := range records {
		var order struct{ ID, Do string }
		if err := json.Unmarshal([]byte(record.Body), &order); err != nil || order.Do == "fail" {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
			continue
		}
		if err := put(ctx, "Key Operation Finished", fmt.Sprintf(`{"id":%q,"keys":[]}`, order.ID)); err != nil {
			return events.SQSEventResponse{}, err
		}
	}
	return response, nil
}

func put(ctx context.Context, detailType, detail string) error {
	client := eventbridge.New(eventbridge.Options{
		Region:       os.Getenv("AWS_REGION"),
		BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL_EVENTBRIDGE")),
		Credentials:  credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	})
	_, err := client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: aws.String(os.Getenv("KEYREEVE_BUS")),
		Source:       aws.String("keyreeve"),
		DetailType:   aws.String(detailType),
		Detail:       aws.String(detail),
	}}})
	return err
}
