package notify

import (
	"slices"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// maxLines is how many outcomes of a batch the channel sees one by one, and how many people to pass warnings on to. More
// become a digest.
const maxLines = 5

// post is one message in Slack, and the notices that are told by it, which are all of one kind.
type post struct {
	// owner is the e-mail address of whom it is for; empty: the channel.
	owner   string
	notices notices
}

// gather makes posts of notices: those for the channel first, then one for each owner whose keys were changed, and one for
// each who is warned.
func gather(all notices) []post {
	var sweeps, lines notices
	var letters, warnings []post
	for _, n := range all {
		i := slices.IndexFunc(letters, func(p post) bool { return p.owner == n.owner })
		switch {
		case n.sweep != nil:
			sweeps = append(sweeps, n)
		case n.warning != nil:
			warnings = append(warnings, post{owner: n.owner, notices: notices{n}})
		case n.owner == "":
			lines = append(lines, n)
		case i >= 0:
			letters[i].notices = append(letters[i].notices, n)
		default:
			letters = append(letters, post{owner: n.owner, notices: notices{n}})
		}
	}
	return slices.Concat(inChannel(sweeps, 1), inChannel(lines, len(lines)), letters, warnings)
}

// inChannel makes posts for the channel: one each for a few notices, else so many together.
func inChannel(all notices, together int) []post {
	if len(all) <= maxLines {
		together = 1
	}
	var posts []post
	for some := range slices.Chunk(all, together) {
		posts = append(posts, post{notices: some})
	}
	return posts
}

func (p post) outcomes() []guard.Finished {
	outcomes := make([]guard.Finished, len(p.notices))
	for i, n := range p.notices {
		outcomes[i] = *n.outcome
	}
	return outcomes
}

func (p post) warnings() []guard.OwnerWarning {
	warnings := make([]guard.OwnerWarning, len(p.notices))
	for i, n := range p.notices {
		warnings[i] = *n.warning
	}
	return warnings
}

// ids returns the ids of the requests, or of the sweeps, that the post is about.
func (p post) ids() []string {
	ids := make([]string, len(p.notices))
	for i, n := range p.notices {
		ids[i] = n.id()
	}
	return ids
}

// warns reports whether the post is about warnings.
func (p post) warns() bool { return p.notices[0].warning != nil }

func (p post) message() slackapi.Message {
	first := p.notices[0]
	switch {
	case first.sweep != nil:
		return slackapi.Sweep(*first.sweep)
	case p.warns() && p.owner == "":
		return slackapi.PassOn(p.warnings())
	case p.warns():
		return slackapi.Warning(*first.warning)
	case p.owner != "":
		return letter(p.outcomes())
	case len(p.notices) > 1:
		return digest(p.outcomes())
	default:
		return slackapi.Outcome(*first.outcome)
	}
}
