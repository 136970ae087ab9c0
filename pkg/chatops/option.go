package chatops

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// dashes are what a hyphen or two of them may have become.
const dashes = "-‐‑‒–—―−"

// option takes the next word with its value if it is an option, and reports whether it was.
func (p *parser) option() (taken bool, err error) {
	word := p.words[0]
	text := strings.TrimLeft(word, dashes)
	if first, _ := utf8.DecodeRuneInString(text); text == word || !unicode.IsLetter(first) {
		return false, nil
	}
	name, value, assigned := strings.Cut(text, "=")
	name = strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune(dashes, r) {
			return '-'
		}
		return r
	}, name))
	hyphen := word == "-"+text
	p.words = p.words[1:]
	switch {
	case name == "dry-run" && !hyphen && !assigned:
		p.command.DryRun = true
	case name == "override" && !hyphen:
		return true, p.override(value, assigned)
	case name == "help" && !assigned:
		p.help = true
	default:
		return true, mistake(
			fmt.Sprintf(`"%s" is no option.`, edge.Clip(word)),
			didYouMean("--"+name, []string{"--dry-run", "--override"})+"The options are --dry-run and --override RULE.",
		)
	}
	return true, nil
}

// override takes the rules to override. They are separated by commas, which may have a space behind them.
func (p *parser) override(value string, assigned bool) error {
	for !assigned || strings.HasSuffix(value, ",") {
		if len(p.words) == 0 {
			break
		}
		value += p.words[0]
		p.words, assigned = p.words[1:], true
	}
	for typed := range strings.SplitSeq(strings.Trim(value, "`"), ",") {
		rule := guard.Rule(strings.ToLower(typed))
		if !slices.Contains(guard.Overridable(), rule) {
			return noSuchRule(typed)
		}
		if !slices.Contains(p.command.Override, rule) {
			p.command.Override = append(p.command.Override, rule)
		}
	}
	return nil
}

func noSuchRule(typed string) error {
	var names []string
	for _, rule := range guard.Overridable() {
		names = append(names, string(rule))
	}
	message := fmt.Sprintf(`"%s" is not a rule that can be overridden.`, edge.Clip(typed))
	if typed == "" {
		message = "The rule to override is missing."
	}
	return mistake(message, didYouMean(typed, names)+"Write --override and one of "+strings.Join(names, ", ")+".")
}

// didYouMean suggests those of the known words that are nearest to what was typed, as a sentence and a space, or nothing
// where none is near.
func didYouMean(typed string, known []string) string {
	const longest = 40 // No known word is nearly as long.
	if len(typed) > longest {
		return ""
	}
	nearest := 1 + len(typed)/4
	var near []string
	for _, word := range known {
		distance := levenshtein.ComputeDistance(strings.ToLower(typed), word)
		if distance < nearest {
			nearest, near = distance, nil
		}
		if distance == nearest {
			near = append(near, "`"+word+"`")
		}
	}
	if len(near) == 0 {
		return ""
	}
	return "Did you mean " + strings.Join(near, " or ") + "? "
}

func mistake(message, remedy string) error {
	return &guard.Error{Kind: guard.Invalid, Message: message, Remedy: remedy}
}
