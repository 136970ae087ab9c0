package signature

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
	"unicode"
)

// minKey and maxSecret are in bytes: less can be guessed, and more does not fit into a header.
const (
	minKey    = 16
	maxSecret = 2 << 10
)

// scheme is one way to prove that one has a secret.
type scheme struct {
	// prefix is what its secrets begin with.
	prefix string
	// decode returns the key that the rest of a secret stands for. Its errors say what it must be.
	decode func(secret string) ([]byte, error)
	// check returns what tells right signatures of a message from wrong ones.
	check func(key, message []byte) check
}

// check reports whether a signature goes with a message and a key.
type check func(signature string) bool

// key returns the check that a secret makes possible. Its errors say what the secret must be.
func (p profile) key(secret string) (func(message []byte) check, error) {
	if len(secret) > maxSecret {
		return nil, fmt.Errorf("must have at most %d bytes", maxSecret)
	}
	var prefixes []string
	for _, s := range p.schemes {
		rest, ours := strings.CutPrefix(secret, s.prefix)
		if !ours {
			prefixes = append(prefixes, s.prefix)
			continue
		}
		key, err := s.decode(rest)
		if err != nil {
			return nil, err
		}
		if len(key) < minKey {
			return nil, fmt.Errorf("must stand for at least %d bytes", minKey)
		}
		return func(message []byte) check { return s.check(key, message) }, nil
	}
	return nil, fmt.Errorf("must begin with %s", strings.Join(prefixes, " or "))
}

// plain returns the bytes of a secret that are the key as they are.
func plain(secret string) ([]byte, error) {
	odd := func(c rune) bool { return !unicode.IsPrint(c) || c == ',' }
	if strings.ContainsFunc(secret, odd) || strings.Trim(secret, " ") != secret {
		return nil, errors.New("must consist of printable characters other than a comma, with no space at either end")
	}
	return []byte(secret), nil
}

// encoded returns the key that a secret holds in base64.
func encoded(secret string) ([]byte, error) {
	key, ok := decodeBase64(secret)
	if !ok {
		return nil, errors.New("must be base64 after the prefix")
	}
	return key, nil
}

func publicKey(secret string) ([]byte, error) {
	key, ok := decodeBase64(secret)
	if !ok || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("must be base64 of %d bytes after the prefix", ed25519.PublicKeySize)
	}
	return key, nil
}

// decodeBase64 takes the one way to write something in base64. The decoder by itself passes over line breaks.
func decodeBase64(s string) ([]byte, bool) {
	decoded, err := base64.StdEncoding.DecodeString(s)
	return decoded, err == nil && base64.StdEncoding.EncodeToString(decoded) == s
}

// mac checks an HMAC by what it must look like, so that there is one way to write it.
func mac(algorithm func() hash.Hash, prefix string, encode func([]byte) string) func(key, message []byte) check {
	return func(key, message []byte) check {
		sum := hmac.New(algorithm, key)
		_, _ = sum.Write(message) // a hash takes everything
		want := []byte(prefix + encode(sum.Sum(nil)))
		return func(signature string) bool { return hmac.Equal([]byte(signature), want) }
	}
}

// ed25519Of checks a signature in base64. There is no secret in it, so it need not take the same time always.
func ed25519Of(prefix string) func(key, message []byte) check {
	return func(key, message []byte) check {
		return func(signature string) bool {
			rest, named := strings.CutPrefix(signature, prefix)
			decoded, ok := decodeBase64(rest)
			return named && ok && ed25519.Verify(key, message, decoded)
		}
	}
}

// same checks whether the secret itself was sent, after the name of an authentication scheme in any case. Hashes are
// compared, because a comparison of texts tells their length.
func same(prefix string) func(key, message []byte) check {
	return func(key, _ []byte) check {
		want := sha256.Sum256(key)
		return func(value string) bool {
			if len(value) < len(prefix) || !strings.EqualFold(value[:len(prefix)], prefix) {
				return false
			}
			got := sha256.Sum256([]byte(value[len(prefix):]))
			return hmac.Equal(got[:], want[:])
		}
	}
}
