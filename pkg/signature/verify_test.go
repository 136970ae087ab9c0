package signature_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/signature"
)

// message is what arrives, and when.
type message struct {
	header http.Header
	body   []byte
	now    time.Time
}

// send returns a message that is accepted: signed at this moment with the newest secret.
func (s sender) send() message {
	body := []byte(`{"text":"hello"}`)
	return message{s.sign(0, now(), body), body, now()}
}

// change puts something else into a header.
func (m message) change(name string, to func(value string) string) {
	m.header.Set(name, to(m.header.Get(name)))
}

func TestVerifyAccepts(t *testing.T) {
	for name, s := range senders() {
		cases := map[string]func(*message){
			"signed with the newest secret": func(*message) {},
			"signed with the older secret":  func(m *message) { m.header = s.sign(1, now(), m.body) },
			"an empty body":                 func(m *message) { m.body = nil; m.header = s.sign(0, now(), nil) },
			"a body that is no text":        func(m *message) { m.body = []byte("\x00\xff{body}{time}{id}"); m.header = s.sign(0, now(), m.body) },
			"headers that do not matter":    func(m *message) { m.header["X-Other"] = []string{"1", "2"} },
		}
		if s.timed() {
			cases["just not too late"] = func(m *message) { m.now = m.now.Add(s.past) }
			cases["just not too early"] = func(m *message) { m.now = m.now.Add(-s.future) }
		}
		if s.profile == "standard" {
			cases["under the names of Svix"] = func(m *message) { m.header = svix(m.header) }
			cases["under both names, those of Svix wrong"] = func(m *message) {
				for name := range svix(m.header) {
					m.header.Set(name, "1")
				}
			}
			cases["second in the list"] = func(m *message) {
				m.change(s.signature, func(value string) string { return "v1,AAAA " + value })
			}
			cases["both secrets in the list"] = func(m *message) {
				older := s.sign(1, now(), m.body).Get(s.signature)
				m.change(s.signature, func(value string) string { return value + " " + older })
			}
			cases["other versions in the list"] = func(m *message) {
				m.change(s.signature, func(value string) string { return "v2,?? " + value + " v1b,AAAA" })
			}
			cases["last of ten in the list"] = func(m *message) {
				m.change(s.signature, func(value string) string { return strings.Repeat("v1,AAAA ", 9) + value })
			}
			cases["an id of 256 bytes"] = func(m *message) {
				m.header = s.signAs(strings.Repeat("x", 256), now(), m.body)
			}
			cases["an id with all kinds of characters"] = func(m *message) { m.header = s.signAs(`evt:1/2-3_4"%+`, now(), m.body) }
		}
		if s.profile == "scim" {
			cases["bearer in small letters"] = func(m *message) { m.header.Set("Authorization", "bearer "+s.secrets[0]) }
			cases["bearer in capitals"] = func(m *message) { m.header.Set("Authorization", "BEARER "+s.secrets[0]) }
		}
		for _, scenario := range slices.Sorted(maps.Keys(cases)) {
			t.Run(name+"/"+scenario, func(t *testing.T) {
				m := s.send()
				cases[scenario](&m)
				got, err := newVerifier(t, s.profile, m.now, s.secrets[:]...).Verify(m.header, m.body)
				if err != nil {
					t.Fatal(err)
				}
				want := signature.Signed{Digest: got.Digest}
				if s.timed() {
					want.At = now()
				}
				if s.id != "" {
					want.ID = m.header.Get(s.id)
					if want.ID == "" {
						want.ID = messageID
					}
				}
				if diff := cmp.Diff(got, want); diff != "" {
					t.Errorf("signed (-got +want):\n%s", diff)
				}
			})
		}
	}
}

func svix(header http.Header) http.Header {
	renamed := http.Header{}
	for name, values := range header {
		renamed[strings.Replace(name, "Webhook-", "Svix-", 1)] = values
	}
	return renamed
}

func TestVerifyRefuses(t *testing.T) {
	for name, s := range senders() {
		cases := s.refusals()
		for _, scenario := range slices.Sorted(maps.Keys(cases)) {
			t.Run(name+"/"+scenario, func(t *testing.T) {
				m := s.send()
				cases[scenario].spoil(&m)
				got, err := newVerifier(t, s.profile, m.now, s.secrets[:]...).Verify(m.header, m.body)
				if logged := mustRefuse(t, got, err, m.header, s.secrets[:]...); logged != cases[scenario].want {
					t.Errorf("the log is told %q, want %q", logged, cases[scenario].want)
				}
			})
		}
	}
}
