package ionos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
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

// canned answers every request in the same way, without a network.
type canned struct {
	status int
	header http.Header
	body   string
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	header := c.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: c.status, Header: header, Body: io.NopCloser(strings.NewReader(c.body))}, nil
}

// clientOf returns a client to whom IONOS says nothing else.
func clientOf(t *testing.T, answer canned, changes ...func(*ionos.Config)) *ionos.Client {
	t.Helper()
	return clientAt(t, "https://api.invalid", append(changes, func(cfg *ionos.Config) { cfg.Transport = answer })...)
}

// answered is a body with status 200.
func answered(body string) canned { return canned{status: http.StatusOK, body: body} }

// mustExplain checks an error about an answer that cannot be understood: it has the kind, and words for people.
func mustExplain(t *testing.T, err error, kinds ...guard.Kind) {
	t.Helper()
	known := guard.AsError(err)
	if !slices.Contains(kinds, known.Kind) || known.Message == "" || known.Remedy == "" || len(known.Error()) > 1000 {
		t.Errorf("got the error %+v, want one of kind %v", known, kinds)
	}
}

// secret is as long as the secret half of an access key.
const secret = "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3cr"

func FuzzListKeys(f *testing.F) {
	f.Add(`{"id":"u/s3keys","type":"collection","items":[{"id":"00e1","type":"s3key","metadata":{"etag":"e","createdDate":"2022-10-27T12:25:15"},
		"properties":{"secretKey":"s","active":false}}]}`)
	f.Add(`{"items":[{"id":"00e1","metadata":null,"properties":{"active":true}},{"id":"00e2","properties":{"active":false}}]}`)
	f.Add(`{"items":[{"id":"00e1","properties":{"active":true}},{"id":"00e1","properties":{"active":false}}]}`)
	f.Add(`{"items":[null]}`)
	f.Add(`{"items":[]}`)
	f.Add(`[]`)
	f.Add(`{}`)
	f.Add(`{"items":[{"id":"","properties":{"active":true}},{"id":"00e1"}]}`)
	f.Add(`{"items":[{"id":"00e1","properties":{"secretKey":["s"],"active":true}}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		client := clientOf(t, answered(body))
		keys, err := client.ListKeys(t.Context(), selfID)
		credentials, credentialsErr := client.KeysWithSecrets(t.Context(), selfID)
		if err != nil {
			mustExplain(t, err, guard.Upstream)
			mustExplain(t, credentialsErr, guard.Upstream)
			if keys != nil || credentials != nil {
				t.Errorf("keys and an error: %v, %v", keys, credentials)
			}
			return
		}
		for _, credential := range credentials {
			if !slices.Contains(keys, credential.Key) || credential.Secret.Reveal() == "" {
				t.Errorf("%v is no key of %v with a secret", credential.Key, keys)
			}
		}
		seen := make(map[string]bool)
		for _, key := range keys {
			if key.ID == "" || seen[key.ID] {
				t.Errorf("a key without an id of its own from %q", body)
			}
			seen[key.ID] = true
		}
		var listed struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal([]byte(body), &listed); err != nil || listed.Items == nil || len(listed.Items) != len(keys) {
			t.Errorf("%d keys from %q: %v", len(keys), body, err)
		}
	})
}

// FuzzFindUser looks for a user in arbitrary answers. Nobody is ever found who is somebody else.
func FuzzFindUser(f *testing.F) {
	const email = "alice@example.com"
	f.Add(`{"id":"`+selfID+`","type":"user","metadata":{"createdDate":"2022-10-27T12:25:15Z"},"properties":{"firstname":"A","email":"`+email+`","administrator":true,"active":true}}`, true)
	f.Add(`{"items":[{"id":"`+selfID+`","properties":{"email":"Alice@Example.com"}}],"offset":0,"limit":100,"_links":{"self":"s"}}`, false)
	f.Add(`{"items":[{"id":"1","properties":{"email":"`+email+`"}},{"id":"2","properties":{"email":"`+email+`"}}],"_links":{"next":"n"}}`, false)
	f.Add(`{"items":[],"_links":{"next":"n"}}`, false)
	f.Add(`{"items":[{"id":"1","properties":{"email":"bob@example.com"}}]}`, false)
	f.Add(`{"id":"1","properties":{"email":"`+email+`"}}`, true)
	f.Add(`{"id":"`+selfID+`","properties":{}}`, true)
	f.Fuzz(func(t *testing.T, body string, byID bool) {
		ref := email
		if byID {
			ref = selfID
		}
		user, err := clientOf(t, answered(body)).FindUser(t.Context(), ref)
		switch {
		case err != nil:
			mustExplain(t, err, guard.Upstream, guard.NotFound, guard.Invalid)
		case user.ID == "" || user.Email == "" || byID && !strings.EqualFold(user.ID, ref) || !byID && !strings.EqualFold(user.Email, ref):
			t.Errorf("%s was found to be %+v in %q", ref, user, body)
		}
	})
}

// listed answers a list of users with the body, and every list of keys with one key, 00ff, which is on.
type listed struct{ users string }

func (l listed) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/s3keys") {
		return answered(`{"items":[{"id":"00ff","properties":{"active":true}}]}`).RoundTrip(r)
	}
	return answered(l.users).RoundTrip(r)
}

// listedClient returns a client to whom IONOS lists users with the body.
func listedClient(t *testing.T, users string) *ionos.Client {
	t.Helper()
	return clientAt(t, "https://api.invalid", func(cfg *ionos.Config) { cfg.Transport = listed{users} })
}

// FuzzUserPage reads arbitrary pages of users. What is read is all that the page holds, or nothing.
func FuzzUserPage(f *testing.F) {
	const user = `{"id":"` + selfID + `","type":"user","metadata":{"createdDate":"2022-10-27T12:25:15Z"},"properties":{"firstname":"A","email":"alice@example.com","active":false}`
	const keys = `"s3Keys":{"id":"` + selfID + `/s3keys","type":"collection","items":[{"id":"00e1","metadata":{"createdDate":"2022-10-27T12:25:15"},"properties":{"secretKey":"s","active":true}}]}`
	f.Add(`{"id":"users","items":[`+user+`,"entities":{"owns":{"id":"o","type":"collection"},`+keys+`}}],"offset":0,"limit":100,"_links":{"self":"s"}}`, 0)
	f.Add(`{"items":[`+user+`,"entities":{`+keys+`}},{"id":"2","properties":{"email":"b@example.com"}}],"offset":7,"_links":{"next":"n"}}`, 7)
	f.Add(`{"items":[`+user+`,"entities":{"s3Keys":{"items":[{"id":"00e1","type":"s3key"}]}}}]}`, 0)
	f.Add(`{"items":[`+user+`,"entities":{"s3Keys":{"items":[{"id":"00e1","properties":{"active":true}},{"id":"00e1","properties":{"active":true}}]}}}]}`, 0)
	f.Add(`{"items":[`+user+`,"entities":{"s3Keys":[]}}]}`, 0)
	f.Add(`{"items":[`+user+`},`+user+`}]}`, 0)
	f.Add(`{"items":[`+strings.Repeat(`null,`, 99)+`null]}`, 0)
	f.Add(`{"items":[],"offset":100}`, 100)
	f.Add(`{"items":[]}`, -1)
	f.Add(`{}`, 0)
	f.Fuzz(func(t *testing.T, body string, offset int) {
		page, err := listedClient(t, body).UserPage(t.Context(), offset)
		if err != nil {
			mustExplain(t, err, guard.Upstream)
			if page.Users != nil || page.Next != 0 {
				t.Errorf("a page and an error: %v", page)
			}
			return
		}
		var want struct {
			Items []struct {
				ID       string          `json:"id"`
				Entities json.RawMessage `json:"entities"`
			} `json:"items"`
			Links struct {
				Next string `json:"next"`
			} `json:"_links"`
		}
		if err := json.Unmarshal([]byte(body), &want); err != nil || want.Items == nil || len(want.Items) != len(page.Users) {
			t.Fatalf("%d users from %q: %v", len(page.Users), body, err)
		}
		wantNext := 0
		if n := len(page.Users); n == 100 || n > 0 && want.Links.Next != "" {
			wantNext = offset + n
		}
		if page.Next != wantNext || offset < 0 {
			t.Errorf("the page after %d is at %d, want %d, from %q", offset, page.Next, wantNext, body)
		}
		users := make(map[string]bool)
		for i, u := range page.Users {
			if u.User.ID != want.Items[i].ID || u.User.Email == "" || users[u.User.ID] {
				t.Errorf("a user without an address or an id of their own from %q", body)
			}
			users[u.User.ID] = true
			wantNested(t, want.Items[i].Entities, u.Keys)
		}
	})
}

// wantNested checks the keys that were read of a user in whose entry those entities are: they are those that are nested
// there, or they are those that were asked for.
func wantNested(t *testing.T, entities json.RawMessage, got []guard.Key) {
	t.Helper()
	if len(got) == 1 && got[0].ID == "00ff" {
		return
	}
	var nested struct {
		S3Keys struct {
			Items []struct {
				ID         string `json:"id"`
				Properties struct {
					Active bool `json:"active"`
				} `json:"properties"`
			} `json:"items"`
		} `json:"s3Keys"`
	}
	if err := json.Unmarshal(entities, &nested); err != nil || len(nested.S3Keys.Items) != len(got) {
		t.Fatalf("keys %v from %s: %v", got, entities, err)
	}
	seen := make(map[string]bool)
	for i, item := range nested.S3Keys.Items {
		if got[i].ID != item.ID || got[i].Active != item.Properties.Active || item.ID == "" || seen[item.ID] {
			t.Errorf("keys %v from %s", got, entities)
		}
		seen[item.ID] = true
	}
}

// FuzzAdministers looks for the owner of the contract in arbitrary answers.
func FuzzAdministers(f *testing.F) {
	const owner = "owner@example.com"
	f.Add(`{"id":"contracts","items":[{"type":"contract","properties":{"contractNumber":31,"owner":"`+owner+`","status":"BILLABLE"}}]}`, "")
	f.Add(`{"items":[{"properties":{"contractNumber":31,"owner":"`+owner+`"}},{"properties":{"contractNumber":32,"owner":"o@example.com"}}]}`, "31")
	f.Add(`{"items":[{"properties":{"contractNumber":31,"owner":"`+owner+`"}},{"properties":{"contractNumber":32,"owner":"o@example.com"}}]}`, "32")
	f.Add(`{"items":[{"properties":{"contractNumber":31,"owner":"`+owner+`"}}]}`, "32")
	f.Add(`{"items":[{"properties":{"contractNumber":31}}]}`, "")
	f.Fuzz(func(t *testing.T, body, number string) {
		if parsed, err := strconv.ParseInt(number, 10, 64); number != "" && (err != nil || parsed <= 0) {
			t.Skip("not the number of a contract")
		}
		client := clientOf(t, answered(body), func(cfg *ionos.Config) { cfg.ContractNumber = number })
		administers, err := client.Administers(t.Context(), guard.User{Email: owner})
		if err != nil {
			mustExplain(t, err, guard.Upstream, guard.Credentials)
		}
		var list struct {
			Items []struct {
				Properties struct {
					ContractNumber int64  `json:"contractNumber"`
					Owner          string `json:"owner"`
				} `json:"properties"`
			} `json:"items"`
		}
		decodeErr := json.Unmarshal([]byte(body), &list)
		owns := false
		for _, contract := range list.Items {
			if number == "" || fmt.Sprint(contract.Properties.ContractNumber) == strings.TrimLeft(number, "+0") {
				owns = owns || strings.EqualFold(contract.Properties.Owner, owner)
			}
		}
		if administers && (err != nil || decodeErr != nil || !owns) {
			t.Errorf("administers contract %q because of %q: %v", number, body, err)
		}
	})
}

// FuzzRefusal answers with arbitrary errors that hold the secret of a key wherever the fuzzer puts a $. None of it may
// show, whatever is called, and whatever the answer is taken for.
func FuzzRefusal(f *testing.F) {
	f.Add(422, `{"httpStatus":422,"messages":[{"errorCode":"309","message":"The access key cannot be found, please double-check the key id and try again. $"}]}`, "", "")
	f.Add(401, `{"httpStatus":401,"messages":[{"errorCode":"$","message":"Unauthorized"}]}`, "", "$")
	f.Add(429, `<html>$</html>`, "30", "request-1")
	f.Add(429, ``, "9223372036854775807", "")
	f.Add(503, `{"messages":[{"errorCode":["$"]}]}`, "Fri, 31 Dec 9999 23:59:59 GMT", "")
	f.Add(200, `{"id":"00e1","properties":{"secretKey":"$","active":true}}`, "$", "")
	f.Add(202, `{"id":"00e1","properties":{"secretKey":["$"],"active":false}}`, "", "")
	f.Add(302, ``, "-1", "")
	f.Fuzz(func(t *testing.T, status int, body, retryAfter, requestID string) {
		if status < 200 || status > 599 {
			t.Skip("no final status")
		}
		fill := func(s string) string { return strings.ReplaceAll(s, "$", secret) }
		var logged bytes.Buffer
		client := clientOf(t, canned{status, http.Header{"Retry-After": {fill(retryAfter)}, "X-Request-Id": {fill(requestID)}, "Location": {fill(body)}}, fill(body)},
			func(cfg *ionos.Config) { cfg.Logger = slog.New(slog.NewJSONHandler(&logged, nil)) })
		// Too short for a second attempt.
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		_, findErr := client.FindUser(ctx, selfID)
		_, listErr := client.ListKeys(ctx, selfID)
		for name, err := range map[string]error{
			"activate": client.SwitchKey(ctx, selfID, "00e1", true), "delete": client.DeleteKey(ctx, selfID, "00e1"), "find": findErr, "list": listErr,
		} {
			if err == nil && status >= 300 && (name != "delete" || status != http.StatusNotFound && status != http.StatusUnprocessableEntity && !strings.Contains(body, "cannot be found")) {
				t.Errorf("%s: status %d with %q was taken for a success", name, status, body)
			}
			if err == nil {
				continue
			}
			mustExplain(t, err, guard.Upstream, guard.Credentials, guard.NotFound, guard.Throttled)
			wantWithout(t, name, err, secret)
			if wait := guard.AsError(err).RetryAfter; wait < 0 {
				t.Errorf("%s: to be tried again %s ago", name, -wait)
			}
		}
		if strings.Contains(logged.String(), secret) {
			t.Errorf("the log shows a secret: %s", logged.String())
		}
	})
}

// FuzzRateLimit reports arbitrary rate limits. Nonsense holds nobody up, and a limit that is used up is kept to: the
// next call waits for its turn, or is told how long that would take. Whoever reads all users leaves a quarter.
func FuzzRateLimit(f *testing.F) {
	f.Add("120", "50", "49")
	f.Add("120", "50", "0")
	f.Add("1150", "900", "225")
	f.Add("1150", "900", "0")
	f.Add("1", "1", "0")
	f.Add("1", "0", "1")
	f.Add("0", "0", "0")
	f.Add("-60", "many", "99999999999999999999")
	f.Add("2147483647", "2147483647", "2147483647")
	f.Add("1", "2147483647", "0")
	f.Fuzz(func(t *testing.T, limit, burst, remaining string) {
		number := func(text string) (float64, bool) {
			n, err := strconv.ParseInt(text, 10, 64)
			return float64(n), err == nil && 0 <= n && n < 1<<31 && !strings.ContainsAny(text, "+-_")
		}
		perMinute, known := number(limit)
		atOnce, knownBurst := number(burst)
		left, knownLeft := number(remaining)
		known = known && knownBurst && knownLeft && perMinute > 0
		for name, tc := range map[string]struct {
			reserve float64
			call    func(context.Context, *ionos.Client) error
		}{
			"write": {0, func(ctx context.Context, client *ionos.Client) error {
				return client.SwitchKey(ctx, selfID, "00e1", true)
			}},
			"page": {0.25, func(ctx context.Context, client *ionos.Client) error {
				_, err := client.UserPage(ctx, 0)
				return err
			}},
		} {
			var want time.Duration
			if known {
				turns := tc.reserve*atOnce - (min(left, atOnce) - 1)
				want = time.Duration(min(max(0, turns/perMinute*60), 86_400) * float64(time.Second))
			}
			synctest.Test(t, func(t *testing.T) {
				client := clientOf(t, canned{http.StatusOK, http.Header{
					"X-Ratelimit-Limit": {limit}, "X-Ratelimit-Burst": {burst}, "X-Ratelimit-Remaining": {remaining},
				}, `{"items":[]}`})
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				if err := tc.call(ctx, client); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				err := tc.call(ctx, client)
				waited := time.Since(start)
				if err != nil {
					mustExplain(t, err, guard.Throttled)
					waited = guard.AsError(err).RetryAfter
				}
				if waited < want-time.Microsecond || waited > want+time.Microsecond {
					t.Errorf("%s: %q a minute, %q at once, %q left: waited %s, want %s", name, limit, burst, remaining, waited, want)
				}
			})
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
		keys, err := clientOf(t, answered(body)).ListKeys(t.Context(), selfID)
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
