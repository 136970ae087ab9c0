package guard

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Action is what a request does to access keys.
type Action string

// The three actions.
const (
	Activate   Action = "activate"
	Deactivate Action = "deactivate"
	Delete     Action = "delete"
)

// Actions returns all actions, in the order they are usually shown.
func Actions() []Action { return []Action{Activate, Deactivate, Delete} }

// ActorKind says what sort of caller an [Actor] is.
type ActorKind string

// The kinds of actor. Operators and people in chat are persons: their permission is looked up, and some
// overrides are theirs alone. A system or a schedule was authenticated by its front door.
const (
	Operator ActorKind = "operator"
	ChatOps  ActorKind = "chatops"
	System   ActorKind = "system"
	Schedule ActorKind = "schedule"
)

// Actor is who asked. It comes from the authenticated caller.
type Actor struct {
	Kind  ActorKind `json:"kind"`
	Name  string    `json:"name,omitempty"`
	Email string    `json:"email,omitempty"`
}

// Person reports whether the actor is a human being, whose permission depends on who they are.
func (a Actor) Person() bool { return a.Kind == Operator || a.Kind == ChatOps }

// String names the actor as briefly as is unambiguous: the e-mail, else the name, else the kind.
func (a Actor) String() string {
	switch {
	case a.Email != "":
		return a.Email
	case a.Name != "":
		return a.Name
	default:
		return string(a.Kind)
	}
}

// ReplyTo says where the asker wants to hear the outcome.
type ReplyTo struct {
	// Slack is a response_url, always on hooks.slack.com.
	Slack string `json:"slack,omitempty"`
	// Channel is the id of the Slack channel in which it was asked.
	Channel string `json:"channel,omitempty"`
}

// Request is one action on one user's access keys: a Lambda payload, a queue message and the detail of an event
// have this shape.
type Request struct {
	Action Action `json:"action,omitempty"`
	// User is an e-mail address or a UUID.
	User string `json:"user"`
	// Keys are access key ids; none means all keys of the user.
	Keys   []string `json:"keys,omitempty"`
	Reason string   `json:"reason,omitempty"`
	Actor  Actor    `json:"actor,omitzero"`
	// ApprovedBy is the second person, where one had to agree. Whoever makes the request has made sure of that.
	ApprovedBy Actor `json:"approvedBy,omitzero"`
	// Source names the sender: "okta", "api", "bus".
	Source string `json:"source,omitempty"`
	// ID is the sender's id of the event, the same whenever it is sent again.
	ID         string    `json:"id,omitempty"`
	OccurredAt time.Time `json:"occurredAt,omitzero"`
	// Offboarding means that the person left: no key needs to stay.
	Offboarding bool `json:"offboarding,omitempty"`
	DryRun      bool `json:"dryRun,omitempty"`
	// Override names the rules that must not refuse this request.
	Override []Rule `json:"override,omitempty"`
	// Confirm repeats exactly the keys that a deletion is meant for.
	Confirm []string `json:"confirm,omitempty"`
	ReplyTo ReplyTo  `json:"replyTo,omitzero"`
}

// Unmapped is a request about somebody whom only its sender has a name for: it waits until the identity map has the
// e-mail address, and its User is empty until then.
type Unmapped struct {
	Sender string `json:"sender"`
	// People are all the names that the sender has for the one person.
	People  []string `json:"people"`
	Request Request  `json:"request"`
}

// Fingerprint is the same for requests that are alike in everything, as one that is delivered again is. A request that
// comes again with an override or a confirmation is another one.
func (r Request) Fingerprint() string {
	encoded, err := json.Marshal(r)
	if err != nil {
		return "" // A time that Validate refuses; and nothing is like a request without a fingerprint.
	}
	return fmt.Sprintf("%x", sha256.Sum256(encoded))
}

// Event is the same for requests about the same event, however they arrive: those with the same id, source, action and
// time. Senders that give every event the same id differ in the time. It is empty where there is no id.
func (r Request) Event() string {
	if r.ID == "" {
		return ""
	}
	named := fmt.Sprintf("%q %q %q %s", r.ID, r.Source, r.Action, r.OccurredAt.UTC().Format(time.RFC3339Nano))
	return fmt.Sprintf("%x", sha256.Sum256([]byte(named)))[:32]
}

// MaxKeys is how many access keys one request may name.
const MaxKeys = 100

// Limits of a request's fields: longer ones are mistakes, and would end in logs and messages.
const (
	maxKeyLength  = 128
	maxTextLength = 1000
)

