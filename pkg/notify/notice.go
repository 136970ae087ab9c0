package notify

import (
	"crypto/sha256"
	"fmt"

	"keyreeve/pkg/guard"
)

// notice is one outcome for one audience.
type notice struct {
	// owner is the e-mail address of whom it is for; empty: the channel.
	owner   string
	outcome guard.Finished
	digest  string
	// places are those of the messages in the batch that hold the outcome: several where it was delivered several times.
	places []int
}

// notices are those of a batch, in the order of its messages, each once.
type notices []*notice

// add takes an outcome from the message at that place of the batch, for all whom it is for.
func (n *notices) add(outcome guard.Finished, channel string, place int) {
	if channel != "" && forChannel(outcome) {
		n.put(&notice{outcome: outcome, digest: digestFor(channel, outcome), places: []int{place}})
	}
	if owner := ownerToTell(outcome); owner != "" {
		n.put(&notice{owner: owner, outcome: outcome, digest: digestFor(owner, outcome), places: []int{place}})
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

// digestFor is the same for the same outcome told to the same audience.
func digestFor(audience string, f guard.Finished) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "notice for %q: %s", audience, f.Fingerprint())))
}
