package signaturetest_test

import (
	"testing"
	"time"

	"keyreeve/pkg/signature/signaturetest"
)

// TestSignPanics makes sure that a mistake in a test is not taken for a signature that does not fit. What Sign signs is
// held against published signatures by the tests of the package that verifies.
func TestSignPanics(t *testing.T) {
	for name, test := range map[string]struct{ profile, secret string }{
		"no such profile":    {"stripe", "an older brother of the key"},
		"no prefix":          {"standard", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
		"no base64":          {"standard", "whsec_?"},
		"a public key":       {"standard", "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="},
		"half a private key": {"standard", "whsk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("signed")
				}
			}()
			signaturetest.Sign(test.profile, test.secret, time.Unix(1614265330, 0), "msg_1", []byte("{}"))
		})
	}
}
