package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/notify"
	"keyreeve/pkg/slackapi"
)

const day = 24 * time.Hour

// warning is that of a sweep to the user about keys that may be switched off in two weeks.
func warning(sweep, email string, keys ...string) guard.OwnerWarning {
	w := guard.OwnerWarning{SweepID: sweep, User: guard.User{ID: "the id of " + strings.ToLower(email), Email: email}}
	for _, id := range keys {
		w.Keys = append(w.Keys, guard.AgingKey{ID: id, Created: noon().Add(-351 * day), DeactivateAfter: noon().Add(14 * day)})
	}
	return w
}

// due is the message of a rule of EventBridge that holds the warning.
func due(t tester, w guard.OwnerWarning) string {
	t.Helper()
	detail, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	return event("keyreeve", "Key Warning Due", string(detail))
}

// warn delivers the warnings in one batch and returns which of them, by number, are to be delivered again.
func (w *world) warn(t *testing.T, warnings ...guard.OwnerWarning) []string {
	t.Helper()
	messages := make([]string, len(warnings))
	for i, warning := range warnings {
		messages[i] = due(t, warning)
	}
	return deliver(t.Context(), t, w.queue, messages...)
}

// recorded returns when the ledger has it that the user was warned.
func (w *world) recorded(t *testing.T, email string) guard.KeyWarnings {
	t.Helper()
	user := "the id of " + email
	all, err := w.memory.WarningsOf(t.Context(), []string{user})
	if err != nil {
		t.Fatal(err)
	}
	return all[user]
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		email, channel string
		// to is who gets the warning, empty where the channel does, "nobody" where nobody does.
		to string
	}{
		"the owner":                     {"alice@example.com", channel, alice},
		"the owner, without a channel":  {"alice@example.com", "", alice},
		"nobody in Slack":               {"dave@example.com", channel, ""},
		"an account that is closed":     {"gone@example.com", channel, ""},
		"an app":                        {"robot@example.com", channel, ""},
		"somebody of another workspace": {"guest@example.com", channel, ""},
		"no address":                    {"", channel, ""},
		"nobody, without a channel":     {"dave@example.com", "", "nobody"},
		"no address and no channel":     {"", "", "nobody"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.queue.Channel = tt.channel
			given := warning("s1", tt.email, "00e1", "00e2")
			diff(t, "to deliver again", []string{}, w.warn(t, given))
			diff(t, "refused by Slack", []string(nil), w.slack.Refused())
			if tt.to == "nobody" {
				diff(t, "messages", 0, len(w.slack.Shown()))
				diff(t, "recorded", guard.KeyWarnings(nil), w.recorded(t, tt.email))
				mustSay(t, w.log.String(), "nobody was warned", "the id of "+tt.email, `"sweep":"s1"`)
				return
			}
			shown := w.slack.Shown()
			if len(shown) != 1 {
				t.Fatalf("%d messages, want one", len(shown))
			}
			want := slackapi.Warning(given)
			if tt.to == "" {
				want = slackapi.PassOn([]guard.OwnerWarning{given})
				diff(t, "channel", channel, shown[0].Channel)
			}
			diff(t, "to", tt.to, shown[0].To)
			diff(t, "message", blocks(t, want), string(shown[0].Blocks))
			diff(t, "recorded", guard.KeyWarnings{"00e1": {noon()}, "00e2": {noon()}}, w.recorded(t, tt.email))
		})
	}
}

