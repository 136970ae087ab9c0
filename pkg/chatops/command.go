package chatops

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// Verb is what a command does.
type Verb string

// The verbs. Offboard deactivates keys of a person who left, also the last one.
const (
	Help       Verb = "help"
	List       Verb = "list"
	Activate   Verb = "activate"
	Deactivate Verb = "deactivate"
	Delete     Verb = "delete"
	Offboard   Verb = "offboard"
)

func verbs() []string {
	return []string{string(Help), string(List), string(Activate), string(Deactivate), string(Delete), string(Offboard)}
}

// Command is what somebody typed after /keys.
type Command struct {
	Verb Verb `json:"verb"`
	// User is an e-mail address or a UUID, empty where Mention is set.
	User string `json:"user,omitempty"`
	// Mention is Slack's id of the user, where they were written as @somebody.
	Mention string `json:"mention,omitempty"`
	// Keys are access key ids; none means all keys of the user.
	Keys []string `json:"keys,omitempty"`
	// Reason is one line.
	Reason   string       `json:"reason,omitempty"`
	DryRun   bool         `json:"dryRun,omitempty"`
	Override []guard.Rule `json:"override,omitempty"`
}

// Request is what the command asks for, of a verb that changes keys. Its actor is for the caller to fill in, and its user
// where the command has a Mention.
func (c Command) Request() guard.Request {
	request := guard.Request{
		Action: guard.Action(c.Verb), User: c.User, Keys: c.Keys, Reason: c.Reason, DryRun: c.DryRun, Override: c.Override,
	}
	if c.Verb == Offboard {
		request.Action, request.Offboarding = guard.Deactivate, true
	}
	return request
}

// example is a command with the same verb that is right, in the backticks of Slack.
func (c Command) example(rest string) string {
	return "`" + strings.TrimSpace("/keys "+string(c.Verb)+" alice@example.com "+rest) + "`"
}

func (c Command) exampleWithKey(reason string) string { return c.example(exampleKey + " " + reason) }

// NeedsApproval reports whether a second person has to approve: what cannot be undone, and what gets past a rule.
func (c Command) NeedsApproval() bool {
	return !c.DryRun && (c.Verb == Delete || len(c.Override) > 0)
}

// maxReason is how many characters a reason may have: it has to fit into a button, with the keys.
const maxReason = 300

// Parse reads what somebody typed after /keys:
//
//	[VERB] USER [KEY…] [reason in words] [--dry-run] [--override RULE]…
//
// Without a verb it lists, and an empty text asks for help. Options may stand anywhere but in a reason that is in quotes.
// What Slack and phones do to a text is undone.
//
// No keys means all keys, so a key id that lost a part on its way must not be taken for a reason: words that may be one
// are an error, of kind [guard.Invalid] like all others. In quotes they are the reason as long as they are hardly ids.
func Parse(text string) (Command, error) {
	words, err := split(text)
	if err != nil {
		return Command{}, err
	}
	p := parser{words: words}
	err = p.parse()
	if p.help {
		return Command{Verb: Help}, nil
	}
	if err != nil {
		return Command{}, err
	}
	return p.command, nil
}

// parser goes through the words from the first to the last.
type parser struct {
	words   []string
	command Command
	// help is true where there was an option that asks for it.
	help bool
}

func (p *parser) parse() error {
	if err := p.verb(); err != nil || p.command.Verb == Help {
		return err
	}
	if err := p.user(); err != nil {
		return err
	}
	if p.command.Verb == List {
		return p.nothingMore()
	}
	if err := p.keys(); err != nil {
		return err
	}
	return p.reason()
}

// peek returns the next word that is no option, without taking it; empty at the end. The options before it are taken.
func (p *parser) peek() (string, error) {
	for len(p.words) > 0 {
		taken, err := p.option()
		if err != nil {
			return "", err
		}
		if !taken {
			return p.words[0], nil
		}
	}
	return "", nil
}

func (p *parser) take() { p.words = p.words[1:] }

func (p *parser) verb() error {
	word, err := p.peek()
	switch typed := strings.ToLower(word); {
	case err != nil:
		return err
	case word == "":
		p.command.Verb = Help
	case slices.Contains(verbs(), typed):
		p.command.Verb = Verb(typed)
		p.take()
	case isUser(word):
		p.command.Verb = List
	default:
		return mistake(
			fmt.Sprintf(`"%s" is neither a verb nor a user.`, edge.Clip(word)),
			didYouMean(typed, verbs())+"Begin with one of "+strings.Join(verbs(), ", ")+", or with an e-mail address: `/keys alice@example.com`",
		)
	}
	return nil
}

func (p *parser) user() error {
	word, err := p.peek()
	switch {
	case err != nil:
		return err
	case word == "":
		return mistake("The user is missing.", "Say whose keys are meant: "+p.command.example(""))
	case !isUser(word):
		return mistake(
			fmt.Sprintf(`"%s" is not a user.`, edge.Clip(word)),
			"The user comes right after the verb, as an e-mail address, a UUID or @somebody: "+p.command.example(""),
		)
	}
	p.command.User, p.command.Mention = undecorated(word), mentionID(undecorated(word))
	if p.command.Mention != "" {
		p.command.User = ""
	}
	p.take()
	return nil
}

