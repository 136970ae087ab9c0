package signature_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/signature"
	"keyreeve/pkg/signature/signaturetest"
)

// vector is a message whose signature is known from elsewhere.
type vector struct {
	profile, secret string
	header          http.Header
	body            string
	want            signature.Signed
}

const (
	event    = `{"event":"dsync.user.deleted"}`
	anyKey   = "an older brother of the key"
	test     = `{"test": 2432232314}`
	slashCmd = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V" +
		"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
		"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
		"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)

// vectors are published by the sender where it is said so. The other signatures, and all digests, were computed with
// Python's hmac, hashlib and cryptography.
func vectors() map[string]vector {
	standardDigest := "654f04b41da97c531cb89fe848dff1311bfd37e826667226b0478fa70803f108"
	return map[string]vector{
		"slack, published": {
			"slack", "8f742231b10e8888abcd99yyyzzz85a5",
			http.Header{
				"X-Slack-Request-Timestamp": {"1531420618"},
				"X-Slack-Signature":         {"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"},
			},
			slashCmd,
			signature.Signed{At: time.Unix(1531420618, 0).UTC(), Digest: "88ba68b69f9f37684da5fa9f109d00f776736123ea409f7074e2cea51eb29cd6"},
		},
		"standard, published": {
			"standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			http.Header{
				"Webhook-Id": {messageID}, "Webhook-Timestamp": {"1614265330"},
				"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
			},
			test,
			signature.Signed{ID: messageID, At: time.Unix(1614265330, 0).UTC(), Digest: standardDigest},
		},
		"standard with a public key": {
			"standard", publicKey,
			http.Header{
				"Webhook-Id": {messageID}, "Webhook-Timestamp": {"1614265330"},
				"Webhook-Signature": {"v1a,yoUrgEkc12aGqm0n4Sydmdz55xJfTz4AsAgieHFjmkR7LJtqVCZOQYzvvHjI5kAey+r4iaBGxTFRrl2iBQxtDQ=="},
			},
			test,
			signature.Signed{ID: messageID, At: time.Unix(1614265330, 0).UTC(), Digest: standardDigest},
		},
		"workos": {
			"workos", anyKey,
			http.Header{"Workos-Signature": {"t=1626125972272, v1=4080bd5607155848219f53be3ef15f2aea36b462de36ca58d3e460d6ca1234c1"}},
			event,
			signature.Signed{At: time.UnixMilli(1626125972272).UTC(), Digest: "56e4b4de7ea5bc16f16f88a188d63c10e699f6bd09fdd03d7a30b81fcb7d2bc6"},
		},
		"bamboohr": {
			"bamboohr", anyKey,
			http.Header{
				"X-Bamboohr-Timestamp": {"1626125972"},
				"X-Bamboohr-Signature": {"a89e7c785f4016d7e1ebbae7dfabc1a7fc7250b7773d24da149a7aada75d81a8"},
			},
			event,
			signature.Signed{At: time.Unix(1626125972, 0).UTC(), Digest: "d3fbfdd2587b19e7c59c85606d555a7cd57d86bf4afba751bd7c9d65b7e6783b"},
		},
		"github, published": {
			"github", "It's a Secret to Everybody",
			http.Header{"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
			"Hello, World!",
			signature.Signed{Digest: "4888107c7642e20dd87c38f595625b54b33e2aaf5ea2c1f84c52322cf65173ef"},
		},
		"hibob": {
			"hibob", anyKey,
			http.Header{"Bob-Signature": {"2zxht+t6IH2qfi07DLk75ElE6dtyzySNqWnfd7KexOe6uG7KaVfRv63FuRX662nJ0vwITRCDCsnAXQ7TbEeOug=="}},
			event,
			signature.Signed{Digest: "2cea74b6cb3bd81ad80dbbc5c43c604c755c1675e988287cbc3d5cb3ab1ab23a"},
		},
		"okta": {
			"okta", anyKey,
			http.Header{"Authorization": {anyKey}},
			event,
			signature.Signed{Digest: "fb39912e5c94611ba61cab0e9977ade8da6a5038cee54d1a59e4472fef70fe79"},
		},
		"scim": {
			"scim", anyKey,
			http.Header{"Authorization": {"Bearer " + anyKey}},
			event,
			signature.Signed{Digest: "b8a7afe5a42f33cdb185d2facc398604bf0bb8f3851675c2deba02d746d88267"},
		},
	}
}

func TestVectors(t *testing.T) {
	for name, v := range vectors() {
		t.Run(name, func(t *testing.T) {
			at := v.want.At
			if at.IsZero() {
				at = now()
			}
			got, err := newVerifier(t, v.profile, at, v.secret).Verify(v.header, []byte(v.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, v.want); diff != "" {
				t.Errorf("signed (-got +want):\n%s", diff)
			}
			if got.At.Location() != time.UTC {
				t.Errorf("the time is in %s", got.At.Location())
			}
			secret := v.secret
			if secret == publicKey {
				secret = privateKey
			}
			sent := signaturetest.Sign(v.profile, secret, at, messageID, []byte(v.body))
			if diff := cmp.Diff(sent, v.header); diff != "" {
				t.Errorf("the tests sign (-got +want):\n%s", diff)
			}
			if signature.Timed(v.profile) == v.want.At.IsZero() {
				t.Errorf("signs a time: %t", signature.Timed(v.profile))
			}
		})
	}
	if signature.Timed("nobody") {
		t.Error("a profile that does not exist signs a time")
	}
}
