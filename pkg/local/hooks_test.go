package main_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/signature/signaturetest"
)

// sender is one as the end-to-end tests play it.
type sender struct {
	name string
	// says returns the call that tells that the person left, unsigned.
	says func(user ionostest.User, name string) call
	// window is how old a signed time may be; zero where none is signed.
	window time.Duration
	// bodyUnsigned: the secret itself is sent, and vouches for whatever comes with it.
	bodyUnsigned bool
	// status of the answer when it is taken.
	status int
}

// call is an HTTP call of a sender.
type call struct {
	method, path string
	header       http.Header
	body         string
}

func post(path string, body string) call {
	return call{method: http.MethodPost, path: path, body: body}
}

func email(name string) string { return name + "@example.com" }

func senders() []sender {
	moment := func() string { return time.Now().UTC().Format(time.RFC3339Nano) }
	return []sender{
		{name: "okta", bodyUnsigned: true, status: http.StatusOK, says: func(_ ionostest.User, name string) call {
			return post("/hooks/okta", fmt.Sprintf(`{"eventId":"e-%[1]s","data":{"events":[{"uuid":"u-%[1]s","published":%[2]q,
				"eventType":"user.lifecycle.deactivate","outcome":{"result":"SUCCESS"},
				"target":[{"id":"00u-%[1]s","type":"User","alternateId":"%[1]s@example.com"}]}]}}`, name, moment()))
		}},
		{name: "scim", bodyUnsigned: true, status: http.StatusOK, says: func(user ionostest.User, _ string) call {
			return call{
				method: http.MethodPatch, path: "/scim/v2/Users/" + user.ID,
				body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`,
			}
		}},
		{name: "standard", window: 5 * time.Minute, status: http.StatusAccepted, says: func(_ ionostest.User, name string) call {
			return post("/hooks/standard", fmt.Sprintf(`{"action":"deactivate","user":%q,"offboarding":true,"reason":"left"}`, email(name)))
		}},
		{name: "github", status: http.StatusAccepted, says: func(_ ionostest.User, name string) call {
			c := post("/hooks/github", fmt.Sprintf(`{"action":"member_removed","membership":{"user":{"login":%q,"id":1}},"organization":{"login":"example"}}`, name))
			c.header = http.Header{"X-Github-Event": {"organization"}}
			return c
		}},
		{name: "bamboohr", window: 2 * time.Hour, status: http.StatusAccepted, says: func(_ ionostest.User, name string) call {
			return post("/hooks/bamboohr", fmt.Sprintf(`{"employees":[{"id":%q,"action":"Updated","changedFields":["Status"],"fields":{"Status":"Inactive","Work Email":%q}}]}`, name, email(name)))
		}},
		{name: "hibob", status: http.StatusOK, says: func(_ ionostest.User, name string) call {
			return post("/hooks/hibob", fmt.Sprintf(`{"companyId":1,"type":"employee.left","triggeredAt":%q,"version":"v2","data":{"employeeId":%q}}`, moment(), name))
		}},
		{name: "workos", window: 3 * time.Minute, status: http.StatusOK, says: func(_ ionostest.User, name string) call {
			return post("/hooks/workos", fmt.Sprintf(`{"id":"event_%[1]s","event":"dsync.user.updated","created_at":%[2]q,"data":{"id":"d-%[1]s","state":"inactive","email":"%[1]s@example.com"}}`, name, moment()))
		}},
	}
}

// secret returns one of a sender's: the new one, the old one that is being replaced, or one that never was.
func secret(sender, which string) string {
	plain := which + "-secret-of-" + sender
	if sender == "standard" {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(plain))
	}
	return plain
}

// sign signs the call as the sender does.
func (c call) sign(s sender, which string, at time.Time) call {
	signed := c
	signed.header = signaturetest.Sign(s.name, secret(s.name, which), at, "msg_"+fmt.Sprintf("%x", sha256.Sum256([]byte(c.body))), []byte(c.body))
	signed.header.Set("Content-Type", "application/json")
	maps.Copy(signed.header, c.header)
	return signed
}

// deliver makes the call.
func (l *laptop) deliver(c call) reply {
	l.t.Helper()
	got, err := l.exchange(c)
	if err != nil {
		l.t.Fatal(err)
	}
	return got
}

// exchange is deliver for goroutines of a test.
func (l *laptop) exchange(c call) (reply, error) {
	request, err := http.NewRequestWithContext(l.t.Context(), c.method, l.address+c.path, strings.NewReader(c.body))
	if err != nil {
		return reply{}, err
	}
	request.Header = c.header
	response, err := l.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.TeeReader(response.Body, l.seen))
	return reply{response.StatusCode, response.Header, string(content)}, err
}

// idle waits until all that was asked for is done. The program answers after half a minute in any case.
func (l *laptop) idle() {
	l.t.Helper()
	status, answer := 0, ""
	for range 4 {
		if status, answer = l.call(http.MethodGet, "/_idle", "", ""); status == http.StatusOK {
			return
		}
	}
	l.t.Fatalf("not idle: %d %s", status, answer)
}

// sendersOn switches all senders on and tells who is meant by the names.
func sendersOn(t *testing.T, names []string) []string {
	t.Helper()
	var items []string
	for _, name := range names {
		items = append(items, "github:"+name+"="+email(name), "hibob:"+name+"="+email(name))
	}
	path := filepath.Join(t.TempDir(), "identities")
	if err := os.WriteFile(path, []byte(strings.Join(items, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := []string{"KEYREEVE_IDENTITY_MAP=file:" + path}
	for _, s := range senders() {
		settings = append(settings, "KEYREEVE_WEBHOOK_"+strings.ToUpper(s.name)+"_SECRET="+secret(s.name, "new")+","+secret(s.name, "old"))
	}
	return settings
}

// attempt is a way to make a sender's call, and whether it must be taken.
type attempt struct {
	name  string
	make  func(unsigned call) call
	taken bool
}

// attempts returns all that the sender's calls have to be held against.
func (s sender) attempts() []attempt {
	signed := func(which string, age time.Duration) func(call) call {
		return func(c call) call { return c.sign(s, which, time.Now().Add(-age)) }
	}
	altered := func(alter func(*call)) func(call) call {
		return func(c call) call {
			c = c.sign(s, "new", time.Now())
			alter(&c)
			return c
		}
	}
	all := []attempt{
		{"right", signed("new", 0), true},
		{"the old secret", signed("old", 0), true},
		{"a body in base64", altered(func(c *call) { c.header.Set("Content-Type", "application/octet-stream") }), true},
		{"a wrong secret", signed("no", 0), false},
	}
	if s.window > 0 {
		all = append(all, attempt{"just in time", signed("new", s.window-10*time.Second), true},
			attempt{"too old", signed("new", s.window+time.Second), false},
			attempt{"from the future", signed("new", -10*time.Minute), false})
	}
	if !s.bodyUnsigned {
		all = append(all, attempt{"a body with another byte", altered(func(c *call) { c.body = strings.Replace(c.body, ":", " :", 1) }), false})
	}
	for header := range (call{}).sign(s, "new", time.Now()).header {
		if header == "Content-Type" {
			continue
		}
		all = append(all,
			attempt{"without " + header, altered(func(c *call) { c.header.Del(header) }), false},
			attempt{header + " twice", altered(func(c *call) { c.header.Add(header, c.header.Get(header)) }), false},
			attempt{"another " + header, altered(func(c *call) { c.header.Set(header, otherwise(c.header.Get(header))) }), false})
	}
	return all
}

// otherwise changes one character in the last third, where the signature is whatever stands before it.
func otherwise(value string) string {
	at := len(value) * 2 / 3
	other := byte('1')
	if value[at] == other {
		other = '2'
	}
	return value[:at] + string(other) + value[at+1:]
}

// TestEverySender goes from a signed HTTP call to keys that are inactive, and from everything that is not quite right
// to nothing at all.
func TestEverySender(t *testing.T) {
	named := func(s sender, a attempt) string {
		return s.name + "-" + strings.ToLower(strings.ReplaceAll(a.name, " ", "-"))
	}
	var names []string
	for _, s := range senders() {
		for _, a := range s.attempts() {
			names = append(names, named(s, a))
		}
	}
	l := startLaptop(t, new(ionostest.Server), sendersOn(t, names)...)
	for _, s := range senders() {
		t.Run(s.name, func(t *testing.T) {
			var refusal *reply
			for _, a := range s.attempts() {
				mine := *l
				mine.t = t
				name := named(s, a)
				user, _ := mine.person(name, 2)
				c := a.make(s.says(user, name))
				if a.taken {
					mine.takes(s, a, c, user)
					continue
				}
				got := mine.refuses(a, c, user)
				got.header.Del("Date")
				if refusal == nil {
					refusal = &got
				}
				want(t, a.name+": the answer next to that of another refusal", got.body, refusal.body)
				want(t, a.name+": its headers", got.header, refusal.header)
			}
		})
	}
}

// takes sends a call that is right, twice.
func (l *laptop) takes(s sender, a attempt, c call, user ionostest.User) {
	l.t.Helper()
	first := l.deliver(c)
	l.idle()
	want(l.t, a.name+": status", first.status, s.status)
	for id, active := range l.active(user) {
		if active {
			l.t.Errorf("%s: %s is still active: %s", a.name, id, first.body)
		}
	}
	before, requested := len(l.contract.Calls()), l.requested()
	again := l.deliver(c)
	l.idle()
	want(l.t, a.name+", once more: status", again.status, first.status)
	if s.name == "scim" { // Whoever has the token needs no replay; and the second time nothing changes.
		return
	}
	want(l.t, a.name+", once more: answer", again.body, first.body)
	want(l.t, a.name+", once more: calls to IONOS", len(l.contract.Calls())-before, 0)
	want(l.t, a.name+", once more: requests", l.requested()-requested, 0)
}

// refuses sends a call that is not right.
func (l *laptop) refuses(a attempt, c call, user ionostest.User) reply {
	l.t.Helper()
	before, requested := len(l.contract.Calls()), l.requested()
	got := l.deliver(c)
	l.idle()
	want(l.t, a.name+": status", got.status, http.StatusUnauthorized)
	want(l.t, a.name+": calls to IONOS", len(l.contract.Calls())-before, 0)
	want(l.t, a.name+": requests", l.requested()-requested, 0)
	for id, active := range l.active(user) {
		if !active {
			l.t.Errorf("%s: %s was switched off", a.name, id)
		}
	}
	return got
}

// requested returns how many requests there have been on the bus, and how many messages from chat.
func (l *laptop) requested() int {
	l.t.Helper()
	aside := *l
	aside.seen = new(record)
	_, events := aside.call(http.MethodGet, "/_events", "", "")
	return strings.Count(events, `"Key Operation Requested"`) + strings.Count(events, `"Chat Message Received"`)
}
