package trigger_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/guard"
)

// httpEvent is the recorded call through an HTTP API by alice, whose JWT says so.
func httpEvent(t *testing.T, method, path string, replace map[string]any) []byte {
	t.Helper()
	all := map[string]any{
		"rawPath": path, "requestContext.http.method": method, "body": "",
		"requestContext.authorizer.jwt.claims": map[string]string{"sub": "s-1", "email": alice, "email_verified": "true"},
	}
	maps.Copy(all, replace)
	return sample(t, "apigw-v2-request-jwt-authorizer.json", all)
}

// called is when the recorded calls were made.
func called() time.Time { return time.UnixMilli(1583348638390).UTC() }

func TestHTTPCallers(t *testing.T) {
	const path = "/v1/users/bob@example.com/keys/00e1/deactivate"
	iam := func(arn string) []byte {
		return sample(t, "apigw-v2-request-iam.json", map[string]any{
			"rawPath": path, "requestContext.http.method": "POST", "body": "", "requestContext.authorizer.iam.userArn": arn,
		})
	}
	jwt := func(claims map[string]string) []byte {
		return httpEvent(t, "POST", path, map[string]any{"requestContext.authorizer.jwt.claims": claims})
	}
	other := func(name string) []byte {
		return sample(t, name, map[string]any{"rawPath": path, "requestContext.http.method": "POST", "body": ""})
	}
	operator := func(name, email string) guard.Actor {
		return guard.Actor{Kind: guard.Operator, Name: name, Email: email}
	}
	const arn = "arn:aws:sts::123456789012:assumed-role/Ops/alice@example.com"
	tests := map[string]struct {
		payload []byte
		want    guard.Actor
	}{
		"JWT":                         {jwt(map[string]string{"sub": "s-1", "email": alice}), operator("s-1", alice)},
		"JWT, verified":               {jwt(map[string]string{"sub": "s-1", "email": alice, "email_verified": "true"}), operator("s-1", alice)},
		"JWT, unverified":             {jwt(map[string]string{"sub": "s-1", "email": alice, "email_verified": "false"}), operator("s-1", "")},
		"JWT, oddly verified":         {jwt(map[string]string{"sub": "s-1", "email": alice, "email_verified": ""}), operator("s-1", "")},
		"JWT, email that is none":     {jwt(map[string]string{"sub": "s-1", "email": "Alice <alice@example.com>"}), operator("s-1", "")},
		"JWT, only the email":         {jwt(map[string]string{"email": alice}), operator("", alice)},
		"JWT, unverified and no sub":  {jwt(map[string]string{"email": alice, "email_verified": "false"}), guard.Actor{}},
		"JWT that names nobody":       {other("apigw-v2-request-jwt-authorizer.json"), guard.Actor{}},
		"IAM session":                 {iam(arn), operator(arn, alice)},
		"IAM session in China":        {iam("arn:aws-cn:sts::1:assumed-role/Ops/alice@example.com"), operator("arn:aws-cn:sts::1:assumed-role/Ops/alice@example.com", alice)},
		"IAM session that is no mail": {iam("arn:aws:sts::1:assumed-role/Ops/i-0abc"), operator("arn:aws:sts::1:assumed-role/Ops/i-0abc", "")},
		"IAM user named like a mail":  {iam("arn:aws:iam::1:user/alice@example.com"), operator("arn:aws:iam::1:user/alice@example.com", "")},
		"IAM user in a path":          {iam("arn:aws:iam::1:user/ops/alice@example.com"), operator("arn:aws:iam::1:user/ops/alice@example.com", "")},
		"IAM that is no ARN":          {iam("assumed-role/Ops/alice@example.com"), operator("assumed-role/Ops/alice@example.com", "")},
		"IAM federated user":          {iam("arn:aws:sts::1:federated-user/alice@example.com"), operator("arn:aws:sts::1:federated-user/alice@example.com", "")},
		"IAM without an ARN":          {iam(""), guard.Actor{}},
		"function URL":                {other("lambda-urls-request.json"), operator("arn:aws:iam::111122223333:user/example-user", "")},
		"Lambda authorizer":           {other("apigw-v2-request-lambda-authorizer.json"), guard.Actor{}},
		"no authorizer":               {other("apigw-v2-request-no-authorizer.json"), guard.Actor{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var l lifecycle
			answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), tt.payload)
			if err != nil {
				t.Fatal(err)
			}
			response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
			if tt.want == (guard.Actor{}) {
				if response.StatusCode != http.StatusUnauthorized || response.Headers["WWW-Authenticate"] != "Bearer" || l.requests != nil {
					t.Errorf("got %+v and the requests %+v, want 401", response, l.requests)
				}
				return
			}
			diff(t, l.requests, []guard.Request{{
				Action: guard.Deactivate, User: "bob@example.com", Keys: []string{"00e1"}, Actor: tt.want,
				Source: "api", ID: "id", OccurredAt: called(),
			}})
			diff(t, response.StatusCode, http.StatusOK)
			diff(t, response.Headers, map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"})
			diff(t, mustDecode[guard.Result](t, []byte(response.Body)), outcomes(l.requests[0], guard.Changed))
		})
	}
}

