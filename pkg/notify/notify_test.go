package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/notify"
	"keyreeve/pkg/slackapi"
)

// warned is an outcome without keys.
func warned(code guard.WarningCode) guard.Finished {
	f := outcome("r1", "dave@example.com")
	f.Keys, f.Warnings = []guard.KeyResult{}, []guard.Warning{{Code: code, Message: "Dave is a special case."}}
	return f
}

// hr is a system.
func hr() guard.Actor { return guard.Actor{Kind: guard.System, Name: "hr"} }

func TestLines(t *testing.T) {
	t.Parallel()
	const user = "dave@example.com"
	other := func(o guard.Outcome) guard.KeyResult { return guard.KeyResult{ID: "00e9", Outcome: o} }
	dry := func(f guard.Finished, by guard.Actor) guard.Finished {
		f.DryRun, f.Actor = true, by
		return f
	}
	tests := map[string]struct {
		outcome guard.Finished
		seen    bool
	}{
		"changed":                      {outcome("r1", user, changed("00e1")), true},
		"refused":                      {outcome("r1", user, refused("00e1")), true},
		"failed":                       {outcome("r1", user, failed("00e1")), true},
		"unchanged":                    {outcome("r1", user, other(guard.Unchanged)), false},
		"superseded":                   {outcome("r1", user, other(guard.Superseded)), false},
		"unchanged and superseded":     {outcome("r1", user, other(guard.Unchanged), other(guard.Superseded)), false},
		"unchanged and changed":        {outcome("r1", user, other(guard.Unchanged), changed("00e1")), true},
		"nothing to do":                {outcome("r1", user), false},
		"unmapped":                     {warned(guard.UnmappedUser), true},
		"unknown":                      {warned(guard.UnknownUser), true},
		"repeated":                     {warned(guard.Repeated), true},
		"given up":                     {warned(guard.GivenUp), true},
		"unchanged, but warned":        {with(outcome("r1", user, other(guard.Unchanged)), func(f *guard.Finished) { f.Warnings = warned(guard.UserCanCreateKeys).Warnings }), true},
		"offboarding":                  {with(outcome("r1", user, changed("00e1")), func(f *guard.Finished) { f.Offboarding, f.Actor = true, hr() }), true},
		"dry run of an operator":       {dry(outcome("r1", user, changed("00e1")), operator()), false},
		"dry run in chat":              {dry(outcome("r1", user, refused("00e1")), guard.Actor{Kind: guard.ChatOps, Email: user}), false},
		"dry run of a person, warned":  {dry(warned(guard.GivenUp), operator()), false},
		"dry run of a system":          {dry(outcome("r1", user, changed("00e1")), hr()), true},
		"dry run of a schedule":        {dry(outcome("r1", user, refused("00e1")), guard.Actor{Kind: guard.Schedule, Name: "sweep"}), true},
		"dry run that changes nothing": {dry(outcome("r1", user, other(guard.Unchanged)), hr()), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			diff(t, "to deliver again", []string{}, w.tell(t, tt.outcome))
			lines := inChannel(w.slack)
			if len(lines) > 0 != tt.seen || len(lines) > 1 {
				t.Fatalf("the channel sees %d messages, want one: %t", len(lines), tt.seen)
			}
			for _, line := range lines {
				diff(t, "line", blocks(t, slackapi.Outcome(tt.outcome)), string(line.Blocks))
			}
			diff(t, "refused by Slack", []string(nil), w.slack.Refused())
		})
	}
}

