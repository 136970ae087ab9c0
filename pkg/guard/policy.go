package guard

import (
	"errors"
	"path"
	"strings"
	"time"
	"unicode"
)

// Policy is what the operator of Keyreeve decided.
type Policy struct {
	// DeleteGrace is how long a key stays inactive before it may be deleted.
	DeleteGrace time.Duration
	// EventMaxAge is how old an event may be and still be acted on.
	EventMaxAge time.Duration
	// MaxChanges is how many keys may be changed within an hour, over all users.
	MaxChanges int
	// Exemptions are the users and keys that Keyreeve leaves alone.
	Exemptions []Exemption
	// Operators are patterns of actors that count as administrators of the contract without being one in IONOS.
	Operators []Pattern
	// SCIMActivates lets an identity provider switch keys on over SCIM, also those of somebody whom it said had left.
	SCIMActivates bool
}

// Exemption keeps Keyreeve off the users and keys that its pattern names.
type Exemption struct {
	Pattern Pattern
	// Until is the moment the exemption ends; zero for one without an end.
	Until time.Time
}

// ParseExemption reads "pattern" or "pattern@2027-01-31", the last day on which the exemption holds, in UTC. Its
// errors complete a sentence about s and do not repeat it.
func ParseExemption(s string) (Exemption, error) {
	s = strings.TrimSpace(s)
	name, day, dated := cutLast(s, "@")
	if !dated || strings.Trim(day, "0123456789-") != "" {
		pattern, err := parseExempt(s)
		return Exemption{Pattern: pattern}, err
	}
	last, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return Exemption{}, errors.New("ends in something like a date that is none: write pattern@2027-01-31")
	}
	pattern, err := parseExempt(name)
	return Exemption{Pattern: pattern, Until: last.AddDate(0, 0, 1)}, err
}

// parseExempt reads a pattern of users and keys, and refuses one that can name none: it would exempt nobody.
func parseExempt(s string) (Pattern, error) {
	pattern, err := ParsePattern(s)
	if err != nil {
		return "", err
	}
	literal := !strings.ContainsAny(string(pattern), `*?[\`)
	if strings.ContainsFunc(string(pattern), unicode.IsSpace) || strings.Count(string(pattern), "@") > 1 ||
		literal && strings.Contains(string(pattern), "@") && !IsEmail(string(pattern)) {
		return "", errors.New("names neither a user nor a key: write alice@example.com, *@example.com or either with @2027-01-31")
	}
	return pattern, nil
}

func (e Exemption) holds(now time.Time) bool { return e.Until.IsZero() || now.Before(e.Until) }

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// Pattern matches a name without regard to case; * stands for any run of characters without a slash.
type Pattern string

// ParsePattern reads one pattern, which must not be empty. Its errors complete a sentence about s and do not repeat it.
func ParsePattern(s string) (Pattern, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" {
		return "", errors.New("is empty")
	}
	if _, err := path.Match(s, ""); err != nil {
		return "", errors.New("has an open bracket or a lone backslash")
	}
	return Pattern(s), nil
}

// Matches reports whether the pattern names s. An empty s is never named.
func (p Pattern) Matches(s string) bool {
	matched, err := path.Match(string(p), strings.ToLower(s))
	return err == nil && matched && s != ""
}

// Trusts reports whether the policy itself makes the actor an administrator. Besides e-mails a pattern may name
// the ARN of an operator that has none, as a script's role has.
func (p Policy) Trusts(a Actor) bool {
	for _, pattern := range p.Operators {
		if pattern.Matches(a.Email) || a.Kind == Operator && a.Email == "" && pattern.Matches(a.Name) {
			return true
		}
	}
	return false
}
