package scim

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/scim2/filter-parser/v2"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

const (
	// maxFilter bounds a filter in bytes, and maxBrackets how deep it can go: what senders ask for is much shorter.
	maxFilter   = 2048
	maxBrackets = 20
)

// test reports whether a user passes.
type test func(resource) bool

// selection is a filter that was read.
type selection struct {
	matches test
	// asksActive is true where the answer may depend on who has left.
	asksActive bool
	// userName is that of the only user who can match, as long as it is nobody else's; empty where several can.
	userName string
}

// readFilter reads a filter (RFC 7644, section 3.4.2.2). An empty one leaves everybody. Text is compared without regard
// to case, but for the id. The errors are of kind [guard.Invalid].
func readFilter(text string) (selection, error) {
	if text == "" {
		return selection{matches: func(resource) bool { return true }}, nil
	}
	if len(text) > maxFilter || strings.Count(text, "(")+strings.Count(text, "[") > maxBrackets {
		return selection{}, invalid(invalidFilter, fmt.Sprintf("The filter is longer than %d bytes or has more than %d brackets.", maxFilter, maxBrackets), "Ask for less at a time.")
	}
	expression, err := filter.ParseFilter([]byte(withoutWork(text)))
	if err != nil {
		return selection{}, notAFilter()
	}
	matches, err := compile("", expression)
	if err != nil {
		return selection{}, err
	}
	return selection{
		matches:    matches,
		asksActive: strings.Contains(strings.ToLower(text), "active"), // Also within a string, which costs time and nothing else.
		userName:   pinned("", expression),
	}, nil
}

func notAFilter() error {
	return invalid(invalidFilter, "The filter cannot be read.", `Write it like userName eq "alice@example.com".`)
}

// withoutWork writes emails.value for emails[type eq "work"].value, which Entra ID asks for. The standard has no such
// filter, so the parser does not know it; and every address here is one for work. Quoted strings are left as they are.
func withoutWork(text string) string {
	known := regexp.MustCompile(`(?i)"(?:[^"\\]|\\.)*"|\bemails\[ *type +eq +"work" *\]\.value\b`)
	return known.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, `"`) {
			return found
		}
		return "emails.value"
	})
}

// compile makes a test of an expression, whose attributes are below the path.
func compile(path string, expression filter.Expression) (test, error) {
	switch e := expression.(type) {
	case *filter.AttributeExpression:
		return comparison(path+lower(e.AttributePath), e)
	case *filter.ValuePath:
		return compile(lower(e.AttributePath)+".", e.ValueFilter)
	case *filter.NotExpression:
		inner, err := compile(path, e.Expression)
		return func(r resource) bool { return !inner(r) }, err
	case *filter.LogicalExpression:
		left, err := compile(path, e.Left)
		if err != nil {
			return nil, err
		}
		right, err := compile(path, e.Right)
		if e.Operator == filter.OR {
			return func(r resource) bool { return left(r) || right(r) }, err
		}
		return func(r resource) bool { return left(r) && right(r) }, err
	default:
		return nil, notAFilter()
	}
}

// lower writes the path of an attribute as [resource.value] has it.
func lower(path filter.AttributePath) string { return attribute(path.String()) }

// comparison makes a test of what one attribute must be.
func comparison(path string, e *filter.AttributeExpression) (test, error) {
	if e.Operator == filter.PR {
		return func(r resource) bool { return r.value(path) != nil }, nil
	}
	wanted, err := operand(path, e)
	if err != nil {
		return nil, err
	}
	wanted = fold(path, wanted)
	equal := func(r resource) bool { return fold(path, r.value(path)) == wanted }
	switch text, isText := wanted.(string); {
	case e.Operator == filter.EQ:
		return equal, nil
	case e.Operator == filter.NE:
		return func(r resource) bool { return !equal(r) }, nil
	case isText && e.Operator == filter.CO:
		return within(path, text, strings.Contains), nil
	case isText && e.Operator == filter.SW:
		return within(path, text, strings.HasPrefix), nil
	case isText && e.Operator == filter.EW:
		return within(path, text, strings.HasSuffix), nil
	default:
		return nil, invalid(invalidFilter, "The filter compares "+edge.Clip(path)+" in a way that is not known here.", "Compare text by eq, ne, co, sw and ew, and active by eq and ne.")
	}
}

func within(path, part string, is func(text, part string) bool) test {
	return func(r resource) bool {
		text, ok := fold(path, r.value(path)).(string)
		return ok && is(text, part)
	}
}

// operand returns what the filter compares the attribute with: a string, a bool, or nil for null. It must be of the type
// that the attribute has, or else nobody would match, and the sender would never hear of its mistake.
func operand(path string, e *filter.AttributeExpression) (any, error) {
	value := e.CompareValue
	escaped, isText := value.(string)
	if isText {
		var text string
		if err := json.Unmarshal([]byte(`"`+escaped+`"`), &text); err != nil {
			return nil, notAFilter()
		}
		value = text
	}
	_, isBool := value.(bool)
	complete := newResource(guard.User{ID: "1", Email: "a@example.com", FirstName: "A", LastName: "B"})
	switch complete.value(path).(type) {
	case string:
		isBool = false
	case bool:
		isText = false
	default: // No user has the attribute, so its type is not known.
		return value, nil
	}
	if value != nil && !isText && !isBool {
		return nil, invalid(invalidFilter, "The filter compares "+edge.Clip(path)+" with a value of another type.", "Write text in quotes, and true and false without.")
	}
	return value, nil
}

// fold makes alike what is compared without regard to case.
func fold(path string, value any) any {
	text, ok := value.(string)
	if !ok || path == "id" {
		return value
	}
	return strings.ToLower(text)
}

// pinned returns the one userName or e-mail address that a user must have to match, or nothing.
func pinned(path string, expression filter.Expression) string {
	switch e := expression.(type) {
	case *filter.AttributeExpression:
		path += lower(e.AttributePath)
		if e.Operator != filter.EQ || path != "username" && path != "emails" && path != "emails.value" {
			return ""
		}
		wanted, err := operand(path, e)
		text, ok := wanted.(string)
		if err != nil || !ok {
			return ""
		}
		return text
	case *filter.ValuePath:
		return pinned(lower(e.AttributePath)+".", e.ValueFilter)
	case *filter.LogicalExpression:
		if e.Operator == filter.OR {
			return ""
		}
		if left := pinned(path, e.Left); left != "" {
			return left
		}
		return pinned(path, e.Right)
	default:
		return ""
	}
}