func blocks(t tester, m slackapi.Message) string {
	t.Helper()
	encoded, err := json.Marshal(m.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestLetters(t *testing.T) {
	t.Parallel()
	of := func(user string, change func(*guard.Finished)) guard.Finished {
		f := outcome("r1", user, changed("00e1"), refused("00e2"))
		f.Warnings = []guard.Warning{{Code: guard.SwitchedBackOn, Message: "It is for operators."}}
		return with(f, change)
	}
	as := func(*guard.Finished) {}
	tests := map[string]struct {
		outcome guard.Finished
		to      string
	}{
		"an operator asked":             {of("alice@example.com", as), alice},
		"a schedule asked":              {of("alice@example.com", func(f *guard.Finished) { f.Actor = guard.Actor{Kind: guard.Schedule, Name: "sweep"} }), alice},
		"activated":                     {of("alice@example.com", func(f *guard.Finished) { f.Action = guard.Activate }), alice},
		"deleted":                       {of("alice@example.com", func(f *guard.Finished) { f.Action = guard.Delete }), alice},
		"she asked herself":             {of("alice@example.com", func(f *guard.Finished) { f.Actor.Email = "alice@example.com" }), ""},
		"she asked, in another case":    {of("alice@example.com", func(f *guard.Finished) { f.Actor.Email = "Alice@Example.com" }), ""},
		"offboarding":                   {of("alice@example.com", func(f *guard.Finished) { f.Offboarding = true }), ""},
		"somebody who left":             {of("alice@example.com", func(f *guard.Finished) { f.OffboardedAt = noon() }), ""},
		"dry run of a person":           {of("alice@example.com", func(f *guard.Finished) { f.DryRun = true }), ""},
		"dry run of a system":           {of("alice@example.com", func(f *guard.Finished) { f.DryRun, f.Actor = true, hr() }), ""},
		"refused":                       {of("alice@example.com", func(f *guard.Finished) { f.Keys = f.Keys[1:] }), ""},
		"failed":                        {of("alice@example.com", func(f *guard.Finished) { f.Keys = []guard.KeyResult{failed("00e1")} }), ""},
		"nobody in Slack":               {of("dave@example.com", as), ""},
		"an account that is closed":     {of("gone@example.com", as), ""},
		"an app":                        {of("robot@example.com", as), ""},
		"somebody of another workspace": {of("guest@example.com", as), ""},
		"no address":                    {of("", as), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.queue.Channel = ""
			diff(t, "to deliver again", []string{}, w.tell(t, tt.outcome))
			var to []string
			for _, m := range w.slack.Shown() {
				to = append(to, m.To)
				mustSay(t, m.Text, "your access keys", "ask ")
				if text := string(m.Blocks); !strings.Contains(text, "00e1") || strings.Contains(text, "00e2") || strings.Contains(text, "operators.") {
					t.Errorf("it is not about exactly the key that was changed: %s", text)
				}
			}
			if tt.to == "" {
				diff(t, "messages", []string(nil), to)
			} else {
				diff(t, "messages", []string{tt.to}, to)
			}
			diff(t, "refused by Slack", []string(nil), w.slack.Refused())
		})
	}
}

func mustSay(t tester, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q: %s", part, text)
		}
	}
}

// Whose keys were changed several times hears of it once.
func TestOneLetterABatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	outcomes := []guard.Finished{
		outcome("r1", "alice@example.com", changed("00a1")),
		outcome("r2", "bob@example.com", changed("00b1")),
		with(outcome("r3", "Alice@example.com", changed("00a2")), func(f *guard.Finished) { f.Actor = hr() }),
		with(outcome("r4", "alice@example.com", changed("00a3")), func(f *guard.Finished) { f.Actor.Email = "carol@example.com" }),
	}
	diff(t, "to deliver again", []string{}, w.tell(t, outcomes...))
	diff(t, "lines", 4, len(inChannel(w.slack)))
	diff(t, "letters to bob", 1, len(direct(w.slack, bob)))
	letters := direct(w.slack, alice)
	if len(letters) != 1 {
		t.Fatalf("%d letters to alice, want one", len(letters))
	}
	toAlice := letters[0]
	diff(t, "intro", "These are your access keys of IONOS Object Storage. If you have questions, ask operator@example.com or carol@example.com.", toAlice.Text)
	mustSay(t, string(toAlice.Blocks), "00a1", "00a2", "00a3")
}

// Whom a letter names was told by somebody else, and must not be able to call everybody.
func TestLettersAreEscaped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(t, with(outcome("r1", "alice@example.com", changed("00a1")), func(f *guard.Finished) {
		f.Actor = guard.Actor{Kind: guard.System, Name: "<!channel> & co" + strings.Repeat("x", 900)}
	}))
	letters := direct(w.slack, alice)
	if len(letters) != 1 || len(letters[0].Text) > 300 {
		t.Fatalf("letters: %+v, want a short one", letters)
	}
	mustSay(t, letters[0].Text, "ask your administrators about &lt;!channel&gt; &amp; co")
	diff(t, "refused by Slack", []string(nil), w.slack.Refused())
}

