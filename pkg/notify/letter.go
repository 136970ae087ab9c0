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
