package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"
)

// testOptions are for the stack in testdata: one function that does what it is told.
func testOptions(t *testing.T) options {
	t.Helper()
	return options{
		root: "testdata/stack", port: "0", retry: 10 * time.Millisecond,
		system:   map[string]string{"PATH": "/usr/bin"},
		keyreeve: map[string]string{"KEYREEVE_LIMIT": "9"},
		ionos:    map[string]string{"IONOS_CONTRACT_NUMBER": "1"},
		dynamodb: "http://dynamodb",
	}
}

func TestStack(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s, err := newStack(t.Context(), testOptions(t), &out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
		for _, i := range allInstances(s) {
			select {
			case <-i.exited:
			default:
				t.Error("a process outlived the stack")
			}
		}
		if t.Failed() {
			t.Log(out.String())
		}
	})
	t.Run("invocations", func(t *testing.T) { t.Parallel(); testInvocations(t, s) })
	t.Run("context", func(t *testing.T) { t.Parallel(); testContext(t, s) })
	t.Run("processes", func(t *testing.T) { t.Parallel(); testProcesses(t, s) })
	t.Run("gateway", func(t *testing.T) { t.Parallel(); testGateway(t, s) })
	t.Run("refusals", func(t *testing.T) { t.Parallel(); testRefusals(t, s) })
	t.Run("events", func(t *testing.T) { t.Parallel(); testEvents(t, s) })
	t.Run("idle", func(t *testing.T) { t.Parallel(); testIdle(t, s) })
	t.Run("PutEvents", func(t *testing.T) { t.Parallel(); testPutEvents(t, s) })
	t.Run("objects", func(t *testing.T) { t.Parallel(); testObjects(t, s) })
	t.Run("refused objects", func(t *testing.T) { t.Parallel(); testRefusedObjects(t, s) })
	t.Run("pages", func(t *testing.T) { t.Parallel(); testPages(t, s) })
}

func allInstances(s *stack) []*instance {
	var all []*instance
	for _, f := range s.functions {
		all = append(all, f.idle...)
	}
	return all
}

// reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	body   string
}

// call sends a request to the stack. The headers are names, each followed by its value.
func call(t *testing.T, s *stack, method, path, body string, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		request.Header.Add(pair[0], pair[len(pair)-1])
	}
	client := &http.Client{Timeout: time.Minute}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(answer)}
}

