package slackapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

const day = 24 * time.Hour

func aging(id string) guard.AgingKey {
	return guard.AgingKey{ID: id, Created: now().Add(-351 * day), DeactivateAfter: now().Add(14 * day)}
}

func last(id string) guard.AgingKey {
	return guard.AgingKey{ID: id, Created: now().Add(-358 * day), DeactivateAfter: now().Add(7 * day), Last: true}
}

func warning(user guard.User, keys ...guard.AgingKey) guard.OwnerWarning {
	return guard.OwnerWarning{SweepID: "s1", User: user, Keys: keys}
}

// warnings are those of the golden files, by name. Each is a message to the owner, or with several to a channel.
func warnings() map[string]slackapi.Message {
	only := last(one)
	only.OnlyActive = true
	crowd := make([]guard.AgingKey, 100)
	for i := range crowd {
		crowd[i] = last(fmt.Sprintf("%092d", i))
	}
	people := make([]guard.OwnerWarning, slackapi.MaxPassedOn)
	for i := range people {
		people[i] = warning(guard.User{ID: alice().ID, Email: fmt.Sprintf("user%02d@example.com", i)}, aging(one), last(two))
	}
	undated := aging(one)
	undated.Created = time.Time{}
	hostile := warning(guard.User{Email: "a&b<!channel>@example.com"}, last("00`e1<@U0BOB>"))
	return map[string]slackapi.Message{
		"first":                           slackapi.Warning(warning(alice(), aging(one))),
		"last":                            slackapi.Warning(warning(alice(), last(one))),
		"first_and_last":                  slackapi.Warning(warning(alice(), aging(one), last(two))),
		"only_active":                     slackapi.Warning(warning(alice(), only)),
		"undated":                         slackapi.Warning(warning(alice(), undated)),
		"hundred_keys":                    slackapi.Warning(warning(alice(), crowd...)),
		"what_outsiders_may_send":         slackapi.Warning(hostile),
		"pass_on":                         slackapi.PassOn([]guard.OwnerWarning{warning(alice(), aging(two), only)}),
		"pass_on_without_address":         slackapi.PassOn([]guard.OwnerWarning{warning(guard.User{ID: alice().ID}, aging(one))}),
		"pass_on_to_many":                 slackapi.PassOn(people),
		"pass_on_what_outsiders_may_send": slackapi.PassOn([]guard.OwnerWarning{hostile, hostile}),
	}
}

func TestWarning(t *testing.T) {
	t.Parallel()
	for name, m := range warnings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks(t, "warning", name, m)
		})
	}
}

// Whatever a warning holds, Slack takes the message.
func TestWarningFitsIntoSlack(t *testing.T) {
	t.Parallel()
	text := anyText()
	at := rapid.Custom(func(rt *rapid.T) time.Time { return time.Unix(rapid.Int64Range(-62e9, 253e9).Draw(rt, "seconds"), 0) })
	one := rapid.Custom(func(rt *rapid.T) guard.OwnerWarning {
		w := warning(guard.User{ID: text.Draw(rt, "user"), Email: text.Draw(rt, "email")})
		for range rapid.SampledFrom([]int{1, 2, 10, 100}).Draw(rt, "keys") {
			id := rapid.OneOf(text, rapid.Just(strings.Repeat("&", 128))).Draw(rt, "id")
			w.Keys = append(w.Keys, guard.AgingKey{
				ID: id, Created: at.Draw(rt, "created"), DeactivateAfter: at.Draw(rt, "after"), Last: rapid.Bool().Draw(rt, "last"), OnlyActive: rapid.Bool().Draw(rt, "only"),
			})
		}
		return w
	})
	rapid.Check(t, func(rt *rapid.T) {
		fits(rt, slackapi.Warning(one.Draw(rt, "warning")))
		fits(rt, slackapi.PassOn(rapid.SliceOfN(one, 1, slackapi.MaxPassedOn).Draw(rt, "warnings")))
	})
}
