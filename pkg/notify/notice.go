package notify

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"keyreeve/pkg/guard"
)

// notice is one event for one audience.
type notice struct {
	event

	// owner is the e-mail address of whom it is for; empty: the channel, or of a warning that nobody knows the address.
	owner string
	// digest is the same for the same notice. A warning has none: whether its keys were warned of, the ledger knows.
	digest string
	// places are those of the messages in the batch that hold it: several where it was delivered several times.
	places []int
}

// id is that of the request, or of the sweep.
func (n *notice) id() string {
	switch {
	case n.outcome != nil:
		return n.outcome.ID
	case n.sweep != nil:
		return n.sweep.ID
	default:
		return n.warning.SweepID
	}
}

// notices are those of a batch, in the order of its messages, each once.
type notices []*notice

// add takes an outcome or a sweep from the message at that place of the batch, for all whom it is for.
func (n *notices) add(e event, channel string, place int) {
	switch {
	case e.outcome != nil:
		if channel != "" && forChannel(*e.outcome) {
			n.put(&notice{event: e, digest: digestFor(channel, e.outcome.Fingerprint()), places: []int{place}})
		}
		if owner := ownerToTell(*e.outcome); owner != "" {
			n.put(&notice{event: e, owner: owner, digest: digestFor(owner, e.outcome.Fingerprint()), places: []int{place}})
		}
	case e.sweep != nil:
		if channel != "" {
			said := fmt.Sprintf("sweep %q, stopped: %t", e.sweep.ID, e.sweep.Stopped != nil)
			n.put(&notice{event: e, digest: digestFor(channel, said), places: []int{place}})
		}
	}
}

func (n *notices) put(next *notice) {
	for _, known := range *n {
		if known.digest == next.digest {
			known.places = append(known.places, next.places...)
			return
		}
	}
	*n = append(*n, next)
}

// digestFor is the same for the same said to the same audience.
func digestFor(audience, said string) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "notice for %q: %s", audience, said)))
}

// forChannel reports whether the channel is to see the outcome. Who asks for a dry run gets its result and nobody else
// cares; that of a system shows what it would do if it were let.
func forChannel(f guard.Finished) bool {
	return f.Noteworthy() && (!f.DryRun || !f.Actor.Person())
}

// ownerToTell returns the e-mail address of the owner of keys that were changed, unless they know: because they asked for
// it, or because they left, which people tell them. It is empty where nobody is to be told.
func ownerToTell(f guard.Finished) string {
	if f.DryRun || f.Offboarding || !f.OffboardedAt.IsZero() || !f.Any(guard.Changed) || strings.EqualFold(f.Actor.Email, f.User.Email) {
		return ""
	}
	return strings.ToLower(f.User.Email)
}
