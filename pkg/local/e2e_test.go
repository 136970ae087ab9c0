package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/ionos/ionostest"
)

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestMakeRun does what the README says, with nothing set: the program brings a contract of its own.
func TestMakeRun(t *testing.T) {
	printed := new(record)
	addresses := start(t, root, printed, []string{"IONOS_TOKEN=", "IONOS_USERNAME="})
	l := &laptop{t: t, address: addresses["Keyreeve listens on"], seen: printed, client: &http.Client{Timeout: 40 * time.Second}}
	fake := &laptop{t: t, address: addresses["fake IONOS API on"], seen: new(record), client: l.client}

	states := func() map[string]bool {
		_, answer := fake.call(http.MethodGet, "/cloudapi/v6/um/users?depth=3", "owner@example.com", "")
		states := make(map[string]bool)
		for _, user := range decode[struct {
			Items []struct {
				Properties struct {
					Email string `json:"email"`
				} `json:"properties"`
				Entities struct {
					S3Keys struct {
						Items []struct {
							ID         string `json:"id"`
							Properties struct {
								Active bool `json:"active"`
							} `json:"properties"`
						} `json:"items"`
					} `json:"s3Keys"`
				} `json:"entities"`
			} `json:"items"`
		}](t, answer).Items {
			for _, k := range user.Entities.S3Keys.Items {
				if user.Properties.Email == "alice@example.com" {
					states[k.ID] = k.Properties.Active
				}
			}
		}
		return states
	}
	before := states()
	for _, wanted := range []string{"changed", "unchanged"} {
		outcomes, dead := l.event("com.example.hr", "Employee Offboarded", `{"employee":{"email":"alice@example.com"}}`)
		if len(outcomes) != 1 || dead != 0 {
			t.Fatalf("outcomes %v, %d dead letters", outcomes, dead)
		}
		said := make(map[string]string)
		for id, active := range before {
			said[id] = wanted
			if !active {
				said[id] = "unchanged"
			}
		}
		want(t, "outcomes", outcomes[0].said(), said)
		for id, active := range states() {
			if active {
				t.Errorf("%s is still active", id)
			}
		}
	}
	if len(before) != 3 {
		t.Errorf("alice has %d keys, want 3", len(before))
	}
}

// TestEndToEnd drives everything through one running program; each part has a person of its own.
func TestEndToEnd(t *testing.T) {
	l := startLaptop(t, new(ionostest.Server))
	for name, part := range map[string]func(*laptop){
		"every trigger and action": everyTriggerAndAction,
		"the guard over HTTP":      guardOverHTTP,
		"the guard over SQS":       guardOverSQS,
		"only key with buckets":    onlyKeyWithBuckets,
		"bad input over HTTP":      badInputOverHTTP,
		"bad input over SQS":       badInputOverSQS,
		"inventory":                inventory,
		"unroutable requests":      unroutable,
		"web pages":                webPages,
		"the same event again":     sameEventAgain,
		"an older event":           olderEvent,
		"an old event":             oldEvent,
		"who left":                 whoLeft,
	} {
		t.Run(name, func(t *testing.T) {
			mine := *l
			mine.t = t
			part(&mine)
		})
	}
}

// TestEndToEndOnDynamoDB is once through all that the functions ask of a ledger, where it is a table.
func TestEndToEndOnDynamoDB(t *testing.T) {
	t.Parallel()
	everyTriggerAndAction(startLaptop(t, new(ionostest.Server), dynamoDB(t)...))
}

