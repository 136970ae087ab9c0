package webhook_test

import (
	"fmt"
	"testing"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/webhook"
)

func TestBambooHR(t *testing.T) {
	t.Parallel()
	// The signature's time is that of the event.
	alice := func(reason string) []guard.Request {
		return []guard.Request{left("bamboohr", "alice@example.com", digestID, "2026-11-22T11:59:59Z", "BambooHR: "+reason)}
	}
	const inactive, terminated, date = "status inactive", "employmentstatus terminated", "the termination date has come"
	updated := func(changed, fields string) []byte {
		return fmt.Appendf(nil, `{"employees":[{"id":"101","action":"Updated","timestamp":"2020-01-31T18:42:00+0000","changedFields":%s,"fields":%s}]}`, changed, fields)
	}
	const mail = `"Work Email":"alice@example.com"`
	known := people{"bamboohr:101": "alice@example.com"}
	nobody := alice(inactive)[0]
	nobody.User = ""
	testTranslations(t, "bamboohr", []translation{
		{name: "status changed", body: payload(t, "bamboohr/inactive.json"), status: 202, want: alice(inactive)},
		{name: "status as before", body: updated(`["First Name"]`, `{"First Name":"Alice","Status":"Inactive",`+mail+`}`), status: 202, want: alice(inactive)},
		{name: "other spellings", body: updated(`["status"]`, `{"status":"INACTIVE ","workEmail":"alice@example.com"}`), status: 202, want: alice(inactive)},
		{name: "values as objects", body: updated(`["status"]`, `{"status":{"value":"Inactive"},"work_email":{"value":"alice@example.com","old":"x"}}`), status: 202, want: alice(inactive)},
		{name: "employment status", body: updated(`["Employment Status"]`, `{"Employment Status":"Terminated",`+mail+`}`), status: 202, want: alice(terminated)},
		{
			name: "employment status by its name in the API", body: updated(`["employmentHistoryStatus"]`, `{"employmentHistoryStatus":"Terminated",`+mail+`}`), status: 202,
			want: alice("employmenthistorystatus terminated"),
		},
		{
			name: "another field with the address", body: updated(`["Status"]`, `{"Status":"Inactive","IONOS login":"alice@example.com","Work Email":"a@example.com"}`),
			settings: webhook.Settings{BambooHREmail: "ionosLogin"}, status: 202, want: alice(inactive),
		},
		{name: "known by id", body: updated(`["Status"]`, `{"Status":"Inactive"}`), people: known, status: 202, want: alice(inactive)},
		{
			name: "nobody knows", body: updated(`["Status"]`, `{"Status":"Inactive"}`), status: 202,
			unmapped: []guard.Unmapped{{Sender: "bamboohr", People: []string{"101"}, Request: nobody}},
		},
		{name: "still active", body: updated(`["Status"]`, `{"Status":"Active",`+mail+`}`), status: 204},
		{name: "on probation", body: updated(`["Employment Status"]`, `{"Employment Status":"Part-Time","Status":"Active",`+mail+`}`), status: 204},
		{name: "a change that does not matter", body: updated(`["First Name"]`, `{"First Name":"Alice",`+mail+`}`), status: 204},

		{name: "last day over", body: updated(`["Termination Date"]`, `{"Termination Date":"2026-11-21",`+mail+`}`), status: 202, want: alice(date)},
		{name: "last day begun somewhere", body: updated(`["terminationDate"]`, `{"terminationDate":"2026-11-23",`+mail+`}`), status: 202, want: alice(date)},
		{name: "last day to come", body: updated(`["Termination Date"]`, `{"Termination Date":"2026-11-24",`+mail+`}`), status: 204},
		{name: "no last day any more", body: updated(`["Termination Date"]`, `{"Termination Date":"0000-00-00",`+mail+`}`), status: 204},
		{name: "last day of the time before", body: updated(`["Hire Date"]`, `{"Termination Date":"2020-11-21",`+mail+`}`), status: 204},
		{name: "the status counts more", body: updated(`["Termination Date"]`, `{"Termination Date":"2026-11-21","Status":"Active",`+mail+`}`), status: 204},

		{name: "deleted", body: payload(t, "bamboohr/deleted.json"), people: known, status: 202, want: alice("deleted")},
		{name: "created", body: []byte(`{"employees":[{"id":"101","action":"Created","changedFields":{},"fields":{}}]}`), people: known, status: 204},
		{name: "event-based: deleted", body: payload(t, "bamboohr/event_deleted.json"), people: known, status: 202, want: alice("deleted")},
		{name: "event-based: created", body: []byte(`{"type":"employee.created","data":{"employeeId":"101"}}`), people: known, status: 204},
		{name: "event-based: something happened to the status", body: payload(t, "bamboohr/event_updated.json"), people: known, status: 400, says: "field-based"},
		{name: "event-based: another name", body: []byte(`{"type":"employee.updated","data":{"employeeId":"101","changedFields":["firstName"]}}`), people: known, status: 204},
		{name: "form", body: []byte("employees[101][changedFields][0]=Status&employees[101][Status]=Inactive"), status: 400, says: "send JSON"},
		{name: "fields of another shape", body: updated(`["Status"]`, `["Inactive"]`), status: 400, says: "not the JSON"},
		{name: "changed fields of another shape", body: updated(`"Status"`, `{}`), status: 400, says: "not the JSON"},
		{
			name: "several employees", status: 202, people: people{"bamboohr:101": "alice@example.com", "bamboohr:103": "carol@example.com"},
			body: []byte(`{"employees":[{"id":101,"action":"Deleted"},{"id":"102","action":"Updated","fields":{"Status":"Active"}},{"id":"103","action":"deleted"}]}`),
			want: []guard.Request{
				alice("deleted")[0], left("bamboohr", "carol@example.com", digestID, "2026-11-22T11:59:59Z", "BambooHR: deleted"),
			},
		},
	})
}

func FuzzBambooHR(f *testing.F) {
	seed(
		f, "bamboohr", `{"employees":[{"id":1,"fields":{"Status":{"value":"Inactive"},"work email":"a@b"},"changedFields":{"0":"Status"}}]}`,
		`{"employees":[{"id":"1","action":"Updated","changedFields":["Termination Date"],"fields":{"Termination Date":"2026-11-22"}}]}`,
	)
	fuzzDoor(f, "bamboohr", webhook.Settings{}, mustLeave)
}
