package chatops

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// plain is a message of one paragraph in mrkdwn.
func plain(text string) slackapi.Message {
	return slackapi.Message{Text: text, Blocks: []slack.Block{slackapi.Section(text)}}
}

func label(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

// refusal tells what was wrong, and what would be right.
func refusal(err error) slackapi.Message {
	known := guard.AsError(err)
	remedy := known.Remedy
	if known.Kind == guard.NotFound {
		remedy = "Check the address. `/keys alice@example.com` shows which keys there are."
	}
	return plain(strings.TrimSpace(":warning: " + slackapi.Escape(known.Message+" "+remedy)))
}

func help() slackapi.Message {
	const text = "*What `/keys` can do*\n" +
		"`/keys alice@example.com` shows a person's access keys, and what may be done to each\n" +
		"`/keys deactivate alice@example.com 00e1… laptop stolen` switches a key off; without a key, all of them\n" +
		"`/keys activate alice@example.com 00e1…` switches it on again\n" +
		"`/keys delete alice@example.com 00e1…` deletes an inactive key, if a second person approves\n" +
		"`/keys offboard alice@example.com left the company` switches all keys off, also the last one\n" +
		"`--dry-run` says what would happen. `--override RULE` gets past a rule that refused, if a second person approves."
	return slackapi.Message{Text: "What /keys can do", Blocks: []slack.Block{slackapi.Section(text)}}
}

// acknowledged says that a command was understood, and how.
func acknowledged(c Command) slackapi.Message {
	user := slackapi.Escape(c.User)
	if c.Mention != "" {
		user = slackapi.Mention(c.Mention)
	}
	if c.Verb == List {
		return plain("Looking up the access keys of " + user + " …")
	}
	what := "all access keys"
	if n := len(c.Keys); n > 0 {
		what = count(n, "access key")
	}
	next := "The outcome follows."
	if c.NeedsApproval() {
		next = "A second person is asked, unless the answer is no anyway."
	}
	return plain(fmt.Sprintf("Got it: %s %s of %s. %s", c.Verb, what, user, next))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func channels(ids []string) string {
	links := make([]string, len(ids))
	for i, id := range ids {
		links[i] = "<#" + id + ">"
	}
	return strings.Join(links, " or ")
}

// mostKeys is how many keys a message has room for: Slack takes fifty blocks, and of all together some twelve thousand
// characters. IONOS allows a user five keys.
const mostKeys = 10

// listing shows a user's keys, and a button for each action that the guard would let the asker take.
func listing(inventory guard.Inventory, now time.Time) slackapi.Message {
	name := slackapi.Escape(cmp.Or(inventory.User.Email, inventory.User.ID))
	head := fmt.Sprintf("*%s of %s*", count(len(inventory.Keys), "access key"), name)
	if len(inventory.Keys) == 0 {
		head = name + " has no access keys."
	}
	if !inventory.OffboardedAt.IsZero() {
		head += "\nOffboarded " + slackapi.When(inventory.OffboardedAt) + "."
	}
	message := slackapi.Message{Text: count(len(inventory.Keys), "access key") + " of " + name, Blocks: []slack.Block{slackapi.Section(head)}}
	for i, k := range inventory.Keys {
		if i == mostKeys {
			message.Blocks = append(message.Blocks, slackapi.Context(fmt.Sprintf("and %d more", len(inventory.Keys)-mostKeys)))
			break
		}
		message.Blocks = append(message.Blocks, slackapi.Section(describe(k, now)))
		if buttons := keyButtons(k, inventory.User); len(buttons) > 0 {
			message.Blocks = append(message.Blocks, slack.NewActionBlock("", buttons...))
		}
	}
	return message
}

// describe is a key in two lines: what it is, and who switched it last.
func describe(k guard.InventoryKey, now time.Time) string {
	state := "*active*"
	switch {
	case !k.Active && k.InactiveSince.IsZero():
		state = "inactive, nobody knows since when"
	case !k.Active:
		state = "inactive since " + slackapi.When(k.InactiveSince)
	}
	line := slackapi.Code(k.ID) + " " + state
	if !k.Created.IsZero() {
		line += ", " + count(max(0, int(now.Sub(k.Created)/(24*time.Hour))), "day") + " old"
	}
	if k.Legacy {
		line += ", legacy"
	}
	if last := k.LastChange; last != nil {
		line += fmt.Sprintf("\nLast %sd %s by %s", last.Action, slackapi.When(last.At), slackapi.Escape(edge.Clip(last.Actor.String())))
		if last.ApprovedBy != (guard.Actor{}) {
			line += ", approved by " + slackapi.Escape(edge.Clip(last.ApprovedBy.String()))
		}
		if last.Reason != "" {
			line += ": " + slackapi.Escape(edge.Clip(last.Reason))
		}
	}
	return line
}

// keyRef is what a key's button carries. Who may press it to what effect is judged when it is pressed.
type keyRef struct {
	User string `json:"user"`
	Key  string `json:"key"`
}

func keyButtons(k guard.InventoryKey, user guard.User) []slack.BlockElement {
	value, err := json.Marshal(keyRef{User: user.ID, Key: k.ID})
	if err != nil {
		panic(err) // two strings can be marshalled
	}
	var buttons []slack.BlockElement
	for _, action := range k.Allowed {
		button := slack.NewButtonBlockElement(string(action), string(value), label(title(action)))
		switch action {
		case guard.Delete:
			button.Text = label("Delete …") // it asks a second person first
			button.WithStyle(slack.StyleDanger)
		case guard.Activate, guard.Deactivate:
			button.WithConfirm(slack.NewConfirmationBlockObject(
				label(title(action)+" this key?"),
				label(k.ID+" of "+edge.Clip(cmp.Or(user.Email, user.ID))),
				label(title(action)), label("Leave it"),
			))
		}
		buttons = append(buttons, button)
	}
	return buttons
}

// keyButton is the command that pressing a key's button stands for.
func keyButton(b button) (Command, error) {
	var ref keyRef
	if err := edge.DecodeStrictly([]byte(b.Value), &ref, edge.Form{Name: "The button", Members: "user and key"}); err != nil {
		return Command{}, err
	}
	if !slices.Contains(guard.Actions(), guard.Action(b.Action)) || ref.Key == "" {
		return Command{}, &guard.Error{Kind: guard.Invalid, Message: "This is no button of Keyreeve's.", Remedy: "Ask for the list of keys again."}
	}
	return Command{Verb: Verb(b.Action), User: ref.User, Keys: []string{ref.Key}}, nil
}

func title(action guard.Action) string {
	return strings.ToUpper(string(action[:1])) + string(action[1:])
}

// mostLeftOut is how many keys a question tells of that it is not about. Slack takes 3000 characters in a section.
const mostLeftOut = 5

// question is what a second person reads: who wants what, exactly, and why.
func question(p Pending, preview guard.Result, token string, alone bool) slackapi.Message {
	text := wish(p)
	if p.Request.Action == guard.Delete {
		text += " A deleted key cannot be brought back."
	}
	who := "Another person who may act on these keys"
	if alone {
		who = "Whoever may act on these keys"
	}
	ok := slack.NewButtonBlockElement(approve, token, label("Approve")).WithStyle(slack.StylePrimary)
	if p.Request.Action == guard.Delete {
		ok.WithStyle(slack.StyleDanger)
	}
	message := slackapi.Message{Text: wish(p), Blocks: []slack.Block{slackapi.Section(text + details(p))}}
	if others := leftOut(preview.Keys); others != "" {
		message.Blocks = append(message.Blocks, slackapi.Section(others))
	}
	message.Blocks = append(message.Blocks,
		slack.NewActionBlock("", ok, slack.NewButtonBlockElement(cancel, token, label("Cancel"))),
		slackapi.Context(who+" can approve until "+slackapi.When(p.Expires)+"."),
	)
	return message
}

// leftOut tells of the keys that the question is not about, although they were asked for.
func leftOut(keys []guard.KeyResult) string {
	var lines []string
	for _, k := range keys {
		if k.Outcome == guard.Changed {
			continue
		}
		why := slackapi.Escape(cmp.Or(k.Message, "nothing would change"))
		if strings.Contains(why, k.ID) {
			lines = append(lines, strings.Replace(why, k.ID, slackapi.Code(k.ID), 1))
		} else {
			lines = append(lines, slackapi.Code(k.ID)+": "+why)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	if more := len(lines) - mostLeftOut; more > 0 {
		lines = append(lines[:mostLeftOut], fmt.Sprintf("and %d more", more))
	}
	return "Left out:\n• " + strings.Join(lines, "\n• ")
}

// details are the keys, a line each, and the reason.
func details(p Pending) string {
	lines := make([]string, len(p.Request.Keys))
	for i, id := range p.Request.Keys {
		lines[i] = "\n• " + slackapi.Code(id)
	}
	return strings.Join(lines, "") + "\n*Reason:* " + slackapi.Escape(cmp.Or(p.Request.Reason, "none given"))
}

// wish is who asks for what, in a sentence.
func wish(p Pending) string {
	user := slackapi.Escape(cmp.Or(p.Email, p.Request.User))
	what := fmt.Sprintf("*%s* %s of %s", p.Request.Action, count(len(p.Request.Keys), "access key"), user)
	if p.Request.Offboarding {
		what = fmt.Sprintf("*offboard* %s and switch off %s", user, count(len(p.Request.Keys), "access key"))
	}
	text := fmt.Sprintf("%s (%s) asks to %s", slackapi.Mention(p.Asker), slackapi.Escape(p.Request.Actor.String()), what)
	if len(p.Request.Override) > 0 {
		text += ", overriding " + rules(p.Request.Override)
	}
	return text + "."
}

func rules(rules []guard.Rule) string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = slackapi.Code(string(r))
	}
	return strings.Join(names, ", ")
}

// decided takes the place of a question that was answered. Verb is "Approved" or "Cancelled".
func decided(p Pending, verb, userID string) slackapi.Message {
	return slackapi.Message{
		Text:   verb + ": " + wish(p),
		Blocks: []slack.Block{slackapi.Section(wish(p) + details(p)), slackapi.Context(verb + " by " + slackapi.Mention(userID) + ".")},
	}
}
