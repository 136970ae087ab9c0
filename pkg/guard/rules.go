package guard

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule names a reason to refuse.
type Rule string

// The rules.
const (
	NotPermitted       Rule = "not_permitted"
	UntrustedTrigger   Rule = "untrusted_trigger"
	Stale              Rule = "stale"
	Exempt             Rule = "exempt"
	OwnIdentity        Rule = "own_identity"
	Offboarded         Rule = "offboarded"
	LastActiveKey      Rule = "last_active_key"
	StillActive        Rule = "still_active"
	Confirmation       Rule = "confirmation"
	GracePeriod        Rule = "grace_period"
	OnlyKeyWithBuckets Rule = "only_key_with_buckets"
	BlastRadius        Rule = "blast_radius"
)

// Overridable returns the rules that a request's override may name. Whether this actor may is another question.
func Overridable() []Rule {
	return []Rule{LastActiveKey, GracePeriod, OnlyKeyWithBuckets, Offboarded, BlastRadius}
}

func (r Rule) overridable() bool { return slices.Contains(Overridable(), r) }

// OfTheMoment reports whether the rule refuses for something that passes, so that the same event may pass later, or for
// what shows in the event itself, so that it needs no memory.
func (r Rule) OfTheMoment() bool {
	switch r {
	case NotPermitted, UntrustedTrigger, Stale, BlastRadius:
		return true
	default:
		return false
	}
}

func joinRules(rules []Rule) string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// requestRules are about the request as a whole: they refuse all its keys, whatever state these are in.
func (j judgement) requestRules() []rule {
	return []rule{
		{NotPermitted, j.notPermitted},
		{UntrustedTrigger, j.untrustedTrigger},
		{Stale, j.stale},
	}
}

// keyRules are about one key that would be changed, in the order in which they are to be explained.
func (j judgement) keyRules() []rule {
	rules := []rule{{Exempt, j.exempt}}
	switch j.req.Action {
	case Activate:
		return append(rules, rule{Offboarded, j.offboarded})
	case Deactivate:
		return append(rules, rule{OwnIdentity, j.ownIdentity})
	default:
		return append(
			rules,
			rule{OwnIdentity, j.ownIdentity},
			rule{StillActive, j.stillActive},
			rule{Confirmation, j.confirmation},
			rule{GracePeriod, j.gracePeriod},
		)
	}
}

func (j judgement) notPermitted(Key) (message, remedy string) {
	if Permitted(j.req.Actor, j.read.User, j.read.ActorAdministers) {
		return "", ""
	}
	return fmt.Sprintf("%s is neither the owner nor an administrator of the contract and may act on their own keys only.", j.req.Actor),
		"Ask an administrator, or have the actor added to KEYREEVE_OPERATORS."
}

// Senders whose signature carries no time: what they signed once can be sent again by whoever recorded it.
func (j judgement) untrustedTrigger(Key) (message, remedy string) {
	switch j.req.Source {
	case "okta", "github", "hibob", "scim":
	default:
		return "", ""
	}
	if j.req.Action == Deactivate || j.reinstates() {
		return "", ""
	}
	return fmt.Sprintf("Requests of %s carry no signed time and may only deactivate.", j.req.Source),
		"Let an operator do it, or send it through a sender that signs the time."
}

// reinstates reports whether an identity provider says that somebody is back, and its word counts for that.
func (j judgement) reinstates() bool {
	return j.policy.SCIMActivates && j.req.Source == "scim" && j.req.Action == Activate
}

func (j judgement) stale(Key) (message, remedy string) {
	age := j.now.Sub(j.req.OccurredAt)
	if age <= j.policy.EventMaxAge {
		return "", ""
	}
	return fmt.Sprintf("The event is %s old; the limit is %s.", span(age), span(j.policy.EventMaxAge)),
		"If it is still meant, send it again as a new event."
}

func (j judgement) exempt(k Key) (message, remedy string) {
	for _, e := range j.policy.Exemptions {
		if !e.holds(j.now) || !e.Pattern.Matches(k.ID) && !e.Pattern.Matches(j.read.User.ID) && !e.Pattern.Matches(j.read.User.Email) {
			continue
		}
		until := ""
		if !e.Until.IsZero() {
			until = " until " + when(e.Until)
		}
		return fmt.Sprintf("%q is exempt%s: Keyreeve leaves it alone.", string(e.Pattern), until),
			"Take it out of KEYREEVE_EXEMPT if it should not be."
	}
	return "", ""
}