func testInvocations(t *testing.T, s *stack) {
	t.Helper()
	tests := []struct{ name, payload, failure, want string }{
		{"answer", `{"a":1}`, "", `{"a":1}`},
		{"error", `{"do":"fail"}`, "Unhandled", `"errorMessage":"told to fail"`},
		{"panic", `{"do":"panic"}`, "Unhandled", `"errorMessage":"told to panic"`},
		{"exit", `{"do":"exit"}`, "Unhandled", `Runtime exited with error: exit status 3`},
		{"timeout", `{"do":"hang"}`, "Unhandled", `Task timed out after 1.00 seconds`},
		{"no JSON", `{`, "Unhandled", `"errorMessage":"unexpected EOF"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// Twice, since the function has to work after a failure too.
			for range 2 {
				got := call(t, s, "POST", "/_invoke/Probe", tt.payload)
				if failure := got.header.Get("X-Amz-Function-Error"); failure != tt.failure || !strings.Contains(got.body, tt.want) {
					t.Errorf("got %q %s, want %q and %s", failure, got.body, tt.failure, tt.want)
				}
			}
		})
	}
	t.Run("unknown function", func(t *testing.T) {
		t.Parallel()
		if got := call(t, s, "POST", "/_invoke/Nobody", "{}"); got.status != http.StatusNotFound {
			t.Errorf("got %d %s", got.status, got.body)
		}
	})
}

// The function sees what Lambda tells it, the template's environment with the local overrides, and nothing else of
// the shell.
func testContext(t *testing.T, s *stack) {
	t.Helper()
	var got struct {
		RequestID   string   `json:"requestID"`
		ARN         string   `json:"arn"`
		Left        float64  `json:"left"`
		Environment []string `json:"environment"`
	}
	if err := json.Unmarshal([]byte(call(t, s, "POST", "/_invoke/Probe", `{"do":"context"}`).body), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.RequestID) != 36 || got.ARN != "arn:aws:lambda:eu-central-1:000000000000:function:Probe" || got.Left <= 0 || got.Left > 1 {
		t.Errorf("the context is wrong: %+v", got)
	}
	environment := map[string]string{}
	for _, variable := range got.Environment {
		name, value, _ := strings.Cut(variable, "=")
		environment[name] = value
	}
	for name, form := range map[string]string{
		"KEYREEVE_LEDGER": "bolt:/", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:", "IONOS_TOKEN": "ey", "KEYREEVE_OBJECT_STORAGE_ENDPOINT": "http://127.0.0.1:",
		"KEYREEVE_SLACK_ENDPOINT": "http://127.0.0.1:",
	} {
		if !strings.HasPrefix(environment[name], form) {
			t.Errorf("%s is %q, want it to begin with %q", name, environment[name], form)
		}
		delete(environment, name)
	}
	delete(environment, "_X_AMZN_TRACE_ID") // set by the Lambda library
	want := map[string]string{
		"PATH":              "/usr/bin",
		"TZ":                "UTC",
		"KEYREEVE_BUS":      "keyreeve",
		"KEYREEVE_GREETING": "hello from keyreeve",
		"KEYREEVE_LIMIT":    "9",
		"KEYREEVE_REPORTS":  "s3:keyreeve-reports/sweeps",
		"KEYREEVE_SECRETS":  "",
		// The secrets of the workspace that is brought along.
		"KEYREEVE_SLACK_BOT_TOKEN": "only-for-make-run-slack", "KEYREEVE_SLACK_SIGNING_SECRET": "only-for-make-run-slack",
		"IONOS_API_URL": s.contract.address + "/cloudapi/v6",
		"AWS_REGION":    "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1",
		"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local",
		"AWS_ENDPOINT_URL": s.address, "AWS_ENDPOINT_URL_EVENTBRIDGE": s.address, "AWS_ENDPOINT_URL_SQS": s.address, "AWS_ENDPOINT_URL_S3": s.address, "AWS_ENDPOINT_URL_DYNAMODB": "http://dynamodb",
		"AWS_LAMBDA_FUNCTION_NAME": "Probe", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
	}
	if diff := cmp.Diff(merged(want, demoSecrets()), environment); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

// Calls at the same time get processes of their own.
func testProcesses(t *testing.T, s *stack) {
	t.Helper()
	var calls sync.WaitGroup
	processes := make([]string, 3)
	for i := range processes {
		calls.Go(func() { processes[i] = call(t, s, "POST", "/_invoke/Probe", `{"do":"nap"}`).body })
	}
	calls.Wait()
	if processes[0] == processes[1] || processes[1] == processes[2] || processes[0] == processes[2] {
		t.Errorf("calls at the same time were carried out by the processes %v", processes)
	}
	if got := call(t, s, "GET", "/_functions/Nobody", ""); got.status != http.StatusNotFound {
		t.Errorf("the processes of no function are %d %s", got.status, got.body)
	}
}

// The probe answers a call with the event it got.
func testGateway(t *testing.T, s *stack) {
	t.Helper()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("operator@example.com:"))
	answer := call(t, s, "POST", "/v1/users/alice%2Bx%40example.com/keys?a=1&b=x%20y&a=2", `{"reason":"x"}`,
		"Authorization", basic, "Content-Type", "application/json", "X-Two", "1", "X-Two", "2", "Cookie", "c=d; e=f")
	if answer.status != http.StatusCreated || answer.header.Get("X-Probe") != "yes" {
		t.Fatalf("got %d %s", answer.status, answer.body)
	}
	var got events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal([]byte(answer.body), &got); err != nil {
		t.Fatal(err)
	}
	context := got.RequestContext
	if context.RequestID == "" || context.TimeEpoch == 0 || context.Time == "" {
		t.Errorf("the request context lacks something: %+v", context)
	}
	context.RequestID, context.TimeEpoch, context.Time = "", 0, ""
	host := strings.TrimPrefix(s.address, "http://")
	want := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "POST /v1/users/{user}/keys",
		RawPath: "/v1/users/alice+x@example.com/keys", RawQueryString: "a=1&b=x%20y&a=2",
		Cookies:               []string{"c=d", "e=f"},
		Headers:               got.Headers,
		QueryStringParameters: map[string]string{"a": "1,2", "b": "x y"},
		PathParameters:        map[string]string{"user": "alice+x@example.com"},
		Body:                  `{"reason":"x"}`,
	}
	want.RequestContext = events.APIGatewayV2HTTPRequestContext{
		RouteKey: want.RouteKey, AccountID: "000000000000", Stage: "$default", APIID: "local", DomainName: host,
		HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
			Method: "POST", Path: want.RawPath, Protocol: "HTTP/1.1", SourceIP: "127.0.0.1", UserAgent: "Go-http-client/1.1",
		},
		Authorizer: &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{
				AccessKey: "ASIALOCALLOCALLOCAL0", AccountID: "000000000000",
				CallerID: "AROALOCALLOCALLOCAL00:operator@example.com", UserID: "AROALOCALLOCALLOCAL00:operator@example.com",
				UserARN: "arn:aws:sts::000000000000:assumed-role/local/operator@example.com",
			},
		},
	}
	got.RequestContext = context
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{"x-two": "1,2", "host": host, "content-type": "application/json", "authorization": basic} {
		if got.Headers[name] != value {
			t.Errorf("header %s is %q, want %q", name, got.Headers[name], value)
		}
	}

	tests := []struct{ name, path, authorization, user, body string }{
		{"nobody", "/v1/users/a/keys", "", "", ""},
		{"signature", "/v1/users/a/keys", "AWS4-HMAC-SHA256 Credential=AKIA1/20261122/eu-central-1/execute-api/aws4_request, SignedHeaders=host, Signature=0", "AKIA1", ""},
		{"bearer", "/v1/users/a/keys", "Bearer x", "", ""},
		{"route without authorization", "/open/x/y", basic, "", ""},
		{"form", "/open/form", "", "", "a=b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			headers := []string{"Content-Type", "application/x-www-form-urlencoded"}
			if tt.authorization != "" {
				headers = append(headers, "Authorization", tt.authorization)
			}
			var got events.APIGatewayV2HTTPRequest
			if err := json.Unmarshal([]byte(call(t, s, "POST", tt.path, tt.body, headers...).body), &got); err != nil {
				t.Fatal(err)
			}
			user := ""
			if got.RequestContext.Authorizer != nil {
				user = got.RequestContext.Authorizer.IAM.UserARN
			}
			if !strings.HasSuffix(user, tt.user) || (user == "") != (tt.user == "") {
				t.Errorf("the caller is %q, want %q", user, tt.user)
			}
			if want := base64.StdEncoding.EncodeToString([]byte(tt.body)); got.Body != want || got.IsBase64Encoded != (tt.body != "") {
				t.Errorf("the body is %q, %v", got.Body, got.IsBase64Encoded)
			}
		})
	}
}

func testRefusals(t *testing.T, s *stack) {
	t.Helper()
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"unknown path", "GET", "/v2", "", 404, `{"message":"Not Found"}`},
		{"unknown method", "GET", "/v1/users/a/keys", "", 404, `{"message":"Not Found"}`},
		{"no segment for a variable", "POST", "/v1/users//keys", "", 404, `{"message":"Not Found"}`},
		{"slash at the end", "POST", "/v1/users/a/keys/", "", 404, `{"message":"Not Found"}`},
		{"slash in a variable", "POST", "/v1/users/a%2Fb/keys", "", 404, `{"message":"Not Found"}`},
		{"large body", "POST", "/v1/users/a/keys", strings.Repeat("x", maxBody+1), 413, `{"message":"Request Entity Too Large"}`},
		{"failing function", "POST", "/open/fail", "", 500, `{"message":"Internal Server Error"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := call(t, s, tt.method, tt.path, tt.body)
			if got.status != tt.status || strings.TrimSpace(got.body) != tt.want {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, tt.status, tt.want)
			}
		})
	}
}

