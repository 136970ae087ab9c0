package guard_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"keyreeve/pkg/guard"
)

func TestSecretShowsItselfToNothing(t *testing.T) {
	const canary = "canary-7f3a"
	secret := guard.NewSecret(canary)
	if secret.Reveal() != canary || (guard.Secret{}).Reveal() != "" {
		t.Fatal("a secret is not what it was made of")
	}
	hidden := struct{ secret guard.Secret }{secret} // fmt reads unexported fields without asking their methods.
	var logged bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&logged, nil))
	logger.Info("held", slog.Any("secret", secret), slog.Any("credential", guard.Credential{Secret: secret}))
	encoded, err := json.Marshal(map[string]any{"secret": secret, "credential": guard.Credential{Secret: secret}})
	if err != nil {
		t.Fatal(err)
	}
	asXML, err := xml.Marshal(guard.Credential{Secret: secret}.Secret)
	if err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&logged, nil)).Info("held", slog.Any("secret", secret), slog.Any("hidden", hidden))
	seen := logged.String() + string(encoded) + string(asXML)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t", "%10v"} {
		seen += fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, hidden) + fmt.Sprintf(verb, &secret) + fmt.Sprintf(verb, []guard.Secret{secret})
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary)} {
		if strings.Contains(seen, form) {
			t.Errorf("the secret shows as %q in %s", form, seen)
		}
	}
	if strings.Count(seen, "[redacted]") < 10 {
		t.Errorf("the secret is not said to be redacted: %s", seen)
	}
}
