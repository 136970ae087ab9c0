package webhook

import (
	"net/http"
	"slices"

	"keyreeve/pkg/guard"
)

// oktaEvent is an event of Okta's system log, as far as it matters here. An event hook sends several at a time, a log
// stream to EventBridge one as the detail of an event.
//
// The source is Okta's documentation of event hooks, of the System Log API and of its event types.
type oktaEvent struct {
	UUID      string `json:"uuid"`
	Published string `json:"published"`
	EventType string `json:"eventType"`
	Outcome   struct {
		Result string `json:"result"`
	} `json:"outcome"`
	// Target lists the users and groups that the event is about, in an order that is not documented.
	Target []oktaTarget `json:"target"`
}

type oktaTarget struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	// AlternateID of a user is the login, mostly the e-mail address.
	AlternateID string `json:"alternateId"`
	// DisplayName of a group is its name.
	DisplayName string `json:"displayName"`
}

// oktaHandshake proves to Okta that whoever listens here means to: it wants its challenge back. Anybody gets theirs, as
// the answer tells nothing else.
func oktaHandshake(header http.Header) (reply, error) {
	const longest = 1024 // bytes
	challenge := header.Get("X-Okta-Verification-Challenge")
	if challenge == "" || len(challenge) > longest {
		return reply{}, &guard.Error{
			Kind: guard.Invalid, Message: "The header X-Okta-Verification-Challenge is missing or too long.",
			Remedy: "Let Okta verify the event hook, which sends it.",
		}
	}
	return reply{status: http.StatusOK, body: struct {
		Verification string `json:"verification"`
	}{challenge}}, nil
}

func okta(m message) ([]order, error) {
	var hook struct {
		Data struct {
			Events []oktaEvent `json:"events"`
		} `json:"data"`
	}
	if err := read(m.body, &hook); err != nil {
		return nil, err
	}
	var orders []order
	for _, event := range hook.Data.Events {
		orders = append(orders, event.orders(m.settings.OktaGroups)...)
	}
	return orders, nil
}

// oktaPartner translates the detail of an event of Okta's log stream.
func oktaPartner(detail []byte, settings Settings) ([]order, error) {
	var event oktaEvent
	if err := read(detail, &event); err != nil {
		return nil, err
	}
	return event.orders(settings.OktaGroups), nil
}

// orders returns one for each user whom the event takes access from.
func (e oktaEvent) orders(groups []string) []order {
	if e.Outcome.Result != "SUCCESS" || !e.endsAccess(groups) {
		return nil
	}
	var orders []order
	for _, target := range e.Target {
		if target.Type == "User" {
			o := leaver("Okta: "+e.EventType, target.AlternateID, target.ID)
			orders = append(orders, o.happened(e.UUID, instant(e.Published)))
		}
	}
	return orders
}

func (e oktaEvent) endsAccess(groups []string) bool {
	switch e.EventType {
	case "user.lifecycle.deactivate", "user.lifecycle.suspend", "user.lifecycle.delete.initiated":
		return true
	case "group.user_membership.remove":
		return slices.ContainsFunc(e.Target, func(t oktaTarget) bool {
			return t.Type == "UserGroup" && (slices.Contains(groups, t.ID) || slices.Contains(groups, t.DisplayName))
		})
	default:
		return false
	}
}