func everyTriggerAndAction(l *laptop) {
	for name, send := range triggers() {
		l.t.Run(name, func(t *testing.T) {
			mine := *l
			mine.t = t
			user, keys := mine.person("p"+strings.ToLower(strings.ReplaceAll(name, " ", "-")), 2)
			older, newer := keys[0], keys[1]
			for step, expect := range []struct {
				action, outcome string
				states          map[string]bool
			}{
				{"deactivate", "changed", map[string]bool{older: false, newer: true}},
				{"deactivate", "unchanged", map[string]bool{older: false, newer: true}},
				{"activate", "changed", map[string]bool{older: true, newer: true}},
				{"deactivate", "changed", map[string]bool{older: false, newer: true}},
				{"delete", "changed", map[string]bool{newer: true}},
				{"delete", "unchanged", map[string]bool{newer: true}},
			} {
				outcome := send(&mine, expect.action, user.Email, older, fmt.Sprintf("%s %d", name, step))
				want(t, fmt.Sprintf("outcome of step %d, %s", step, expect.action), outcome.said(), map[string]string{older: expect.outcome})
				want(t, fmt.Sprintf("keys after step %d, %s", step, expect.action), mine.active(user), expect.states)
			}
		})
	}
}

func guardOverHTTP(l *laptop) {
	user, keys := l.person("grace", 2)
	older, newer := keys[0], keys[1]
	path := "/v1/users/" + user.Email + "/keys"
	confirm := fmt.Sprintf(`{"confirm":[%q]}`, newer)
	for _, step := range []struct {
		name, method, path, caller, body string
		status                           int
		said                             map[string]string
	}{
		{"a colleague", http.MethodPost, path + "/deactivate", "bob@example.com", ``, 409, map[string]string{older: "not_permitted", newer: "not_permitted"}},
		{"all keys but one", http.MethodPost, path + "/deactivate", "operator@example.com", ``, 409, map[string]string{older: "changed", newer: "last_active_key"}},
		{"the last active key", http.MethodPost, path + "/" + newer + "/deactivate", "operator@example.com", ``, 409, map[string]string{newer: "last_active_key"}},
		{"an active key", http.MethodDelete, path + "/" + newer, "operator@example.com", confirm, 409, map[string]string{newer: "still_active"}},
		{"the override", http.MethodPost, path + "/" + newer + "/deactivate", "operator@example.com", `{"override":["last_active_key"],"reason":"key leaked"}`, 200, map[string]string{newer: "changed"}},
		{"an unconfirmed deletion", http.MethodDelete, path + "/" + newer, "operator@example.com", ``, 409, map[string]string{newer: "confirmation"}},
		{"the grace period", http.MethodDelete, path + "/" + newer, "operator@example.com", confirm, 409, map[string]string{newer: "grace_period"}},
		{"a dry run", http.MethodPost, path + "/activate", "operator@example.com", `{"dryRun":true}`, 200, map[string]string{older: "changed", newer: "changed"}},
		{"one's own keys", http.MethodPost, path + "/" + newer + "/activate", user.Email, ``, 200, map[string]string{newer: "changed"}},
	} {
		status, answer := l.call(step.method, step.path, step.caller, step.body)
		got := decode[result](l.t, answer)
		want(l.t, step.name+": status", status, step.status)
		want(l.t, step.name+": outcomes", got.said(), step.said)
		for _, k := range got.Keys {
			if k.Outcome == "refused" && (k.Message == "" || k.Remedy == "") {
				l.t.Errorf("%s: a refusal without a message or a remedy: %+v", step.name, k)
			}
			if step.name == "the override" && !slices.Equal(k.Overridden, []string{"last_active_key"}) {
				l.t.Errorf("the override is not in the result: %+v", k)
			}
		}
	}
	want(l.t, "keys", l.active(user), map[string]bool{older: false, newer: true})
	if _, shown := l.call(http.MethodGet, path, "operator@example.com", ""); strings.Contains(shown, "key leaked") {
		l.t.Errorf("the activation after it is not the last change: %s", shown)
	}
}

