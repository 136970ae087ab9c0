package ionos_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
)

func FuzzTokenIdentity(f *testing.F) {
	f.Add(goodToken())
	f.Add("a.b.c")
	f.Add(tokenOf(`{"identity":{"uuid":1}}`))
	f.Add(tokenOf(`{"identity":null}`))
	f.Fuzz(func(t *testing.T, token string) {
		client, err := ionos.New(ionos.Config{Token: token, Clock: time.Now})
		if err != nil {
			if len(token) > 20 && strings.Contains(err.Error(), token) {
				t.Errorf("the error repeats the token: %v", err)
			}
			wantKind(t, err, guard.Credentials)
			return
		}
		if self := client.Self(); !guard.IsUUID(self.ID) || self.Email != "" {
			t.Errorf("%q says that it is %+v", token, self)
		}
	})
}

// canned answers every request with a body, without a network.
type canned string

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(string(c))),
	}, nil
}

func FuzzListKeys(f *testing.F) {
	f.Add(`{"items":[{"id":"00e1","metadata":{"createdDate":"2022-10-27T12:25:15"},"properties":{"secretKey":"s","active":false}}]}`)
	f.Add(`{"items":[{"id":"00e1","metadata":null,"properties":{"active":true}}]}`)
	f.Add(`{"items":[null]}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		client := clientAt(t, "https://api.invalid", func(cfg *ionos.Config) { cfg.Transport = canned(body) })
		keys, err := client.ListKeys(t.Context(), selfID)
		if err != nil {
			wantKind(t, err, guard.Upstream)
			if keys != nil {
				t.Errorf("keys and an error: %v", keys)
			}
			return
		}
		for _, key := range keys {
			if key.ID == "" {
				t.Errorf("a key without an id from %q", body)
			}
		}
	})
}

func FuzzDates(f *testing.F) {
	for _, date := range []string{
		"2022-10-27T12:25:15", "2022-10-27T12:25:15Z", "2022-10-27T12:25:15+00:00", "9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+01:00", "", `"`,
	} {
		f.Add(date)
	}
	f.Fuzz(func(t *testing.T, date string) {
		quoted, err := json.Marshal(date)
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"items":[{"id":"00e1","metadata":{"createdDate":%s},"properties":{"active":true}}]}`, quoted)
		client := clientAt(t, "https://api.invalid", func(cfg *ionos.Config) { cfg.Transport = canned(body) })
		keys, err := client.ListKeys(t.Context(), selfID)
		if err != nil {
			t.Fatalf("%q made the list unreadable: %v", date, err)
		}
		created := keys[0].Created
		if created.Location() != time.UTC {
			t.Errorf("%q was read in zone %s", date, created.Location())
		}
		if _, err := created.MarshalText(); err != nil {
			t.Errorf("%q was read as a date that cannot be written: %v", date, err)
		}
	})
}