// nothingMore reports what stands after the user of a list.
func (p *parser) nothingMore() error {
	word, err := p.peek()
	if err != nil {
		return err
	}
	if word == "" && !p.command.DryRun && len(p.command.Override) == 0 {
		return nil
	}
	return mistake(
		"A list takes the user and nothing else.",
		"Write `/keys alice@example.com` for the list, or begin with what to do: `/keys deactivate alice@example.com laptop stolen`",
	)
}

// keys takes the words right after the user, as long as they are key ids. Commas between them do not count.
func (p *parser) keys() error {
	for {
		word, err := p.peek()
		if err != nil {
			return err
		}
		ids, all := keyIDs(word)
		if word == "" || !all {
			break
		}
		for _, id := range ids {
			if !slices.Contains(p.command.Keys, id) {
				p.command.Keys = append(p.command.Keys, id)
			}
		}
		p.take()
	}
	if keys := p.command.Keys; len(keys) > guard.MaxKeys {
		return mistake(fmt.Sprintf("These are %d keys, and the limit is %d.", len(keys), guard.MaxKeys), "Name fewer keys at a time.")
	}
	return nil
}

// reason takes all the rest.
func (p *parser) reason() error {
	word, err := p.peek()
	if err != nil {
		return err
	}
	read := p.unquoted
	if first, _ := utf8.DecodeRuneInString(word); isQuote(first) {
		read = p.quoted
	}
	words, err := read()
	if err != nil || len(words) == 0 {
		return err
	}
	p.command.Reason = withoutMentions(strings.Join(words, " "))
	if length := utf8.RuneCountInString(p.command.Reason); length > maxReason {
		return mistake(fmt.Sprintf("The reason has %d characters, and the limit is %d.", length, maxReason), "Give a shorter one.")
	}
	if !slices.ContainsFunc(words, isProse) {
		return mistake(
			fmt.Sprintf(`"%s" is neither an access key id nor a reason.`, edge.Clip(p.command.Reason)),
			"Name key ids whole, right after the user, and give the reason in words: "+p.command.exampleWithKey("laptop stolen"),
		)
	}
	return nil
}

// unquoted takes a reason of words that cannot be anything else.
func (p *parser) unquoted() ([]string, error) {
	var words []string
	for {
		word, err := p.peek()
		if err != nil || word == "" {
			return words, err
		}
		switch {
		case isUser(word):
			return nil, mistake(
				fmt.Sprintf(`"%s" is a second person, and a command is about one.`, edge.Clip(word)),
				"Send a command for each. If it belongs to the reason, put the reason in quotes: "+p.command.example(`"reported by bob@example.com"`),
			)
		case mayBeKey(word):
			return nil, mistake(
				fmt.Sprintf(`"%s" may be an access key id or a part of one, and is not where a whole one would be.`, edge.Clip(word)),
				"Name key ids whole, right after the user, as `/keys alice@example.com` shows them: "+p.command.exampleWithKey("laptop stolen")+
					` If it belongs to the reason, put the reason in quotes: `+p.command.example(`"ticket 4820193"`),
			)
		}
		words = append(words, word)
		p.take()
		if wantsDryRun(words) {
			return nil, mistake(
				"It is not clear whether this is meant as a dry run.",
				"Write --dry-run for one. If it belongs to the reason, put the reason in quotes: "+p.command.example(`"after the dry run"`),
			)
		}
	}
}

// quoted takes a reason in quotes. Where no key is named, even there nothing may look like one: with the quotes around
// the key, a command about one would become one about all.
func (p *parser) quoted() ([]string, error) {
	begin := 0
	if utf8.RuneCountInString(p.words[0]) == 1 {
		begin = 1
	}
	length := slices.IndexFunc(p.words[begin:], endsQuote) + 1
	if length == 0 {
		return nil, mistake("The quotes around the reason are not closed.", "Close them: "+p.command.example(`"laptop stolen"`))
	}
	words := strings.Fields(strings.TrimFunc(strings.Join(p.words[:begin+length], " "), isQuote))
	p.words = p.words[begin+length:]
	if i := slices.IndexFunc(words, looksLikeKey); i >= 0 && len(p.command.Keys) == 0 {
		return nil, mistake(
			fmt.Sprintf(`"%s" looks like an access key id, and is in the reason: this would be about all keys.`, edge.Clip(words[i])),
			"Name key ids whole, before the reason: "+p.command.exampleWithKey(`"laptop stolen"`)+" If all keys are meant, leave it out of the reason.",
		)
	}
	rest, err := p.peek()
	if err == nil && rest != "" {
		err = mistake(
			fmt.Sprintf(`"%s" comes after the reason in quotes.`, edge.Clip(rest)),
			"Put all of the reason in quotes, after the keys: "+p.command.exampleWithKey(`"laptop stolen"`),
		)
	}
	return words, err
}

// wantsDryRun reports whether the last words may be meant as the option.
func wantsDryRun(words []string) bool {
	last := strings.ToLower(undecorated(words[len(words)-1]))
	return slices.Contains([]string{"dry-run", "dry_run", "dryrun"}, last) ||
		last == "run" && len(words) > 1 && strings.EqualFold(words[len(words)-2], "dry")
}
