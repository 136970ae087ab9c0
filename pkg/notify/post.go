package notify

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"keyreeve/pkg/edge"
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

// maxLetter bounds what a letter tells, in bytes of its JSON: see maxList for what a message takes.
const maxLetter = 9000

// letter tells the owner of keys what was changed about them. What was not changed, and what operators have to see to, is
// left out.
func letter(outcomes []guard.Finished) slackapi.Message {
	intro := "These are your access keys of IONOS Object Storage. " + whomToAsk(outcomes)
	blocks := []slack.Block{slackapi.Section(intro)}
	size := 0
	for i, f := range outcomes {
		f.Keys = slices.DeleteFunc(slices.Clone(f.Keys), func(k guard.KeyResult) bool { return k.Outcome != guard.Changed })
		f.Warnings = nil
		next := slackapi.Outcome(f).Blocks
		encoded, err := json.Marshal(next)
		size += len(encoded)
		if i > 0 && (err != nil || size > maxLetter) {
			blocks = append(blocks, slackapi.Section(more(len(outcomes)-i)))
			break
		}
		blocks = append(blocks, next...)
	}
	return slackapi.Message{Text: intro, Blocks: blocks}
}

// whomToAsk names the people who asked for the changes. Where it was only systems, those who run them know more.
func whomToAsk(outcomes []guard.Finished) string {
	const atMost = 5
	var people, systems []string
	for _, f := range outcomes {
		name := slackapi.Escape(edge.Clip(f.Actor.String()))
		names := &systems
		if f.Actor.Person() {
			names = &people
		}
		if !slices.Contains(*names, name) && len(*names) < atMost {
			*names = append(*names, name)
		}
	}
	if len(people) > 0 {
		return "If you have questions, ask " + strings.Join(people, " or ") + "."
	}
	return "If you have questions, ask your administrators about " + strings.Join(systems, " and ") + "."
}
