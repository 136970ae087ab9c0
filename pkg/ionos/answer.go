package ionos

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"keyreeve/pkg/guard"
)

// The answers are read here rather than taken from the models of the SDK. Those fail on a date they cannot read,
// take an empty body for an empty list, and do not tell a member that is false from one that is missing.

type keyList struct {
	Items []keyEntity `json:"items"`
}

type keyEntity struct {
	ID       string `json:"id"`
	Metadata struct {
		CreatedDate      timestamp `json:"createdDate"`
		LastModifiedDate timestamp `json:"lastModifiedDate"`
	} `json:"metadata"`
	Properties struct {
		Active *bool `json:"active"`
	} `json:"properties"`
}

// secretList is what a keyList leaves out, item by item: only who needs the secrets decodes them.
type secretList struct {
	Items []struct {
		Properties struct {
			SecretKey string `json:"secretKey"`
		} `json:"properties"`
	} `json:"items"`
}

type userList struct {
	Items []userEntity `json:"items"`
	// Offset is nil where the answer does not say which page it is.
	Offset *int `json:"offset"`
	Links  struct {
		Next string `json:"next"`
	} `json:"_links"`
}

type userEntity struct {
	ID       string `json:"id"`
	Metadata struct {
		CreatedDate timestamp `json:"createdDate"`
	} `json:"metadata"`
	Properties *struct {
		FirstName     string `json:"firstname"`
		LastName      string `json:"lastname"`
		Email         string `json:"email"`
		Administrator bool   `json:"administrator"`
		Active        *bool  `json:"active"`
	} `json:"properties"`
	Entities userEntities `json:"entities"`
}

// userEntities is what is nested in a user as far as the depth of the call reaches, or IONOS cares to.
type userEntities struct {
	S3Keys keyList `json:"s3Keys"`
}

// UnmarshalJSON never fails: keys that cannot be read in this place can be asked for.
func (e *userEntities) UnmarshalJSON(raw []byte) error {
	type plain userEntities
	var read plain
	if json.Unmarshal(raw, &read) == nil {
		*e = userEntities(read)
	}
	return nil
}

type contractList struct {
	Items []struct {
		Properties struct {
			ContractNumber int64  `json:"contractNumber"`
			Owner          string `json:"owner"`
		} `json:"properties"`
	} `json:"items"`
}

// timestamp is a date that is zero where it cannot be read, which for a key means that its age is not known.
type timestamp struct{ time.Time }

// UnmarshalJSON never fails: a key whose date is strange can still be switched off.
func (t *timestamp) UnmarshalJSON(raw []byte) error {
	t.Time = parseTime(strings.Trim(string(raw), `"`))
	return nil
}

// parseTime reads a date with or without a zone, in UTC where there is none.
func parseTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		// A shift to UTC can lead out of the years that can be written again.
		if t, err := time.Parse(layout, s); err == nil && t.UTC().Year() > 0 && t.UTC().Year() < 10_000 {
			return t.UTC()
		}
	}
	return time.Time{}
}

// decode reads an answer into v. Its error holds nothing of the answer.
func decode(op operation, payload []byte, v any) error {
	if err := json.Unmarshal(payload, v); err != nil {
		return unreadable(op, fmt.Errorf("%T in an answer of %d bytes", err, len(payload)))
	}
	return nil
}

// whole reports whether the list has its items, and each of them its id and its state. A key is never guessed at.
func (l keyList) whole() bool {
	return l.Items != nil && !slices.ContainsFunc(l.Items, func(e keyEntity) bool { return e.ID == "" || e.Properties.Active == nil })
}

// keys returns the keys of the list. One that is listed twice makes the whole answer unreadable, as it would count
// for two.
func (l keyList) keys(op operation) ([]guard.Key, error) {
	if !l.whole() {
		return nil, unreadable(op, errors.New("no items in a list of keys, or a key without id or properties.active"))
	}
	all := make([]guard.Key, 0, len(l.Items))
	for _, e := range l.Items {
		if slices.ContainsFunc(all, func(k guard.Key) bool { return k.ID == e.ID }) {
			return nil, unreadable(op, errors.New("the same key twice"))
		}
		all = append(all, guard.Key{
			ID:       e.ID,
			Active:   *e.Properties.Active,
			Created:  e.Metadata.CreatedDate.Time,
			Modified: e.Metadata.LastModifiedDate.Time,
		})
	}
	return all, nil
}

// user reads a user. Without a word on whether the user may log in, they may: what follows from it is a warning.
func (e userEntity) user(op operation) (guard.User, error) {
	if pathSafe("a user", e.ID) != nil || e.Properties == nil {
		return guard.User{}, unreadable(op, errors.New("a user without properties, or without an id that a call can name"))
	}
	return guard.User{
		ID:            e.ID,
		Email:         e.Properties.Email,
		Administrator: e.Properties.Administrator,
		Active:        e.Properties.Active == nil || *e.Properties.Active,
		FirstName:     e.Properties.FirstName,
		LastName:      e.Properties.LastName,
		Created:       e.Metadata.CreatedDate.Time,
	}, nil
}