func TestNobodyWantsNotices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queue.Slack = nil
	diff(t, "to deliver again", []string{}, deliver(t.Context(), t, w.queue, body(t, outcome("r1", "alice@example.com", changed("00a1"))), "no JSON"))
	diff(t, "calls", 0, w.calls)
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	detail := func(members string) string {
		return event("keyreeve", "Key Operation Finished", `{"id":"r1","action":"deactivate","user":{"id":"u1"},`+members+`"actor":{"kind":"system"},"occurredAt":"2026-11-23T11:00:00Z"}`)
	}
	tests := map[string]struct{ body, says string }{
		"no JSON":             {`deactivated`, "is not valid JSON"},
		"no object":           {`[]`, "it must be an object"},
		"no event":            {`{}`, "is none that people are told of"},
		"no detail":           {`{"source":"keyreeve","detail-type":"Key Operation Finished"}`, "is not valid JSON"},
		"null":                {event("keyreeve", "Key Operation Finished", `null`), "neither keys nor warnings"},
		"empty":               {event("keyreeve", "Key Operation Finished", `{}`), "neither keys nor warnings"},
		"a request":           {event("keyreeve", "Key Operation Requested", `{"action":"deactivate","user":"alice@example.com"}`), "It is Key Operation Requested of keyreeve."},
		"of somebody else":    {event("com.example.hr", "Key Operation Finished", `{"id":"r1","keys":[{"id":"00e1","outcome":"changed"}]}`), "of com.example.hr."},
		"no sweep":            {event("keyreeve", "Key Sweep Finished", `{}`), "no sweep with an id and a start"},
		"a sweep of no time":  {event("keyreeve", "Key Sweep Finished", `{"id":"s1"}`), "no sweep with an id and a start"},
		"a sweep of no id":    {event("keyreeve", "Key Sweep Finished", `{"startedAt":"2026-11-23T11:00:00Z"}`), "no sweep with an id and a start"},
		"a stop without one":  {event("keyreeve", "Key Sweep Stopped", `{"id":"s1","startedAt":"2026-11-23T11:00:00Z"}`), "do not agree"},
		"a stop that is none": {event("keyreeve", "Key Sweep Finished", `{"id":"s1","startedAt":"2026-11-23T11:00:00Z","stopped":{}}`), "do not agree"},
		"a warning of nobody": {event("keyreeve", "Key Warning Due", `{"keys":[{"id":"00e1","deactivateAfter":"2026-12-07T11:00:00Z"}]}`), "no user with keys"},
		"a warning of no key": {event("keyreeve", "Key Warning Due", `{"user":{"id":"u1"}}`), "no user with keys"},
		"a key without an id": {event("keyreeve", "Key Warning Due", `{"user":{"id":"u1"},"keys":[{"deactivateAfter":"2026-12-07T11:00:00Z"}]}`), "a key without an id"},
		"a key without a day": {event("keyreeve", "Key Warning Due", `{"user":{"id":"u1"},"keys":[{"id":"00e1"}]}`), "without the time"},
		"another shape":       {detail(`"keys":{},`), "keys must be a list"},
		"an outcome of no":    {detail(`"keys":[{"id":"00e1","outcome":"vanished","active":false}],`), "the outcome vanished"},
		"an action of nobody": {strings.Replace(detail(`"keys":[{"id":"00e1","outcome":"changed","active":false}],`), "deactivate", "rotate", 1), "the action rotate"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			good := outcome("r1", "dave@example.com", changed("00e1"))
			diff(t, "to deliver again", []string{"1"}, deliver(t.Context(), t, w.queue, body(t, good), tt.body, body(t, outcome("r2", "dave@example.com", changed("00e2")))))
			diff(t, "lines", 2, len(inChannel(w.slack)))
			mustSay(t, w.log.String(), tt.says, `"message":"1"`)
		})
	}
}

// A function that announces may be newer than this one, and say more.
func TestUnknownMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	message := strings.Replace(body(t, outcome("r1", "dave@example.com", changed("00e1"))), `"reason"`, `"mood":"good","reason"`, 1)
	diff(t, "to deliver again", []string{}, deliver(t.Context(), t, w.queue, message))
	diff(t, "lines", 1, len(inChannel(w.slack)))
}

func TestNoBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, payload := range []string{``, `[]`, `{"Records":[{"body":"{}"}]}`} {
		if answer, err := w.queue.Invoke(t.Context(), []byte(payload)); guard.KindOf(err) != guard.Invalid {
			t.Errorf("%q: %s, %v, want an error of kind invalid", payload, answer, err)
		}
	}
}

// refusal answers as Slack does to say no.
func refusal(code string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { _, _ = fmt.Fprintf(w, `{"ok":false,"error":%q}`, code) }
}

func status(status int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(status)
	}
}

// TestSlackFails is about a batch of three lines and two letters, which are eight calls of Slack: three posts, then a search
// and a post for each of two owners, with the question which workspace is ours after the first search. Calls of some numbers
// fail.
func TestSlackFails(t *testing.T) {
	t.Parallel()
	const always = 100
	html := func(w http.ResponseWriter) { _, _ = fmt.Fprint(w, "<html>") }
	tests := map[string]struct {
		from, to int
		answer   func(http.ResponseWriter)
		again    []string
		calls    int
		says     []string
	}{
		"not at all":                        {0, 0, nil, []string{}, 8, nil},
		"down for the first line":           {1, 1, status(503), []string{"0"}, 8, []string{"upstream", "Try again later", `"ids":["r0"]`}},
		"down for the second line":          {2, 2, status(503), []string{"1"}, 8, nil},
		"down for a search":                 {4, 4, status(503), []string{"0"}, 7, []string{`"direct":true`}},
		"down for the workspace":            {5, 5, status(503), []string{"0"}, 8, nil},
		"down for a letter":                 {8, 8, status(503), []string{"1"}, 8, nil},
		"down from the third call on":       {3, always, status(503), []string{"0", "1", "2"}, 5, nil},
		"down":                              {1, always, status(503), []string{"0", "1", "2"}, 5, nil},
		"rate limit at the first line":      {1, 1, status(429), []string{"0", "1", "2"}, 1, []string{"throttled", `"postsAfterIt":4`}},
		"rate limit at the third line":      {3, 3, status(429), []string{"0", "1", "2"}, 3, nil},
		"rate limit at the first search":    {4, 4, status(429), []string{"0", "1"}, 4, nil},
		"rate limit at the last letter":     {8, 8, status(429), []string{"1"}, 8, nil},
		"no such channel":                   {1, 3, refusal("channel_not_found"), []string{"0", "1", "2"}, 8, []string{"not_found", "invite the app"}},
		"the app is not in the channel":     {1, 3, refusal("not_in_channel"), []string{"0", "1", "2"}, 8, []string{"invite the app"}},
		"a token that counts no more":       {1, always, refusal("token_revoked"), []string{"0", "1", "2"}, 5, []string{"credentials", "KEYREEVE_SLACK_BOT_TOKEN"}},
		"a letter that is not taken":        {6, 6, refusal("channel_not_found"), []string{"0"}, 8, nil},
		"a search without the scope":        {4, 4, refusal("missing_scope"), []string{"0"}, 7, []string{"scope"}},
		"an answer that is none of Slack's": {1, 1, html, []string{"0"}, 8, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fault = calls(tt.from, tt.to, tt.answer)
			batch := []guard.Finished{
				outcome("r0", "alice@example.com", changed("00a1")), outcome("r1", "bob@example.com", changed("00b1")), outcome("r2", "dave@example.com", refused("00d1")),
			}
			diff(t, "to deliver again", tt.again, w.tell(t, batch...))
			diff(t, "calls", tt.calls, w.calls)
			mustSay(t, w.log.String(), tt.says...)
			if strings.Contains(w.log.String(), bot) {
				t.Errorf("the log holds the token: %s", w.log.String())
			}
			// All that failed comes again, and by then Slack is well: everybody has been told everything once.
			w.fault = nil
			diff(t, "to deliver again, later", []string{}, w.tell(t, batch...))
			diff(t, "lines in the end", 3, len(inChannel(w.slack)))
			diff(t, "letters in the end", []int{1, 1}, []int{len(direct(w.slack, alice)), len(direct(w.slack, bob))})
		})
	}
}