func TestHTTPRoutes(t *testing.T) {
	const base = "/v1/users/alice@example.com/keys"
	type want struct {
		status int
		user   string
		keys   []string
		allow  string
	}
	ok := func(user string, keys ...string) want { return want{status: http.StatusOK, user: user, keys: keys} }
	notFound, bad := want{status: http.StatusNotFound}, want{status: http.StatusBadRequest}
	notAllowed := func(allow string) want { return want{status: http.StatusMethodNotAllowed, allow: allow} }
	tests := []struct {
		name   string
		action guard.Action
		method string
		path   string
		stage  string
		want   want
	}{
		{"one key", guard.Deactivate, "POST", base + "/00e1/deactivate", "$default", ok(alice, "00e1")},
		{"all keys", guard.Deactivate, "POST", base + "/deactivate", "$default", ok(alice)},
		{"activate one key", guard.Activate, "POST", base + "/00e1/activate", "$default", ok(alice, "00e1")},
		{"activate all keys", guard.Activate, "POST", base + "/activate", "$default", ok(alice)},
		{"delete one key", guard.Delete, "DELETE", base + "/00e1", "$default", ok(alice, "00e1")},
		{"delete all keys", guard.Delete, "DELETE", base, "$default", ok(alice)},
		{"encoded user", guard.Delete, "DELETE", "/v1/users/alice%2Btest%40example.com/keys", "$default", ok("alice+test@example.com")},
		{"plus sign is itself", guard.Delete, "DELETE", "/v1/users/alice+test@example.com/keys", "$default", ok("alice+test@example.com")},
		{"slash inside a key", guard.Delete, "DELETE", base + "/a%2Fb%2Fdeactivate", "$default", ok(alice, "a/b/deactivate")},
		{"key named like an action", guard.Deactivate, "POST", base + "/activate/deactivate", "$default", ok(alice, "activate")},
		{"named stage", guard.Delete, "DELETE", "/prod" + base + "/00e1", "prod", ok(alice, "00e1")},
		{"named stage behind a domain", guard.Delete, "DELETE", base + "/00e1", "prod", ok(alice, "00e1")},
		{"stage named like the version", guard.Delete, "DELETE", "/v1" + base + "/00e1", "v1", ok(alice, "00e1")},
		{"stage named like the version behind a domain", guard.Delete, "DELETE", base + "/00e1", "v1", ok(alice, "00e1")},

		{"another stage", guard.Delete, "DELETE", "/test" + base + "/00e1", "prod", notFound},
		{"empty key is not all keys", guard.Delete, "DELETE", base + "/", "$default", notFound},
		{"empty key is not all keys, posted", guard.Deactivate, "POST", base + "//deactivate", "$default", notFound},
		{"empty user", guard.Delete, "DELETE", "/v1/users//keys", "$default", notFound},
		{"trailing slash", guard.Deactivate, "POST", base + "/00e1/deactivate/", "$default", notFound},
		{"too deep", guard.Deactivate, "POST", base + "/a/b/deactivate", "$default", notFound},
		{"another version", guard.Delete, "DELETE", "/v2/users/alice@example.com/keys", "$default", notFound},
		{"no path", guard.Delete, "DELETE", "", "$default", notFound},
		{"relative path", guard.Delete, "DELETE", base[1:], "$default", notFound},
		{"another case", guard.Deactivate, "POST", base + "/00e1/Deactivate", "$default", notFound},
		{"another function's action", guard.Deactivate, "POST", base + "/00e1/activate", "$default", notFound},
		{"another function's method", guard.Delete, "GET", base, "$default", notFound},
		{"delete is no path", guard.Delete, "POST", base + "/00e1/delete", "$default", notFound},
		{"all keys by the wrong method", guard.Deactivate, "GET", base + "/deactivate", "$default", notAllowed("DELETE, POST")},
		{"one key by the wrong method", guard.Activate, "DELETE", base + "/00e1/activate", "$default", notAllowed("POST")},
		{"deletion by the wrong method", guard.Delete, "PUT", base, "$default", notAllowed("GET, DELETE")},
		{"bad percent-encoding", guard.Delete, "DELETE", base + "/%zz", "$default", bad},
		{"half a percent-encoding", guard.Delete, "DELETE", base + "/100%", "$default", bad},
		{"user that is none", guard.Delete, "DELETE", "/v1/users/alice/keys", "$default", bad},
		{"key with a line break", guard.Delete, "DELETE", base + "/a%0Ab", "$default", bad},
		{"user in invalid UTF-8", guard.Delete, "DELETE", "/v1/users/%ff@example.com/keys", "$default", bad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l lifecycle
			payload := httpEvent(t, tt.method, tt.path, map[string]any{
				"requestContext.stage": tt.stage, "routeKey": "GET /misleading", "requestContext.routeKey": "GET /misleading",
			})
			answer, err := l.handler(tt.action).Invoke(inLambda(t), payload)
			if err != nil {
				t.Fatal(err)
			}
			response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
			got := want{status: response.StatusCode, allow: response.Headers["Allow"]}
			for _, r := range l.requests {
				got.user, got.keys = r.User, r.Keys
				diff(t, r.Action, tt.action)
			}
			if got.status != tt.want.status || got.user != tt.want.user || got.allow != tt.want.allow {
				t.Errorf("got %+v, want %+v: %s", got, tt.want, response.Body)
			}
			diff(t, got.keys, tt.want.keys)
		})
	}
}

