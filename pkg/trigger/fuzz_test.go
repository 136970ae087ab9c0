package trigger_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json/jsontext"

	"keyreeve/pkg/guard"
)

// maxSentence is how long what a sender is told of a payload may get, in bytes: it ends in answers and in the log.
const maxSentence = 8 << 10

// mustBeValid checks the requests that arrived against what the lifecycle relies on.
func mustBeValid(t *testing.T, action guard.Action, requests []guard.Request) {
	t.Helper()
	for _, r := range requests {
		if err := r.Validate(now()); err != nil || r.Action != action || r.OccurredAt.IsZero() || r.Fingerprint() == "" {
			t.Errorf("carried out the invalid request %+v: %v", r, err)
		}
		if r.Keys != nil && len(r.Keys) == 0 || slices.Contains(r.Keys, "") {
			t.Errorf("carried out the ambiguous request %+v", r)
		}
	}
}

// mustExplain checks what a caller of Lambda is told.
func mustExplain(t *testing.T, err error) {
	t.Helper()
	known := guard.AsError(err)
	if known.Kind == guard.Internal || strings.TrimSpace(known.Message) == "" || len(known.Message) > maxSentence || !utf8.ValidString(known.Message) {
		t.Errorf("failed with kind %q and %d bytes: %.200q", known.Kind, len(known.Message), known.Message)
	}
	if known.Err != nil {
		t.Errorf("the cause %v leaves the function", known.Err)
	}
}

// recorded are payloads as AWS writes them, shortened, with requests in them.
func recorded() []string {
	return []string{
		`{"user":"alice@example.com","keys":["00e1"],"actor":{"kind":"system"}}`,
		`{"action":"deactivate","user":"alice@example.com","keys":["00e1","00e2"],"reason":"left","actor":{"kind":"chatops","name":"bob","email":"bob@example.com"},
			"source":"slack","id":"evt-1","occurredAt":"2026-11-22T10:30:00+01:00","offboarding":true,"dryRun":true,"override":["blast_radius"],
			"confirm":["00e1"],"approvedBy":{"kind":"chatops","name":"carol","email":"carol@example.com"},"replyTo":{"slack":"https://hooks.slack.com/x","channel":"C1"}}`,
		`{"Records":[{"messageId":"m-1","receiptHandle":"h","body":"{\"user\":\"alice@example.com\"}","md5OfBody":"7b","attributes":
			{"ApproximateReceiveCount":"1","SentTimestamp":"1795341600000"},"messageAttributes":{},"eventSource":"aws:sqs","awsRegion":"eu-central-1"},
			{"messageId":"m-2","body":"{}","eventSource":"aws:sqs"}]}`,
		`{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":"{\"Type\":\"Notification\",\"MessageId\":\"n\",\"TopicArn\":\"t\",\"Message\":\"{\\\"user\\\":\\\"alice@example.com\\\"}\",\"Timestamp\":\"2026-11-22T09:00:00Z\"}"}]}`,
		`{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":"{\"version\":\"0\",\"id\":\"e\",\"detail-type\":\"x\",\"source\":\"s\",\"time\":\"2026-11-22T09:00:00Z\",\"detail\":{\"user\":\"alice@example.com\"}}"}]}`,
		`{"Records":[{"EventVersion":"1.0","EventSubscriptionArn":"a","EventSource":"aws:sns","Sns":{"Type":"Notification","MessageId":"n","TopicArn":"t",
			"Message":"{\"user\":\"alice@example.com\"}","Timestamp":"2026-11-22T09:00:00.123Z","MessageAttributes":{}}}]}`,
		`{"version":"0","id":"e","detail-type":"Key Operation Requested","source":"s","account":"1","time":"2026-11-22T09:00:00Z","region":"r","resources":[],
			"detail":{"user":"alice@example.com"}}`,
		`{"version":"2.0","routeKey":"$default","rawPath":"/v1/users/alice@example.com/keys/deactivate","rawQueryString":"","headers":{"a":"b"},"body":"{}","isBase64Encoded":false,
			"requestContext":{"http":{"method":"POST","path":"/"},"requestId":"r","stage":"$default","authorizer":{"jwt":{"claims":{"sub":"s"},"scopes":null}},"timeEpoch":1583348638390}}`,
		`{"version":"2.0","rawPath":"/v1/users/alice@example.com/keys","requestContext":{"http":{"method":"GET"},"authorizer":{"iam":
			{"accessKey":"AKIA","accountId":"1","callerId":"c","userArn":"arn:aws:sts::1:assumed-role/Ops/alice@example.com","userId":"u"}}}}`,
		`{"requestContext":{"http":{}},"rawPath":5}`,
		`{"user":"alice@example.com","occurredAt":"0000-01-01T00:00:00+01:00"}`,
		`{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":"{\"user\":\"alice@example.com\"}","attributes":{"SentTimestamp":"-9000000000000000"}}]}`,
		`{"user":"alice@example.com","keys":[` + strings.Repeat(`"",`, 2000) + `""]}`,
		`{"user":"alice@example.com","user":"bob@example.com"}`,
		`{"User":"alice@example.com"}`,
		`{"user":"alice@example.com","force":true}`,
		`{"user":"alice@example.com","keys":null}`,
		`{"user":"alice@example.com","keys":[]}`,
		`null`,
	}
}

