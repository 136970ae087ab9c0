package guard

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a value that must not be seen: whatever prints, logs or encodes it shows "[redacted]". Only
// [Secret.Reveal] returns it. The zero Secret is empty.
type Secret struct {
	// A function, because fmt looks into unexported fields past every method, and into a function it cannot.
	reveal func() string
}

const redacted = "[redacted]"

// NewSecret returns the secret that s is.
func NewSecret(s string) Secret { return Secret{reveal: func() string { return s }} }

// Reveal returns the secret itself.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Format redacts the secret for every verb of fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue redacts the secret for slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts the secret for JSON and other encodings.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Credential is an access key with its secret: what it takes to sign a request to Object Storage.
type Credential struct {
	Key    Key
	Secret Secret
}