// A key is warned of twice in its life, and not every night. What a sweep found due is not given if the same was given a
// short time ago, nor after the time that it names.
func TestWarnedBefore(t *testing.T) {
	t.Parallel()
	first := warning("s1", "alice@example.com", "00e1")
	final := warning("s8", "alice@example.com", "00e1")
	final.Keys[0].Last, final.Keys[0].DeactivateAfter = true, noon().Add(20*day)
	tests := map[string]struct {
		second guard.OwnerWarning
		later  time.Duration
		// names are the keys that the second message names, none where there is none.
		names []string
	}{
		"the same, delivered twice":          {first, time.Minute, nil},
		"by the next sweep":                  {warning("s2", "alice@example.com", "00e1"), day, nil},
		"by the sixth sweep":                 {warning("s7", "alice@example.com", "00e1"), guard.WarningsApart - time.Second, nil},
		"the last one":                       {final, guard.WarningsApart, []string{"00e1"}},
		"another key":                        {warning("s2", "alice@example.com", "00e2"), day, []string{"00e2"}},
		"one of two":                         {warning("s2", "alice@example.com", "00e1", "00e2"), day, []string{"00e2"}},
		"another user":                       {warning("s2", "bob@example.com", "00e1"), day, []string{"00e1"}},
		"a clock that was ahead":             {first, -day, nil},
		"long under way":                     {first, 14*day - time.Second, []string{"00e1"}},
		"under way until the key may be off": {first, 14 * day, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			diff(t, "to deliver again", []string{}, w.warn(t, first))
			w.now = w.now.Add(tt.later)
			diff(t, "to deliver again, later", []string{}, w.warn(t, tt.second))
			var names []string
			for _, m := range w.slack.Shown()[1:] {
				for _, id := range []string{"00e1", "00e2"} {
					if strings.Contains(string(m.Blocks), id) {
						names = append(names, id)
					}
				}
			}
			diff(t, "named", tt.names, names)
			for _, id := range tt.names {
				times := w.recorded(t, tt.second.User.Email)[id]
				if len(times) == 0 || !times[len(times)-1].Equal(w.now) {
					t.Errorf("recorded of %s are %v, want %s at the end", id, times, w.now)
				}
			}
		})
	}
}

// What several sweeps found due, because Slack was down for some nights, is one message, and says what the latest says.
func TestOneWarningABatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	older, newer := warning("s1", "alice@example.com", "00e1", "00e2"), warning("s2", "Alice@example.com", "00e2", "00e3")
	for i := range newer.Keys {
		newer.Keys[i].DeactivateAfter = newer.Keys[i].DeactivateAfter.Add(day)
	}
	messages := []string{
		due(t, newer), due(t, older), due(t, warning("s2", "bob@example.com", "00b1")), due(t, newer),
		body(t, outcome("r1", "alice@example.com", changed("00a1"))),
	}
	w.slack.Down(true)
	diff(t, "to deliver again", []string{"0", "1", "2", "3", "4"}, deliver(t.Context(), t, w.queue, messages...))
	w.slack.Down(false)
	diff(t, "to deliver again, later", []string{}, deliver(t.Context(), t, w.queue, messages...))
	diff(t, "messages for bob", 1, len(direct(w.slack, bob)))
	toAlice := direct(w.slack, alice)
	if len(toAlice) != 2 {
		t.Fatalf("%d messages for alice, want a letter and a warning", len(toAlice))
	}
	mustSay(t, string(toAlice[0].Blocks), "00a1")
	together := newer
	together.Keys = append(together.Keys, older.Keys[0])
	diff(t, "warning", blocks(t, slackapi.Warning(together)), string(toAlice[1].Blocks))
	diff(t, "recorded", guard.KeyWarnings{"00e1": {noon()}, "00e2": {noon()}, "00e3": {noon()}}, w.recorded(t, "alice@example.com"))
}

