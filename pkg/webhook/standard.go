package webhook

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"time"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// standard takes a request as it is, from whatever a customer builds, or a CloudEvent around one. It is the only sender
// that may switch keys on and delete them, and it hears at once what is wrong with a request.
//
// Which of the two it is, the body says: the Content-Type is not signed, and neither are the ce- headers of the binary
// mode of CloudEvents, which have no part in it. Who asks is the sender, so that the request must not say.
func standard(m message) ([]order, error) {
	event, err := unwrap(m.body)
	if err != nil {
		return nil, err
	}
	request, err := edge.ReadRequest(event.Data)
	if err != nil {
		return nil, err
	}
	if request.Actor != (guard.Actor{}) || request.ApprovedBy != (guard.Actor{}) || request.Source != "" || request.ReplyTo != (guard.ReplyTo{}) {
		return nil, &guard.Error{
			Kind: guard.Invalid, Message: "A request of a webhook must not hold actor, approvedBy, source or replyTo.",
			Remedy: "Leave them out: who asks is the sender that signs.",
		}
	}
	request.ID = cmp.Or(request.ID, event.ID)
	if request.OccurredAt.IsZero() {
		request.OccurredAt = event.Time
	}
	request.OccurredAt = request.OccurredAt.UTC()
	request.Actor = guard.Actor{Kind: guard.System}
	if err := request.Validate(m.now); err != nil {
		return nil, err
	}
	return []order{{request: request}}, nil
}

// cloudEvent is the envelope of CloudEvents 1.0 in the structured mode, as far as it matters here.
type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Time        time.Time       `json:"time"`
	Data        json.RawMessage `json:"data"`
	DataBase64  string          `json:"data_base64"`
}

// unwrap returns the CloudEvent that the body is, with the request as its data. A body that is none is the data itself.
func unwrap(body []byte) (cloudEvent, error) {
	var event cloudEvent
	if err := edge.DecodeEnvelope(body, &event); err != nil {
		return cloudEvent{}, err
	}
	if event.SpecVersion == "" {
		return cloudEvent{Data: body}, nil
	}
	if event.SpecVersion != "1.0" || event.ID == "" || event.Source == "" || event.Type == "" {
		return cloudEvent{}, notCloudEvent("its specversion is not 1.0, or its id, source or type is missing")
	}
	if (event.Data == nil) == (event.DataBase64 == "") {
		return cloudEvent{}, notCloudEvent("it must hold either data or data_base64")
	}
	if event.Data == nil {
		decoded, err := base64.StdEncoding.DecodeString(event.DataBase64)
		if err != nil {
			return cloudEvent{}, notCloudEvent("its data_base64 is not base64")
		}
		event.Data = decoded
	}
	return event, nil
}

func notCloudEvent(problem string) error {
	return &guard.Error{
		Kind: guard.Invalid, Message: "The CloudEvent cannot be read: " + problem + ".",
		Remedy: "Send a request, or a CloudEvent 1.0 with a request as its data.",
	}
}
