package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// way is a way in for a request as JSON. It hands the request over, and returns the answer of a function that was
// called straight. Goroutines may use it.
type way func(l *laptop, action, id, request string) (reply, error)

// Names of the ways in that tests choose by themselves.
const (
	byHTTP   = "HTTP API" // takes no request as JSON, and so is not among the ways
	byBus    = "EventBridge by PutEvents"
	byDirect = "Scheduler or a direct invocation"
	byQueue  = "SQS"
	byTopic  = "SNS straight to the function"
)

// ways are all the ways in for a request as JSON.
func ways() map[string]way {
	return map[string]way{
		byBus: putEvents,
		"EventBridge straight to the function": func(l *laptop, action, id, request string) (reply, error) {
			return invoke(l, action, map[string]any{
				"version": "0", "id": id, "source": "test", "detail-type": "Key Operation Requested", "account": "000000000000",
				"time": time.Now().UTC().Format(time.RFC3339), "region": "eu-central-1", "resources": []string{},
				"detail": json.RawMessage(request),
			})
		},
		byQueue: func(l *laptop, action, _, request string) (reply, error) {
			return enqueue(l, action, json.RawMessage(request))
		},
		"SNS in SQS": func(l *laptop, action, id, request string) (reply, error) {
			return enqueue(l, action, map[string]any{
				"Type": "Notification", "MessageId": id, "TopicArn": "arn:aws:sns:eu-central-1:000000000000:leavers",
				"Timestamp": time.Now().UTC().Format(time.RFC3339), "Message": request,
			})
		},
		byTopic: func(l *laptop, action, id, request string) (reply, error) {
			record := events.SNSEventRecord{EventSource: "aws:sns", EventVersion: "1.0"}
			record.SNS = events.SNSEntity{Type: "Notification", MessageID: id, Message: request, Timestamp: time.Now()}
			return invoke(l, action, events.SNSEvent{Records: []events.SNSEventRecord{record}})
		},
		byDirect: func(l *laptop, action, _, request string) (reply, error) {
			return invoke(l, action, json.RawMessage(request))
		},
	}
}

// invoke calls the function of the action.
func invoke(l *laptop, action string, payload any) (reply, error) {
	return handOver(l, "/_invoke/"+function(action), payload)
}

// enqueue puts a message in the queue of the action.
func enqueue(l *laptop, action string, body any) (reply, error) {
	return handOver(l, "/_queues/"+function(action)+"Queue", body)
}

func handOver(l *laptop, path string, payload any) (reply, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return reply{}, err
	}
	got, err := l.try(http.MethodPost, path, "", string(body))
	if err == nil && (got.status != http.StatusOK || got.header.Get("X-Amz-Function-Error") != "") {
		err = fmt.Errorf("%s: %d %s", path, got.status, got.body)
	}
	return got, err
}

func putEvents(l *laptop, _, _, request string) (reply, error) {
	client := eventbridge.New(eventbridge.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(l.address),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	answer, err := client.PutEvents(l.t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: aws.String("keyreeve"), Source: aws.String("test"), DetailType: aws.String("Key Operation Requested"), Detail: aws.String(request),
	}}})
	if err == nil && answer.FailedEntryCount != 0 {
		err = fmt.Errorf("PutEvents: %s", aws.ToString(answer.Entries[0].ErrorMessage))
	}
	return reply{}, err
}

// send hands the request over by the way of that name.
func (l *laptop) send(by, action, id, request string) reply {
	l.t.Helper()
	got, err := ways()[by](l, action, id, request)
	if err != nil {
		l.t.Fatalf("%s: %v", by, err)
	}
	return got
}

// triggers are all the ways in, HTTP calls among them. Each sends the request for one key and returns the outcome.
func triggers() map[string]func(l *laptop, action, user, key, id string) result {
	all := map[string]func(l *laptop, action, user, key, id string) result{
		byHTTP: func(l *laptop, action, user, key, _ string) result {
			method, path := endpoint(action, user, key)
			status, answer := l.call(method, path, "operator@example.com", fmt.Sprintf(`{"reason":"end to end","override":["grace_period"],"confirm":[%q]}`, key))
			if status != http.StatusOK {
				l.t.Fatalf("%s: %d %s", action, status, answer)
			}
			return decode[result](l.t, answer)
		},
		"function URL": func(l *laptop, action, user, key, id string) result {
			call := events.LambdaFunctionURLRequest{Version: "2.0", Body: fmt.Sprintf(`{"override":["grace_period"],"confirm":[%q]}`, key)}
			call.RequestContext.HTTP.Method, call.RawPath = endpoint(action, user, key)
			call.RequestContext.RequestID, call.RequestContext.TimeEpoch = id, time.Now().UnixMilli()
			call.RequestContext.Authorizer = &events.LambdaFunctionURLRequestContextAuthorizerDescription{
				IAM: &events.LambdaFunctionURLRequestContextAuthorizerIAMDescription{UserARN: "arn:aws:sts::1:assumed-role/ops/operator@example.com"},
			}
			if _, err := invoke(l, action, call); err != nil {
				l.t.Fatal(err)
			}
			return l.finished(id)
		},
	}
	for by := range ways() {
		all[by] = func(l *laptop, action, user, key, id string) result {
			answer := l.send(by, action, id, request(action, user, key, id))
			announced := l.finished(id)
			if by == byDirect {
				want(l.t, "the answer, beside what was announced", decode[result](l.t, answer.body), announced)
			}
			return announced
		}
	}
	return all
}

// endpoint is where the HTTP API takes the action on one key.
func endpoint(action, user, key string) (method, path string) {
	path = "/v1/users/" + user + "/keys/" + key
	if action == "delete" {
		return http.MethodDelete, path
	}
	return http.MethodPost, path + "/" + action
}

// request is the request JSON for one key, as an operator would send it.
func request(action, user, key, id string) string {
	return fmt.Sprintf(`{"action":%q,"user":%q,"keys":[%q],"id":%q,"reason":"end to end","override":["grace_period"],"confirm":[%q],
		"actor":{"kind":"operator","email":"operator@example.com"}}`, action, user, key, id, key)
}

// function is the logical id of an action's function.
func function(action string) string { return strings.ToUpper(action[:1]) + action[1:] }
