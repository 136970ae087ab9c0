package webhook

import (
	"cmp"
	"encoding/json"
	"strings"
)

// hibobEvent is an event of an employee's life, in either of the two shapes that HiBob sends.
//
// The source is HiBob's documentation: "Getting started with Webhooks", "Migrate to Webhooks V2", "Employee data
// Webhooks", and its changelog, which says that employee.deleted has the e-mail address. Version 1 is as its receivers
// read it, as it is documented no more.
type hibobEvent struct {
	Type string `json:"type"`
	// Data is of version 2. It has an e-mail address where the employee was deleted.
	Data struct {
		EmployeeID text   `json:"employeeId"`
		Email      string `json:"email"`
	} `json:"data"`
	// TriggeredAt has no zone; UTC is assumed.
	TriggeredAt string `json:"triggeredAt"`
	// Employee and CreationDate are of version 1.
	Employee struct {
		ID    text   `json:"id"`
		Email string `json:"email"`
	} `json:"employee"`
	CreationDate string `json:"creationDate"`
}

// hibobPing recognises the call with which HiBob tries an address when a webhook is made: a text, or an object with it.
func hibobPing(body []byte) bool {
	const ping = "Ping test"
	var object struct {
		Text string `json:"text"`
		Type string `json:"type"`
	}
	if json.Unmarshal(body, &object) == nil {
		return object.Text == ping && object.Type == ""
	}
	return strings.Trim(strings.TrimSpace(string(body)), `"`) == ping
}

// hibob translates a webhook of HiBob.
//
// An employee is inactivated also by going on leave: whoever has no access to HiBob for a while needs none elsewhere.
func hibob(m message) ([]order, error) {
	var event hibobEvent
	if err := read(m.body, &event); err != nil {
		return nil, err
	}
	switch event.Type {
	case "employee.left", "employee.inactivated", "employee.deleted", "employee.access.revoked.immediately":
	default:
		return nil, nil
	}
	o := leaver("HiBob: "+event.Type,
		event.Data.Email, event.Employee.Email, string(event.Data.EmployeeID), string(event.Employee.ID))
	return []order{o.happened("", instant(cmp.Or(event.TriggeredAt, event.CreationDate)))}, nil
}
