package identity

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"keyreeve/pkg/guard"
)

// Person is what a sender calls somebody.
type Person struct {
	Sender string
	// ID has its ASCII letters in lower case.
	ID string
}

func personOf(sender, id string) Person {
	// Not strings.ToLower: it takes letters outside ASCII, such as the sign for kelvin, for those of another login.
	lower := []byte(id)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c - 'A' + 'a'
		}
	}
	return Person{Sender: sender, ID: string(lower)}
}

// Parse reads items sender:id=email, separated by commas or line breaks. Space around each of the three does not count.
// Empty items are skipped, and so are lines that begin with #. A sender is lower-case letters and digits; an id may
// have any printable characters but = and the comma. An item may stand there twice, but no id have two addresses.
//
// An error is of kind [guard.Invalid] and names all items at fault by their number, without those that are skipped. It
// does not quote them.
func Parse(text string) (map[Person]string, error) {
	emails := make(map[Person]string)
	numbers := make(map[Person]int)
	var problems []string
	for i, item := range split(text) {
		person, email, problem := parseItem(item)
		before, twice := emails[person]
		switch {
		case problem != "":
			problems = append(problems, fmt.Sprintf("item %d %s", i+1, problem))
		case !twice:
			emails[person], numbers[person] = email, i+1
		case !strings.EqualFold(before, email):
			problems = append(problems, fmt.Sprintf("item %d has the id of item %d, and another e-mail address", i+1, numbers[person]))
		}
	}
	if len(problems) > 0 {
		return nil, invalid(problems...)
	}
	return emails, nil
}

// split returns the items that are not skipped.
func split(text string) (items []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for item := range strings.SplitSeq(line, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
	}
	return items
}

// parseItem reads one item, or says what is wrong with it.
func parseItem(item string) (person Person, email, problem string) {
	sender, rest, _ := strings.Cut(item, ":")
	id, email, addressed := strings.Cut(rest, "=")
	if !addressed {
		return Person{}, "", "is not of the form sender:id=email"
	}
	sender, id, email = strings.TrimSpace(sender), strings.TrimSpace(id), strings.TrimSpace(email)
	var problems []string
	if sender == "" || strings.Trim(sender, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		problems = append(problems, "has a sender that is not lower-case letters and digits")
	}
	if id == "" || !utf8.ValidString(id) || strings.ContainsFunc(id, func(c rune) bool { return !unicode.IsPrint(c) }) {
		problems = append(problems, "has no id of printable characters")
	}
	if !guard.IsEmail(email) {
		problems = append(problems, "has no e-mail address behind the =")
	}
	return personOf(sender, id), email, strings.Join(problems, " and ")
}

// maxProblems is how many problems one error tells of: a file may have a hundred thousand.
const maxProblems = 10

func invalid(problems ...string) *guard.Error {
	if more := len(problems) - maxProblems; more > 0 {
		problems = append(problems[:maxProblems], fmt.Sprintf("and %d more", more))
	}
	return &guard.Error{
		Kind:    guard.Invalid,
		Message: "The identity map is not right: " + strings.Join(problems, "; ") + ".",
		Remedy:  "Correct what KEYREEVE_IDENTITY_MAP holds or names: items such as github:octocat=alice@example.com, file:PATH or ssm:NAME.",
	}
}
