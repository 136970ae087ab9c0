package webhook

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/signature"
)

// message is what a sender sent, known to be genuine. Few senders sign any of the header.
type message struct {
	header   http.Header
	body     []byte
	signed   signature.Signed
	now      time.Time
	settings Settings
}

// sender is somebody who says that people leave.
type sender struct {
	// translate returns what the message asks for, which may be nothing. Its errors are of kind [guard.Invalid].
	translate func(message) ([]order, error)
	// handshake answers the GET by which the sender makes sure that the address is meant for it; nil: there is none.
	handshake func(http.Header) (reply, error)
	// test recognises the call by which the sender tries the address, perhaps before it has a secret to sign with; nil:
	// there is none. It asks for nothing, whoever sends it.
	test func(body []byte) bool
	// accepted and ignored are the statuses of the answer to a message that asks for something, and to one that does not.
	// Some senders document which of those of success they count as such.
	accepted, ignored int
}

// senders returns all of them by name: the name of the path, of the source of the requests, of the signature profile, and
// in the configuration.
func senders() map[string]sender {
	return map[string]sender{
		"bamboohr": {translate: bamboohr, accepted: http.StatusAccepted, ignored: http.StatusNoContent},
		"github":   {translate: github, accepted: http.StatusAccepted, ignored: http.StatusNoContent},
		"hibob":    {translate: hibob, test: hibobPing, accepted: http.StatusOK, ignored: http.StatusOK},
		"okta":     {translate: okta, handshake: oktaHandshake, accepted: http.StatusOK, ignored: http.StatusNoContent},
		"standard": {translate: standard, accepted: http.StatusAccepted, ignored: http.StatusNoContent},
		"workos":   {translate: workos, accepted: http.StatusOK, ignored: http.StatusOK},
	}
}

// Names returns the names of all senders that have a path.
func Names() []string {
	return slices.Sorted(maps.Keys(senders()))
}

func (s sender) allowed() string {
	if s.handshake != nil {
		return "GET, POST"
	}
	return "POST"
}

// read decodes what a sender wrote. Members that are not known are the sender's to add.
func read(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return &guard.Error{
			Kind: guard.Invalid, Message: "The message is not the JSON that its sender is known to send.", Err: err,
			Remedy: "Have the sender send JSON, and look in the function's log for what was not understood.",
		}
	}
	return nil
}

// text is a string or a number as a sender wrote it, or an object with one of these as its value. Anything else is none.
type text string

// UnmarshalJSON reads any JSON.
func (t *text) UnmarshalJSON(data []byte) error {
	var object struct {
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(data, &object) == nil && object.Value != nil {
		data = object.Value
	}
	*t = ""
	switch first := data[0]; {
	case first == '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*t = text(s)
	case first == '-' || '0' <= first && first <= '9':
		*t = text(data)
	}
	return nil
}

// instant reads a time as senders write it, with or without a zone, and takes one without for UTC. It is zero for what is
// no time.
func instant(written string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime} {
		if at, err := time.Parse(layout, written); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