func guardOverSQS(l *laptop) {
	user, keys := l.person("heidi", 1)
	send := func(more string) result {
		outcomes, dead := l.event("script", "Key Operation Requested", fmt.Sprintf(`{"user":%q,"keys":[%q]%s}`, user.Email, keys[0], more))
		if len(outcomes) != 1 || dead != 0 {
			l.t.Fatalf("%s: outcomes %v, %d dead letters", more, outcomes, dead)
		}
		return outcomes[0]
	}
	refused := send(`,"action":"deactivate"`)
	want(l.t, "the last active key", refused.said(), map[string]string{keys[0]: "last_active_key"})
	if refused.Keys[0].Remedy == "" {
		l.t.Error("no remedy")
	}
	want(l.t, "an active key", send(`,"action":"delete"`).said(), map[string]string{keys[0]: "still_active"})
	overridden := send(`,"action":"deactivate","override":["last_active_key"],"reason":"key leaked"`)
	want(l.t, "the override", overridden.said(), map[string]string{keys[0]: "changed"})
	want(l.t, "the recorded override", overridden.Keys[0].Overridden, []string{"last_active_key"})
	want(l.t, "the grace period", send(`,"action":"delete"`).said(), map[string]string{keys[0]: "grace_period"})
	_, shown := l.call(http.MethodGet, "/v1/users/"+user.Email+"/keys", "operator@example.com", "")
	for _, recorded := range []string{`"overridden":["last_active_key"]`, `"reason":"key leaked"`} {
		if !strings.Contains(shown, recorded) {
			l.t.Errorf("the inventory lacks %s: %s", recorded, shown)
		}
	}
}

func onlyKeyWithBuckets(l *laptop) {
	for name, owned := range map[string]struct {
		buckets int
		broken  bool
		want    string
		status  int
	}{
		"rich":    {1, false, "only_key_with_buckets", 409},
		"unknown": {0, true, "only_key_with_buckets", 409},
		"poor":    {0, false, "changed", 200},
	} {
		user, keys := l.person(name, 1)
		for range owned.buckets {
			l.contract.SetBuckets(user.ID, ionostest.Logrono, "backups")
		}
		if owned.broken {
			l.contract.SwitchKey(user.ID, keys[0], false) // By hand: nobody asked while a key could still list.
		}
		if outcomes, _ := l.event("com.example.hr", "Employee Offboarded", fmt.Sprintf(`{"employee":{"email":%q}}`, user.Email)); len(outcomes) != 1 {
			l.t.Fatalf("%s: %v", name, outcomes)
		}
		if owned.status == http.StatusConflict {
			outcomes, dead := l.event("script", "Key Operation Requested", request("delete", user.Email, keys[0], "over SQS, "+name))
			if len(outcomes) != 1 || dead != 0 {
				l.t.Fatalf("%s over SQS: outcomes %v, %d dead letters", name, outcomes, dead)
			}
			want(l.t, name+" over SQS", outcomes[0].said(), map[string]string{keys[0]: owned.want})
		}
		status, answer := l.call(http.MethodDelete, "/v1/users/"+user.Email+"/keys/"+keys[0], "operator@example.com",
			fmt.Sprintf(`{"confirm":[%q],"override":["grace_period"]}`, keys[0]))
		want(l.t, name, decode[result](l.t, answer).said(), map[string]string{keys[0]: owned.want})
		want(l.t, name+": status", status, owned.status)
	}
}

