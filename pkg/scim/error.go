package scim

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// protocolError is an error with what only this protocol says of it.
type protocolError struct {
	err *guard.Error
	// status is the HTTP status; that of the error's kind if zero.
	status int
	// scimType is one of the words of RFC 7644, section 3.12, or empty.
	scimType string
	// allow are the methods that the path takes, where the call's is none of them.
	allow string
}

func (e *protocolError) Error() string { return e.err.Error() }

func (e *protocolError) Unwrap() error { return e.err }

// The words of RFC 7644 for what is wrong.
const (
	invalidFilter = "invalidFilter"
	invalidPath   = "invalidPath"
	invalidSyntax = "invalidSyntax"
	invalidValue  = "invalidValue"
	noTarget      = "noTarget"
	uniqueness    = "uniqueness"
)

// invalid is an error of kind [guard.Invalid].
func invalid(scimType, message, remedy string) error {
	return &protocolError{err: &guard.Error{Kind: guard.Invalid, Message: message, Remedy: remedy}, scimType: scimType}
}

// unauthenticated is the same for every caller who is not known: the cause is for the log.
func unauthenticated(cause error) error {
	return &guard.Error{
		Kind:    guard.Unauthenticated,
		Message: "Nobody vouches for the caller.",
		Remedy:  "Send the bearer token that Keyreeve was given for SCIM.",
		Err:     cause,
	}
}

func nothingThere() error {
	return &guard.Error{Kind: guard.NotFound, Message: "There is nothing at this path."}
}

func nobody(id string) error {
	return &guard.Error{Kind: guard.NotFound, Message: "There is no user " + edge.Clip(id) + "."}
}

func notImplemented(path string) error {
	return &protocolError{
		err:    &guard.Error{Kind: guard.NotFound, Message: "Keyreeve has no " + path + ".", Remedy: "See " + Root + "/ServiceProviderConfig for what there is."},
		status: http.StatusNotImplemented,
	}
}

func notAllowed(method string, endpoints map[string]endpoint) error {
	return &protocolError{
		err:   &guard.Error{Kind: guard.NotAllowed, Message: "This path does not take the method " + edge.Clip(method) + "."},
		allow: strings.Join(slices.Sorted(maps.Keys(endpoints)), ", "),
	}
}

func alreadyThere(userName string) error {
	return &protocolError{
		err: &guard.Error{
			Kind:    guard.Invalid,
			Message: "There is an IONOS user " + userName + " already.",
			Remedy:  "Look them up by userName instead of creating them.",
		},
		status: http.StatusConflict, scimType: uniqueness,
	}
}

func makesNoUsers(userName string) error {
	return &guard.Error{
		Kind:    guard.Forbidden,
		Message: "There is no IONOS user " + edge.Clip(userName) + ", and Keyreeve makes none.",
		Remedy:  "Make the user in IONOS first, or leave this person out of the assignments to Keyreeve.",
	}
}

// notTaken makes the sender of a request that the bus did not take try again.
func notTaken(err error) error {
	const later = 10 * time.Second
	known := *guard.AsError(err)
	if known.RetryAfter == 0 {
		known.RetryAfter = later
	}
	return &known
}

type errorBody struct {
	Schemas  []string `json:"schemas"`
	Status   int      `json:"status,string"`
	ScimType string   `json:"scimType,omitempty"`
	Detail   string   `json:"detail"`
}

// refuse answers a call with err, without its cause, and logs it with it.
func (p *Provider) refuse(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	status, headers, _ := edge.Problem(err)
	known := guard.AsError(err)
	body := errorBody{Schemas: []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, Detail: strings.TrimSpace(known.Message + " " + known.Remedy)}
	if special, ok := errors.AsType[*protocolError](err); ok {
		if special.status != 0 {
			status = special.status
		}
		body.ScimType, headers["Allow"] = special.scimType, special.allow
	}
	body.Status = status
	edge.LogRefusal(ctx, p.Logger, status, err, slog.String("method", edge.Clip(r.Method)), slog.String("path", edge.Clip(r.URL.Path)))
	encoded, encodeErr := edge.Encode(body)
	if encodeErr != nil { // Strings and a number can be encoded; a body that could not be is none.
		encoded = nil
	}
	for name, value := range headers {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	edge.Answer(w, status, contentType, encoded)
}