// FuzzInvoke hands over arbitrary payloads.
func FuzzInvoke(f *testing.F) {
	for _, seed := range recorded() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var l lifecycle
		answer, err := l.handler(guard.Deactivate).Invoke(t.Context(), payload)
		if err != nil {
			mustExplain(t, err)
		} else if !json.Valid(answer) {
			t.Errorf("answered %q", answer)
		}
		mustBeValid(t, guard.Deactivate, l.requests)
		mustAnswerForAll(t, payload, answer, l.requests)
		mustBeMeant(t, payload, l.requests)
	})
}

// mustAnswerForAll checks that every message of a queue was either carried out or is delivered again.
func mustAnswerForAll(t *testing.T, payload, answer []byte, requests []guard.Request) {
	t.Helper()
	var again events.SQSEventResponse
	if !strings.HasPrefix(string(answer), `{"batchItemFailures"`) {
		return
	}
	if err := json.Unmarshal(answer, &again); err != nil {
		t.Fatal(err)
	}
	var batch struct {
		Records []json.RawMessage `json:"Records"`
	}
	if err := json.Unmarshal(payload, &batch); err != nil {
		t.Fatal(err)
	}
	if len(batch.Records) != len(requests)+len(again.BatchItemFailures) {
		t.Errorf("%d messages, %d requests carried out, and the answer is %s", len(batch.Records), len(requests), answer)
	}
}

// mustBeMeant reads a payload that is a request by itself in another way and compares what does the harm.
func mustBeMeant(t *testing.T, payload []byte, requests []guard.Request) {
	t.Helper()
	var members map[string]json.RawMessage
	if json.Unmarshal(payload, &members) != nil || len(requests) != 1 {
		return
	}
	for _, envelope := range []string{"Records", "requestContext", "detail", "Message"} {
		if members[envelope] != nil {
			return
		}
	}
	got := requests[0]
	var meant guard.Request
	strict := json.NewDecoder(bytes.NewReader(payload))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&meant); err != nil || members["user"] == nil {
		t.Fatalf("carried out %+v of %q: %v", got, payload, err)
	}
	for name, value := range members {
		if string(value) == "null" {
			t.Errorf("carried out %+v although %s is null in %q", got, name, payload)
		}
	}
	if !jsontext.Value(payload).IsValid() {
		t.Errorf("carried out %+v of %q, where a member is there twice", got, payload)
	}
	diff(t, got.User, meant.User)
	diff(t, got.Keys, meant.Keys)
	diff(t, got.Confirm, meant.Confirm)
	diff(t, got.Override, meant.Override)
	diff(t, []bool{got.Offboarding, got.DryRun}, []bool{meant.Offboarding, meant.DryRun})
}