// An event is answered with what became of it.
func testEvents(t *testing.T, s *stack) {
	t.Helper()
	tests := []struct {
		name, event string
		want        eventReport
	}{
		{"done", `{"id":"e1","source":"x","detail-type":"Do","detail":{"do":"well"}}`, eventReport{
			EventID: "e1", Delivered: []string{"Queue"}, Outcomes: []json.RawMessage{[]byte(`{"id":"e1","keys":[]}`)}, DeadLetters: []deadLetter{},
		}},
		{"failed", `{"id":"e2","source":"x","detail-type":"Do","detail":{"do":"fail"}}`, eventReport{
			EventID: "e2", Delivered: []string{"Queue"}, Outcomes: []json.RawMessage{},
			DeadLetters: []deadLetter{{Queue: "DeadLetters", Body: `{"id":"e2","do":"fail","text":""}`}},
		}},
		{"a partner's", `{"id":"e5","source":"aws.partner/example.com/test/one","detail-type":"Do","detail":{"do":"well"}}`, eventReport{
			EventID: "e5", Delivered: []string{"Queue"}, Outcomes: []json.RawMessage{[]byte(`{"id":"e5","keys":[]}`)}, DeadLetters: []deadLetter{},
		}},
		{"a partner's that nobody listens to", `{"id":"e6","source":"aws.partner/example.com/test/two","detail-type":"Do","detail":{}}`, eventReport{
			EventID: "e6", Delivered: []string{}, Outcomes: []json.RawMessage{}, DeadLetters: []deadLetter{},
		}},
		{"no rule", `{"id":"e3","source":"x","detail-type":"Don't","detail":{}}`, eventReport{
			EventID: "e3", Delivered: []string{}, Outcomes: []json.RawMessage{}, DeadLetters: []deadLetter{},
		}},
		{"no input to be made", `{"id":"e4","time":"2026-11-22T10:00:00Z","source":"x","detail-type":"Do","detail":{"text":"\""}}`, eventReport{
			EventID: "e4", Delivered: []string{}, Outcomes: []json.RawMessage{},
			DeadLetters: []deadLetter{{Queue: "DeadLetters", Body: `{"version":"0","id":"e4","detail-type":"Do","source":"x",` +
				`"account":"000000000000","time":"2026-11-22T10:00:00Z","region":"eu-central-1","resources":[],"detail":{"text":"\""}}`}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := call(t, s, "POST", "/_events", tt.event)
			var got eventReport
			if err := json.Unmarshal([]byte(answer.body), &got); err != nil || answer.status != http.StatusOK {
				t.Fatalf("got %d %s, %v", answer.status, answer.body, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			dead, _ := s.queues["DeadLetters"].contents()
			for _, letter := range tt.want.DeadLetters {
				if !slices.ContainsFunc(dead, func(m message) bool { return m.body == letter.Body }) {
					t.Errorf("the dead-letter queue lacks %s", letter.Body)
				}
			}
		})
	}
	for name, event := range map[string]string{
		"no JSON":             `{`,
		"misspelt":            `{"source":"x","detailType":"Do","detail":{}}`,
		"no detail":           `{"source":"x","detail-type":"Do"}`,
		"list":                `{"source":"x","detail-type":"Do","detail":[]}`,
		"AWS' source":         `{"source":"aws.s3","detail-type":"Do","detail":{}}`,
		"no partner's source": `{"source":"aws.partners/x","detail-type":"Do","detail":{}}`,
		"a partner's list":    `{"source":"aws.partner/example.com/test/one","detail-type":"Do","detail":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := call(t, s, "POST", "/_events", event); got.status != http.StatusBadRequest {
				t.Errorf("got %d %s, want 400", got.status, got.body)
			}
		})
	}
	t.Run("raw message", func(t *testing.T) {
		t.Parallel()
		call(t, s, "POST", "/_queues/Queue", `{"id":"raw","do":"fail"}`)
		for {
			if strings.Contains(call(t, s, "GET", "/_queues/DeadLetters", "").body, `\"raw\"`) {
				return
			}
		}
	})
}

