package ionos

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"keyreeve/pkg/guard"
)

// identify returns whose the credentials are.
func identify(cfg Config) (guard.Identity, error) {
	switch {
	case cfg.Token != "":
		id, err := tokenUser(cfg.Token)
		if err != nil {
			return guard.Identity{}, &guard.Error{
				Kind:    guard.Credentials,
				Message: "The IONOS token does not say whose it is.",
				Remedy:  "Set IONOS_TOKEN to a token as the IONOS token manager or the Auth API issues it.",
				Err:     err,
			}
		}
		return guard.Identity{ID: id}, nil
	case cfg.Username == "" || cfg.Password == "":
		return guard.Identity{}, &guard.Error{
			Kind:    guard.Credentials,
			Message: "IONOS credentials are missing.",
			Remedy:  "Set IONOS_TOKEN, or both IONOS_USERNAME and IONOS_PASSWORD.",
		}
	case !guard.IsEmail(cfg.Username):
		return guard.Identity{}, &guard.Error{
			Kind:    guard.Credentials,
			Message: "The IONOS user name is not an e-mail address.",
			Remedy:  "Set IONOS_USERNAME to the e-mail address that the user logs in with.",
		}
	default:
		return guard.Identity{Email: cfg.Username}, nil
	}
}

// tokenUser reads the UUID of a token's user from its claims. Only IONOS can check the signature, and does so at
// every call. The errors hold nothing of the token.
func tokenUser(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", errors.New("not a JWT of three parts")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return "", errors.New("the claims are not base64url")
	}
	var claims struct {
		Identity struct {
			UUID string `json:"uuid"`
		} `json:"identity"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", errors.New("the claims are not JSON of the known shape")
	}
	if !guard.IsUUID(claims.Identity.UUID) {
		return "", errors.New("the claim identity.uuid is missing or not a UUID")
	}
	return claims.Identity.UUID, nil
}