// TestWarningFails is about a batch of warnings to alice, bob and dave, who is not in Slack. They are seven calls of Slack: a
// search and a post for each of the first two, with the question which workspace is ours in between, a search for dave, and a
// post to the channel. Calls of some numbers fail.
func TestWarningFails(t *testing.T) {
	t.Parallel()
	const always = 100
	tests := map[string]struct {
		from, to int
		answer   func(http.ResponseWriter)
		again    []string
		calls    int
	}{
		"not at all":                       {0, 0, nil, []string{}, 7},
		"down":                             {1, always, status(503), []string{"0", "1", "2"}, 3},
		"down for a search":                {1, 1, status(503), []string{"0"}, 6},
		"down for a post":                  {3, 3, status(503), []string{"0"}, 7},
		"down for a search of nobody":      {6, 6, status(503), []string{"2"}, 6},
		"down for the channel":             {7, 7, status(503), []string{"2"}, 7},
		"rate limit at the first post":     {3, 3, status(429), []string{"0", "1", "2"}, 3},
		"rate limit at the second search":  {4, 4, status(429), []string{"1", "2"}, 4},
		"rate limit at the search of dave": {6, 6, status(429), []string{"2"}, 6},
		"no such channel":                  {7, 7, refusal("channel_not_found"), []string{"2"}, 7},
		"a post that is not taken":         {5, 5, refusal("channel_not_found"), []string{"1"}, 7},
	}
	people := []string{"alice@example.com", "bob@example.com", "dave@example.com"}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fault = calls(tt.from, tt.to, tt.answer)
			var batch []guard.OwnerWarning
			for _, who := range people {
				batch = append(batch, warning("s1", who, "00e1"))
			}
			diff(t, "to deliver again", tt.again, w.warn(t, batch...))
			diff(t, "calls", tt.calls, w.calls)
			recorded := 0
			for _, who := range people {
				recorded += len(w.recorded(t, who)["00e1"])
			}
			diff(t, "recorded", 3-len(tt.again), recorded)
			// All that failed comes again, and by then Slack is well: everybody has been warned once.
			w.fault, w.now = nil, w.now.Add(time.Hour)
			diff(t, "to deliver again, later", []string{}, w.warn(t, batch...))
			diff(t, "messages in the end", []int{1, 1, 1}, []int{len(direct(w.slack, alice)), len(direct(w.slack, bob)), len(inChannel(w.slack))})
			for i, who := range people {
				at := noon()
				if strings.Contains(strings.Join(tt.again, " "), fmt.Sprint(i)) {
					at = w.now
				}
				diff(t, "recorded in the end", guard.KeyWarnings{"00e1": {at}}, w.recorded(t, who))
			}
		})
	}
}

// An unreachable owner whose turn came before Slack wanted no more calls is passed on later.
func TestNothingIsPassedOnAfterARateLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fault = calls(2, 2, status(429))
	batch := []guard.OwnerWarning{warning("s1", "dave@example.com", "00d1"), warning("s1", "alice@example.com", "00a1")}
	diff(t, "to deliver again", []string{"0", "1"}, w.warn(t, batch...))
	diff(t, "calls", 2, w.calls)
	diff(t, "recorded", guard.KeyWarnings(nil), w.recorded(t, "dave@example.com"))
}

// lapse is a memory of warnings with its faults.
type lapse struct {
	notify.Warnings
	recalls, records error
}

func (l *lapse) WarningsOf(ctx context.Context, userIDs []string) (map[string]guard.KeyWarnings, error) {
	if l.recalls != nil {
		return nil, l.recalls
	}
	return l.Warnings.WarningsOf(ctx, userIDs)
}

func (l *lapse) RecordWarnings(ctx context.Context, userID string, keyIDs []string, at time.Time) error {
	if l.records != nil {
		return l.records
	}
	return l.Warnings.RecordWarnings(ctx, userID, keyIDs, at)
}

