package scim

import (
	"strings"
	"time"

	"keyreeve/pkg/guard"
)

const userSchema = "urn:ietf:params:scim:schemas:core:2.0:User"

// resource is a user of the contract as SCIM shows them. Senders set none of it but active, and have no externalId here:
// where would it be kept?
type resource struct {
	Schemas []string `json:"schemas"`
	// ID is the UUID of the IONOS user.
	ID string `json:"id"`
	// UserName is the e-mail address.
	UserName    string  `json:"userName"`
	Name        name    `json:"name,omitzero"`
	DisplayName string  `json:"displayName,omitempty"`
	Emails      []email `json:"emails,omitempty"`
	Active      bool    `json:"active"`
	Meta        meta    `json:"meta"`
}

type name struct {
	Formatted  string `json:"formatted,omitempty"`
	GivenName  string `json:"givenName,omitempty"`
	FamilyName string `json:"familyName,omitempty"`
}

type email struct {
	Value   string `json:"value"`
	Type    string `json:"type"`
	Primary bool   `json:"primary"`
}

type meta struct {
	ResourceType string    `json:"resourceType"`
	Created      time.Time `json:"created,omitzero"`
	Location     string    `json:"location"`
}

// newResource shows the user as IONOS has them. That they have left is for the caller to say.
func newResource(user guard.User) resource {
	shown := stub(user.ID, user.Email)
	full := strings.TrimSpace(user.FirstName + " " + user.LastName)
	shown.Name = name{Formatted: full, GivenName: user.FirstName, FamilyName: user.LastName}
	shown.DisplayName = full
	shown.Emails = []email{{Value: user.Email, Type: "work", Primary: true}}
	shown.Active = user.Active
	shown.Meta.Created = user.Created
	return shown
}

// stub shows an inactive user of whom only the names are known. Its location leaves the host out, because only the
// sender knows by which name it called.
func stub(id, userName string) resource {
	return resource{
		Schemas: []string{userSchema}, ID: id, UserName: userName,
		Meta: meta{ResourceType: "User", Location: Root + "/Users/" + id},
	}
}

// value returns the value at a path in lower case, a string or a bool, and nil where there is none, as for every
// attribute that a user does not have. The one e-mail address stands for all of them.
func (r resource) value(path string) any {
	switch path {
	case "id":
		return present(r.ID)
	case "username", "emails", "emails.value":
		return present(r.UserName)
	case "emails.type":
		return "work"
	case "emails.primary":
		return true
	case "displayname", "name", "name.formatted":
		return present(r.DisplayName)
	case "name.givenname":
		return present(r.Name.GivenName)
	case "name.familyname":
		return present(r.Name.FamilyName)
	case "active":
		return r.Active
	default:
		return nil
	}
}

func present(text string) any {
	if text == "" {
		return nil
	}
	return text
}

type listResponse struct {
	Schemas      []string `json:"schemas"`
	TotalResults int      `json:"totalResults"`
	StartIndex   int      `json:"startIndex"`
	ItemsPerPage int      `json:"itemsPerPage"`
	Resources    any      `json:"Resources"`
}

// listOf returns those of total resources that begin with the one at start, counted from 1.
func listOf[T any](total, start int, resources []T) listResponse {
	return listResponse{
		Schemas:      []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		TotalResults: total, StartIndex: start, ItemsPerPage: len(resources), Resources: resources,
	}
}
