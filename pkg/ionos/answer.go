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
		SecretKey string `json:"secretKey"`
		Active    *bool  `json:"active"`
	} `json:"properties"`
}

type userList struct {
	Items []userEntity `json:"items"`
	Links struct {
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

// credentials reads a list of keys. A key is never guessed at: one without an id or its state makes the whole
// answer unreadable, and so does one that is listed twice, as it would count for two.
func credentials(op operation, payload []byte) ([]guard.Credential, error) {
	var list keyList
	if err := decode(op, payload, &list); err != nil {
		return nil, err
	}
	if list.Items == nil {
		return nil, unreadable(op, errors.New("no items in the list of keys"))
	}
	all := make([]guard.Credential, 0, len(list.Items))
	for _, e := range list.Items {
		if e.ID == "" || e.Properties.Active == nil {
			return nil, unreadable(op, errors.New("a key without id or properties.active"))
		}
		if slices.ContainsFunc(all, func(c guard.Credential) bool { return c.Key.ID == e.ID }) {
			return nil, unreadable(op, errors.New("the same key twice"))
		}
		all = append(all, guard.Credential{
			Key: guard.Key{
				ID:       e.ID,
				Active:   *e.Properties.Active,
				Created:  e.Metadata.CreatedDate.Time,
				Modified: e.Metadata.LastModifiedDate.Time,
			},
			Secret: guard.NewSecret(e.Properties.SecretKey),
		})
	}
	return all, nil
}

// user reads a user. Without a word on whether the user may log in, they may: what follows from it is a warning.
func (e userEntity) user(op operation) (guard.User, error) {
	if e.ID == "" || e.Properties == nil {
		return guard.User{}, unreadable(op, errors.New("a user without id or properties"))
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
