package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// An evaluator resolves the intrinsic functions of a CloudFormation template (Ref, Sub, GetAtt, If, Join and those
// of conditions). One that it does not know is an error that names the line.
type evaluator struct {
	parameters map[string]*yaml.Node
	conditions map[string]*yaml.Node
	// reference and attribute answer Ref and GetAtt of resources.
	reference func(resource string) (string, error)
	attribute func(resource, name string) (string, error)
}

// resolve returns n with all intrinsic functions replaced by their values; nil where n is AWS::NoValue.
func (e evaluator) resolve(n *yaml.Node) (*yaml.Node, error) {
	if n.Kind == yaml.AliasNode {
		return e.resolve(n.Alias)
	}
	if name, argument, ok := intrinsic(n); ok {
		value, err := e.call(name, argument)
		return value, atLine(n.Line, err)
	}
	resolved := *n
	resolved.Content = nil
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			value, err := e.resolve(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			if value != nil {
				resolved.Content = append(resolved.Content, n.Content[i], value)
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			value, err := e.resolve(item)
			if err != nil {
				return nil, err
			}
			if value != nil {
				resolved.Content = append(resolved.Content, value)
			}
		}
	default: // a scalar stands for itself
	}
	return &resolved, nil
}

// intrinsic splits a function call into name and argument: "!Name argument" or "{Fn::Name: argument}".
func intrinsic(n *yaml.Node) (name string, argument *yaml.Node, ok bool) {
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		bare := *n
		bare.Tag = ""
		return n.Tag[1:], &bare, true
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		key := n.Content[0].Value
		if name, ok := strings.CutPrefix(key, "Fn::"); ok || key == "Ref" {
			return name, n.Content[1], true
		}
	}
	return "", nil, false
}

func (e evaluator) call(name string, argument *yaml.Node) (*yaml.Node, error) {
	switch name {
	case "Ref":
		return e.ref(argument.Value)
	case "Sub":
		return e.sub(argument)
	case "GetAtt":
		return e.getAtt(argument)
	case "If":
		if len(argument.Content) != 3 {
			return nil, errors.New("!If takes a condition and two values")
		}
		holds, err := e.condition(argument.Content[0].Value)
		if err != nil {
			return nil, err
		}
		if holds {
			return e.resolve(argument.Content[1])
		}
		return e.resolve(argument.Content[2])
	case "Join":
		return e.join(argument)
	default:
		return nil, fmt.Errorf("the function !%s is not known here", name)
	}
}

func (e evaluator) ref(name string) (*yaml.Node, error) {
	if name == "AWS::NoValue" {
		return nil, nil
	}
	if value, ok := pseudoParameters()[name]; ok {
		return text(value), nil
	}
	if value, ok := e.parameters[name]; ok {
		if value == nil {
			return nil, fmt.Errorf("the parameter %s has no default", name)
		}
		return value, nil
	}
	value, err := e.reference(name)
	return text(value), err
}

func (e evaluator) getAtt(argument *yaml.Node) (*yaml.Node, error) {
	resource, name, ok := strings.Cut(argument.Value, ".")
	if argument.Kind == yaml.SequenceNode && len(argument.Content) == 2 {
		resource, name, ok = argument.Content[0].Value, argument.Content[1].Value, true
	}
	if !ok {
		return nil, errors.New("!GetAtt takes a resource and an attribute")
	}
	value, err := e.attribute(resource, name)
	return text(value), err
}

// sub replaces ${Name} and ${Resource.Attribute} in a text; "${!" stands for "${".
func (e evaluator) sub(argument *yaml.Node) (*yaml.Node, error) {
	if argument.Kind != yaml.ScalarNode {
		return nil, errors.New("!Sub takes one text here")
	}
	var problems []error
	value := regexp.MustCompile(`\$\{([^}]*)\}`).ReplaceAllStringFunc(argument.Value, func(placeholder string) string {
		name := strings.TrimSuffix(strings.TrimPrefix(placeholder, "${"), "}")
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		call := e.ref
		if strings.Contains(name, ".") {
			call = func(name string) (*yaml.Node, error) { return e.getAtt(text(name)) }
		}
		value, err := call(name)
		switch {
		case err != nil:
			problems = append(problems, err)
		case value == nil:
			problems = append(problems, errors.New("AWS::NoValue cannot be part of a text"))
		default:
			return value.Value
		}
		return ""
	})
	return text(value), errors.Join(problems...)
}

func (e evaluator) join(argument *yaml.Node) (*yaml.Node, error) {
	if len(argument.Content) != 2 || argument.Content[1].Kind != yaml.SequenceNode {
		return nil, errors.New("!Join takes a delimiter and a list")
	}
	list, err := e.resolve(argument.Content[1])
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(list.Content))
	for i, item := range list.Content {
		parts[i] = item.Value
	}
	return text(strings.Join(parts, argument.Content[0].Value)), nil
}

// condition evaluates one of the template's named conditions.
func (e evaluator) condition(name string) (bool, error) {
	n, ok := e.conditions[name]
	if !ok {
		return false, fmt.Errorf("there is no condition %s", name)
	}
	return e.test(n)
}

// test evaluates the body of a condition.
func (e evaluator) test(n *yaml.Node) (bool, error) {
	name, argument, ok := intrinsic(n)
	if !ok {
		return false, atLine(n.Line, errors.New("a condition must be one of Equals, Not, And, Or, Condition"))
	}
	holds, err := e.testCall(name, argument)
	return holds, atLine(n.Line, err)
}

func (e evaluator) testCall(name string, argument *yaml.Node) (bool, error) {
	switch name {
	case "Condition":
		return e.condition(argument.Value)
	case "Equals":
		if len(argument.Content) != 2 {
			return false, errors.New("!Equals takes two values")
		}
		sides, err := e.resolve(argument)
		if err != nil {
			return false, err
		}
		if len(sides.Content) != 2 {
			return false, errors.New("AWS::NoValue equals nothing")
		}
		return sides.Content[0].Value == sides.Content[1].Value, nil
	case "Not", "And", "Or":
		return e.combine(name, argument.Content)
	default:
		return false, fmt.Errorf("the function !%s is not known in a condition", name)
	}
}

func (e evaluator) combine(operator string, operands []*yaml.Node) (bool, error) {
	holding := 0
	for _, operand := range operands {
		holds, err := e.test(operand)
		if err != nil {
			return false, err
		}
		if holds {
			holding++
		}
	}
	switch operator {
	case "Not":
		return holding == 0, nil
	case "And":
		return holding == len(operands), nil
	default:
		return holding > 0, nil
	}
}

func text(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

// lineError is a problem at a line of the template.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// atLine adds the line to err, unless it has one of its own, which is nearer to the cause.
func atLine(line int, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*lineError](err); ok {
		return err
	}
	return &lineError{line: line, err: err}
}
