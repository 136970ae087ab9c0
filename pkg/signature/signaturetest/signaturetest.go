// Package signaturetest signs messages as their senders do, for tests and stand-ins. It is written from what the
// senders document and shares nothing with the package that verifies, so that a mistake in one shows in the other.
package signaturetest

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"time"
)

// Sign returns the header by which a sender of a profile vouches for a body. What the profile does not sign, the time
// or the id, is left out. The secret is written as it is configured, but for the profile standard it may also be a
// private key: whsk_ and the 64 bytes of an Ed25519 key in base64. Sign panics where there is no such profile or
// secret.
func Sign(profile, secret string, at time.Time, id string, body []byte) http.Header {
	header := http.Header{}
	seconds := fmt.Sprint(at.Unix())
	switch profile {
	case "slack":
		header.Set("X-Slack-Request-Timestamp", seconds)
		header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(sum(sha256.New, []byte(secret), []byte("v0:"+seconds+":"), body)))
	case "standard":
		header.Set("Webhook-Id", id)
		header.Set("Webhook-Timestamp", seconds)
		header.Set("Webhook-Signature", standard(secret, []byte(id+"."+seconds+"."), body))
	case "workos":
		milliseconds := fmt.Sprint(at.UnixMilli())
		v1 := hex.EncodeToString(sum(sha256.New, []byte(secret), []byte(milliseconds+"."), body))
		header.Set("Workos-Signature", "t="+milliseconds+", v1="+v1)
	case "bamboohr":
		header.Set("X-Bamboohr-Timestamp", seconds)
		header.Set("X-Bamboohr-Signature", hex.EncodeToString(sum(sha256.New, []byte(secret), body, []byte(seconds))))
	case "github":
		header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum(sha256.New, []byte(secret), body)))
	case "hibob":
		header.Set("Bob-Signature", base64.StdEncoding.EncodeToString(sum(sha512.New, []byte(secret), body)))
	case "okta":
		header.Set("Authorization", secret)
	case "scim":
		header.Set("Authorization", "Bearer "+secret)
	default:
		panic("no signature profile " + profile)
	}
	return header
}

func standard(secret string, start, body []byte) string {
	kind, encoded, _ := strings.Cut(secret, "_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case err == nil && kind == "whsec":
		return "v1," + base64.StdEncoding.EncodeToString(sum(sha256.New, key, start, body))
	case err == nil && kind == "whsk" && len(key) == ed25519.PrivateKeySize:
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(key, append(start, body...)))
	}
	panic("the secret must be whsec_ or whsk_ and base64")
}

func sum(algorithm func() hash.Hash, key []byte, parts ...[]byte) []byte {
	mac := hmac.New(algorithm, key)
	for _, part := range parts {
		_, _ = mac.Write(part) // a hash takes everything
	}
	return mac.Sum(nil)
}