func badInputOverHTTP(l *laptop) {
	user, keys := l.person("ivan", 2)
	path := "/v1/users/" + user.Email + "/keys/" + keys[0]
	for name, bad := range map[string]struct {
		method, path, caller, body string
		status                     int
		calls                      bool
	}{
		"unknown field":      {http.MethodPost, path + "/deactivate", "operator@example.com", `{"keys":["x"]}`, 400, false},
		"an actor":           {http.MethodPost, path + "/deactivate", "operator@example.com", `{"actor":{"kind":"system"}}`, 400, false},
		"wrong type":         {http.MethodPost, path + "/deactivate", "operator@example.com", `{"dryRun":"no"}`, 400, false},
		"malformed JSON":     {http.MethodPost, path + "/deactivate", "operator@example.com", `{"dryRun":`, 400, false},
		"unknown override":   {http.MethodPost, path + "/deactivate", "operator@example.com", `{"override":["exempt"]}`, 400, false},
		"2 MiB":              {http.MethodPost, path + "/deactivate", "operator@example.com", `{"reason":"` + strings.Repeat("x", 2<<20) + `"}`, 413, false},
		"nobody":             {http.MethodPost, path + "/deactivate", "", ``, 401, false},
		"no user":            {http.MethodPost, "/v1/users/ivan/keys/deactivate", "operator@example.com", ``, 400, false},
		"unknown user":       {http.MethodPost, "/v1/users/nobody@example.com/keys/deactivate", "operator@example.com", ``, 404, true},
		"unknown key":        {http.MethodPost, "/v1/users/" + user.Email + "/keys/ffff/deactivate", "operator@example.com", ``, 404, true},
		"unknown route":      {http.MethodPost, path + "/rotate", "operator@example.com", ``, 404, false},
		"inventory: nobody":  {http.MethodGet, "/v1/users/" + user.Email + "/keys", "", ``, 401, false},
		"inventory: unknown": {http.MethodGet, "/v1/users/nobody@example.com/keys", "operator@example.com", ``, 404, true},
		"inventory: others":  {http.MethodGet, "/v1/users/" + user.Email + "/keys", "grace@example.com", ``, 403, true},
	} {
		before := len(l.contract.Calls())
		status, answer := l.call(bad.method, bad.path, bad.caller, bad.body)
		want(l.t, name+": status", status, bad.status)
		problem := decode[map[string]any](l.t, answer)
		if name != "unknown route" && (problem["detail"] == nil || problem["remedy"] == nil) {
			l.t.Errorf("%s: no clear error: %s", name, answer)
		}
		if called := len(l.contract.Calls()) > before; called != bad.calls {
			l.t.Errorf("%s: IONOS was called: %v, want %v", name, called, bad.calls)
		}
	}
	want(l.t, "keys", l.active(user), map[string]bool{keys[0]: true, keys[1]: true})
}

func badInputOverSQS(l *laptop) {
	user, keys := l.person("judy", 2)
	for name, bad := range map[string]struct {
		detail string
		calls  bool
	}{
		"unknown field":         {fmt.Sprintf(`{"action":"deactivate","user":%q,"key":"x"}`, user.Email), false},
		"wrong type":            {fmt.Sprintf(`{"action":"deactivate","user":%q,"keys":"x"}`, user.Email), false},
		"unknown rule":          {fmt.Sprintf(`{"action":"deactivate","user":%q,"override":["stale"]}`, user.Email), false},
		"from the future":       {fmt.Sprintf(`{"action":"deactivate","user":%q,"occurredAt":"2999-01-01T00:00:00Z"}`, user.Email), false},
		"unknown user":          {`{"action":"deactivate","user":"nobody@example.com"}`, true},
		"unknown key":           {fmt.Sprintf(`{"action":"deactivate","user":%q,"keys":["ffff"]}`, user.Email), true},
		"offboarding by delete": {fmt.Sprintf(`{"action":"delete","user":%q,"offboarding":true}`, user.Email), false},
	} {
		before := len(l.contract.Calls())
		outcomes, dead := l.event("script", "Key Operation Requested", bad.detail)
		if dead != 1 {
			l.t.Errorf("%s: %d dead letters, want the one message among them", name, dead)
		}
		// Of what is a request it is announced that it was given up.
		if announced := len(outcomes) == 1 && outcomes[0].givenUp(); announced != bad.calls || !announced && len(outcomes) > 0 {
			l.t.Errorf("%s: outcomes %v, want one that says given_up: %v", name, outcomes, bad.calls)
		}
		if called := len(l.contract.Calls()) > before; called != bad.calls {
			l.t.Errorf("%s: IONOS was called: %v, want %v", name, called, bad.calls)
		}
	}
	for name, payload := range map[string]string{
		"another function's action": request("delete", user.Email, keys[0], "misdirected"),
		"malformed JSON":            `{"user"`,
	} {
		before := len(l.contract.Calls())
		if _, answer := l.post("/_invoke/Deactivate", payload); !strings.Contains(answer, "errorMessage") || len(l.contract.Calls()) > before {
			l.t.Errorf("%s: %s", name, answer)
		}
	}
	want(l.t, "keys", l.active(user), map[string]bool{keys[0]: true, keys[1]: true})
	outcomes, dead := l.event("com.example.hr", "Employee Offboarded", `{"employee":{"email":"nobody@example.com"}}`)
	if len(outcomes) != 1 || len(outcomes[0].Keys) != 0 || dead != 0 {
		l.t.Errorf("a leaver whom IONOS does not know: outcomes %v, %d dead letters", outcomes, dead)
	}
}

