package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"

	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/signature/signaturetest"
)

const (
	// callers call at once, each a process of its own as on Lambda, and that many times in a row.
	callers, rounds = 50, 20
	// busTrip and tableTrip are how long EventBridge and DynamoDB take for a call.
	busTrip, tableTrip = 20 * time.Millisecond, 5 * time.Millisecond
	// What senders sign with. There is nothing behind it.
	standardKey, scimToken, slackKey = "whsec_c2VjcmV0LW9mLXRoZS1iZW5jaA==", "only-for-the-bench", "only-for-the-bench"
)

// sender is somebody who waits for an answer.
type sender struct {
	what   string
	call   func(serial int) events.APIGatewayV2HTTPRequest
	status int
}

// frontDoors measures how long senders wait for an answer when many call at once.
func frontDoors(ctx context.Context, dir string) (rows table, err error) {
	w, err := newWorld(dir, trip, 0)
	if err != nil {
		return nil, err
	}
	defer w.close()
	front, err := w.newFront()
	if err != nil {
		return nil, err
	}
	defer front.Close()
	aws := httptest.NewServer(http.HandlerFunc(awsAtADistance))
	defer aws.Close()
	env := append(w.environment(front), "KEYREEVE_LEDGER=dynamodb:bench", "AWS_ENDPOINT_URL="+aws.URL)
	person := w.newPerson("leaver")
	for _, door := range []struct {
		function string
		senders  []sender
	}{
		{"webhook", []sender{
			{"a webhook", hook, http.StatusAccepted},
			{"SCIM", func(int) events.APIGatewayV2HTTPRequest { return scimPatch(person) }, http.StatusOK},
		}},
		{"chatops", []sender{{"a command in Slack", slashCommand, http.StatusOK}}},
	} {
		measured, err := frontDoor(ctx, filepath.Join(dir, door.function), env, door.senders)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", door.function, err)
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

// frontDoor measures how long those who call one function wait.
func frontDoor(ctx context.Context, binary string, env []string, senders []sender) (rows table, err error) {
	doors := make([]*function, callers)
	for i := range doors {
		if doors[i], err = start(ctx, binary, env); err != nil {
			return nil, err
		}
		defer doors[i].stop()
	}
	for _, s := range senders {
		times, err := callAtOnce(doors, s.call, s.status)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.what, err)
		}
		rows = append(rows, row{
			what: fmt.Sprintf("Answer to %s, %d at once, 99th percentile", s.what, callers),
			how: fmt.Sprintf("%d calls after the first of each process, median %s; bus at %d ms, table at %d ms, IONOS at %d ms",
				len(times), milliseconds(median(times)), busTrip.Milliseconds(), tableTrip.Milliseconds(), trip.Milliseconds()),
			value: float64(slices.Sorted(slices.Values(times))[len(times)*99/100]) / float64(time.Millisecond), limit: 300, form: "%.0f ms",
		})
	}
	peak, err := doors[0].peakMemory()
	if err != nil {
		return nil, err
	}
	return append(rows, row{
		what: fmt.Sprintf("Peak memory of `%s`", filepath.Base(binary)), how: fmt.Sprintf("resident, after %d invocations", doors[0].invocations),
		value: megabytes(peak), limit: 40, form: "%.1f MB",
	}), nil
}

// callAtOnce lets each door be called once a round, all at the same time, and returns how long each answer took. The
// first round does not count: in it fifty processes on one machine open their connections at once.
func callAtOnce(doors []*function, call func(serial int) events.APIGatewayV2HTTPRequest, status int) ([]time.Duration, error) {
	times := make([]time.Duration, (1+rounds)*len(doors))
	for round := range 1 + rounds {
		var group errgroup.Group
		for i, door := range doors {
			serial := round*len(doors) + i
			group.Go(func() error {
				answer, took, err := invoke[events.APIGatewayV2HTTPResponse](door, call(serial))
				if err == nil && answer.StatusCode != status {
					err = fmt.Errorf("%d %s", answer.StatusCode, answer.Body)
				}
				times[serial] = took
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
	}
	return times[len(doors):], nil
}

// hook is a message that nobody sent before.
func hook(serial int) events.APIGatewayV2HTTPRequest {
	body := fmt.Sprintf(`{"action": "deactivate", "user": "leaver%d@example.com", "offboarding": true}`, serial)
	header := signaturetest.Sign("standard", standardKey, time.Now(), fmt.Sprintf("msg_%d", serial), []byte(body))
	return httpCall(http.MethodPost, "/hooks/standard", "application/json", header, body)
}

func scimPatch(person ionostest.User) events.APIGatewayV2HTTPRequest {
	const body = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`
	header := signaturetest.Sign("scim", scimToken, time.Now(), "", []byte(body))
	return httpCall(http.MethodPatch, "/scim/v2/Users/"+person.ID, "application/scim+json", header, body)
}

// slashCommand is one that nobody typed before.
func slashCommand(serial int) events.APIGatewayV2HTTPRequest {
	body := url.Values{
		"team_id": {"T0"}, "channel_id": {"C0"}, "user_id": {"U0"}, "command": {"/keys"}, "text": {"deactivate leaver@example.com left"},
		"response_url": {"https://hooks.slack.com/commands/T0/1/x"}, "trigger_id": {fmt.Sprint(serial)},
	}.Encode()
	header := signaturetest.Sign("slack", slackKey, time.Now(), "", []byte(body))
	return httpCall(http.MethodPost, "/slack/commands", "application/x-www-form-urlencoded", header, body)
}

// httpCall is a call as API Gateway hands it over.
func httpCall(method, path, contentType string, header http.Header, body string) events.APIGatewayV2HTTPRequest {
	call := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: path, Headers: map[string]string{"content-type": contentType}, Body: body}
	for name := range header {
		call.Headers[strings.ToLower(name)] = header.Get(name)
	}
	call.RequestContext.Stage = "$default"
	call.RequestContext.HTTP.Method, call.RequestContext.HTTP.Path = method, path
	return call
}

// awsAtADistance stands in for EventBridge and for a table.
func awsAtADistance(w http.ResponseWriter, r *http.Request) {
	switch service, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); service {
	case "AWSEvents":
		slow(busTrip, http.HandlerFunc(putEvents)).ServeHTTP(w, r)
	case "DynamoDB_20120810":
		slow(tableTrip, http.HandlerFunc(emptyTable)).ServeHTTP(w, r)
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

// emptyTable takes everything and has nothing.
func emptyTable(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_, _ = w.Write([]byte("{}")) // a caller who has gone will say so
}