func TestHTTPBody(t *testing.T) {
	const body = `{"reason":"key leaked","dryRun":true,"override":["last_active_key"],"confirm":["00e1"],"offboarding":true}`
	for name, replace := range map[string]map[string]any{
		"plain":  {"body": body},
		"base64": {"body": base64.StdEncoding.EncodeToString([]byte(body)), "isBase64Encoded": true},
	} {
		t.Run(name, func(t *testing.T) {
			var l lifecycle
			_, err := l.handler(guard.Deactivate).Invoke(inLambda(t), httpEvent(t, "POST", "/v1/users/alice@example.com/keys/00e1/deactivate", replace))
			if err != nil {
				t.Fatal(err)
			}
			diff(t, l.requests, []guard.Request{{
				Action: guard.Deactivate, User: alice, Keys: []string{"00e1"}, Reason: "key leaked", DryRun: true, Offboarding: true,
				Override: []guard.Rule{guard.LastActiveKey}, Confirm: []string{"00e1"},
				Actor:  guard.Actor{Kind: guard.Operator, Name: "s-1", Email: alice},
				Source: "api", ID: "id", OccurredAt: called(),
			}})
		})
	}
}

func TestHTTPBodiesThatAreRefused(t *testing.T) {
	tests := map[string]struct {
		body   string
		base64 bool
		status int
		says   string
	}{
		"action":            {`{"action":"deactivate"}`, false, 400, "must not hold action"},
		"user":              {`{"user":"bob@example.com"}`, false, 400, "must not hold user"},
		"keys":              {`{"keys":["00e2"]}`, false, 400, "must not hold keys"},
		"actor":             {`{"actor":{"kind":"system"}}`, false, 400, "must not hold actor"},
		"source":            {`{"source":"hr"}`, false, 400, "must not hold source"},
		"id":                {`{"id":"1"}`, false, 400, "must not hold id"},
		"occurredAt":        {`{"occurredAt":"2026-11-22T10:00:00Z"}`, false, 400, "must not hold occurredAt"},
		"replyTo":           {`{"replyTo":{"slack":"https://hooks.slack.com/x"}}`, false, 400, "must not hold replyTo"},
		"wrong case":        {`{"DryRun":true}`, false, 400, "must not hold DryRun"},
		"wrong type":        {`{"dryRun":1}`, false, 400, "dryRun must be true or false"},
		"duplicate":         {`{"dryRun":true,"dryRun":false}`, false, 400, "holds dryRun twice"},
		"null":              {`null`, false, 400, "must be an object, not null"},
		"member null":       {`{"confirm":null}`, false, 400, "confirm must not be null"},
		"malformed":         {`{"dryRun":tru`, false, 400, "not valid JSON"},
		"trailing garbage":  {`{} {}`, false, 400, "not valid JSON"},
		"a form":            {`dryRun=true`, false, 400, "not valid JSON"},
		"no base64":         {`{}`, true, 400, "base64"},
		"unknown rule":      {`{"override":["all"]}`, false, 400, "not a rule that can be overridden"},
		"rule without one":  {`{"override":["exempt"]}`, false, 400, "not a rule that can be overridden"},
		"long reason":       {`{"reason":"` + strings.Repeat("x", 2000) + `"}`, false, 400, "reason must be"},
		"over 1 MiB":        {strings.Repeat(" ", 1<<20) + `{}`, false, 413, "the limit is"},
		"2 MiB":             {`{"reason":"` + strings.Repeat("x", 2<<20) + `"}`, false, 413, "the limit is"},
		"2 MiB, in base64":  {base64.StdEncoding.EncodeToString(make([]byte, 2<<20)), true, 413, "the limit is"},
		"exactly the limit": {strings.Repeat(" ", 1<<20-2) + `{}`, false, 200, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var l lifecycle
			payload := httpEvent(t, "POST", "/v1/users/alice@example.com/keys/deactivate", map[string]any{"body": tt.body, "isBase64Encoded": tt.base64})
			answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), payload)
			if err != nil {
				t.Fatal(err)
			}
			response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
			if response.StatusCode != tt.status || !strings.Contains(response.Body, tt.says) {
				t.Errorf("got %+v, want the status %d and %q", response, tt.status, tt.says)
			}
			if (l.requests != nil) != (tt.status == http.StatusOK) {
				t.Errorf("carried out %+v", l.requests)
			}
		})
	}
}

