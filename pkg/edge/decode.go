package edge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"keyreeve/pkg/guard"
)

// Form says in words what a strictly read object is and may hold, for whoever got it wrong.
type Form struct {
	// Name begins a sentence: "The request".
	Name string
	// Members lists all that there may be, as people do: "user and actor (kind, name, email)".
	Members string
}

// DecodeStrictly reads data, which must be one JSON object with the members of into and no others, each once and
// none of them null. Names are case-sensitive. Errors are of kind [guard.Invalid] and name the member.
func DecodeStrictly(data []byte, into any, form Form) error {
	if err := json.Unmarshal(data, into, json.RejectUnknownMembers(true)); err != nil {
		return explain(err, form)
	}
	return refuseNull(data, form)
}

// DecodeEnvelope reads what AWS wrote around a request. Members that into does not have are left alone. Invalid
// UTF-8 is replaced, so that a header of a hostile caller cannot turn an answer into a failure of the function.
// Errors are of kind [guard.Invalid].
func DecodeEnvelope(data []byte, into any) error {
	err := json.Unmarshal(data, into, jsontext.AllowInvalidUTF8(true))
	return explain(err, Form{Name: "The payload"})
}

// Encode writes an answer. Lists are never null.
func Encode(answer any) ([]byte, error) {
	encoded, err := json.Marshal(answer, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, guard.AsError(fmt.Errorf("encoding the answer: %w", err))
	}
	return encoded, nil
}

// refuseNull reports a member that is null. In a language where null stands for both "nothing" and "I forgot", keys
// that are null must not come to mean all keys of the user.
func refuseNull(data []byte, form Form) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		token, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return explain(err, form)
		}
		if token.Kind() != jsontext.KindNull {
			continue
		}
		if member := memberName(decoder.StackPointer()); member != "" {
			return form.invalid("%s must not be null: leave it out", member)
		}
		return form.invalid("it must be an object, not null")
	}
}

// explain turns an error of the JSON package into a sentence that names the member.
func explain(err error, form Form) error {
	if err == nil {
		return nil
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		member := memberName(semantic.JSONPointer)
		switch {
		case errors.Is(semantic.Err, json.ErrUnknownName):
			return form.invalid("it must not hold %s", member)
		case member == "":
			return form.invalid("it must be an object")
		default:
			return form.invalid("%s must be %s", member, expected(semantic.GoType))
		}
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return form.invalid("it holds %s twice", memberName(syntactic.JSONPointer))
		}
		return form.invalid("it is not valid JSON (%s at byte %d)", syntactic.Err.Error(), syntactic.ByteOffset)
	}
	return form.invalid("it is not valid JSON (%s)", err.Error())
}

func (f Form) invalid(format string, args ...any) error {
	invalid := &guard.Error{Kind: guard.Invalid, Message: f.Name + " cannot be read: " + fmt.Sprintf(format, args...) + "."}
	if f.Members != "" {
		invalid.Remedy = "It may hold " + f.Members + ", spelt exactly so, each at most once."
	}
	return invalid
}

// expected says what a member of the Go type t looks like in JSON.
func expected(t reflect.Type) string {
	if t == nil {
		return "something else"
	}
	if t == reflect.TypeFor[time.Time]() {
		return "a time like 2026-11-22T10:00:00Z"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "an object"
	default:
		return "a number"
	}
}

// memberName writes a JSON pointer as people write it: actor.kind, keys[0]. Names that are not plain are quoted.
func memberName(pointer jsontext.Pointer) string {
	var name strings.Builder
	for token := range pointer.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			name.WriteString("[" + token + "]")
			continue
		}
		if name.Len() > 0 {
			name.WriteByte('.')
		}
		name.WriteString(plain(token))
	}
	return Clip(name.String())
}

func plain(name string) string {
	quoted := strconv.Quote(name)
	if name == "" || quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// Clip shortens what a sender wrote to what fits in a sentence.
func Clip(text string) string {
	const limit = 80
	for i := range text {
		if i >= limit {
			return text[:i] + "…"
		}
	}
	return text
}
