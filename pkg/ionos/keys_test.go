package ionos_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

func TestListKeys(t *testing.T) {
	created := time.Date(2022, time.October, 27, 12, 25, 15, 0, time.UTC)
	modified := created.Add(time.Hour)
	for name, tc := range map[string]struct {
		api  *ionostest.Server
		want []guard.Key
	}{
		"as recorded":          {api: &ionostest.Server{}, want: []guard.Key{{ID: "00e1", Active: true, Created: created}, {ID: "00e2", Created: created}}},
		"with newer metadata":  {api: &ionostest.Server{ModifiedMetadata: true}, want: []guard.Key{{ID: "00e1", Active: true, Created: created, Modified: modified}, {ID: "00e2", Created: created, Modified: created}}},
		"a user without a key": {api: &ionostest.Server{}, want: []guard.Key{}},
	} {
		t.Run(name, func(t *testing.T) {
			user := tc.api.AddUser(ionostest.User{})
			if len(tc.want) > 0 {
				tc.api.AddKey(user.ID, ionostest.Key{ID: "00e1", Active: true, Created: created, Modified: modified})
				tc.api.AddKey(user.ID, ionostest.Key{ID: "00e2", Created: created, Modified: created})
			}
			got, err := newClient(t, tc.api).ListKeys(t.Context(), user.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListKeysReadsDates(t *testing.T) {
	noon := time.Date(2025, time.June, 1, 12, 0, 0, 0, time.UTC)
	for date, want := range map[string]time.Time{
		`"2025-06-01T12:00:00"`:       noon,
		`"2025-06-01T12:00:00Z"`:      noon,
		`"2025-06-01T12:00:00+00:00"`: noon,
		`"2025-06-01T14:00:00+02:00"`: noon,
		`"2025-06-01T12:00:00.000Z"`:  noon,
		`"2025-06-01T12:00:00.000"`:   noon,
		`"yesterday"`:                 {},
		`""`:                          {},
		`"0000-01-01T00:00:00Z"`:      {},
		`null`:                        {},
		`1748779200`:                  {},
		`{}`:                          {},
	} {
		t.Run(date, func(t *testing.T) {
			body := fmt.Sprintf(`{"items":[{"id":"00e1","metadata":{"createdDate":%s,"lastModifiedDate":%[1]s},"properties":{"active":true}}]}`, date)
			got, err := newClient(t, answering(http.StatusOK, body)).ListKeys(t.Context(), selfID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]guard.Key{{ID: "00e1", Active: true, Created: want, Modified: want}}, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListKeysDoesNotGuess(t *testing.T) {
	for name, body := range map[string]string{
		"empty":              ``,
		"null":               `null`,
		"no items":           `{"id":"x","type":"collection"}`,
		"items null":         `{"items":null}`,
		"items an object":    `{"items":{}}`,
		"cut off":            `{"items":[{"id":"00e1","properties":{"active":true}}`,
		"something behind":   `{"items":[]} {"items":[]}`,
		"depth ignored":      `{"items":[{"id":"00e1","type":"s3key"}]}`,
		"no id":              `{"items":[{"properties":{"active":true}}]}`,
		"no active":          `{"items":[{"id":"00e1","properties":{"secretKey":"s"}}]}`,
		"active null":        `{"items":[{"id":"00e1","properties":{"active":null}}]}`,
		"active a string":    `{"items":[{"id":"00e1","properties":{"active":"true"}}]}`,
		"one good, one not":  `{"items":[{"id":"00e1","properties":{"active":true}},{"id":"00e2"}]}`,
		"a proxy's page":     `<html>Welcome</html>`,
		"an error, with 200": `{"httpStatus":500,"messages":[{"errorCode":"1","message":"x"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := newClient(t, answering(http.StatusOK, body)).ListKeys(t.Context(), selfID)
			wantKind(t, err, guard.Upstream)
			if keys != nil {
				t.Errorf("keys are %v, want none", keys)
			}
		})
	}
}

func TestListKeysOfStrangeContentType(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, `{"items":[{"id":"00e1","properties":{"active":true}}]}`)
	})
	if _, err := newClient(t, api).ListKeys(t.Context(), selfID); err != nil {
		t.Error(err)
	}
}

func TestAnswerIsBounded(t *testing.T) {
	calls := 0
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"items":[], "padding":"`)
		padding := strings.Repeat(" ", 1<<20)
		for range 17 {
			_, _ = io.WriteString(w, padding)
		}
		_, _ = io.WriteString(w, `"}`)
	})
	_, err := newClient(t, api).ListKeys(t.Context(), selfID)
	wantKind(t, err, guard.Upstream)
	if calls != 1 {
		t.Errorf("asked %d times, want once: it would be as long again", calls)
	}
}

func TestKeysWithSecrets(t *testing.T) {
	api := &ionostest.Server{}
	user := api.AddUser(ionostest.User{})
	key := api.AddKey(user.ID, ionostest.Key{Active: true, Secret: "s3cr3t"})
	got, err := newClient(t, api).KeysWithSecrets(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Key.ID != key.ID || !got[0].Key.Active || got[0].Secret.Reveal() != "s3cr3t" {
		t.Errorf("got %v with secret %q", got, got[0].Secret.Reveal())
	}
}

func TestKeysWithSecretsLeavesOutThoseWithout(t *testing.T) {
	api := answering(http.StatusOK, `{"items":[{"id":"00e1","properties":{"active":true}},{"id":"00e2","properties":{"active":true,"secretKey":"s"}}]}`)
	got, err := newClient(t, api).KeysWithSecrets(t.Context(), selfID)
	if err != nil || len(got) != 1 || got[0].Key.ID != "00e2" {
		t.Errorf("got %v, %v; want 00e2 alone", got, err)
	}
}

func TestSwitchKey(t *testing.T) {
	for _, active := range []bool{true, false} {
		for _, id := range []string{"54ae0c5ec4b3c552409a", ionostest.LongID(1)} {
			api := &ionostest.Server{}
			user := api.AddUser(ionostest.User{})
			api.AddKey(user.ID, ionostest.Key{ID: id, Active: !active})
			other := api.AddKey(user.ID, ionostest.Key{Active: !active})
			if err := newClient(t, api).SwitchKey(t.Context(), user.ID, id, active); err != nil {
				t.Errorf("switch %s to %t: %v", id, active, err)
			}
			states := map[string]bool{}
			for _, key := range api.Keys(user.ID) {
				states[key.ID] = key.Active
			}
			if want := (map[string]bool{id: active, other.ID: !active}); !cmp.Equal(states, want) {
				t.Errorf("keys are %v, want %v", states, want)
			}
		}
	}
}

func TestSwitchKeySendsNothingButTheState(t *testing.T) {
	var got string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = string(body)
		w.WriteHeader(http.StatusAccepted)
	})
	if err := newClient(t, api).SwitchKey(t.Context(), selfID, "00e1", false); err != nil {
		t.Fatal(err)
	}
	if want := `{"properties":{"active":false}}`; strings.TrimSpace(got) != want {
		t.Errorf("body is %s, want %s", got, want)
	}
}

func TestAnswerToASwitch(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   guard.Kind
	}{
		"200 with the new state":   {200, `{"id":"00e1","properties":{"active":false}}`, ""},
		"202 with the new state":   {202, `{"id":"00e1","properties":{"active":false}}`, ""},
		"202 and nothing":          {202, ``, ""},
		"204":                      {204, ``, ""},
		"201 with some other JSON": {201, `{"requestId":"x"}`, ""},
		"a date the SDK rejects":   {200, `{"id":"00e1","metadata":{"createdDate":"2025-06-01T12:00:00+00:00"},"properties":{"active":false}}`, ""},
		"the old state":            {202, `{"id":"00e1","properties":{"active":true}}`, guard.Upstream},
		"a proxy's page":           {200, `<html>Welcome</html>`, guard.Upstream},
		"cut off":                  {200, `{"id":"00e1","properties":{"active":fal`, guard.Upstream},
	} {
		t.Run(name, func(t *testing.T) {
			wantKind(t, newClient(t, answering(tc.status, tc.body)).SwitchKey(t.Context(), selfID, "00e1", false), tc.want)
		})
	}
}

func TestUnknownKey(t *testing.T) {
	for _, prefix := range []string{"", "[VDC-21-2] "} {
		api := &ionostest.Server{UnknownKeyPrefix: prefix}
		user := api.AddUser(ionostest.User{})
		client := newClient(t, api)
		wantKind(t, client.SwitchKey(t.Context(), user.ID, "00e1", false), guard.NotFound)
		wantKind(t, client.DeleteKey(t.Context(), user.ID, "00e1"), guard.NotFound)
	}
}

func TestDeleteKey(t *testing.T) {
	api := &ionostest.Server{}
	user := api.AddUser(ionostest.User{})
	gone, stays := api.AddKey(user.ID, ionostest.Key{}), api.AddKey(user.ID, ionostest.Key{})
	if err := newClient(t, api).DeleteKey(t.Context(), user.ID, gone.ID); err != nil {
		t.Fatal(err)
	}
	if got := api.Keys(user.ID); len(got) != 1 || got[0].ID != stays.ID {
		t.Errorf("keys are %v, want %s alone", got, stays.ID)
	}
}

func TestDeleteKeyDoesNotTrustAProxy(t *testing.T) {
	wantKind(t, newClient(t, answering(http.StatusOK, "<html>")).DeleteKey(t.Context(), selfID, "00e1"), guard.Upstream)
}

func TestIDsCannotChangeTheRoute(t *testing.T) {
	for _, id := range []string{
		"../x", "..", ".", "", "/", "a/b", "../../contracts", "x/../../y", "a?b=c", "a#b", "a%2Fb", "%2e%2e", "a b", "ü", "{keyId}", ";x", "a\x00b", `\..\x`,
	} {
		t.Run(id, func(t *testing.T) {
			var paths []string
			client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				paths = append(paths, r.RequestURI)
				answering(http.StatusOK, `{"items":[]}`)(w, r)
			}))
			check := func(err error, want func(segments []string) bool) {
				t.Helper()
				if err != nil {
					wantKind(t, err, guard.Invalid)
					if len(paths) > 0 {
						t.Errorf("was refused after a call to %s", paths[0])
					}
					return
				}
				path, _, _ := strings.Cut(paths[0], "?")
				if segments := strings.Split(strings.TrimPrefix(path, "/cloudapi/v6"), "/"); !want(segments) || slices.Contains(segments, "..") {
					t.Errorf("went to %s", path)
				}
				paths = nil
			}
			_, err := client.ListKeys(t.Context(), id)
			check(err, func(s []string) bool { return len(s) == 5 && s[2] == "users" && s[4] == "s3keys" })
			ofKey := func(s []string) bool { return len(s) == 6 && s[3] == selfID && s[4] == "s3keys" }
			check(client.SwitchKey(t.Context(), selfID, id, true), ofKey)
			check(client.DeleteKey(t.Context(), selfID, id), ofKey)
			_, err = client.FindUser(t.Context(), id)
			wantKind(t, err, guard.Invalid)
			if len(paths) > 0 {
				t.Errorf("FindUser called %s", paths[0])
			}
		})
	}
}