func inventory(l *laptop) {
	user, keys := l.person("ken", 2)
	path := "/v1/users/" + user.ID + "/keys"
	if status, answer := l.call(http.MethodPost, path+"/"+keys[0]+"/deactivate", "operator@example.com", `{"reason":"rotation"}`); status != http.StatusOK {
		l.t.Fatalf("%d %s", status, answer)
	}
	status, answer := l.call(http.MethodGet, path, user.Email, "")
	want(l.t, "status", status, http.StatusOK)
	shown := decode[struct {
		Keys []struct {
			ID         string    `json:"id"`
			Active     bool      `json:"active"`
			Created    time.Time `json:"created"`
			LastChange struct {
				Reason string `json:"reason"`
			} `json:"lastChange"`
			Allowed []string `json:"allowed"`
		} `json:"keys"`
	}](l.t, answer).Keys
	if len(shown) != 2 || shown[0].ID != keys[0] || shown[0].Active || shown[0].LastChange.Reason != "rotation" || shown[0].Created.IsZero() {
		l.t.Errorf("shown: %s", answer)
	}
	want(l.t, "allowed for the inactive one", shown[0].Allowed, []string{"activate"})
	want(l.t, "allowed for the last active one", shown[1].Allowed, []string{})
}

// unroutable sends requests whose action is missing or none, which would match no rule.
func unroutable(l *laptop) {
	for _, action := range []string{``, `"action":"rotate",`, `"action":null,`} {
		if outcomes, dead := l.event("script", "Key Operation Requested", `{`+action+`"user":"alice@example.com"}`); len(outcomes) != 0 || dead != 1 {
			l.t.Errorf("%s: outcomes %v, %d messages for a person to look at", action, outcomes, dead)
		}
	}
	_, answer := l.call(http.MethodGet, "/_queues/UnroutableRequests", "", "")
	waiting := decode[struct {
		Waiting []json.RawMessage `json:"waiting"`
	}](l.t, answer).Waiting
	want(l.t, "waiting", len(waiting), 3)
}

// webPages calls as a page in a browser would that knows of this port.
func webPages(l *laptop) {
	user, keys := l.person("mallory", 1)
	body := fmt.Sprintf(`{"user":%q,"offboarding":true}`, user.Email)
	for name, change := range map[string]func(*http.Request){
		"another origin":    func(r *http.Request) { r.Header.Set("Origin", "https://evil.example.com") },
		"a rebound name":    func(r *http.Request) { r.Host = "evil.example.com:8080" },
		"a form or picture": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		page, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.address+"/_invoke/Deactivate", strings.NewReader(body))
		if err != nil {
			l.t.Fatal(err)
		}
		change(page)
		response, err := l.client.Do(page)
		if err != nil {
			l.t.Fatal(err)
		}
		_ = response.Body.Close()
		want(l.t, name, response.StatusCode, http.StatusForbidden)
	}
	want(l.t, "keys", l.active(user), map[string]bool{keys[0]: true})
}

