package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// pattern is an event pattern: which events a rule is for.
type pattern struct {
	fields map[string]field
}

// field is what a pattern asks of one member of an object: to match a nested pattern, or one of several matchers.
type field struct {
	nested   *pattern
	matchers []matcher
}

// matcher judges one value. Where the member is missing, present is false and value nil.
type matcher func(value any, present bool) bool

// parsePattern reads an event pattern. An operator that is not known is an error.
func parsePattern(source []byte) (pattern, error) {
	value, err := decode(source)
	if err != nil {
		return pattern{}, err
	}
	return newPattern(value)
}

func newPattern(source any) (pattern, error) {
	object, ok := source.(map[string]any)
	if !ok || len(object) == 0 {
		return pattern{}, errors.New("a pattern must be an object that is not empty")
	}
	p := pattern{fields: map[string]field{}}
	for name, want := range object {
		if strings.HasPrefix(name, "$") {
			return pattern{}, fmt.Errorf("the operator %s is not known here", name)
		}
		f, err := newField(want)
		if err != nil {
			return pattern{}, fmt.Errorf("%s: %w", name, err)
		}
		p.fields[name] = f
	}
	return p, nil
}

func newField(want any) (field, error) {
	list, ok := want.([]any)
	if !ok {
		nested, err := newPattern(want)
		return field{nested: &nested}, err
	}
	if len(list) == 0 {
		return field{}, errors.New("an empty list matches nothing")
	}
	var f field
	for _, item := range list {
		m, err := newMatcher(item)
		if err != nil {
			return field{}, err
		}
		f.matchers = append(f.matchers, m)
	}
	return f, nil
}

func newMatcher(want any) (matcher, error) {
	switch want := want.(type) {
	case []any:
		return nil, errors.New("a list in a list is not possible")
	case map[string]any:
		if len(want) != 1 {
			return nil, errors.New("a matcher has exactly one operator")
		}
		for operator, operand := range want {
			return newOperator(operator, operand)
		}
	}
	return func(value any, present bool) bool { return present && equal(value, want) }, nil
}

func newOperator(name string, operand any) (matcher, error) {
	switch name {
	case "exists":
		if want, ok := operand.(bool); ok {
			return func(_ any, present bool) bool { return present == want }, nil
		}
		return nil, errors.New("exists takes true or false")
	case "anything-but":
		return newAnythingBut(operand)
	case "prefix":
		return newTextMatcher(name, operand, strings.HasPrefix)
	case "suffix":
		return newTextMatcher(name, operand, strings.HasSuffix)
	case "equals-ignore-case":
		return newTextMatcher(name, operand, strings.EqualFold)
	default:
		return nil, fmt.Errorf("the operator %s is not known here", name)
	}
}

func newTextMatcher(name string, operand any, matches func(value, operand string) bool) (matcher, error) {
	want, ok := operand.(string)
	if !ok {
		return nil, fmt.Errorf("%s takes a text here", name)
	}
	return func(value any, _ bool) bool {
		got, ok := value.(string)
		return ok && matches(got, want)
	}, nil
}

// newAnythingBut matches values that are there and that none of the operands match.
func newAnythingBut(operand any) (matcher, error) {
	list, ok := operand.([]any)
	if !ok {
		list = []any{operand}
	}
	var unwanted []matcher
	for _, item := range list {
		m, err := newMatcher(item)
		if err != nil {
			return nil, fmt.Errorf("anything-but: %w", err)
		}
		unwanted = append(unwanted, m)
	}
	return func(value any, present bool) bool {
		return present && !slices.ContainsFunc(unwanted, func(m matcher) bool { return m(value, present) })
	}, nil
}

// match reports whether a decoded event, or a part of one, matches.
func (p pattern) match(value any) bool {
	// Of objects in a list, one has to match the pattern as a whole.
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, p.match)
	}
	object, _ := value.(map[string]any)
	for name, f := range p.fields {
		if got, present := object[name]; !f.match(got, present) {
			return false
		}
	}
	return true
}

func (f field) match(value any, present bool) bool {
	if f.nested != nil {
		return f.nested.match(value)
	}
	candidates, isList := value.([]any)
	_, isObject := value.(map[string]any)
	switch {
	case isObject || isList && len(candidates) == 0:
		// Only values count: to matchers, a member without any is not there.
		candidates, present = []any{nil}, false
	case !isList:
		candidates = []any{value}
	}
	for _, m := range f.matchers {
		for _, candidate := range candidates {
			if m(candidate, present) {
				return true
			}
		}
	}
	return false
}

// equal compares two values of JSON; numbers by what they are worth.
func equal(a, b any) bool {
	x, ok := a.(json.Number)
	if !ok {
		return a == b
	}
	y, ok := b.(json.Number)
	if !ok {
		return false
	}
	left, errLeft := x.Float64()
	right, errRight := y.Float64()
	return errLeft == nil && errRight == nil && left == right
}

// decode reads one JSON value and keeps numbers as they are written.
func decode(source []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return value, nil
}
