package webhook

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"keyreeve/pkg/guard"
)

// bamboohrHook is what either kind of webhook of BambooHR sends: employees is of the field-based kind, type and data are
// of the event-based one.
//
// The source is BambooHR's documentation: "Field-Based Webhooks", "Event-Based Webhooks", "Global Webhooks", and the
// reference of the events.
type bamboohrHook struct {
	Employees []bamboohrEmployee `json:"employees"`
	Type      string             `json:"type"`
	Data      struct {
		EmployeeID    text          `json:"employeeId"`
		ChangedFields bamboohrNames `json:"changedFields"`
	} `json:"data"`
}

// bamboohrEmployee is what changed of one employee. Of one that was deleted there are no fields.
type bamboohrEmployee struct {
	ID            text           `json:"id"`
	Action        string         `json:"action"`
	ChangedFields bamboohrNames  `json:"changedFields"`
	Fields        bamboohrFields `json:"fields"`
}

// The fields that tell that somebody leaves, as [loosely] has them: the status, Active or Inactive; the employment
// status, which companies name as they like, but for Terminated; and the last day.
const (
	bamboohrStatus      = "status"
	bamboohrEmployment  = "employmentstatus"
	bamboohrHistory     = "employmenthistorystatus" // What the API calls the employment status.
	bamboohrTermination = "terminationdate"
)

// bamboohr translates a webhook. The employee's e-mail address is in one of the fields, or the identity map has the id.
// The times in the body have no part in it: the signature's is later by moments, and is signed by itself.
func bamboohr(m message) ([]order, error) {
	var hook bamboohrHook
	if err := read(m.body, &hook); err != nil {
		return nil, err
	}
	switch {
	case hook.Type == "employee.deleted":
		return []order{leaver("BambooHR: deleted", string(hook.Data.EmployeeID))}, nil
	case hook.Type == "employee.updated" && hook.Data.ChangedFields.have(bamboohrStatus, bamboohrEmployment, bamboohrHistory, bamboohrTermination):
		// BambooHR keeps a log of such answers, for the administrator to see, and does not send the message again.
		return nil, &guard.Error{
			Kind: guard.Invalid, Message: "An event-based webhook does not say whether the employee left.",
			Remedy: "Make a field-based webhook in BambooHR, and let it send the fields Status and Work Email.",
		}
	}
	var orders []order
	for _, e := range hook.Employees {
		if reason := e.leaves(m.now); reason != "" {
			email := e.Fields[loosely(cmp.Or(m.settings.BambooHREmail, "Work Email"))]
			orders = append(orders, leaver("BambooHR: "+reason, email, string(e.ID)))
		}
	}
	return orders, nil
}

// leaves returns why the employee leaves; empty: they stay. The status decides, whatever it was that changed: switching
// off twice changes nothing. The last day decides only where the status is not sent, and only when it is entered: those
// who come back keep the day of the time before.
func (e bamboohrEmployee) leaves(now time.Time) string {
	if strings.EqualFold(e.Action, "deleted") {
		return "deleted"
	}
	for _, name := range []string{bamboohrStatus, bamboohrEmployment, bamboohrHistory} {
		if status := loosely(e.Fields[name]); status == "inactive" || status == "terminated" {
			return name + " " + status
		}
	}
	if e.Fields[bamboohrStatus] == "" && e.ChangedFields.have(bamboohrTermination) && begun(e.Fields[bamboohrTermination], now) {
		return "the termination date has come"
	}
	return ""
}

// begun reports whether it is that day, or later, anywhere on earth: whoever enters "today" means it, wherever they are.
// For a day to come the change of the status follows when it takes effect.
func begun(day string, now time.Time) bool {
	const easternmost = 14 * time.Hour // ahead of UTC
	at, err := time.Parse(time.DateOnly, day)
	return err == nil && !at.After(now.Add(easternmost))
}

// bamboohrFields are the values of fields by their names, written [loosely]. That there are none is documented, not
// whether as an object or as a list.
type bamboohrFields map[string]string

// UnmarshalJSON reads an object, or an empty list.
func (f *bamboohrFields) UnmarshalJSON(data []byte) error {
	if isEmptyList(data) {
		return nil
	}
	var fields map[string]text
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	*f = bamboohrFields{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if value := strings.TrimSpace(string(fields[name])); value != "" {
			(*f)[loosely(name)] = value
		}
	}
	return nil
}

// bamboohrNames are names of fields, which may be an object as well, with the names as its values.
type bamboohrNames []string

// UnmarshalJSON reads a list or an object.
func (n *bamboohrNames) UnmarshalJSON(data []byte) error {
	var list []text
	if json.Unmarshal(data, &list) == nil {
		for _, name := range list {
			*n = append(*n, string(name))
		}
		return nil
	}
	var object map[string]string
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	*n = slices.Sorted(maps.Values(object))
	return nil
}

func (n bamboohrNames) have(fields ...string) bool {
	return slices.ContainsFunc(n, func(name string) bool { return slices.Contains(fields, loosely(name)) })
}

func isEmptyList(data []byte) bool {
	var list []json.RawMessage
	return json.Unmarshal(data, &list) == nil && len(list) == 0
}

// loosely returns the letters and digits of a name in lower case: users of BambooHR may rename fields, and many name
// "Work Email" workEmail.
func loosely(name string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return -1
		}
		return unicode.ToLower(c)
	}, name)
}