// FuzzInventory hands arbitrary payloads to the function that only shows.
func FuzzInventory(f *testing.F) {
	for _, seed := range append(recorded(), `{"user":"bob@example.com","actor":{"kind":"operator","email":"bob@example.com"}}`, `{"user":"bob"}`) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var questions []asked
		answer, err := inventory(&questions).Invoke(t.Context(), payload)
		if err != nil && guard.KindOf(err) != guard.Internal { // The stand-in has a user that is a defect.
			mustExplain(t, err)
		}
		if err == nil && !json.Valid(answer) {
			t.Errorf("answered %q", answer)
		}
		for _, q := range questions {
			request := guard.Request{Action: guard.Deactivate, User: q.User, Actor: q.Actor}
			if err := request.Validate(now()); err != nil {
				t.Errorf("asked the invalid question %+v: %v", q, err)
			}
		}
	})
}

// inJSON reports whether JSON can hold all of the texts as they are.
func inJSON(texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !utf8.ValidString(text) })
}

// FuzzEnvelopes sends one request in every envelope that a queue, a topic or a bus may put around it. However it comes,
// it arrives as it was sent, or not at all.
func FuzzEnvelopes(f *testing.F) {
	f.Add(alice, "00e1,00e2", "left", "system", "hr", "", "hr", "evt-1", int64(1_795_341_600), true, "last_active_key", "00e1", "https://hooks.slack.com/x")
	f.Add(alice, "", "", "operator", "", "o@example.com", "api", "evt-2", int64(1_795_341_600), false, "", "", "")
	f.Add("5e1f0000-0000-4000-8000-000000000001", "00e1", "\"}{\u2028\\", "schedule", "</script>", "", "s", "i", int64(0), false, "", "", "")
	f.Add(alice, ",", "", "system", "", "", "s", "i", int64(-62167222800), false, "", "", "")
	f.Fuzz(func(t *testing.T, user, keys, reason, kind, name, email, source, id string, seconds int64, offboarding bool, override, confirm, slack string) {
		list := func(text string) []string {
			if text == "" {
				return nil
			}
			return strings.Split(text, ",")
		}
		want := guard.Request{
			Action: guard.Deactivate, User: user, Keys: list(keys), Reason: reason,
			Actor:  guard.Actor{Kind: guard.ActorKind(kind), Name: name, Email: email},
			Source: source, ID: id, OccurredAt: time.Unix(seconds, 0).UTC(), Offboarding: offboarding,
			Confirm: list(confirm), ReplyTo: guard.ReplyTo{Slack: slack},
		}
		for _, rule := range list(override) {
			want.Override = append(want.Override, guard.Rule(rule))
		}
		encoded, err := json.Marshal(want)
		if err != nil || !inJSON(user, keys, reason, kind, name, email, source, id, override, confirm, slack) || id == "" || source == "" || want.Actor == (guard.Actor{}) || want.OccurredAt.IsZero() {
			t.Skip("not a request that JSON can hold in full")
		}
		var accepted []guard.Request
		if want.Validate(now()) == nil {
			accepted = []guard.Request{want}
		}
		for name, payload := range enveloped(t, encoded) {
			var l lifecycle
			_, _ = l.handler(guard.Deactivate).Invoke(t.Context(), payload)
			if t.Failed() {
				return
			}
			if diff(t, l.requests, accepted); t.Failed() {
				t.Errorf("%s: %s", name, payload)
			}
		}
	})
}

