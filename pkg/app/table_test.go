package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/app"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/signature/signaturetest"
)

// dynamoDB takes everything and has nothing. It remembers what it was asked for.
type dynamoDB struct {
	mu         sync.Mutex
	operations []string
	items      []map[string]map[string]string
}

func (d *dynamoDB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Item map[string]map[string]string `json:"Item"`
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		panic(err)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.operations = append(d.operations, operation)
	if call.Item != nil {
		d.items = append(d.items, call.Item)
	}
	_, _ = fmt.Fprint(w, "{}")
}

const oktaSecret = "secret-of-our-okta"

// hook is a call that tells the front door that somebody left.
func hook(t *testing.T) string {
	t.Helper()
	const body = `{"data":{"events":[{"eventType":"user.lifecycle.deactivate","outcome":{"result":"SUCCESS"},"target":[{"type":"User","alternateId":"alice@example.com"}]}]}}`
	payload, err := json.Marshal(call(http.MethodPost, "/hooks/okta", body, signaturetest.Sign("okta", oktaSecret, time.Now(), "", []byte(body))))
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

// TestTheTableIsAsTheCodeUsesIt invokes whole functions, and holds what they do with their table against what the
// template lets them do, and against its key and the attribute by which its items expire.
func TestTheTableIsAsTheCodeUsesIt(t *testing.T) {
	s := deploy(t, nil)
	described := ofType[table](t, s, "AWS::DynamoDB::Table")["Table"]
	for id, test := range map[string]struct {
		start   func() (lambda.Handler, error)
		payload string
	}{
		"Activate":   {func() (lambda.Handler, error) { return app.NewAction(t.Context(), guard.Activate) }, `{"user": "alice@example.com", "id": "1"}`},
		"Deactivate": {func() (lambda.Handler, error) { return app.NewAction(t.Context(), guard.Deactivate) }, `{"user": "alice@example.com", "id": "1", "offboarding": true}`},
		"Delete":     {func() (lambda.Handler, error) { return app.NewAction(t.Context(), guard.Delete) }, `{"user": "alice@example.com", "id": "1"}`},
		"Inventory":  {func() (lambda.Handler, error) { return app.NewInventory(t.Context()) }, `{"user": "alice@example.com"}`},
		"Webhook":    {func() (lambda.Handler, error) { return app.NewWebhook(t.Context()) }, hook(t)},
		"Sweep":      {func() (lambda.Handler, error) { return app.NewSweep(t.Context()) }, `{}`},
	} {
		t.Run(id, func(t *testing.T) {
			ionos := new(ionostest.Server)
			alice := ionos.AddUser(ionostest.User{Email: "alice@example.com"})
			ionos.AddKey(alice.ID, ionostest.Key{Active: true})
			ionos.AddKey(alice.ID, ionostest.Key{})
			api, s3, tables := httptest.NewServer(ionos), httptest.NewServer(ionos.S3()), new(dynamoDB)
			defer api.Close()
			defer s3.Close()
			emulator, bus := httptest.NewServer(tables), httptest.NewServer(new(bustest.Bus))
			defer emulator.Close()
			defer bus.Close()
			setenv(t, map[string]string{
				"IONOS_TOKEN": token(), "IONOS_API_URL": api.URL, "KEYREEVE_LEDGER": "dynamodb:keyreeve", "KEYREEVE_LOG_LEVEL": "error",
				"KEYREEVE_OBJECT_STORAGE_ENDPOINT": s3.URL, "AWS_ENDPOINT_URL_DYNAMODB": emulator.URL,
				"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
				"KEYREEVE_BUS": "keyreeve", "AWS_ENDPOINT_URL_EVENTBRIDGE": bus.URL, "KEYREEVE_WEBHOOK_OKTA_SECRET": oktaSecret,
				"KEYREEVE_MAX_KEY_AGE": "1h", "KEYREEVE_SWEEP_REPORTS": "file:" + t.TempDir(),
			})
			handler, err := test.start()
			if err != nil {
				t.Fatal(err)
			}
			if got := tables.operations; got != nil {
				t.Errorf("to start, the function calls %v", got)
			}
			if _, err := handler.Invoke(t.Context(), []byte(test.payload)); err != nil {
				t.Fatal(err)
			}

			var permitted, used []string
			for _, p := range functions(t, s)[id].Policies {
				for _, statement := range p.Statement {
					if slices.Contains(statement.Resource, "Table.Arn") {
						permitted = append(permitted, statement.Action...)
					}
				}
			}
			for _, operation := range tables.operations {
				used = append(used, "dynamodb:"+operation)
			}
			slices.Sort(permitted)
			slices.Sort(used)
			if diff := cmp.Diff(permitted, slices.Compact(used)); diff != "" {
				t.Errorf("actions that the template permits (-) and that the function takes (+):\n%s", diff)
			}
			for _, item := range tables.items {
				key := item[described.KeySchema[0].AttributeName]["S"]
				expires := item[described.TimeToLiveSpecification.AttributeName]["N"]
				lasts := strings.HasPrefix(key, "users/") || strings.HasPrefix(key, "sweeps/")
				if key == "" || (expires == "") != lasts {
					t.Errorf("an item has the key %q and expires %q", key, expires)
				}
			}
		})
	}
}
