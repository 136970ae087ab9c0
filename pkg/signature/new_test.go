package signature_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/signature"
)

func TestNewRefuses(t *testing.T) {
	const (
		plain  = "The signature profile slack cannot use its secrets: item %d must consist of printable characters other than a comma, with no space at either end."
		begin  = "The signature profile standard cannot use its secrets: item 1 must begin with whsec_ or whpk_."
		base64 = "The signature profile standard cannot use its secrets: item 1 must be base64 after the prefix."
		public = "The signature profile standard cannot use its secrets: item 1 must be base64 of 32 bytes after the prefix."
		good   = "a secret of this many bytes"
	)
	short := func(profile string) string {
		return "The signature profile " + profile + " cannot use its secrets: item 1 must stand for at least 16 bytes."
	}
	for name, test := range map[string]struct {
		profile string
		secrets []string
		want    string
	}{
		"no such profile":           {"stripe", []string{good}, `There is no signature profile "stripe".`},
		"a long name":               {strings.Repeat("x", 100), []string{good}, `There is no signature profile "` + strings.Repeat("x", 80) + `".`},
		"no secret":                 {"slack", nil, "The signature profile slack has no secret."},
		"an empty secret":           {"slack", []string{""}, short("slack")},
		"15 bytes":                  {"github", []string{"fifteen bytes.."}, short("github")},
		"15 bytes in base64":        {"standard", []string{"whsec_AAECAwQFBgcICQoLDA0O"}, short("standard")},
		"2049 bytes":                {"okta", []string{strings.Repeat("x", 2049)}, "The signature profile okta cannot use its secrets: item 1 must have at most 2048 bytes."},
		"a line break at the end":   {"slack", []string{good, "another secret of many bytes\n"}, fmt.Sprintf(plain, 2)},
		"a space at the end":        {"slack", []string{good, "another secret of many bytes "}, fmt.Sprintf(plain, 2)},
		"a space at the start":      {"slack", []string{" another secret of many bytes"}, fmt.Sprintf(plain, 1)},
		"a tab":                     {"slack", []string{"another secret\tof many bytes"}, fmt.Sprintf(plain, 1)},
		"a zero byte":               {"slack", []string{"another secret\x00of many bytes"}, fmt.Sprintf(plain, 1)},
		"a no-break space":          {"slack", []string{"another secret\u00a0of many bytes"}, fmt.Sprintf(plain, 1)},
		"an invisible character":    {"slack", []string{"\ufeffanother secret of many bytes"}, fmt.Sprintf(plain, 1)},
		"a comma":                   {"slack", []string{"another secret,of many bytes"}, fmt.Sprintf(plain, 1)},
		"the same twice":            {"slack", []string{good, "another secret of many bytes", good}, "The signature profile slack cannot use its secrets: item 3 must differ from those before it."},
		"no prefix":                 {"standard", []string{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, begin},
		"a private key":             {"standard", []string{privateKey}, begin},
		"no base64":                 {"standard", []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"}, base64},
		"no padding":                {"standard", []string{"whsec_AAECAwQFBgcICQoLDA0ODw"}, base64},
		"base64 with a line break":  {"standard", []string{"whsec_MfKQ9r8GKYqrTwjU\nPD8ILPZIo2LaLaSw"}, base64},
		"base64 with loose bits":    {"standard", []string{"whsec_AAECAwQFBgcICQoLDA0ODx=="}, base64},
		"base64 for addresses":      {"standard", []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_"}, base64},
		"a public key of 31 bytes":  {"standard", []string{"whpk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="}, public},
		"a public key of 33 bytes":  {"standard", []string{"whpk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"}, public},
		"a public key in no base64": {"standard", []string{"whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMb!="}, public},
	} {
		t.Run(name, func(t *testing.T) {
			secrets := make([]guard.Secret, len(test.secrets))
			for i, s := range test.secrets {
				secrets[i] = guard.NewSecret(s)
			}
			v, err := signature.New(test.profile, secrets, now)
			if err == nil {
				t.Fatalf("made %v", v)
			}
			known := *guard.AsError(err)
			if diff := cmp.Diff(known, guard.Error{Kind: guard.Invalid, Message: test.want, Remedy: "Correct the configuration."}); diff != "" {
				t.Errorf("failed (-got +want):\n%s", diff)
			}
		})
	}
}

func TestNewAccepts(t *testing.T) {
	for name, test := range map[string]struct{ profile, secret string }{
		"16 bytes":                 {"github", "sixteen bytes..."},
		"2048 bytes":               {"okta", strings.Repeat("x", 2048)},
		"a scheme of its own":      {"okta", "Basic a2V5cmVldmU6c2VjcmV0"},
		"other letters than ASCII": {"hibob", "geheimer Schlüssel"},
		"16 bytes in base64":       {"standard", "whsec_AAECAwQFBgcICQoLDA0ODw=="},
		"a public key":             {"standard", publicKey},
	} {
		t.Run(name, func(t *testing.T) {
			newVerifier(t, test.profile, now(), test.secret)
		})
	}
}

func TestVerifierHidesItsSecrets(t *testing.T) {
	for name, s := range senders() {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, s.profile, now(), s.secrets[:]...)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
				for _, form := range []string{s.secrets[0], fmt.Sprintf("%x", s.secrets[0]), fmt.Sprintf("%d", []byte(s.secrets[0]))} {
					if seen := fmt.Sprintf(verb, v); strings.Contains(seen, form) {
						t.Errorf("%s shows the secret: %s", verb, seen)
					}
				}
			}
		})
	}
}