// enveloped puts a request into everything that it can arrive in.
func enveloped(t *testing.T, request []byte) map[string][]byte {
	t.Helper()
	type object = map[string]any
	event := func(detail []byte) []byte {
		return mustEncode(t, object{
			"version": "0", "id": "outer", "detail-type": "Key Operation Requested", "source": "outer", "account": "1", "time": now(), "region": "r",
			"resources": []string{}, "detail": json.RawMessage(detail),
		})
	}
	notification := func(message []byte) object {
		return object{
			"Type": "Notification", "MessageId": "outer", "TopicArn": "arn:aws:sns:r:1:t", "Message": string(message), "Timestamp": now(),
			"SignatureVersion": "1", "Signature": "s", "SigningCertUrl": "u", "UnsubscribeUrl": "u", "MessageAttributes": object{},
		}
	}
	topic := func(message []byte) []byte {
		return mustEncode(t, object{"Records": []object{{"EventVersion": "1.0", "EventSource": "aws:sns", "Sns": notification(message)}}})
	}
	queue := func(body []byte) []byte {
		return mustEncode(t, object{"Records": []object{{
			"messageId": "outer", "body": string(body), "attributes": object{"SentTimestamp": fmt.Sprint(now().UnixMilli())}, "eventSource": "aws:sqs",
		}}})
	}
	return map[string][]byte{
		"by itself":                     request,
		"an event":                      event(request),
		"a topic":                       topic(request),
		"a topic of the bus":            topic(event(request)),
		"a queue":                       queue(request),
		"a queue of the bus":            queue(event(request)),
		"a queue of a topic":            queue(mustEncode(t, notification(request))),
		"a queue of a topic of the bus": queue(mustEncode(t, notification(event(request)))),
	}
}

// gatewayCall is a call as the gateway hands it over, with an authorizer that vouches for s-1.
func gatewayCall(method, path, body string) events.APIGatewayV2HTTPRequest {
	event := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: path, Body: body}
	event.RequestContext.Stage = "$default"
	event.RequestContext.HTTP.Method = method
	event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: map[string]string{"sub": "s-1"}},
	}
	return event
}

// call has the function for deactivations answer an HTTP call.
func (l *lifecycle) call(t *testing.T, event events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	t.Helper()
	answer, err := l.handler(guard.Deactivate).Invoke(t.Context(), mustEncode(t, event))
	if err != nil {
		t.Fatalf("an HTTP call must be answered: %v", err)
	}
	response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
	if !json.Valid([]byte(response.Body)) || http.StatusText(response.StatusCode) == "" {
		t.Errorf("answered %s", answer)
	}
	if problem := response.Headers["Content-Type"] == "application/problem+json"; problem && len(response.Body) > maxSentence {
		t.Errorf("told %d bytes about a call that went wrong", len(response.Body))
	}
	return response
}

// FuzzHTTP hands over the parts of an HTTP call that its sender writes. Whatever they are, there is a response, and
// only the gateway says who called.
func FuzzHTTP(f *testing.F) {
	f.Add("POST", "/v1/users/alice@example.com/keys/00e1/deactivate", "", "$default", "a@example.com", false)
	f.Add("POST", "/prod/v1/users/alice%40example.com/keys/deactivate", `{"reason":"r"}`, "prod", "", true)
	f.Add("DELETE", "/v1/users/alice@example.com/keys/", `{"actor":{"kind":"system"}}`, "", "x", false)
	f.Add("POST", "/v1/users/alice@example.com/keys/00e1/deactivate", `{"offboarding":true,"dryRun":true,"override":["last_active_key"],"confirm":["00e1"]}`, "", "", false)
	f.Add("POST", "/v1/users/alice@example.com/keys/deactivate", `{"confirm":[`+strings.Repeat(`"",`, 5000)+`""],"override":["exempt"]}`, "", "x", false)
	f.Add("POST", "/v1/users/"+strings.Repeat("%00", 5000)+"/keys/deactivate", "{}", "", "x", false)
	f.Fuzz(func(t *testing.T, method, path, body, stage, email string, encoded bool) {
		event := gatewayCall(method, path, body)
		event.IsBase64Encoded = encoded
		event.RequestContext.Stage = stage
		event.RequestContext.Authorizer.JWT.Claims["email"] = email
		var l lifecycle
		response := l.call(t, event)
		if (response.StatusCode == http.StatusOK) != (l.requests != nil) || l.requests == nil && response.StatusCode/100 != 4 {
			t.Errorf("answered %+v after %+v", response, l.requests)
		}
		mustBeValid(t, guard.Deactivate, l.requests)
		for _, r := range l.requests {
			if r.Actor.Kind != guard.Operator || r.Actor.Name != "s-1" || r.Source != "api" || r.ReplyTo != (guard.ReplyTo{}) {
				t.Errorf("carried out %+v for another actor", r)
			}
			mustBeOfTheBody(t, event, r)
		}
	})
}

