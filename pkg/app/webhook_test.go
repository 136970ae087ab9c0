package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/app"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/signature/signaturetest"
	"keyreeve/pkg/webhook"
)

// frontDoor is what the function needs that is not needed by the others.
func frontDoor(t *testing.T, changes map[string]string) map[string]string {
	t.Helper()
	needed := map[string]string{"KEYREEVE_BUS": "keyreeve", "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
	maps.Copy(needed, changes)
	return needed
}

func TestTheFrontDoorStarts(t *testing.T) {
	for name, changes := range map[string]map[string]string{
		"with no sender, and no IONOS":    {"IONOS_TOKEN": ""},
		"with a sender, and no IONOS":     {"IONOS_TOKEN": "", "KEYREEVE_WEBHOOK_OKTA_SECRET": "0123456789abcdef"},
		"with SCIM":                       {"KEYREEVE_WEBHOOK_SCIM_SECRET": "0123456789abcdef"},
		"with two secrets, spaces around": {"KEYREEVE_WEBHOOK_GITHUB_SECRET": "0123456789abcdef , fedcba9876543210"},
		"with a map":                      {"KEYREEVE_IDENTITY_MAP": "github:octocat=alice@example.com,slack:U1=bob@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, frontDoor(t, changes))
			if _, err := app.NewWebhook(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// wantNamed checks that a function did not start and that the error names everything at fault, without the secret.
func wantNamed(t *testing.T, err error, secret string, all []string) {
	t.Helper()
	if err == nil {
		t.Fatal("it starts")
	}
	for _, named := range all {
		if !strings.Contains(err.Error(), named) {
			t.Errorf("%q is not named in:\n%v", named, err)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the message repeats a secret:\n%v", err)
	}
}

func TestTheFrontDoorNamesWhatIsWrong(t *testing.T) {
	const canary = "canary-77d0"
	for name, test := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"no bus":                 {map[string]string{"KEYREEVE_BUS": ""}, []string{"KEYREEVE_BUS is missing"}},
		"SCIM and no IONOS":      {map[string]string{"IONOS_TOKEN": "", "KEYREEVE_WEBHOOK_SCIM_SECRET": "0123456789abcdef"}, []string{"IONOS_TOKEN"}},
		"a short secret":         {map[string]string{"KEYREEVE_WEBHOOK_HIBOB_SECRET": canary}, []string{"KEYREEVE_WEBHOOK_HIBOB_SECRET: ", "item 1"}},
		"an empty second secret": {map[string]string{"KEYREEVE_WEBHOOK_OKTA_SECRET": canary + canary + ","}, []string{"KEYREEVE_WEBHOOK_OKTA_SECRET: ", "item 2"}},
		"no standard secret":     {map[string]string{"KEYREEVE_WEBHOOK_STANDARD_SECRET": canary + canary}, []string{"KEYREEVE_WEBHOOK_STANDARD_SECRET: ", "whsec_"}},
		"a map without sense":    {map[string]string{"KEYREEVE_IDENTITY_MAP": "octocat"}, []string{"KEYREEVE_IDENTITY_MAP", "item 1"}},
		"a map that is no file":  {map[string]string{"KEYREEVE_IDENTITY_MAP": "file:/nowhere/at/all"}, []string{"KEYREEVE_IDENTITY_MAP"}},
		"a map and no region":    {map[string]string{"KEYREEVE_IDENTITY_MAP": "ssm:/keyreeve/people", "AWS_REGION": ""}, []string{"AWS_REGION is missing, for KEYREEVE_BUS and KEYREEVE_IDENTITY_MAP."}},
		"an empty group":         {map[string]string{"KEYREEVE_OKTA_GROUPS": "a,,b"}, []string{"KEYREEVE_OKTA_GROUPS", "item 2 is empty"}},
		"all at once": {
			map[string]string{"KEYREEVE_BUS": "", "KEYREEVE_WEBHOOK_OKTA_SECRET": canary, "KEYREEVE_WEBHOOK_WORKOS_SECRET": canary, "KEYREEVE_SCIM_ACTIVATE": "perhaps"},
			[]string{"KEYREEVE_BUS", "KEYREEVE_WEBHOOK_OKTA_SECRET", "KEYREEVE_WEBHOOK_WORKOS_SECRET", "KEYREEVE_SCIM_ACTIVATE must be true or false"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, frontDoor(t, test.changes))
			_, err := app.NewWebhook(t.Context())
			wantNamed(t, err, canary, test.want)
		})
	}
}

// TestEverySenderCanBeSwitchedOn holds the senders there are against the variables that switch them on.
func TestEverySenderCanBeSwitchedOn(t *testing.T) {
	var got []string
	for field := range reflect.TypeFor[app.Config]().Fields() {
		name := field.Tag.Get("envconfig")
		if sender, ok := strings.CutPrefix(name, "KEYREEVE_WEBHOOK_"); ok {
			got = append(got, strings.ToLower(strings.TrimSuffix(sender, "_SECRET")))
		}
	}
	want := append(webhook.Names(), "scim")
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("senders (-) and variables with their secrets (+):\n%s", diff)
	}
}

// call is an HTTP call as API Gateway hands it over.
func call(method, path, body string, header http.Header) events.APIGatewayV2HTTPRequest {
	c := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: path, Body: body, Headers: map[string]string{"content-type": "application/json"}}
	for name := range header {
		c.Headers[strings.ToLower(name)] = header.Get(name)
	}
	c.RequestContext.HTTP.Method = method
	return c
}

// TestTheFrontDoorLeadsTo sends calls and messages to the whole function, and looks who answers.
func TestTheFrontDoorLeadsTo(t *testing.T) {
	ionos, taken := new(ionostest.Server), new(bustest.Bus)
	alice := ionos.AddUser(ionostest.User{Email: "alice@example.com"})
	api, bus := httptest.NewServer(ionos), httptest.NewServer(taken)
	defer api.Close()
	defer bus.Close()
	const okta, scim = "secret-of-our-okta", "secret-of-our-scim"
	setenv(t, frontDoor(t, map[string]string{
		"IONOS_API_URL": api.URL, "AWS_ENDPOINT_URL_EVENTBRIDGE": bus.URL, "KEYREEVE_LOG_LEVEL": "error",
		"KEYREEVE_WEBHOOK_OKTA_SECRET": okta, "KEYREEVE_WEBHOOK_SCIM_SECRET": scim, "KEYREEVE_OKTA_GROUPS": "object storage",
	}))
	handler, err := app.NewWebhook(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	signed := func(sender, secret string) http.Header {
		return signaturetest.Sign(sender, secret, time.Now(), "", nil)
	}
	event := func(user, eventType, target string) string {
		return fmt.Sprintf(`{"uuid":%q,"published":"2026-11-22T10:00:00Z","eventType":%q,"outcome":{"result":"SUCCESS"},"target":[{"type":"User","alternateId":%q}%s]}`,
			"of "+user, eventType, user+"@example.com", target)
	}
	for _, test := range []struct {
		name      string
		payload   any
		status    int
		says      string
		requested []string
	}{
		{"a hook", call("POST", "/hooks/okta", `{"data":{"events":[`+event("bob", "user.lifecycle.deactivate", "")+`]}}`, signed("okta", okta)), 200, "of bob", []string{"bob@example.com"}},
		{"a configured group", call("POST", "/hooks/okta", `{"data":{"events":[`+event("eve", "group.user_membership.remove", `,{"type":"UserGroup","displayName":"object storage"}`)+`]}}`, signed("okta", okta)), 200, "of eve", []string{"eve@example.com"}},
		{"a handshake", call("GET", "/hooks/okta", "", http.Header{"X-Okta-Verification-Challenge": {"42"}}), 200, `{"verification":"42"}`, nil},
		{"a sender that is off", call("POST", "/hooks/github", "{}", nil), 404, "nothing at this path", nil},
		{"SCIM", call("GET", "/scim/v2/Users/"+alice.ID, "", signed("scim", scim)), 200, "alice@example.com", nil},
		{"a path with escapes", call("GET", "/scim/v2/Users/%2e%2e", "", signed("scim", scim)), 404, "", nil},
		{"a path of nobody", call("GET", "/v1/users/alice@example.com/keys", "", nil), 404, "nothing at this path", nil},
		{"a path that is none", call("POST", "/hooks/%zz", "", nil), 400, "percent-encoded", nil},
		{"a body that is no base64", func() any {
			c := call("POST", "/hooks/okta", "%", signed("okta", okta))
			c.IsBase64Encoded = true
			return c
		}(), 400, "base64", nil},
		{"no call at all", map[string]string{"hello": "world"}, 400, "payload format 2.0", nil},
		{
			"a message",
			events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m1", Body: `{"source":"aws.partner/okta.com/example/k","id":"e1","detail-type":"x","detail":` + event("carol", "user.lifecycle.suspend", "") + `}`}}},
			0, `"batchItemFailures":[]`,
			[]string{"carol@example.com"},
		},
		{
			"a message that nobody understands",
			events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m2", Body: `{"source":"aws.partner/example.com/k","id":"e2","detail-type":"x","detail":{}}`}}},
			0, `"itemIdentifier":"m2"`, nil,
		},
		{"a message that is no UTF-8", json.RawMessage("{\"Records\":[{\"messageId\":\"m3\",\"body\":\"\xff\"}]}"), 0, `"itemIdentifier":"m3"`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			payload, err := json.Marshal(test.payload)
			if raw, ok := test.payload.(json.RawMessage); ok {
				payload = raw
			}
			if err != nil {
				t.Fatal(err)
			}
			before := len(taken.Requests())
			answered, err := handler.Invoke(t.Context(), payload)
			if err != nil {
				t.Fatal(err)
			}
			says, status := string(answered), 0
			if test.status != 0 {
				var answer events.APIGatewayV2HTTPResponse
				if err := json.Unmarshal(answered, &answer); err != nil {
					t.Fatal(err)
				}
				says, status = answer.Body, answer.StatusCode
			}
			if status != test.status || !strings.Contains(says, test.says) {
				t.Errorf("%d %s, want %d and %q", status, says, test.status, test.says)
			}
			var requested []string
			for _, request := range taken.Requests()[before:] {
				requested = append(requested, request.User)
			}
			if diff := cmp.Diff(test.requested, requested); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}
