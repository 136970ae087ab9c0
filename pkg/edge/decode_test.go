package edge_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// parcel has a member of every type that a reader is told about.
type parcel struct {
	Name    string    `json:"name"`
	Fragile bool      `json:"fragile"`
	Weight  int       `json:"weight"`
	Sent    time.Time `json:"sent"`
	Stamps  []string  `json:"stamps"`
	To      struct {
		Street string `json:"street"`
	} `json:"to"`
	Labels map[string]string `json:"labels"`
}

func TestDecodeStrictly(t *testing.T) {
	var got parcel
	err := edge.DecodeStrictly([]byte(` {"name":"a","fragile":true,"weight":2,"stamps":[],"to":{"street":"b"},"labels":{"c":"d"}} `), &got, edge.Form{Name: "The parcel"})
	if err != nil {
		t.Fatal(err)
	}
	want := parcel{Name: "a", Fragile: true, Weight: 2, Stamps: []string{}, Labels: map[string]string{"c": "d"}}
	want.To.Street = "b"
	diff(t, got, want)
}

func TestDecodeStrictlyNamesTheMember(t *testing.T) {
	tests := map[string]struct{ data, want string }{
		"unknown":                 {`{"colour":"red"}`, "it must not hold colour"},
		"unknown, inside":         {`{"to":{"planet":"Mars"}}`, "it must not hold to.planet"},
		"unknown, another case":   {`{"Name":"a"}`, "it must not hold Name"},
		"unknown, not plain":      {`{"a\nb":1}`, `it must not hold "a\nb"`},
		"unknown, without a name": {`{"":1}`, `it must not hold ""`},
		"unknown, and null":       {`{"colour":null}`, "it must not hold colour"},
		"unknown, and long":       {`{"` + strings.Repeat("x", 81) + `":1}`, "it must not hold " + strings.Repeat("x", 80) + "…"},
		"twice":                   {`{"name":"a","name":"a"}`, "it holds name twice"},
		"twice, inside":           {`{"to":{"street":"a","street":"b"}}`, "it holds to.street twice"},
		"twice, in a map":         {`{"labels":{"a":"b","a":"c"}}`, "it holds labels.a twice"},
		"null":                    {`{"stamps":null}`, "stamps must not be null: leave it out"},
		"null, inside":            {`{"to":{"street":null}}`, "to.street must not be null: leave it out"},
		"null, in a list":         {`{"stamps":["a",null]}`, "stamps[1] must not be null: leave it out"},
		"null, in a map":          {`{"labels":{"a":null}}`, "labels.a must not be null: leave it out"},
		"null, all of it":         {`null`, "it must be an object, not null"},
		"no string":               {`{"name":1}`, "name must be a string"},
		"no string, in a list":    {`{"stamps":["a",2]}`, "stamps[1] must be a string"},
		"no truth":                {`{"fragile":"true"}`, "fragile must be true or false"},
		"no number":               {`{"weight":"2"}`, "weight must be a number"},
		"no time":                 {`{"sent":"today"}`, "sent must be a time like 2026-11-22T10:00:00Z"},
		"no list":                 {`{"stamps":"a"}`, "stamps must be a list"},
		"no object":               {`{"to":"b"}`, "to must be an object"},
		"no map":                  {`{"labels":[]}`, "labels must be an object"},
		"no object at all":        {`[]`, "it must be an object"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := edge.DecodeStrictly([]byte(tt.data), &parcel{}, edge.Form{Name: "The parcel", Members: "name and stamps"})
			if err == nil {
				t.Fatal("it was accepted")
			}
			diff(t, *guard.AsError(err), guard.Error{
				Kind: guard.Invalid, Message: "The parcel cannot be read: " + tt.want + ".",
				Remedy: "It may hold name and stamps, spelt exactly so, each at most once.",
			})
		})
	}
}

func TestDecodeStrictlyRefusesWhatIsNoJSON(t *testing.T) {
	for name, data := range map[string]string{
		"nothing": ``, "half": `{"name":"a"`, "two": `{}{}`, "garbage behind": `{} x`, "invalid UTF-8": "{\"name\":\"\xff\"}",
	} {
		t.Run(name, func(t *testing.T) {
			err := edge.DecodeStrictly([]byte(data), &parcel{}, edge.Form{Name: "The parcel"})
			known := guard.AsError(err)
			if guard.KindOf(err) != guard.Invalid || !strings.HasPrefix(known.Message, "The parcel cannot be read: it is not valid JSON (") || known.Remedy != "" {
				t.Errorf("got %+v, want an error of kind invalid and no remedy", err)
			}
		})
	}
}

func TestDecodeEnvelope(t *testing.T) {
	var got parcel
	if err := edge.DecodeEnvelope([]byte("{\"name\":\"a\xff\",\"colour\":\"red\",\"stamps\":null}"), &got); err != nil {
		t.Fatal(err)
	}
	diff(t, got, parcel{Name: "a\ufffd"})
	err := edge.DecodeEnvelope([]byte(`{"to":{"street":5}}`), &got)
	diff(t, guard.KindOf(err), guard.Invalid)
	diff(t, guard.AsError(err).Message, "The payload cannot be read: to.street must be a string.")
}