// A digest fails as a whole, and its messages with it. Letters are no part of it.
func TestDigestFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var batch []guard.Finished
	for i := range 6 {
		batch = append(batch, outcome(fmt.Sprint(i), "dave@example.com", refused(fmt.Sprintf("00d%d", i))))
	}
	batch = append(batch, outcome("6", "alice@example.com", guard.KeyResult{ID: "00a1", Outcome: guard.Unchanged}), outcome("7", "alice@example.com", changed("00a2")))
	w.fault = calls(1, 1, status(503))
	diff(t, "to deliver again", []string{"0", "1", "2", "3", "4", "5", "7"}, w.tell(t, batch...))
	diff(t, "lines", 0, len(inChannel(w.slack)))
	diff(t, "letters", 1, len(direct(w.slack, alice)))
	diff(t, "to deliver again, later", []string{}, w.tell(t, batch...))
	diff(t, "lines, later", 1, len(inChannel(w.slack)))
	diff(t, "letters, later", 1, len(direct(w.slack, alice)))
}

// defect is a client that panics at the second call.
type defect struct {
	notify.Slack
	calls int
}

func (d *defect) Post(ctx context.Context, channel string, m slackapi.Message) error {
	d.calls++
	if d.calls == 2 {
		panic("a defect")
	}
	return d.Slack.Post(ctx, channel, m)
}

func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queue.Slack = &defect{Slack: w.queue.Slack}
	again := w.tell(t, outcome("r0", "dave@example.com", changed("00d1")), outcome("r1", "dave@example.com", changed("00d2")), outcome("r2", "dave@example.com", changed("00d3")))
	diff(t, "to deliver again", []string{"1"}, again)
	diff(t, "lines", 2, len(inChannel(w.slack)))
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	first := outcome("r1", "alice@example.com", changed("00a1"), refused("00a2"))
	tests := map[string]struct {
		second guard.Finished
		later  time.Duration
		told   bool
	}{
		"the same":                  {first, time.Minute, false},
		"refused in other words":    {with(first, func(f *guard.Finished) { f.Keys = slices.Clone(f.Keys); f.Keys[1].Message = "It is two hours old." }), time.Minute, false},
		"the same, nearly a day on": {first, 24*time.Hour - time.Second, false},
		"the same, a day on":        {first, 24 * time.Hour, true},
		"of another request":        {with(first, func(f *guard.Finished) { f.ID = "r2" }), time.Minute, true},
		"of another time":           {with(first, func(f *guard.Finished) { f.OccurredAt = noon() }), time.Minute, true},
		"another outcome":           {with(first, func(f *guard.Finished) { f.Keys = []guard.KeyResult{changed("00a1"), changed("00a2")} }), time.Minute, true},
		"another warning":           {with(first, func(f *guard.Finished) { f.Warnings = warned(guard.SwitchedBackOn).Warnings }), time.Minute, true},
		"approved by somebody else": {with(first, func(f *guard.Finished) { f.ApprovedBy = operator() }), time.Minute, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			diff(t, "to deliver again", []string{}, w.tell(t, first))
			w.now = w.now.Add(tt.later)
			diff(t, "to deliver again, later", []string{}, w.tell(t, tt.second))
			want := 1
			if tt.told {
				want = 2
			}
			if lines, letters := len(inChannel(w.slack)), len(direct(w.slack, alice)); lines != want || letters != want {
				t.Errorf("%d lines and %d letters, want %d of each", lines, letters, want)
			}
		})
	}
}

// One message that comes twice in a batch is told once, and if that fails both come again.
func TestTwiceInABatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	once := outcome("r1", "dave@example.com", refused("00d1"))
	w.fault = calls(1, 1, status(503))
	batch := []guard.Finished{once, outcome("r2", "dave@example.com", refused("00d2")), once}
	diff(t, "to deliver again", []string{"0", "2"}, w.tell(t, batch...))
	diff(t, "to deliver again, later", []string{}, w.tell(t, batch...))
	diff(t, "lines", 2, len(inChannel(w.slack)))
	// Six that are one are no reason for a digest.
	six := []guard.Finished{once, once, once, once, once, once}
	for i := range six {
		six[i].ID = "r3"
	}
	diff(t, "to deliver again, six", []string{}, w.tell(t, six...))
	diff(t, "lines, six", 3, len(inChannel(w.slack)))
}
