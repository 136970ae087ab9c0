package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/webhook"
)

func TestStandard(t *testing.T) {
	t.Parallel()
	system := guard.Actor{Kind: guard.System, Name: "standard"}
	remove := guard.Request{
		Action: guard.Delete, User: "alice@example.com", Keys: []string{"00e1"}, Reason: "no longer needed",
		Source: "standard", ID: "evt-1", OccurredAt: noon().Add(-time.Hour), Actor: system,
	}
	plain := guard.Request{
		Action: guard.Deactivate, User: "alice@example.com", Offboarding: true, Source: "standard", Actor: system,
		ID: "msg_1", OccurredAt: noon().Add(-time.Second),
	}
	enveloped := plain
	enveloped.ID, enveloped.OccurredAt = "ce-1", noon().Add(-30*time.Minute)
	own := enveloped
	own.ID, own.OccurredAt = "evt-1", noon().Add(-time.Hour)
	activate := plain
	activate.Action, activate.Offboarding, activate.User = guard.Activate, false, "5e1f0000-0000-4000-8000-000000000001"
	soon := plain
	soon.OccurredAt = noon()
	const leaves = `{"action":"deactivate","user":"alice@example.com","offboarding":true%s}`
	request := func(more string) []byte { return fmt.Appendf(nil, leaves, more) }
	event := func(data string) []byte {
		return fmt.Appendf(nil, `{"specversion":"1.0","id":"ce-1","source":"/hr","type":"left","time":"2026-11-22T11:30:00Z",%s}`, data)
	}
	encoded := base64.StdEncoding.EncodeToString(request(""))
	testTranslations(t, "standard", []translation{
		{name: "request", body: payload(t, "standard/request.json"), status: 202, want: []guard.Request{remove}, says: `{"accepted":["evt-1"]}`},
		{name: "what it leaves out is signed", body: request(""), status: 202, want: []guard.Request{plain}},
		{name: "by UUID", body: []byte(`{"action":"activate","user":"5e1f0000-0000-4000-8000-000000000001"}`), status: 202, want: []guard.Request{activate}},
		{name: "the map is not asked", body: request(""), people: people{"standard:alice@example.com": "bob@example.com"}, status: 202, want: []guard.Request{plain}},
		{name: "a clock that is ahead", body: request(`,"occurredAt":"2026-11-22T12:04:00Z"`), status: 202, want: []guard.Request{soon}},
		{name: "CloudEvent", body: payload(t, "standard/cloudevent.json"), header: http.Header{"Content-Type": {"application/cloudevents+json"}}, status: 202, want: []guard.Request{enveloped}},
		{name: "CloudEvent by another name", body: payload(t, "standard/cloudevent.json"), header: http.Header{"Content-Type": {"text/plain"}}, status: 202, want: []guard.Request{enveloped}},
		{name: "CloudEvent in base64", body: event(`"data_base64":"` + encoded + `"`), status: 202, want: []guard.Request{enveloped}},
		{name: "CloudEvent around an id and a time", body: event(`"data":` + string(request(`,"id":"evt-1","occurredAt":"2026-11-22T12:00:00+01:00"`))), status: 202, want: []guard.Request{own}},
		{
			name: "headers of CloudEvents, which nobody signs", body: request(""), status: 202, want: []guard.Request{plain},
			header: http.Header{"Ce-Id": {"other"}, "Ce-Time": {"2020-01-01T00:00:00Z"}, "Ce-Specversion": {"1.0"}},
		},

		{name: "actor", body: request(`,"actor":{"kind":"operator","email":"root@example.com"}`), status: 400, says: "must not hold actor, approvedBy, source or replyTo"},
		{name: "approvedBy", body: request(`,"approvedBy":{"kind":"operator","email":"root@example.com"}`), status: 400, says: "must not hold actor, approvedBy, source or replyTo"},
		{name: "source", body: request(`,"source":"okta"`), status: 400, says: "must not hold actor, approvedBy, source or replyTo"},
		{name: "replyTo", body: request(`,"replyTo":{"slack":"https://hooks.slack.com/x"}`), status: 400, says: "must not hold actor, approvedBy, source or replyTo"},
		{name: "actor within a CloudEvent", body: event(`"data":` + string(request(`,"actor":{"kind":"schedule"}`))), status: 400, says: "must not hold actor"},
		{name: "no action", body: []byte(`{"user":"alice@example.com"}`), status: 400, says: "action must be"},
		{name: "no user", body: []byte(`{"action":"activate"}`), status: 400, says: "user is missing"},
		{name: "a user by another name", body: []byte(`{"action":"activate","user":"standard:alice"}`), status: 400, says: "user must be"},
		{name: "no keys", body: request(`,"keys":[]`), status: 400, says: "empty list"},
		{name: "unknown member", body: request(`,"force":true`), status: 400, says: "must not hold force"},
		{name: "member twice", body: request(`,"user":"bob@example.com"`), status: 400, says: "user twice"},
		{name: "time to come", body: request(`,"occurredAt":"2026-11-22T12:06:00Z"`), status: 400, says: "lies in the future"},
		{name: "time that JSON cannot hold", body: request(`,"occurredAt":"0000-01-01T00:00:00+01:00"`), status: 400, says: "occurredAt"},
		{name: "no JSON", body: []byte(`action=activate`), status: 400, says: "The payload cannot be read"},
		{name: "batch", body: []byte(`[` + string(request("")) + `]`), status: 400, says: "The payload cannot be read"},
		{name: "nothing", status: 400, says: "The payload cannot be read"},
		{name: "CloudEvent of the past", body: []byte(strings.Replace(string(event(`"data":{}`)), "1.0", "0.3", 1)), status: 400, says: "specversion is not 1.0"},
		{name: "CloudEvent without an id", body: []byte(strings.Replace(string(event(`"data":{}`)), "ce-1", "", 1)), status: 400, says: "id, source or type is missing"},
		{name: "CloudEvent without data", body: event(`"x":1`), status: 400, says: "either data or data_base64"},
		{name: "CloudEvent with both", body: event(`"data":` + string(request("")) + `,"data_base64":"` + encoded + `"`), status: 400, says: "either data or data_base64"},
		{name: "CloudEvent with data as a string", body: event(`"data":"{}"`), status: 400, says: "must be an object"},
		{name: "CloudEvent that is not base64", body: event(`"data_base64":"{}"`), status: 400, says: "not base64"},
		{name: "CloudEvent with a time that is none", body: []byte(strings.Replace(string(event(`"data":{}`)), "2026-11-22T11:30:00Z", "now", 1)), status: 400, says: "time must be a time"},
		{name: "CloudEvent with data twice", body: event(`"data":` + string(request("")) + `,"data":{}`), status: 400, says: "data twice"},
	})
}