func TestClip(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"empty":                       {"", ""},
		"as long as may be":           {strings.Repeat("x", 80), strings.Repeat("x", 80)},
		"one more":                    {strings.Repeat("x", 81), strings.Repeat("x", 80) + "…"},
		"a letter over the limit":     {strings.Repeat("x", 79) + "äb", strings.Repeat("x", 79) + "ä…"},
		"letters of more than a byte": {strings.Repeat("ä", 41), strings.Repeat("ä", 40) + "…"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { diff(t, edge.Clip(tt.text), tt.want) })
	}
}

// everything is a request with all that there may be.
func everything() guard.Request {
	return guard.Request{
		Action: guard.Deactivate, User: "alice@example.com", Keys: []string{"00e1"}, Reason: "left",
		Actor:  guard.Actor{Kind: guard.ChatOps, Name: "bob", Email: "bob@example.com"},
		Source: "slack", ID: "evt-1", OccurredAt: time.Date(2026, time.November, 22, 9, 30, 0, 0, time.UTC), Offboarding: true, DryRun: true,
		Override: []guard.Rule{guard.BlastRadius}, Confirm: []string{"00e1"}, ApprovedBy: guard.Actor{Kind: guard.ChatOps, Name: "carol", Email: "carol@example.com"},
		ReplyTo: guard.ReplyTo{Slack: "https://hooks.slack.com/x", Channel: "C1"},
	}
}

func TestReadRequest(t *testing.T) {
	tests := map[string]struct {
		data string
		want guard.Request
		kind guard.Kind
	}{
		"everything": {
			data: `{"action":"deactivate","user":"alice@example.com","keys":["00e1"],"reason":"left",
				"actor":{"kind":"chatops","name":"bob","email":"bob@example.com"},"source":"slack","id":"evt-1",
				"occurredAt":"2026-11-22T10:30:00+01:00","offboarding":true,"dryRun":true,"override":["blast_radius"],
				"confirm":["00e1"],"approvedBy":{"kind":"chatops","name":"carol","email":"carol@example.com"},"replyTo":{"slack":"https://hooks.slack.com/x","channel":"C1"}}`,
			want: everything(),
		},
		"nothing, for the envelope to complete": {data: `{}`},
		"no keys, to mean all":                  {data: `{"user":"alice@example.com"}`, want: guard.Request{User: "alice@example.com"}},
		"keys that are an empty list":           {data: `{"user":"alice@example.com","keys":[]}`, kind: guard.Invalid},
		"keys that are null":                    {data: `{"user":"alice@example.com","keys":null}`, kind: guard.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := edge.ReadRequest([]byte(tt.data))
			diff(t, got, tt.want)
			diff(t, guard.KindOf(err), tt.kind)
		})
	}
}

// TestTheRemedyListsEveryMember keeps the list that a sender is shown in step with what is read.
func TestTheRemedyListsEveryMember(t *testing.T) {
	_, err := edge.ReadRequest([]byte(`{"x":1}`))
	listed := strings.FieldsFunc(guard.AsError(err).Remedy, func(c rune) bool { return !unicode.IsLetter(c) })
	encoded, err := edge.Encode(everything())
	if err != nil {
		t.Fatal(err)
	}
	for member, value := range decode(t, encoded) {
		members := []string{member}
		if inner, ok := value.(map[string]any); ok {
			members = slices.AppendSeq(members, maps.Keys(inner))
		}
		for _, m := range members {
			if !slices.Contains(listed, m) {
				t.Errorf("%q does not name %s", listed, m)
			}
		}
	}
}

// FuzzReadRequest makes sure that a request that is accepted is the same however often it is passed on.
func FuzzReadRequest(f *testing.F) {
	f.Add([]byte(`{"user":"alice@example.com"}`))
	f.Add([]byte(`{"action":"delete","user":"alice@example.com","keys":["00e1"],"reason":"left","actor":{"kind":"chatops","name":"bob",` +
		`"email":"bob@example.com"},"source":"slack","id":"evt-1","occurredAt":"2026-11-22T10:30:00.5+01:00","offboarding":true,` +
		`"dryRun":true,"override":["blast_radius"],"confirm":["00e1"],"approvedBy":{"kind":"chatops","name":"carol","email":"carol@example.com"},"replyTo":{"slack":"https://hooks.slack.com/x","channel":"C1"}}`))
	f.Add([]byte(`{"user":"\u0000\ud83d\ude00","actor":{},"confirm":[],"occurredAt":"0001-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"user":"alice@example.com","keys":[]}`))
	f.Add([]byte(`{"user":"alice@example.com","keys":null}`))
	f.Add([]byte(`{"user":"alice@example.com","user":"bob@example.com"}`))
	f.Add([]byte(`{"occurredAt":"9999-12-31T23:59:59-23:59"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		request, err := edge.ReadRequest(data)
		if err != nil {
			diff(t, guard.KindOf(err), guard.Invalid)
			diff(t, request, guard.Request{})
			return
		}
		if request.Keys != nil && len(request.Keys) == 0 {
			t.Errorf("accepted %q, whose keys are an empty list", data)
		}
		encoded, err := edge.Encode(request)
		if err != nil {
			t.Fatalf("cannot pass on %+v: %v", request, err)
		}
		again, err := edge.ReadRequest(encoded)
		if err != nil {
			t.Fatalf("%q became %s: %v", data, encoded, err)
		}
		// No rule and no confirmation are the same whether their list is empty or left out.
		if d := cmp.Diff(request, again, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%q became %s (-first +again)\n%s", data, encoded, d)
		}
	})
}