// ClockSkew is how far ahead of this clock an event's time may lie.
const ClockSkew = 5 * time.Minute

// IsUUID reports whether ref has the form of a user's UUID rather than an e-mail address.
func IsUUID(ref string) bool {
	groups := strings.Split(ref, "-")
	for i, length := range []int{8, 4, 4, 4, 12} {
		if len(groups) != 5 || len(groups[i]) != length || strings.Trim(groups[i], "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return true
}

// IsEmail reports whether ref is a bare e-mail address in ASCII. Addresses are compared without regard to case, and
// outside ASCII other letters count as a k or an s in another case: one person's address would be another's.
func IsEmail(ref string) bool {
	address, err := mail.ParseAddress(ref)
	return err == nil && address.Address == ref && !strings.ContainsFunc(ref, func(c rune) bool { return c > unicode.MaxASCII })
}

// Validate reports everything that is wrong with the request as one error of kind [Invalid], or nil. Its message is
// short, however long the request.
// All fields must be filled in, as they are once a request has been translated.
func (r Request) Validate(now time.Time) error {
	var problems []string
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	if !slices.Contains(Actions(), r.Action) {
		problem("action must be activate, deactivate or delete, not %.80q", r.Action)
	}
	switch {
	case r.User == "":
		problem("user is missing: give an e-mail address or a UUID")
	case !IsUUID(r.User) && !IsEmail(r.User):
		problem("user must be an e-mail address or a UUID, not %.80q", r.User)
	}
	r.validateKeys("keys", r.Keys, problem)
	r.validateKeys("confirm", r.Confirm, problem)
	for _, text := range []struct{ field, value string }{
		{"reason", r.Reason},
		{"source", r.Source},
		{"id", r.ID},
		{"actor.name", r.Actor.Name},
		{"actor.email", r.Actor.Email},
		{"approvedBy.name", r.ApprovedBy.Name},
		{"approvedBy.email", r.ApprovedBy.Email},
		{"replyTo.slack", r.ReplyTo.Slack},
		{"replyTo.channel", r.ReplyTo.Channel},
	} {
		if !printable(text.value) {
			problem("%s must be at most %d printable characters", text.field, maxTextLength)
		}
	}
	switch r.Actor.Kind {
	case Operator, ChatOps, System, Schedule:
	default:
		problem("actor.kind must be operator, chatops, system or schedule, not %.80q", r.Actor.Kind)
	}
	if r.ApprovedBy != (Actor{}) && !r.ApprovedBy.Person() {
		problem("approvedBy.kind must be operator or chatops, not %.80q", r.ApprovedBy.Kind)
	}
	switch _, err := r.OccurredAt.MarshalText(); {
	case err != nil:
		problem("occurredAt is a time that cannot be written as RFC 3339") // Nor could the outcome be announced.
	case r.OccurredAt.After(now.Add(ClockSkew)):
		problem("occurredAt lies in the future (%s)", r.OccurredAt.Format(time.RFC3339))
	}
	if r.Offboarding && r.Action != Deactivate {
		problem("offboarding goes with the action deactivate only")
	}
	if i := slices.IndexFunc(r.Override, func(rule Rule) bool { return !rule.overridable() }); i >= 0 {
		problem("override: %.80q is not a rule that can be overridden (%s)", r.Override[i], joinRules(Overridable()))
	}
	if r.ReplyTo.Slack != "" && !IsResponseURL(r.ReplyTo.Slack) {
		problem("replyTo.slack must be an https address on hooks.slack.com")
	}
	if len(problems) == 0 {
		return nil
	}
	return &Error{
		Kind: Invalid, Message: "The request is not valid: " + strings.Join(problems, "; ") + ".",
		Remedy: "Correct it and send it again.",
	}
}

// validateKeys reports the first problem of a list: there may be as many as keys.
func (Request) validateKeys(field string, ids []string, problem func(string, ...any)) {
	if len(ids) > MaxKeys {
		problem("%s names more than %d keys", field, MaxKeys)
		return
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		switch {
		case id == "" || len(id) > maxKeyLength || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }):
			problem("%s: %.80q is not an access key id", field, id)
			return
		case seen[id]:
			problem("%s names %s twice", field, id)
			return
		}
		seen[id] = true
	}
}

func printable(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxTextLength &&
		!strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' })
}

// IsResponseURL reports whether s is what Slack calls a response_url: https, and on hooks.slack.com, which is where all of
// them lie.
func IsResponseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host == "hooks.slack.com" && u.User == nil
}