// mustBeOfTheBody checks that a request says what the body of its call says, read in another way.
func mustBeOfTheBody(t *testing.T, event events.APIGatewayV2HTTPRequest, got guard.Request) {
	t.Helper()
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(event.Body)
		if err != nil {
			t.Fatalf("carried out %+v of a body that is not base64", got)
		}
		body = decoded
	}
	var meant guard.Request
	if len(body) > 0 {
		if err := json.Unmarshal(body, &meant); err != nil {
			t.Fatalf("carried out %+v of the body %q: %v", got, body, err)
		}
	}
	if got.Offboarding != meant.Offboarding || got.DryRun != meant.DryRun || !slices.Equal(got.Override, meant.Override) || !slices.Equal(got.Confirm, meant.Confirm) {
		t.Errorf("carried out %+v of the body %q", got, body)
	}
}

// FuzzPath makes sure that a user and a key in a path are taken as they are, however strange: never for another key,
// and never for all keys.
func FuzzPath(f *testing.F) {
	f.Add(alice, "00e1", "$default")
	f.Add(alice, "deactivate", "v1")
	f.Add("a/b@example.com", "%2F", "prod")
	f.Add("alice%40example.com", "..", "")
	f.Fuzz(func(t *testing.T, user, key, stage string) {
		if !inJSON(user, key, stage) {
			t.Skip("the gateway's JSON cannot hold it")
		}
		var l lifecycle
		event := gatewayCall(http.MethodPost, "/v1/users/"+url.PathEscape(user)+"/keys/"+url.PathEscape(key)+"/deactivate", "")
		event.RequestContext.Stage = stage
		response := l.call(t, event)
		for _, r := range l.requests {
			diff(t, r.User, user)
			diff(t, r.Keys, []string{key})
		}
		wanted := guard.Request{Action: guard.Deactivate, User: user, Keys: []string{key}, Actor: guard.Actor{Kind: guard.Operator}}
		if valid := wanted.Validate(now()) == nil; valid != (response.StatusCode == http.StatusOK) {
			t.Errorf("answered %+v, and the request is valid: %t", response, valid)
		}
	})
}

