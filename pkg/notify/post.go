package notify

import (
	"slices"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// maxLines is how many outcomes of a batch the channel sees one by one. More become a digest.
const maxLines = 5

// post is one message in Slack, and the notices that are told by it.
type post struct {
	// owner is the e-mail address of whom it is for; empty: the channel.
	owner   string
	notices notices
}

// gather makes posts of notices: those for the channel first, and then one for each owner.
func gather(all notices) []post {
	var lines notices
	var owners []post
	for _, n := range all {
		i := slices.IndexFunc(owners, func(p post) bool { return p.owner == n.owner })
		switch {
		case n.owner == "":
			lines = append(lines, n)
		case i >= 0:
			owners[i].notices = append(owners[i].notices, n)
		default:
			owners = append(owners, post{owner: n.owner, notices: notices{n}})
		}
	}
	if len(lines) > maxLines {
		return append([]post{{notices: lines}}, owners...)
	}
	var posts []post
	for _, n := range lines {
		posts = append(posts, post{notices: notices{n}})
	}
	return append(posts, owners...)
}

func (p post) outcomes() []guard.Finished {
	outcomes := make([]guard.Finished, len(p.notices))
	for i, n := range p.notices {
		outcomes[i] = n.outcome
	}
	return outcomes
}

// requests returns the ids of the requests that the post is about.
func (p post) requests() []string {
	ids := make([]string, len(p.notices))
	for i, n := range p.notices {
		ids[i] = n.outcome.ID
	}
	return ids
}

func (p post) message() slackapi.Message {
	switch {
	case p.owner != "":
		return letter(p.outcomes())
	case len(p.notices) > 1:
		return digest(p.outcomes())
	default:
		return slackapi.Outcome(p.notices[0].outcome)
	}
}
