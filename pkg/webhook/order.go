package webhook

import (
	"cmp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/signature"
)

// order is a request as a sender's message means it. Its user may still be unknown.
type order struct {
	// request has no user where the sender does not tell an e-mail address.
	request guard.Request
	// people are all the names that the sender has for the one person. The identity map comes first: an address that it has
	// for a name counts more than the sender's own. None: the user is as the request says.
	people []string
}

// leaver is the order to switch off all keys of somebody who left. The sender's names for them may be empty, and may be
// an e-mail address: the first that is one is the user's.
func leaver(reason string, names ...string) order {
	o := order{request: guard.Request{Action: guard.Deactivate, Offboarding: true, Reason: reason}, people: []string{}}
	for _, name := range names {
		name = strings.TrimSpace(name)
		if !isName(name) {
			continue
		}
		o.people = append(o.people, name)
		if o.request.User == "" && guard.IsEmail(name) {
			o.request.User = name
		}
	}
	return o
}

// happened says by which event and when somebody left, as far as the sender tells.
func (o order) happened(id string, at time.Time) order {
	if isName(id) {
		o.request.ID = id
	}
	o.request.OccurredAt = at
	return o
}

// complete fills in what every request of a sender has. What a sender leaves out is taken from the signature, and the time
// of its arrival comes last. Times in the future would be refused; they come from clocks and time zones of others.
func (o order) complete(sender string, signed signature.Signed, now time.Time) order {
	o.request.Source = sender
	o.request.Actor = guard.Actor{Kind: guard.System, Name: sender}
	o.request.ID = cmp.Or(o.request.ID, signed.ID, signed.Digest)
	at := now
	for _, told := range []time.Time{signed.At, o.request.OccurredAt} {
		// Before the year 1 there are times that JSON cannot hold.
		if told.After(time.Time{}) {
			at = told
		}
	}
	if at.After(now) {
		at = now
	}
	o.request.OccurredAt = at.UTC()
	return o
}

// isName reports whether a name or an id is fit for logs, and for the bus: what is longer than any address names nobody.
func isName(name string) bool {
	const longest = 256 // bytes
	return name != "" && len(name) <= longest && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) })
}