// Whoever has the answer of a function may wait for all that the function caused.
func testIdle(t *testing.T, s *stack) {
	t.Helper()
	for range 5 {
		if got := call(t, s, "POST", "/open/hook", `{"do":"fail","text":"hooked"}`, "Content-Type", "application/json"); got.status != http.StatusAccepted {
			t.Fatalf("got %d %s", got.status, got.body)
		}
	}
	got := call(t, s, "GET", "/_idle", "")
	if got.status != http.StatusOK || !strings.Contains(got.body, `"waitedFor":`) {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if dead := strings.Count(call(t, s, "GET", "/_queues/DeadLetters", "").body, "hooked"); dead != 5 {
		t.Errorf("%d messages have failed for good, want all 5", dead)
	}
}

func testPutEvents(t *testing.T, s *stack) {
	t.Helper()
	client := eventbridge.New(eventbridge.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(s.address), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	at := time.Date(2026, time.November, 22, 10, 0, 0, 0, time.UTC)
	entry := func(bus, source, detail string) types.PutEventsRequestEntry {
		return types.PutEventsRequestEntry{
			EventBusName: aws.String(bus), Source: aws.String(source), DetailType: aws.String("Put"), Detail: aws.String(detail), Time: &at,
		}
	}
	codes := func(entries ...types.PutEventsRequestEntry) []string {
		answer, err := client.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: entries})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		failed := int32(0)
		for _, e := range answer.Entries {
			code := aws.ToString(e.ErrorCode)
			if (code == "") != (len(aws.ToString(e.EventId)) == 36) {
				t.Errorf("an entry needs an id or an error: %v", e)
			}
			if code != "" {
				failed++
			}
			got = append(got, code)
		}
		if answer.FailedEntryCount != failed {
			t.Errorf("%d entries failed, and the count says %d", failed, answer.FailedEntryCount)
		}
		return got
	}
	const partner = "aws.partner/example.com/test/one"
	const notFound, notAuthorized, malformed = "ResourceNotFoundException", "NotAuthorizedForSourceException", "MalformedDetail"
	if diff := cmp.Diff([]string{"", "", "", malformed, malformed, "InvalidArgument"}, codes(
		entry("keyreeve", "sdk", `{"a":1}`),
		entry("arn:aws:events:eu-central-1:000000000000:event-bus/keyreeve", "sdk", `{"a":2}`),
		entry("default", "sdk", `{"a":3}`),
		entry("keyreeve", "sdk", `[]`),
		entry("keyreeve", "sdk", `{"a":`),
		entry("keyreeve", "", `{}`),
	)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{notFound, notFound, notFound, notAuthorized, notAuthorized, notAuthorized}, codes(
		entry("another", "sdk", `{}`),
		entry("another/keyreeve", "sdk", `{}`),
		entry(partner, "sdk", `{}`),
		entry("keyreeve", "aws.sdk", `{}`),
		entry("keyreeve", partner, `{}`),
		entry(partner, partner, `{}`),
	)); diff != "" {
		t.Errorf("errors for other buses and sources (-want +got):\n%s", diff)
	}
	var onBus []string
	for _, d := range s.bus.events() {
		if d.Event.Source == "sdk" {
			onBus = append(onBus, d.Event.Time+" "+string(d.Event.Detail))
		}
	}
	if diff := cmp.Diff([]string{`2026-11-22T10:00:00Z {"a":1}`, `2026-11-22T10:00:00Z {"a":2}`}, onBus); diff != "" {
		t.Errorf("on the bus (-want +got):\n%s", diff)
	}

	for name, entries := range map[string][]types.PutEventsRequestEntry{
		"none":     {},
		"eleven":   make([]types.PutEventsRequestEntry, 11),
		"too much": {entry("keyreeve", "sdk", `{"a":"`+strings.Repeat("x", 1<<20)+`"}`)},
	} {
		if _, err := client.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: entries}); err == nil || !strings.Contains(err.Error(), "ValidationException") {
			t.Errorf("%s: got %v, want a ValidationException", name, err)
		}
	}
	if _, err := client.ListRules(t.Context(), &eventbridge.ListRulesInput{}); err == nil || !strings.Contains(err.Error(), "UnknownOperationException") {
		t.Errorf("ListRules: got %v, want an UnknownOperationException", err)
	}
}