func (j judgement) ownIdentity(Key) (message, remedy string) {
	if !sameText(j.read.Self.ID, j.read.User.ID) && !sameText(j.read.Self.Email, j.read.User.Email) {
		return "", ""
	}
	return fmt.Sprintf("Keyreeve itself runs as %s: it does not cut off its own identity.", name(j.read.User)),
		"Run Keyreeve as a technical user of its own, or do this in the IONOS console."
}

func (j judgement) offboarded(Key) (message, remedy string) {
	if j.read.Memory.OffboardedAt.IsZero() {
		return "", ""
	}
	return fmt.Sprintf("%s was offboarded on %s.", name(j.read.User), when(j.read.Memory.OffboardedAt)),
		"If they are back, let an administrator repeat the request with override [\"offboarded\"]."
}

func (j judgement) stillActive(k Key) (message, remedy string) {
	if !j.perhapsActive(k) {
		return "", ""
	}
	return k.ID + " is active: an active key is never deleted.", "Deactivate it first, and delete it after the grace period."
}

func (j judgement) confirmation(Key) (message, remedy string) {
	wanted, confirmed := slices.Sorted(slices.Values(j.targets())), slices.Sorted(slices.Values(j.req.Confirm))
	if !j.req.Actor.Person() || slices.Equal(wanted, confirmed) {
		return "", ""
	}
	return "A deletion cannot be undone, and the request does not confirm exactly the keys it would delete.",
		"Repeat it with confirm [\"" + strings.Join(wanted, "\", \"") + "\"]."
}

func (j judgement) gracePeriod(k Key) (message, remedy string) {
	since := InactiveSince(k, j.read.Memory.Changes[k.ID])
	override := "let an administrator repeat the request with override [\"grace_period\"]."
	if since.IsZero() {
		return "Nobody knows since when " + k.ID + " has been inactive, so its grace period of " + span(j.policy.DeleteGrace) + " cannot have been kept.",
			"Send a deactivation of the key, which starts the clock; or " + override
	}
	end := since.Add(j.policy.DeleteGrace)
	if !j.now.Before(end) {
		return "", ""
	}
	return fmt.Sprintf("%s has been inactive since %s only; its grace period of %s ends on %s.", k.ID, when(since), span(j.policy.DeleteGrace), when(end)),
		"Delete it after that, or " + override
}

// InactiveSince is the start of an inactive key's grace period: the recorded deactivation, or the API's own date
// of the last switch where that is later, since somebody may have switched the key on and off again elsewhere. Keys
// are made active, so a date that is no later than the key's creation dates no switch. It is zero where nobody knows.
func InactiveSince(k Key, last Change) time.Time {
	switch {
	case k.Active:
		return time.Time{}
	case k.Modified.After(last.At) && k.Modified.After(k.Created):
		return k.Modified
	case last.Action == Deactivate:
		return last.At
	default:
		return time.Time{}
	}
}

func lastActiveKey(k Key, u User) (message, remedy string) {
	return fmt.Sprintf("%s is the last active key of %s that opens all their buckets: without it they lose access.", k.ID, name(u)),
		"Activate or create another key first, or repeat the request with override [\"last_active_key\"], or with offboarding if the person left."
}

func onlyKeyWithBuckets(k Key, u User, owns Ownership) (message, remedy string) {
	override := "; or let an administrator repeat the request with override [\"only_key_with_buckets\"]."
	if owns == OwnsSome {
		return fmt.Sprintf("%s is the only key of %s, who owns buckets: without it nobody can reach them.", k.ID, name(u)),
			"Create another key first, or empty and delete the buckets" + override
	}
	return fmt.Sprintf("%s is the only key of %s, and whether they own buckets cannot be known: only an active key can list them.", k.ID, name(u)),
		"Activate the key and deactivate it again with override [\"last_active_key\"], which asks; or create another key first" + override
}

func tooManyChanges(recent, planned, limit int) (message, remedy string) {
	return fmt.Sprintf("%d keys were changed in the last hour and this request would change %d more; the limit is %d.", recent, planned, limit),
		"Find out why so much changes at once; wait, raise KEYREEVE_MAX_CHANGES, or let an administrator repeat the request with override [\"blast_radius\"]."
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// span writes a duration as people say it: whole days where it has at least two.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.Round(time.Second).String()
}
