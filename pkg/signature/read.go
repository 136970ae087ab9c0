package signature

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxHeader     = 4 << 10 // bytes
	maxID         = 256     // bytes
	maxSignatures = 10
	maxDigits     = 13 // of a time: milliseconds until the year 2286
)

// read returns what the header says. A header that comes twice is an error, because a proxy and a function may then
// take different ones of the two for the one that counts.
func (p profile) read(header http.Header) (claim, error) {
	names := p.names(header)
	signature, err := value(header, names.signature)
	if err != nil {
		return claim{}, err
	}
	var c claim
	if c.time, c.signatures, err = p.split(signature); err != nil {
		return claim{}, err
	}
	if names.time != "" {
		if c.time, err = value(header, names.time); err != nil {
			return claim{}, err
		}
	}
	if names.id != "" {
		if c.id, err = value(header, names.id); err != nil {
			return claim{}, err
		}
		if !isID(c.id) {
			return claim{}, errors.New("the id is none")
		}
	}
	return c, nil
}

func (p profile) names(header http.Header) headers {
	for _, names := range p.headers {
		for _, name := range []string{names.id, names.time, names.signature} {
			if len(header.Values(name)) > 0 {
				return names
			}
		}
	}
	return p.headers[0]
}

func value(header http.Header, name string) (string, error) {
	values := header.Values(name)
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", fmt.Errorf("%s is missing", name)
	case len(values) > 1:
		return "", fmt.Errorf("%s is there %d times", name, len(values))
	case len(values[0]) > maxHeader:
		return "", fmt.Errorf("%s has more than %d bytes", name, maxHeader)
	}
	return values[0], nil
}

// isID reports whether id can be a message's. With a full stop in it the signed bytes could be read in two ways, and a
// comma is what API Gateway puts between two headers of one name.
func isID(id string) bool {
	return len(id) <= maxID && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' || c == '.' || c == ',' })
}

// whole takes the header for one signature. Two that were joined by a comma are none.
func whole(value string) (_ string, signatures []string, _ error) {
	return "", []string{value}, nil
}

// list takes the header for signatures with a space in between. Each consists of its version, a comma and the rest. If
// one has a second comma, two headers were joined.
func list(value string) (_ string, signatures []string, _ error) {
	if strings.Count(value, " ") >= maxSignatures {
		return "", nil, fmt.Errorf("there are more than %d signatures", maxSignatures)
	}
	signatures = strings.Split(value, " ")
	for _, signature := range signatures {
		if strings.Count(signature, ",") != 1 {
			return "", nil, errors.New("the list of signatures is none")
		}
	}
	return "", signatures, nil
}

// dated takes the header for a time and a signature: t=…, v1=….
func dated(value string) (time string, signatures []string, _ error) {
	first, second, found := strings.Cut(value, ", ")
	time, named := strings.CutPrefix(first, "t=")
	if !found || !named {
		return "", nil, errors.New("the signature has no time")
	}
	return time, []string{second}, nil
}

// when returns the signed time in UTC, if the profile has one. Only the one way to write a number is a time: a zero
// before it might have been the end of a body that was signed without a separator.
func (p profile) when(digits string, clock func() time.Time) (time.Time, error) {
	if p.instant == nil {
		return time.Time{}, nil
	}
	if digits == "" || len(digits) > maxDigits || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return time.Time{}, errors.New("the time is none")
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("the time is none")
	}
	at, now := p.instant(n).UTC(), clock()
	switch {
	case at.Before(now.Add(-p.past)):
		return time.Time{}, errors.New("the time is too long ago")
	case at.After(now.Add(p.future)):
		return time.Time{}, errors.New("the time lies too far ahead")
	}
	return at, nil
}
