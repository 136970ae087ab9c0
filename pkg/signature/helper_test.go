package signature_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/signature"
	"keyreeve/pkg/signature/signaturetest"
)

// sender is one that a verifier is configured for.
type sender struct {
	profile string
	// secrets are configured: the newest, and the one before it.
	secrets [2]string
	// signsWith are the private keys of the secrets, where those are public keys.
	signsWith [2]string
	// signature, time and id are the names of its headers; dated says that the time is in the header with the signature.
	signature, time, id string
	dated               bool
	// prefix is what its signature begins with.
	prefix       string
	past, future time.Duration
}

// senders returns one sender a profile, and one more for the other scheme of the profile standard.
func senders() map[string]sender {
	plain := [2]string{"an older brother of the key", "the key of the year before"}
	const (
		five  = 5 * time.Minute
		three = 3 * time.Minute
	)
	standard := sender{
		profile:   "standard",
		secrets:   [2]string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"},
		signature: "Webhook-Signature", time: "Webhook-Timestamp", id: "Webhook-Id", prefix: "v1,", past: five, future: five,
	}
	asymmetric := standard
	asymmetric.prefix = "v1a,"
	asymmetric.secrets = [2]string{publicKey, "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}
	asymmetric.signsWith = [2]string{
		privateKey, "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==",
	}
	return map[string]sender{
		"slack":      {profile: "slack", secrets: plain, signature: "X-Slack-Signature", time: "X-Slack-Request-Timestamp", prefix: "v0=", past: five, future: five},
		"standard":   standard,
		"asymmetric": asymmetric,
		"workos":     {profile: "workos", secrets: plain, signature: "Workos-Signature", dated: true, past: three, future: three},
		"bamboohr":   {profile: "bamboohr", secrets: plain, signature: "X-Bamboohr-Signature", time: "X-Bamboohr-Timestamp", past: 2 * time.Hour, future: five},
		"github":     {profile: "github", secrets: plain, signature: "X-Hub-Signature-256", prefix: "sha256="},
		"hibob":      {profile: "hibob", secrets: plain, signature: "Bob-Signature"},
		"okta":       {profile: "okta", secrets: plain, signature: "Authorization"},
		"scim":       {profile: "scim", secrets: plain, signature: "Authorization", prefix: "Bearer "},
	}
}

// signs reports whether the sender signs its messages, and does not send the secret itself.
func (s sender) signs() bool { return s.signature != "Authorization" }

func (s sender) timed() bool { return s.past != 0 }

// sign signs with one of the two secrets, under the id of all messages.
func (s sender) sign(secret int, at time.Time, body []byte) http.Header {
	return signaturetest.Sign(s.profile, s.signing()[secret], at, messageID, body)
}

// signAs signs with the newest secret under any id.
func (s sender) signAs(id string, at time.Time, body []byte) http.Header {
	return signaturetest.Sign(s.profile, s.signing()[0], at, id, body)
}

// signing returns what the sender has of the secrets.
func (s sender) signing() [2]string {
	if s.signsWith[0] != "" {
		return s.signsWith
	}
	return s.secrets
}

const (
	messageID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	// The key pair whose seed is the bytes 0 to 31.
	publicKey  = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
	privateKey = "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA=="
)

// now is when the messages of the tests arrive.
func now() time.Time { return time.Date(2026, time.November, 22, 10, 0, 0, 0, time.UTC) }

func newVerifier(t rapid.TB, profile string, at time.Time, secrets ...string) *signature.Verifier {
	t.Helper()
	hidden := make([]guard.Secret, len(secrets))
	for i, s := range secrets {
		hidden[i] = guard.NewSecret(s)
	}
	v, err := signature.New(profile, hidden, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mustRefuse checks that an error tells the sender nothing, and the log no more than what was wrong, which it returns.
func mustRefuse(t rapid.TB, got signature.Signed, err error, header http.Header, secrets ...string) string {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted as %+v: %q", got, header)
	}
	known := guard.AsError(err)
	want := guard.Error{
		Kind: guard.Unauthenticated, Message: "Nobody who is known here vouches for this message.",
		Remedy: "Compare the sender's secret with the configured one, and the sender's clock with the time.",
	}
	told := *known
	told.Err = nil
	if diff := cmp.Diff(told, want); diff != "" {
		t.Errorf("told (-got +want):\n%s", diff)
	}
	if got != (signature.Signed{}) {
		t.Errorf("a refused message counts as %+v", got)
	}
	if known.Err == nil {
		t.Fatal("the log is told nothing")
	}
	for _, values := range header {
		secrets = append(secrets, values...)
	}
	for _, confidential := range secrets {
		// Shorter ones stand in sentences by chance.
		if len(confidential) > 8 && strings.Contains(known.Err.Error(), confidential) {
			t.Errorf("the log is told %q", confidential)
		}
	}
	return known.Err.Error()
}