// A function that cannot start stops everything, with its own words.
func TestStackDoesNotStartWithABrokenFunction(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	o.keyreeve["KEYREEVE_BROKEN"] = "yes"
	var out bytes.Buffer
	_, err := newStack(t.Context(), o, &out)
	if err == nil || !strings.Contains(err.Error(), "the function Probe does not start") || !strings.Contains(err.Error(), "KEYREEVE_BROKEN must not be set") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(out.String(), "KEYREEVE_BROKEN") {
		t.Errorf("the function's words are shown twice:\n%s", out.String())
	}
}

func TestStackKeepsTheLedgerOfARealContract(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	o.root = t.TempDir()
	if err := os.CopyFS(o.root, os.DirFS("testdata/stack")); err != nil {
		t.Fatal(err)
	}
	o.ionos = map[string]string{"IONOS_TOKEN": "real-token", "IONOS_API_URL": "http://127.0.0.1:1"}
	s := &stack{options: o, address: "http://here"}
	state, err := s.makeState()
	if err != nil || !strings.HasSuffix(state, "/.keyreeve") {
		t.Errorf("the state is in %s, %v", state, err)
	}
	got := map[string]string{}
	for _, variable := range s.environ(functionSpec{name: "Probe", environment: map[string]string{"KEYREEVE_DRY_RUN": "false"}}, state+"/ledger.db") {
		name, value, _ := strings.Cut(variable, "=")
		got[name] = value
	}
	for name, want := range map[string]string{
		"IONOS_TOKEN": "real-token", "IONOS_API_URL": "http://127.0.0.1:1", "KEYREEVE_DRY_RUN": "true",
		"AWS_ENDPOINT_URL_EVENTBRIDGE": "http://here", "AWS_ENDPOINT_URL_SQS": "http://here", "AWS_ENDPOINT_URL_S3": "http://here", "AWS_ENDPOINT_URL": "", "KEYREEVE_OBJECT_STORAGE_ENDPOINT": "",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	for name := range demoSecrets() {
		if value, given := got[name]; given {
			t.Errorf("%s is %q, which everybody knows, with a real contract", name, value)
		}
	}
	o.keyreeve["KEYREEVE_DRY_RUN"] = "false"
	s.options = o
	if environ := strings.Join(s.environ(functionSpec{}, "x"), " "); !strings.Contains(environ, "KEYREEVE_DRY_RUN=false") {
		t.Errorf("a dry run was forced on: %s", environ)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(state); err != nil {
		t.Errorf("the state is gone: %v", err)
	}
	var out bytes.Buffer
	s.console, s.template = &console{out: &out}, &template{}
	s.greet()
	if greeting := out.String(); !strings.Contains(greeting, "REAL contract") || strings.Contains(greeting, "real-token") {
		t.Errorf("the greeting is wrong:\n%s", greeting)
	}
}

func TestReadable(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`panic: boom`:       `panic: boom`,
		`{"errorType":"x"}`: `{"errorType":"x"}`,
		`{"time":"2026-11-23T04:48:42Z","level":"INFO","msg":"key finished","key":"00e1","outcome":"changed","active":false,"rule":"","dryRun":true}`: `key finished dryRun key=00e1 outcome=changed`,
		`{"time":"2026-11-23T04:48:42Z","level":"ERROR","msg":"no way","error":"it is down","tries":3}`:                                               `ERROR no way error="it is down" tries=3`,
		`{"level":"INFO","msg":"done","sweep":{"id":"s1","policies":[{"policy":"max_age","warn":3}]}}`:                                                `done sweep={"id":"s1","policies":[{"policy":"max_age","warn":3}]}`,
	} {
		if got := readable(line); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
}