// FuzzCaller lets the caller choose everything in a token's claims or in the name of a session.
func FuzzCaller(f *testing.F) {
	f.Add(true, "s-1", alice, "true", true, "")
	f.Add(true, "", alice, "false", true, "")
	f.Add(true, "s-1", "bo\u017fs@example.com", "", false, "")
	f.Add(false, "", "", "", false, "arn:aws:sts::1:assumed-role/Ops/alice@example.com")
	f.Add(false, "", "", "", false, "arn:aws:iam::1:user/assumed-role/alice@example.com")
	f.Add(false, "", "", "", false, "arn:aws:sts::1:assumed-role/Ops/x/alice@example.com")
	session := regexp.MustCompile(`^(?:[^:]*:){5}assumed-role/[^/]*/([^/]*)$`)
	f.Fuzz(func(t *testing.T, jwt bool, sub, email, verified string, saysVerified bool, arn string) {
		if !inJSON(sub, email, verified, arn) {
			t.Skip("the gateway's JSON cannot hold it")
		}
		event := gatewayCall(http.MethodPost, "/v1/users/bob@example.com/keys/00e1/deactivate", "")
		authorizer := event.RequestContext.Authorizer
		mayBe, name := email, sub
		if jwt {
			authorizer.JWT.Claims = map[string]string{"sub": sub, "email": email}
			if saysVerified {
				authorizer.JWT.Claims["email_verified"] = verified
			}
			if saysVerified && verified != "true" {
				mayBe = ""
			}
		} else {
			authorizer.JWT, authorizer.IAM = nil, &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: arn}
			mayBe, name = "", arn
			if found := session.FindStringSubmatch(arn); found != nil {
				mayBe = found[1]
			}
		}
		if !guard.IsEmail(mayBe) {
			mayBe = ""
		}
		var l lifecycle
		response := l.call(t, event)
		want := guard.Actor{Kind: guard.Operator, Name: name, Email: mayBe}
		if nobody := name == "" && mayBe == ""; nobody != (response.StatusCode == http.StatusUnauthorized) {
			t.Errorf("answered %+v to %+v", response, want)
		}
		for _, r := range l.requests {
			diff(t, r.Actor, want)
			if strings.ContainsFunc(r.Actor.Email, func(c rune) bool { return c > '~' }) {
				t.Errorf("%q is somebody else's address in another case", r.Actor.Email)
			}
		}
	})
}

// FuzzAnswer makes results and errors of arbitrary texts into what each sender understands.
func FuzzAnswer(f *testing.F) {
	f.Add("changed", "k", "message", "throttled", "Wait.", "A while.", int64(time.Second))
	f.Add("failed", "\xff\u2028", "\x00", "unavailable", "<script>", "", int64(math.MaxInt64))
	f.Add("refused", "", "", "internal", "", "", int64(-1))
	f.Fuzz(func(t *testing.T, outcome, key, message, kind, problem, remedy string, retryAfter int64) {
		for _, failing := range []error{
			nil, &guard.Error{Kind: guard.Kind(kind), Message: problem, Remedy: remedy, RetryAfter: time.Duration(retryAfter)},
		} {
			do := func(r guard.Request) (guard.Result, error) {
				result := outcomes(r, guard.Outcome(outcome))
				result.Keys[0].ID, result.Keys[0].Message = key, message
				return result, failing
			}
			l := lifecycle{answer: do}
			answer, err := l.handler(guard.Deactivate).Invoke(t.Context(), []byte(`{"user":"alice@example.com"}`))
			if wrong := failing != nil || outcome == string(guard.Failed); wrong != (err != nil) || err == nil && !json.Valid(answer) {
				t.Errorf("answered %q, %v", answer, err)
			}
			l = lifecycle{answer: do}
			answer, err = l.handler(guard.Deactivate).Invoke(t.Context(), mustEncode(t, gatewayCall(http.MethodPost, "/v1/users/alice@example.com/keys/deactivate", "")))
			if err != nil {
				t.Fatalf("an HTTP call must be answered: %v", err)
			}
			response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
			if !json.Valid([]byte(response.Body)) || (failing != nil) != (response.StatusCode/100 > 3 && response.Headers["Content-Type"] == "application/problem+json") {
				t.Errorf("answered %s", answer)
			}
			mustWait(t, response.Headers, time.Duration(retryAfter))
		}
	})
}

// mustWait checks that a caller who is told when to come again does not come too early.
func mustWait(t *testing.T, headers map[string]string, wait time.Duration) {
	t.Helper()
	said, ok := headers["Retry-After"]
	if !ok {
		return
	}
	if seconds, err := strconv.ParseUint(said, 10, 64); err != nil || float64(seconds) < wait.Seconds() || float64(seconds) > wait.Seconds()+2 {
		t.Errorf("Retry-After is %q for %s", said, wait)
	}
}