func TestHTTPStatusOfAResult(t *testing.T) {
	tests := map[string]struct {
		outcomes []guard.Outcome
		want     int
	}{
		"no keys":            {nil, 200},
		"changed":            {[]guard.Outcome{guard.Changed, guard.Unchanged}, 200},
		"superseded":         {[]guard.Outcome{guard.Superseded, guard.Changed}, 200},
		"one refused":        {[]guard.Outcome{guard.Changed, guard.Refused}, 409},
		"one failed":         {[]guard.Outcome{guard.Changed, guard.Failed}, 502},
		"failed and refused": {[]guard.Outcome{guard.Failed, guard.Refused, guard.Superseded}, 502},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := lifecycle{answer: func(r guard.Request) (guard.Result, error) { return outcomes(r, tt.outcomes...), nil }}
			answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), httpEvent(t, "POST", "/v1/users/alice@example.com/keys/deactivate", nil))
			if err != nil {
				t.Fatal(err)
			}
			response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
			diff(t, response.StatusCode, tt.want)
			diff(t, mustDecode[guard.Result](t, []byte(response.Body)).Keys, append([]guard.KeyResult{}, outcomes(l.requests[0], tt.outcomes...).Keys...))
		})
	}
}

// TestHTTPProblems makes sure that a problem of the edge arrives whole. What each kind of error becomes is tested there.
func TestHTTPProblems(t *testing.T) {
	tests := map[string]struct {
		err  error
		want string
		// retryAfter is the header.
		retryAfter string
		// logged is the level.
		logged string
	}{
		"throttled": {&guard.Error{Kind: guard.Throttled, RetryAfter: 1001 * time.Millisecond}, "429 Too Many Requests", "2", "INFO"},
		"upstream":  {&guard.Error{Kind: guard.Upstream, RetryAfter: time.Second}, "502 Bad Gateway", "", "ERROR"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			known := guard.AsError(tt.err)
			known.Message, known.Remedy, known.Err = "What happened.", "What to do.", errors.New(cause)
			l := lifecycle{answer: func(guard.Request) (guard.Result, error) { return guard.Result{}, tt.err }}
			answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), httpEvent(t, "POST", "/v1/users/alice@example.com/keys/deactivate", nil))
			if err != nil {
				t.Fatal(err)
			}
			response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
			_, title, _ := strings.Cut(tt.want, " ")
			diff(t, mustDecode[map[string]any](t, []byte(response.Body)), map[string]any{
				"type": "about:blank", "title": title, "status": float64(response.StatusCode), "detail": "What happened.", "remedy": "What to do.",
			})
			diff(t, http.StatusText(response.StatusCode), title)
			diff(t, response.Headers["Retry-After"], tt.retryAfter)
			diff(t, response.Headers["Content-Type"], "application/problem+json")
			diff(t, response.Headers["Cache-Control"], "no-store")
			log := l.log.String()
			if strings.Contains(string(answer), cause) || strings.Count(log, cause) != 1 || !strings.Contains(log, `"level":"`+tt.logged+`"`) {
				t.Errorf("answered %s, logged %s", answer, log)
			}
		})
	}
}

func TestHTTPEnvelopeThatIsNone(t *testing.T) {
	for path, value := range map[string]any{"rawPath": 5, "requestContext.timeEpoch": "today", "headers": []string{"a"}} {
		var l lifecycle
		answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), httpEvent(t, "POST", "/", map[string]any{path: value}))
		if err != nil {
			t.Fatal(err)
		}
		response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(response.Body, path+" must be") {
			t.Errorf("%s: got %+v, want 400", path, response)
		}
	}
}

func TestHTTPPanicIsAnswered(t *testing.T) {
	l := lifecycle{answer: func(guard.Request) (guard.Result, error) { panic(cause) }}
	answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), httpEvent(t, "POST", "/v1/users/alice@example.com/keys/deactivate", nil))
	if err != nil {
		t.Fatal(err)
	}
	response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
	diff(t, response.StatusCode, http.StatusInternalServerError)
	if strings.Contains(response.Body, cause) || !strings.Contains(l.log.String(), cause) || !strings.Contains(l.log.String(), "goroutine") {
		t.Errorf("answered %s, logged %s", answer, l.log.String())
	}
}
