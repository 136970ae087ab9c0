package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/slackapi/slacktest"
)

// TestNotices has things happen that a channel hears of, and some of them the owner of the keys.
func TestNotices(t *testing.T) {
	t.Parallel()
	leavers := make([]string, 8)
	for i := range leavers {
		leavers[i] = fmt.Sprintf("leaver%d", i)
	}
	w := startWorkspace(t, append([]string{"nora", "nils", "nina", "nele", "noah"}, leavers...),
		append(sendersOn(t, []string{"nora"}), "LOCAL_WINDOW=1s")...)
	t.Run("a leaver by webhook", func(t *testing.T) { leaverByWebhook(w.during(t)) })
	t.Run("an operator's deactivation", func(t *testing.T) { ownerIsTold(w.during(t)) })
	t.Run("many leave at once", func(t *testing.T) { manyLeave(w.during(t), leavers) })
	t.Run("Slack is down", func(t *testing.T) { slackIsDown(w.during(t)) })
}

// news returns what is shown since, and to whom: the channel with news, and people in private.
func (w *workspace) news(first int) (channel, private []slacktest.Shown) {
	w.t.Helper()
	channel = w.shownSince(first, newsChannel)
	private = slices.DeleteFunc(w.slack.Shown()[first:], func(m slacktest.Shown) bool { return !strings.HasPrefix(m.Channel, "D") })
	return channel, private
}

// leaverByWebhook tells the channel that somebody left, and not the leaver.
func leaverByWebhook(w *workspace) {
	user, keys := w.person("nora", 2)
	before := len(w.slack.Shown())
	github := senders()[slices.IndexFunc(senders(), func(s sender) bool { return s.name == "github" })]
	want(w.t, "status", w.deliver(github.says(user, "nora").sign(github, "new", time.Now())).status, github.status)
	channel, private := w.news(before)
	w.one("the notice", channel, everybody, "*Deactivated* 2 access keys of "+user.Email+" (offboarding)", keys[0], keys[1], "github")
	w.none("private messages", private)
	w.nothingRefused()
}

// ownerIsTold tells the channel and the owner of a key that an operator switched it off, the latter not of their own doings.
func ownerIsTold(w *workspace) {
	nils, keys := w.person("nils", 3)
	before := len(w.slack.Shown())
	w.types("operator", "deactivate "+nils.Email+" "+keys[0]+" laptop stolen")
	channel, private := w.news(before)
	w.one("the notice", channel, everybody, "*Deactivated* 1 access key of "+nils.Email, keys[0], "operator@example.com", "laptop stolen")
	w.one("the letter", private, "nils", "These are your access keys", "ask operator@example.com", keys[0], "laptop stolen")

	before = len(w.slack.Shown())
	w.types("nils", "deactivate "+nils.Email+" "+keys[1])
	channel, private = w.news(before)
	w.one("the notice of one's own doing", channel, everybody, keys[1])
	w.none("private messages about one's own doing", private)
	w.nothingRefused()
}

// manyLeave tells the channel of many at once in one message.
func manyLeave(w *workspace, names []string) {
	before := len(w.slack.Shown())
	for _, name := range names {
		user, keys := w.person(name, 2)
		w.send(byBus, "deactivate", name, fmt.Sprintf(`{"action":"deactivate","user":%q,"keys":[%q,%q],"id":%q,"offboarding":true}`, user.Email, keys[0], keys[1], name))
	}
	channel, private := w.news(before)
	digest := w.one("the digest", channel, everybody, "*8 requests*", "16 keys deactivated of 8 people")
	w.says("the digest", digest, names...)
	w.none("private messages", private)
	w.nothingRefused()
}

// slackIsDown switches keys off while nobody can be told, and tells it later.
func slackIsDown(w *workspace) {
	user, keys := w.person("noah", 2)
	before, refused := len(w.slack.Shown()), len(w.slack.Calls())
	w.slack.Down(true)
	defer w.slack.Down(false)
	w.send(byBus, "deactivate", "noah", fmt.Sprintf(`{"action":"deactivate","user":%q,"keys":[%q],"id":"noah","reason":"key leaked",
		"actor":{"kind":"operator","email":"operator@example.com"}}`, user.Email, keys[0]))
	want(w.t, "outcome", w.finished("noah").said(), map[string]string{keys[0]: "changed"})
	want(w.t, "keys", w.active(user), map[string]bool{keys[0]: false, keys[1]: true})
	w.await("call of Slack while it is down", func(map[string][]result) bool { return len(w.slack.Calls()) > refused })
	want(w.t, "messages meanwhile", len(w.slack.Shown())-before, 0)

	w.slack.Down(false)
	channel, private := w.news(before)
	w.one("the notice", channel, everybody, "*Deactivated* 1 access key of "+user.Email, keys[0], "key leaked")
	w.one("the letter", private, "noah", "These are your access keys", keys[0])
	want(w.t, "dead letters", len(w.deadLetters("notice")), 0)
}
