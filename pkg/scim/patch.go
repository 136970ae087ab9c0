package scim

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"keyreeve/pkg/guard"
)

// state is what a sender says of the attribute active.
type state int

const (
	unsaid state = iota
	inactive
	active
)

// readPatch returns what the operations of a PATCH say of active in the end; the last one counts. What they say of
// other attributes is ignored. The errors are of kind [guard.Invalid]: whatever is said of active and cannot be
// understood is one, because it may be that somebody left.
func readPatch(body []byte) (state, error) {
	var patch struct {
		Operations []operation `json:"Operations"`
	}
	if err := decode(body, &patch); err != nil {
		return unsaid, err
	}
	if len(patch.Operations) == 0 {
		return unsaid, invalid(invalidSyntax, "The body has no Operations.", "Send a PatchOp message of RFC 7644, section 3.5.2.")
	}
	said := unsaid
	for _, o := range patch.Operations {
		wanted, err := o.state()
		if err != nil {
			return unsaid, err
		}
		if wanted != unsaid {
			said = wanted
		}
	}
	return said, nil
}

// operation is one of a PATCH. Entra ID writes Replace where the standard has replace.
type operation struct {
	Op    string         `json:"op"`
	Path  string         `json:"path"`
	Value jsontext.Value `json:"value"`
}

// state returns what the operation says of active, whether its path names that or its value has it as a member.
func (o operation) state() (state, error) {
	path := attribute(o.Path)
	top := path
	if end := strings.IndexAny(path, ".[ "); end >= 0 {
		top = path[:end]
	}
	removes := strings.EqualFold(o.Op, "remove")
	switch {
	case !removes && !strings.EqualFold(o.Op, "add") && !strings.EqualFold(o.Op, "replace"):
		return unsaid, invalid(invalidSyntax, "An operation has an op that is not add, replace or remove.", "")
	case path == "" && removes:
		return unsaid, invalid(noTarget, "An operation removes without a path.", "Name the attribute to remove.")
	case path == "":
		members, err := readMembers(o.Value)
		if err != nil {
			return unsaid, err
		}
		return members.state()
	case top != "active":
		return unsaid, nil
	case path != "active":
		return unsaid, invalid(invalidPath, "The path of an operation goes below active, which is true or false.", "Name active alone.")
	case removes:
		return unsaid, invalid(invalidValue, "active cannot be removed.", "Replace it with false if the person left.")
	default:
		return readState(o.Value)
	}
}

// userBody is what matters of a user that a sender sends whole.
type userBody struct {
	userName string
	active   state
}

// readUser reads the body of a PUT or POST. Like [readPatch] it ignores all other attributes.
func readUser(body []byte) (userBody, error) {
	members, err := readMembers(body)
	if err != nil {
		return userBody{}, err
	}
	said, err := members.state()
	if err != nil {
		return userBody{}, err
	}
	user := userBody{active: said}
	names := members.named("username")
	if len(names) == 0 {
		return user, nil
	}
	if len(names) > 1 || decode(names[0], &user.userName) != nil {
		return userBody{}, invalid(invalidValue, "userName is not one string.", "Send it once.")
	}
	return user, nil
}

// members are those of a JSON object.
type members map[string]jsontext.Value

func readMembers(object jsontext.Value) (members, error) {
	if object.Kind() != jsontext.KindBeginObject {
		return nil, invalid(invalidSyntax, "What should be the attributes of a user is not a JSON object.", "")
	}
	var all members
	if err := decode(object, &all); err != nil {
		return nil, err
	}
	return all, nil
}

// state returns what the members say of active. The attributes of the schema may be members of one by its name, as those
// of extensions are.
func (m members) state() (state, error) {
	values := m.named("active")
	for _, schema := range m.named("") {
		nested, err := readMembers(schema)
		if err != nil {
			return unsaid, err
		}
		values = append(values, nested.named("active")...)
	}
	switch len(values) {
	case 0:
		return unsaid, nil
	case 1:
		return readState(values[0])
	default:
		return unsaid, invalid(invalidValue, "active is there twice.", "Send it once.")
	}
}

// named returns the values of all members that are the attribute: its name may be written in several ways.
func (m members) named(wanted string) (values []jsontext.Value) {
	for name, value := range m {
		if attribute(name) == wanted {
			values = append(values, value)
		}
	}
	return values
}

// attribute returns the name of an attribute in lower case and without the schema of users, in front of which it may
// stand. The name of the schema alone is that of no attribute, and empty.
func attribute(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if rest, ok := strings.CutPrefix(name, strings.ToLower(userSchema)); ok {
		return strings.TrimPrefix(rest, ":")
	}
	return name
}

// readState reads a value of active. Entra ID sends "False", and that in a list or an object of a single value, too.
func readState(value jsontext.Value) (state, error) {
	const unwraps = 3
	for range unwraps {
		var list []jsontext.Value
		var object struct {
			Value jsontext.Value `json:"value"`
		}
		switch value.Kind() {
		case jsontext.KindTrue:
			return active, nil
		case jsontext.KindFalse:
			return inactive, nil
		case jsontext.KindString:
			return readWord(value)
		case jsontext.KindBeginArray:
			if decode(value, &list) != nil || len(list) != 1 {
				return unsaid, notUnderstood()
			}
			value = list[0]
		case jsontext.KindBeginObject:
			if decode(value, &object) != nil {
				return unsaid, notUnderstood()
			}
			value = object.Value
		default:
			return unsaid, notUnderstood()
		}
	}
	return unsaid, notUnderstood()
}

func readWord(value jsontext.Value) (state, error) {
	var word string
	if err := decode(value, &word); err != nil {
		return unsaid, err
	}
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "true":
		return active, nil
	case "false":
		return inactive, nil
	default:
		return unsaid, notUnderstood()
	}
}

func notUnderstood() error {
	return invalid(invalidValue, "active is neither true nor false.", "Send it as a boolean.")
}

// decode reads JSON. The names of attributes are not case-sensitive (RFC 7643, section 2.1), and those that nobody asks
// for are left alone.
func decode(data []byte, into any) error {
	if err := json.Unmarshal(data, into, json.MatchCaseInsensitiveNames(true)); err != nil {
		return &protocolError{
			err: &guard.Error{
				Kind: guard.Invalid, Message: "The body is not JSON as SCIM has it.",
				Remedy: "Send a JSON object, each attribute once.", Err: err,
			},
			scimType: invalidSyntax,
		}
	}
	return nil
}