func TestLedgerFails(t *testing.T) {
	t.Parallel()
	down := &guard.Error{Kind: guard.Unavailable, Message: "The ledger is down."}
	tests := map[string]struct {
		recalls, records error
		// posted is how often alice is warned in all.
		posted int
		says   string
	}{
		"it does not tell":  {down, nil, 1, "the warnings come again"},
		"it does not write": {nil, down, 2, "A warning was given and could not be recorded"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			faulty := &lapse{Warnings: w.queue.Warnings, recalls: tt.recalls, records: tt.records}
			w.queue.Warnings = faulty
			messages := []string{
				body(t, outcome("r1", "dave@example.com", refused("00d1"))), due(t, warning("s1", "alice@example.com", "00a1")),
				due(t, warning("s1", "dave@example.com", "00d1")),
			}
			diff(t, "to deliver again", []string{"1", "2"}, deliver(t.Context(), t, w.queue, messages...))
			diff(t, "recorded", guard.KeyWarnings(nil), w.recorded(t, "alice@example.com"))
			mustSay(t, w.log.String(), tt.says, "The ledger is down.")
			faulty.recalls, faulty.records = nil, nil
			diff(t, "to deliver again, later", []string{}, deliver(t.Context(), t, w.queue, messages...))
			diff(t, "messages for alice", tt.posted, len(direct(w.slack, alice)))
			diff(t, "messages in the channel", 1+tt.posted, len(inChannel(w.slack)))
			diff(t, "recorded in the end", guard.KeyWarnings{"00a1": {noon()}}, w.recorded(t, "alice@example.com"))
		})
	}
}

// A few people who cannot be reached are passed on one by one, and many together: each by name.
func TestManyToPassOn(t *testing.T) {
	t.Parallel()
	for people, posts := range map[int]int{5: 5, 6: 1, 20: 1, 21: 2, 100: 5} {
		t.Run(fmt.Sprint(people), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var batch []guard.OwnerWarning
			for i := range people {
				batch = append(batch, warning("s1", fmt.Sprintf("user%03d@example.com", i), "00e1"))
			}
			diff(t, "to deliver again", []string{}, w.warn(t, batch...))
			diff(t, "refused by Slack", []string(nil), w.slack.Refused())
			lines := inChannel(w.slack)
			diff(t, "messages", posts, len(lines))
			all := ""
			for _, line := range lines {
				all += string(line.Blocks)
			}
			for _, warning := range batch {
				if n := strings.Count(all, warning.User.Email); n != 1 {
					t.Errorf("%s is named %d times", warning.User.Email, n)
				}
				diff(t, "recorded", guard.KeyWarnings{"00e1": {noon()}}, w.recorded(t, warning.User.Email))
			}
		})
	}
}

// Only what was named is recorded: the turn of the other keys comes with the next sweep.
func TestMoreKeysThanAWarningNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []string
	for i := range slackapi.MaxWarned + 2 {
		ids = append(ids, fmt.Sprintf("%092d", i))
	}
	diff(t, "to deliver again", []string{}, w.warn(t, warning("s1", "alice@example.com", ids...)))
	diff(t, "recorded", slackapi.MaxWarned, len(w.recorded(t, "alice@example.com")))
	diff(t, "to deliver again, the next night", []string{}, w.warn(t, warning("s2", "alice@example.com", ids...)))
	diff(t, "recorded in the end", len(ids), len(w.recorded(t, "alice@example.com")))
	letters := direct(w.slack, alice)
	for i, id := range ids {
		mustSay(t, string(letters[i/slackapi.MaxWarned].Blocks), id)
	}
}

// Warnings are no outcomes: many of both in a batch are a digest of outcomes and whom to pass warnings on to.
func TestWarningsAreNoPartOfADigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var messages []string
	for i := range 6 {
		messages = append(messages, body(t, leaver(i)), due(t, warning("s1", fmt.Sprintf("user%d@example.com", i), "00e1")))
	}
	diff(t, "to deliver again", []string{}, deliver(t.Context(), t, w.queue, messages...))
	lines := inChannel(w.slack)
	if len(lines) != 2 {
		t.Fatalf("%d messages, want two", len(lines))
	}
	mustSay(t, lines[0].Text, "6 requests")
	mustSay(t, lines[1].Text, "6 people cannot be reached")
}