// TestSecretsStayHidden plants canaries as secret keys and token, drives every path at the most talkative settings,
// errors among them, and looks for the canaries in all that anybody could see.
func TestSecretsStayHidden(t *testing.T) {
	const canary = "CANARYCANARYCANARYCANARYCANARYCANARY"
	contract := new(ionostest.Server)
	ledger := filepath.Join(t.TempDir(), "canary.db")
	l := startLaptop(t, contract, "KEYREEVE_LOG_LEVEL=debug", "IONOS_LOG_LEVEL=trace", "KEYREEVE_LEDGER=bolt:"+ledger)
	token := contract.Token(l.self.ID)

	person := func(name string, keys int) (ionostest.User, string) {
		user := contract.AddUser(ionostest.User{Email: name + "@example.com"})
		last := ""
		for i := range keys {
			last = contract.AddKey(user.ID, ionostest.Key{Active: true, Secret: fmt.Sprintf("%s%04d", canary, i)}).ID
		}
		return user, last
	}
	faults := map[string]ionostest.Plan{
		"none":      nil,
		"401":       ionostest.Always(ionostest.Status(http.StatusUnauthorized, 0)),
		"403":       ionostest.On(http.MethodPut, ionostest.Status(http.StatusForbidden, 0)),
		"429":       ionostest.Nth(1, ionostest.On(http.MethodPut, ionostest.Status(http.StatusTooManyRequests, time.Second))),
		"500":       ionostest.Nth(1, ionostest.On(http.MethodPut, ionostest.Status(http.StatusInternalServerError, 0))),
		"echo":      ionostest.On(http.MethodPut, echo(canary)),
		"malformed": ionostest.On(http.MethodGet, ionostest.Malformed()),
		"truncated": ionostest.Nth(2, ionostest.On(http.MethodGet, ionostest.Truncate())),
		"reset":     ionostest.Nth(1, ionostest.On(http.MethodPut, ionostest.Applied(ionostest.Reset()))),
		"no S3":     nil,
	}
	for name, fault := range faults {
		user, key := person("canary-"+strings.ToLower(strings.ReplaceAll(name, " ", "-")), 3)
		contract.Fault = fault
		if name == "no S3" {
			contract.S3Fault = ionostest.Always(ionostest.Status(http.StatusForbidden, 0))
		}
		path := "/v1/users/" + user.Email + "/keys"
		l.call(http.MethodGet, path, "operator@example.com", "")
		l.call(http.MethodPost, path+"/"+key+"/deactivate", "operator@example.com", `{"reason":"canary"}`)
		l.call(http.MethodPost, path+"/deactivate", "operator@example.com", `{"offboarding":true}`)
		l.call(http.MethodPost, path+"/"+key+"/activate", "operator@example.com", `{"override":["offboarded"]}`)
		l.call(http.MethodDelete, path+"/"+key, "operator@example.com", fmt.Sprintf(`{"confirm":[%q],"override":["grace_period","only_key_with_buckets"]}`, key))
		l.post("/_invoke/Deactivate", fmt.Sprintf(`{"user":%q,"offboarding":true}`, user.Email))
		contract.Fault, contract.S3Fault = nil, nil
		l.event("com.example.hr", "Employee Offboarded", fmt.Sprintf(`{"employee":{"email":%q}}`, user.Email))
	}
	l.call(http.MethodGet, "/_events", "", "")
	for _, queue := range []string{"ActivateQueue", "DeactivateQueue", "DeleteQueue", "ActivateDeadLetters", "DeactivateDeadLetters", "DeleteDeadLetters"} {
		l.call(http.MethodGet, "/_queues/"+queue, "", "")
	}
	remembered, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	seen := l.seen.String()
	if !strings.Contains(string(remembered), `"requestId"`) || strings.Count(seen, `"outcome"`) < 50 || !strings.Contains(seen, "trying again") {
		t.Errorf("too little was driven to prove anything: %d outcomes seen", strings.Count(seen, `"outcome"`))
	}
	for what, content := range map[string]string{"output, results and events": seen, "ledger": string(remembered)} {
		for _, secret := range []string{canary, token, strings.Split(token, ".")[2]} {
			if i := strings.Index(content, secret); i >= 0 {
				t.Errorf("a secret shows in %s: …%s…", what, content[max(0, i-200):min(len(content), i+100)])
			}
		}
	}
}

// echo refuses with an error text that repeats a secret, as a careless server might.
func echo(secret string) ionostest.Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = fmt.Fprintf(w, `{"httpStatus":422,"messages":[{"errorCode":"%[1]s","message":"cannot use %[1]s"}]}`, secret)
		})
	}
}
