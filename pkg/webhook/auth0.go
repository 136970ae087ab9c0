package webhook

import "strings"

// auth0Event is the detail of an event of Auth0 on EventBridge: an entry of a log stream, or an event of an event stream,
// which is a CloudEvent.
//
// The source is Auth0's documentation: "Log Type Codes" with the log schemas that it publishes, and "Event Types" with
// the reference of user.updated and user.deleted. Of log entries only the type sdu, a deletion, is documented well enough.
// The schema leaves open that its user is the one who was deleted; an event stream says it.
type auth0Event struct {
	// LogID is of a log entry, and so are the date, the type and the user in Data.
	LogID string `json:"log_id"`
	ID    string `json:"id"`
	Type  string `json:"type"`
	Time  string `json:"time"`
	// Purpose is "test" for events that administrators send to try a stream.
	Purpose string `json:"a0purpose"`
	Data    struct {
		Type     string `json:"type"`
		Date     string `json:"date"`
		UserID   string `json:"user_id"`
		UserName string `json:"user_name"`
		Object   struct {
			UserID  string `json:"user_id"`
			Email   string `json:"email"`
			Blocked bool   `json:"blocked"`
		} `json:"object"`
	} `json:"data"`
}

// auth0Partner translates the detail of an event of Auth0: a user who is deleted or blocked leaves.
func auth0Partner(detail []byte, _ Settings) ([]order, error) {
	var event auth0Event
	if err := read(detail, &event); err != nil {
		return nil, err
	}
	if event.Data.Type == "sdu" {
		o := leaver("Auth0: user deleted", event.Data.UserName, event.Data.UserID)
		return []order{o.happened(event.LogID, instant(event.Data.Date))}, nil
	}
	user := event.Data.Object
	var reason string
	switch kind := strings.TrimPrefix(event.Type, "com.auth0."); {
	case event.Purpose == "test":
	case kind == "user.deleted":
		reason = "Auth0: user deleted"
	case kind == "user.updated" && user.Blocked:
		reason = "Auth0: user blocked"
	}
	if reason == "" {
		return nil, nil
	}
	return []order{leaver(reason, user.Email, user.UserID).happened(event.ID, instant(event.Time))}, nil
}