// FuzzStandard compares what arrives with the request that the message, or the CloudEvent's data, holds in another
// reading.
func FuzzStandard(f *testing.F) {
	seed(
		f, "standard", `{"specversion":"1.0","id":"i","source":"s","type":"t","data_base64":"e30="}`,
		`{"action":"activate","user":"a@example.com","override":["offboarded"],"dryRun":true,"confirm":["00e1"],"keys":["00e1"]}`,
		`{"action":"activate","user":"a@example.com","actor":{"kind":"operator"}}`, `{"user":"a@b","user":"c@d"}`, `{"User":"a@b","action":"delete"}`,
	)
	fuzzDoor(f, "standard", webhook.Settings{}, func(t *testing.T, message []byte, got guard.Request) {
		t.Helper()
		var members map[string]json.RawMessage
		if err := json.Unmarshal(message, &members); err != nil {
			t.Fatal(err)
		}
		if members["specversion"] != nil {
			message = members["data"]
		}
		if encoded := members["data_base64"]; message == nil {
			if err := json.Unmarshal(encoded, &message); err != nil {
				t.Fatal(err)
			}
		}
		var meant guard.Request
		if err := json.Unmarshal(message, &meant); err != nil {
			t.Fatal(err)
		}
		got.Source, got.Actor, got.ID, got.OccurredAt = "", guard.Actor{}, meant.ID, meant.OccurredAt
		if diff := cmp.Diff(meant, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", message, diff)
		}
	})
}
