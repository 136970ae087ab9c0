package bus_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"keyreeve/pkg/guard"
)

// canned answers every call in the same way, without a network.
type canned struct {
	status int
	body   string
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: c.status,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:       io.NopCloser(strings.NewReader(c.body)),
	}, nil
}

// FuzzAnswer puts an outcome on a bus that answers anything at all. Only an answer that gives the event an id counts as
// taken, and no error repeats what the answer says: EventBridge quotes from requests. A $ stands for such a quotation.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"FailedEntryCount":0,"Entries":[{"EventId":"11710aed-b79e-4468-a20b-bb3c0c3b4860"}]}`)
	f.Add(200, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException","ErrorMessage":"$"}]}`)
	f.Add(200, `{"FailedEntryCount":0,"Entries":[{"EventId":"1"},{"EventId":"2"}]}`)
	f.Add(200, `{"Entries":[{"EventId":null}]}`)
	f.Add(200, `{"Entries":[null]}`)
	f.Add(200, `{"Entries":{"EventId":"1"}}`)
	f.Add(200, `<html>$</html>`)
	f.Add(200, ``)
	f.Add(302, ``)
	f.Add(400, `{"__type":"com.amazonaws.events#AccessDeniedException","message":"$"}`)
	f.Add(503, `$`)
	f.Add(200, `"$"`)
	f.Add(400, `{"__type":"$"}`)
	f.Add(200, `{"Entries":[{"ErrorCode":"$"}]}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			t.Skip("no final status")
		}
		synctest.Test(t, func(t *testing.T) {
			answer := canned{status, strings.ReplaceAll(body, "$", session)}
			err := newBus("https://events.invalid", answer).Announce(t.Context(), guard.Finished{Result: guard.Result{ID: "evt-1"}})
			if err == nil {
				var said struct {
					Entries []struct {
						EventID any `json:"EventId"`
					} `json:"Entries"`
				}
				if err := json.NewDecoder(strings.NewReader(answer.body)).Decode(&said); err != nil || status >= 300 || len(said.Entries) != 1 || said.Entries[0].EventID == nil {
					t.Errorf("status %d with %q counts as taken", status, body)
				}
				return
			}
			known := guard.AsError(err)
			if known.Kind != guard.Unavailable || known.Message == "" || known.Remedy == "" || strings.Contains(known.Error(), session) {
				t.Errorf("failed with %+v", known)
			}
		})
	})
}
