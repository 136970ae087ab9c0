package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// event is an event as EventBridge delivers it.
type event struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// completed returns the event with what EventBridge fills in.
func (e event) completed(now time.Time) event {
	e.Version, e.Account, e.Region = "0", accountID, region
	e.ID = cmp.Or(e.ID, newID())
	e.Time = cmp.Or(e.Time, now.UTC().Format(time.RFC3339))
	if e.Resources == nil {
		e.Resources = []string{}
	}
	return e
}

// request is the id of the request that the event is about: its detail's, or else its own.
func (e event) request() string {
	var detail struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(e.Detail, &detail); err != nil {
		return e.ID // an id of another kind is not a request's
	}
	return cmp.Or(detail.ID, e.ID)
}

// requestOf is the id of the request in the body of a message, which may be an event; "" where it names none.
func requestOf(body string) string {
	var e event
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return ""
	}
	return e.request()
}

// entryError is why EventBridge does not take an event.
type entryError struct {
	Code    string `json:"ErrorCode"`
	Message string `json:"ErrorMessage"`
}

func (e *entryError) Error() string { return e.Code + ": " + e.Message }

// validate reports what EventBridge would refuse the event for, whoever sent it.
func (e event) validate() *entryError {
	missing := func(parameter string) *entryError {
		return &entryError{Code: "InvalidArgument", Message: fmt.Sprintf("Parameter %s is not valid. Reason: %s is a required argument.", parameter, parameter)}
	}
	switch {
	case e.Source == "":
		return missing("Source")
	case e.DetailType == "":
		return missing("DetailType")
	case len(e.Detail) == 0:
		return missing("Detail")
	}
	if detail := bytes.TrimSpace(e.Detail); !json.Valid(detail) || detail[0] != '{' {
		return &entryError{Code: "MalformedDetail", Message: "Detail is malformed."}
	}
	return nil
}

// partnerPrefix begins the names of the event sources of AWS' partners, such as aws.partner/okta.com/example/keyreeve.
const partnerPrefix = "aws.partner/"

// fromPartner reports whether a partner of AWS sent the event. Such an event is on the partner event bus of the
// source's name, and on no other.
func (e event) fromPartner() bool { return strings.HasPrefix(e.Source, partnerPrefix) }

// reserved reports whether the source is for AWS itself or its partners.
func (e event) reserved() bool { return strings.HasPrefix(e.Source, "aws.") }

// notAuthorized is the answer to events whose source is reserved for others.
func notAuthorized() *entryError {
	return &entryError{Code: "NotAuthorizedForSourceException", Message: "Not authorized for the source."}
}

// newID returns a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
