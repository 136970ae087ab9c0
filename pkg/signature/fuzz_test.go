package signature_test

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/signature/signaturetest"
)

func FuzzSlack(f *testing.F)      { fuzz(f, senders()["slack"]) }
func FuzzStandard(f *testing.F)   { fuzz(f, senders()["standard"]) }
func FuzzAsymmetric(f *testing.F) { fuzz(f, senders()["asymmetric"]) }
func FuzzWorkOS(f *testing.F)     { fuzz(f, senders()["workos"]) }
func FuzzBambooHR(f *testing.F)   { fuzz(f, senders()["bamboohr"]) }
func FuzzGitHub(f *testing.F)     { fuzz(f, senders()["github"]) }
func FuzzHiBob(f *testing.F)      { fuzz(f, senders()["hibob"]) }
func FuzzOkta(f *testing.F)       { fuzz(f, senders()["okta"]) }
func FuzzSCIM(f *testing.F)       { fuzz(f, senders()["scim"]) }

// fuzz sends anything at all. In a header a $ stands for what the sender put there, when it signed the body and some
// more after it. Only what signs the body as it arrived is accepted, as computed in another way.
func fuzz(f *testing.F, s sender) {
	f.Helper()
	f.Add("$", "$", "$", []byte(`{"text":"hello"}`), []byte(nil))
	f.Add("$", "$", "$ $", []byte(`{"text":"hello"}`), []byte(nil))
	f.Add("$", "$", "$, $", []byte(`{"text":"hello"}`), []byte(nil))
	f.Add("$", "$", "$,$", []byte(`{"text":"hello"}`), []byte(nil))
	f.Add("$", "0$", "$", []byte("salary=500"), []byte("0"))
	f.Add("$", "8$", "$", []byte("0"), []byte("8"))
	f.Add("$.1", "1", "$", []byte("2.1"), []byte(nil))
	f.Add("$", " $", " $", []byte("\x00\xff"), []byte("x"))
	f.Add("$", "$", "v1,AAAA $ v2,??", []byte(""), []byte(nil))
	f.Add("$", "$", "$ "+strings.Repeat("v1,AAAA ", 10), []byte(""), []byte(nil))
	f.Add("msg_1", "18446744073709551616", "t=1, v1=00", []byte("{body}{time}"), []byte(nil))
	f.Add("", "", "", []byte(nil), []byte(nil))
	f.Add("$", "$", "bearer an older brother of the key", []byte("{}"), []byte(nil))
	f.Fuzz(func(t *testing.T, id, at, signed string, body, more []byte) {
		header := s.sign(0, now(), slices.Concat(body, more))
		for name, written := range map[string]string{s.id: id, s.time: at, s.signature: signed} {
			if name != "" {
				header.Set(name, strings.ReplaceAll(written, "$", header.Get(name)))
			}
		}
		got, err := newVerifier(t, s.profile, now(), s.secrets[:]...).Verify(header, body)
		if genuine := s.vouches(header, body); genuine != (err == nil) {
			t.Fatalf("%q with %q: %+v, %v; the sender vouches for it: %t", header, body, got, err, genuine)
		}
		if err != nil {
			mustRefuse(t, got, err, header, s.secrets[:]...)
		}
	})
}

// vouches says whether one of the secrets was used to sign the body: it signs it again with what the header says, and
// compares.
func (s sender) vouches(header http.Header, body []byte) bool {
	sent := header.Get(s.signature)
	at := now()
	if s.timed() {
		written := regexp.MustCompile(`^t=([0-9]+), `).FindStringSubmatch(sent)
		if !s.dated {
			written = regexp.MustCompile(`^([0-9]+)$`).FindStringSubmatch(header.Get(s.time))
		}
		if written == nil {
			return false
		}
		n, err := strconv.ParseInt(written[1], 10, 64)
		if err != nil || n > 9999999999999 {
			return false
		}
		at = time.Unix(n, 0)
		if s.dated {
			at = time.UnixMilli(n)
		}
		if age := now().Sub(at); age > s.past || age < -s.future {
			return false
		}
	}
	id := header.Get(s.id)
	if s.id != "" && !regexp.MustCompile(`^[!-+/-~-]{1,256}$`).MatchString(id) || len(sent) > 4096 {
		return false
	}
	for _, secret := range s.signing() {
		want := signaturetest.Sign(s.profile, secret, at, id, body)
		if s.time != "" && header.Get(s.time) != want.Get(s.time) {
			continue
		}
		right := want.Get(s.signature)
		switch s.profile {
		case "standard":
			listed := regexp.MustCompile(`^[^ ,]*,[^ ,]*( [^ ,]*,[^ ,]*){0,9}$`).MatchString(sent)
			if listed && slices.Contains(strings.Split(sent, " "), right) {
				return true
			}
		case "scim":
			if regexp.MustCompile(`^(?i:bearer) ` + regexp.QuoteMeta(secret) + `$`).MatchString(sent) {
				return true
			}
		default:
			if sent == right {
				return true
			}
		}
	}
	return false
}
