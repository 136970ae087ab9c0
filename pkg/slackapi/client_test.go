package slackapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
	"keyreeve/pkg/slackapi/slacktest"
)

const (
	bot     = "only-the-bot-has-this"
	private = "only-slack-has-this"
	channel = "C0KEYS"
)

// serve returns the address of the handler and how it is called.
func serve(t *testing.T, handler http.Handler) (address string, transport http.RoundTripper) {
	t.Helper()
	server := httptest.NewServer(handler)
	pool := new(http.Transport)
	t.Cleanup(pool.CloseIdleConnections)
	t.Cleanup(server.Close)
	return server.URL, pool
}

func newClient(t *testing.T, handler http.Handler) *slackapi.Client {
	t.Helper()
	address, transport := serve(t, handler)
	return slackapi.New(slackapi.Config{Token: guard.NewSecret(bot), Endpoint: address, Transport: transport})
}

func users() []slacktest.User {
	return []slacktest.User{
		{ID: "U0ALICE", Email: "alice@example.com", Name: "alice"},
		{ID: "U0BOB", Email: "bob@example.com", Name: "bob", Deleted: true},
		{ID: "U0BOT", Name: "bot", Bot: true},
		{ID: "U0EVE", Team: "T0OTHER", Email: "eve@example.net", Name: "eve", Stranger: true},
	}
}

// workspace returns one in which somebody asked something, the response_url of that, and a client of it.
func workspace(t *testing.T, clock func() time.Time) (*slacktest.Slack, string, *slackapi.Client) {
	t.Helper()
	var responseURL string
	commands, transport := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { responseURL = r.FormValue("response_url") }))
	s := slacktest.New(slacktest.Config{
		Token: bot, SigningSecret: private, Team: "T0TEAM", Users: users(), Channels: []string{channel}, Clock: clock,
		Commands: commands, Transport: transport,
	})
	if _, err := s.Type(t.Context(), "U0ALICE", channel, "help"); err != nil {
		t.Fatal(err)
	}
	return s, responseURL, newClient(t, s)
}

// wantKind checks that err is an error for people, of the kind.
func wantKind(t *testing.T, err error, kind guard.Kind) guard.Error {
	t.Helper()
	known, ok := errors.AsType[*guard.Error](err)
	if !ok || known.Kind != kind || known.Message == "" || known.Remedy == "" {
		t.Fatalf("got %#v, want an error of kind %s with a message and a remedy", err, kind)
	}
	if strings.Contains(err.Error(), bot) || strings.Contains(err.Error(), "hooks.slack.com/") {
		t.Errorf("the error tells the token or a response_url: %v", err)
	}
	return *known
}

func TestUser(t *testing.T) {
	t.Parallel()
	_, _, client := workspace(t, now)
	for id, want := range map[string]slackapi.User{
		"U0ALICE": {ID: "U0ALICE", Email: "alice@example.com"},
		"U0BOB":   {ID: "U0BOB", Email: "bob@example.com", Deleted: true},
		"U0BOT":   {ID: "U0BOT", Bot: true},
		"U0EVE":   {ID: "U0EVE", Email: "eve@example.net", Stranger: true},
	} {
		got, err := client.User(t.Context(), id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	_, err := client.User(t.Context(), "U0NOBODY")
	wantKind(t, err, guard.NotFound)
}

func TestFindByEmail(t *testing.T) {
	t.Parallel()
	_, _, client := workspace(t, now)
	got, err := client.FindByEmail(t.Context(), "Alice@example.com")
	if err != nil || got.ID != "U0ALICE" {
		t.Errorf("got %+v, %v, want U0ALICE", got, err)
	}
	_, err = client.FindByEmail(t.Context(), "nobody@example.com")
	wantKind(t, err, guard.NotFound)
}

// Who somebody is rests on these answers: one about anybody else is none.
func TestAnswersAboutAnotherUser(t *testing.T) {
	t.Parallel()
	client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := `{"ok":true,"user":{"id":"U2","team_id":"T1","profile":{"email":"otto@example.com"}}}`
		if r.URL.Path == "/api/auth.test" {
			body = `{"ok":true,"team_id":"T1"}`
		}
		_, _ = io.WriteString(w, body) // a caller who has gone will say so
	}))
	if got, err := client.User(t.Context(), "U2"); err != nil || got.Email != "otto@example.com" {
		t.Fatalf("got %+v, %v, want Otto", got, err)
	}
	got, err := client.User(t.Context(), "U1")
	wantKind(t, err, guard.Upstream)
	found, findErr := client.FindByEmail(t.Context(), "alice@example.com")
	wantKind(t, findErr, guard.Upstream)
	if got.ID != "" || found.ID != "" {
		t.Errorf("got %+v, and found %+v, want nobody", got, found)
	}
}

// Whoever belongs to neither the workspace nor its enterprise is a stranger, whatever Slack calls them.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		user     string
		stranger bool
	}{
		"of the workspace":        {`"team_id":"T1"`, false},
		"of another":              {`"team_id":"T9"`, true},
		"of none":                 {`"name":"x"`, true},
		"of the enterprise":       {`"team_id":"T2","enterprise_user":{"enterprise_id":"E1","teams":["T2"]}`, false},
		"of many, one of them it": {`"team_id":"T2","enterprise_user":{"enterprise_id":"E9","teams":["T2","T1"]}`, false},
		"of another enterprise":   {`"team_id":"T2","enterprise_user":{"enterprise_id":"E9","teams":["T2"]}`, true},
		"who shares no channel":   {`"team_id":"T1","is_stranger":true`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := `{"ok":true,"user":{"id":"U1",` + tt.user + `}}`
				if r.URL.Path == "/api/auth.test" {
					body = `{"ok":true,"team_id":"T1","enterprise_id":"E1"}`
				}
				_, _ = io.WriteString(w, body) // a caller who has gone will say so
			}))
			got, err := client.User(t.Context(), "U1")
			if err != nil || got.Stranger != tt.stranger {
				t.Errorf("got %+v, %v; want a stranger: %t", got, err, tt.stranger)
			}
		})
	}
}

// What is not told is asked again.
func TestWorkspaceThatIsNotTold(t *testing.T) {
	t.Parallel()
	told := `{"ok":true}`
	mux := http.NewServeMux()
	mux.HandleFunc("/api/auth.test", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, told) })
	mux.Handle("/", answering(http.StatusOK, nil, `{"ok":true,"user":{"id":"U1","team_id":"T1"}}`))
	client := newClient(t, mux)
	_, err := client.User(t.Context(), "U1")
	wantKind(t, err, guard.Upstream)
	told = `{"ok":true,"team_id":"T1"}`
	got, err := client.User(t.Context(), "U1")
	if diff := cmp.Diff(slackapi.User{ID: "U1"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func message() slackapi.Message {
	text := slack.NewTextBlockObject(slack.MarkdownType, "*Hello* "+slackapi.Escape("<you>"), false, false)
	return slackapi.Message{Text: "Hello", Blocks: []slack.Block{slack.NewSectionBlock(text, nil, nil)}}
}

const messageBlocks = `[{"type":"section","text":{"type":"mrkdwn","text":"*Hello* &lt;you&gt;"}}]`

// wantShown compares all that Slack shows.
func wantShown(t *testing.T, s *slacktest.Slack, want ...slacktest.Shown) {
	t.Helper()
	for i := range want {
		want[i].Index = i
	}
	asJSON := cmp.Transformer("JSON", func(raw json.RawMessage) (decoded any) {
		if err := json.Unmarshal(raw, &decoded); len(raw) > 0 && err != nil {
			t.Errorf("the blocks are no JSON: %v", err)
		}
		return decoded
	})
	if diff := cmp.Diff(want, s.Shown(), asJSON); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}

func TestPost(t *testing.T) {
	t.Parallel()
	s, _, client := workspace(t, now)
	for _, to := range []string{channel, "U0ALICE"} {
		if err := client.Post(t.Context(), to, message()); err != nil {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if err := client.Post(t.Context(), channel, slackapi.Message{Text: "Text alone"}); err != nil {
		t.Error(err)
	}
	wantShown(
		t, s,
		slacktest.Shown{Channel: channel, Text: "Hello", Blocks: json.RawMessage(messageBlocks), Versions: 1},
		slacktest.Shown{Channel: "D0ALICE", To: "U0ALICE", Text: "Hello", Blocks: json.RawMessage(messageBlocks), Versions: 1},
		slacktest.Shown{Channel: channel, Text: "Text alone", Versions: 1},
	)
}

func TestPostThatSlackRefuses(t *testing.T) {
	t.Parallel()
	s, _, client := workspace(t, now)
	for name, test := range map[string]struct {
		channel string
		message slackapi.Message
		kind    guard.Kind
		remedy  string
	}{
		"a channel without the app": {"C0OTHER", message(), guard.NotFound, "/invite"},
		"no such channel":           {"general", message(), guard.NotFound, "/invite"},
		"blocks that are none":      {channel, slackapi.Message{Text: "x", Blocks: []slack.Block{slack.NewSectionBlock(nil, nil, nil)}}, guard.Internal, "log"},
		"nothing":                   {channel, slackapi.Message{}, guard.Internal, "log"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := wantKind(t, client.Post(t.Context(), test.channel, test.message), test.kind)
			if !strings.Contains(err.Remedy, test.remedy) {
				t.Errorf("the remedy is %q, want %q in it", err.Remedy, test.remedy)
			}
		})
	}
	t.Cleanup(func() { wantShown(t, s) })
}

func TestRespond(t *testing.T) {
	t.Parallel()
	s, responseURL, client := workspace(t, now)
	for _, r := range []slackapi.Response{{Message: message()}, {Message: message(), Public: true}, {Message: message(), Replace: true}, {Message: slackapi.Message{Text: "Text alone"}}} {
		if err := client.Respond(t.Context(), responseURL, r); err != nil {
			t.Error(err)
		}
	}
	hello := slacktest.Shown{Channel: channel, To: "U0ALICE", Text: "Hello", Blocks: json.RawMessage(messageBlocks), Versions: 1}
	public := hello
	public.To = ""
	wantShown(t, s, hello, public, hello, slacktest.Shown{Channel: channel, To: "U0ALICE", Text: "Text alone", Versions: 1})
}

// An answer to a button can take the place of the message that holds it.
func TestRespondInPlace(t *testing.T) {
	t.Parallel()
	var responseURL string
	actions, transport := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var payload struct {
			ResponseURL string `json:"response_url"`
		}
		if err := json.Unmarshal([]byte(r.FormValue("payload")), &payload); err != nil {
			t.Error(err)
		}
		responseURL = payload.ResponseURL
	}))
	s := slacktest.New(slacktest.Config{Token: bot, SigningSecret: private, Users: users(), Clock: now, Actions: actions, Transport: transport})
	client := newClient(t, s)
	button := slack.NewButtonBlockElement("off", "1", slack.NewTextBlockObject(slack.PlainTextType, "Off", false, false))
	if err := client.Post(t.Context(), channel, slackapi.Message{Text: "Press", Blocks: []slack.Block{slack.NewActionBlock("", button)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Press(t.Context(), "U0ALICE", 0, "off", 0); err != nil {
		t.Fatal(err)
	}
	for _, r := range []slackapi.Response{{Message: message(), Replace: true}, {Message: slackapi.Message{Text: "Beside it"}}} {
		if err := client.Respond(t.Context(), responseURL, r); err != nil {
			t.Error(err)
		}
	}
	wantShown(
		t, s,
		slacktest.Shown{Channel: channel, Text: "Hello", Blocks: json.RawMessage(messageBlocks), Versions: 2},
		slacktest.Shown{Channel: channel, To: "U0ALICE", Text: "Beside it", Versions: 1},
	)
}

func TestRespondWithoutToken(t *testing.T) {
	t.Parallel()
	s, responseURL, _ := workspace(t, now)
	address, transport := serve(t, s)
	client := slackapi.New(slackapi.Config{Endpoint: address, Transport: transport})
	if err := client.Respond(t.Context(), responseURL, slackapi.Response{Message: message()}); err != nil {
		t.Error(err)
	}
	before := len(s.Calls())
	_, whoIs := client.User(t.Context(), "U0ALICE")
	_, find := client.FindByEmail(t.Context(), "alice@example.com")
	for _, err := range []error{whoIs, find, client.Post(t.Context(), channel, message())} {
		if got := wantKind(t, err, guard.Credentials); !strings.Contains(got.Remedy, "KEYREEVE_SLACK_BOT_TOKEN") {
			t.Errorf("the remedy is %q, want the variable in it", got.Remedy)
		}
	}
	if calls := s.Calls()[before:]; len(calls) > 0 {
		t.Errorf("Slack was called without a token: %q", calls)
	}
}

func TestResponseURLThatIsOver(t *testing.T) {
	t.Parallel()
	t.Run("used up", func(t *testing.T) {
		t.Parallel()
		_, responseURL, client := workspace(t, now)
		for range 5 {
			if err := client.Respond(t.Context(), responseURL, slackapi.Response{Message: message()}); err != nil {
				t.Fatal(err)
			}
		}
		wantKind(t, client.Respond(t.Context(), responseURL, slackapi.Response{Message: message()}), guard.NotFound)
	})
	t.Run("expired", func(t *testing.T) {
		t.Parallel()
		var later atomic.Int64
		_, responseURL, client := workspace(t, func() time.Time { return now().Add(time.Duration(later.Load())) })
		later.Store(int64(30*time.Minute + time.Second))
		wantKind(t, client.Respond(t.Context(), responseURL, slackapi.Response{Message: message()}), guard.NotFound)
	})
	for name, body := range map[string]string{"used up": `{"ok":false,"error":"used_url"}`, "in other words": `{"ok":false,"error":"Expired url"}`, "a page": "<html>"} {
		t.Run("404, "+name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, answering(http.StatusNotFound, nil, body))
			wantKind(t, client.Respond(t.Context(), "https://hooks.slack.com/commands/x", slackapi.Response{Message: message()}), guard.NotFound)
		})
	}
}

func TestRespondOnlyToSlack(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	client := newClient(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	for _, address := range []string{
		"", "hooks.slack.com/commands/1", "http://hooks.slack.com/commands/1", "https://hooks.slack.com.example.com/commands/1",
		"https://slack.com/commands/1", "https://hooks.slack.com:8443/commands/1", "https://me@hooks.slack.com/commands/1",
		"https://example.com/#hooks.slack.com", "https://hooks.slack.com%2f@example.com/", "https://169.254.169.254/latest", "\x00",
	} {
		t.Run(address, func(t *testing.T) {
			err := wantKind(t, client.Respond(t.Context(), address, slackapi.Response{Message: message()}), guard.Invalid)
			if address != "" && strings.Contains(err.Error(), address) {
				t.Errorf("the error tells the address: %v", err)
			}
		})
	}
	if calls.Load() > 0 {
		t.Errorf("%d calls were made", calls.Load())
	}
}

// The emulator sees every call as Slack would.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	var got []string
	client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.Host+r.RequestURI)
		answer := `{"ok":true,"ts":"1","user":{"id":"U1","profile":{"email":"alice@example.com"}}}`
		if r.URL.Path == "/api/auth.test" {
			answer = `{"ok":true,"team_id":"T1"}`
		}
		_, _ = io.WriteString(w, answer) // a caller who has gone will say so
	}))
	_, whoIs := client.User(t.Context(), "U1")
	_, find := client.FindByEmail(t.Context(), "alice@example.com")
	post := client.Post(t.Context(), channel, message())
	respond := client.Respond(t.Context(), "https://hooks.slack.com/actions/T1/2/x%2Fy?z=1", slackapi.Response{Message: message()})
	if err := errors.Join(whoIs, find, post, respond); err != nil {
		t.Error(err)
	}
	want := []string{
		"POST slack.com/api/users.info", "POST slack.com/api/auth.test", "POST slack.com/api/users.lookupByEmail",
		"POST slack.com/api/chat.postMessage",
		"POST hooks.slack.com/actions/T1/2/x%2Fy?z=1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestEndpointThatIsNone(t *testing.T) {
	t.Parallel()
	_, transport := serve(t, http.NotFoundHandler())
	client := slackapi.New(slackapi.Config{Token: guard.NewSecret(bot), Endpoint: "http://a b", Transport: transport})
	_, err := client.User(t.Context(), "U1")
	wantKind(t, err, guard.Upstream)
}

// answering is a Slack that always says the same.
func answering(status int, header http.Header, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// every makes each call that there is.
func every(ctx context.Context, client *slackapi.Client) map[string]error {
	_, whoIs := client.User(ctx, "U1")
	_, find := client.FindByEmail(ctx, "alice@example.com")
	return map[string]error{
		"User": whoIs, "FindByEmail": find, "Post": client.Post(ctx, channel, message()),
		"Respond": client.Respond(ctx, "https://hooks.slack.com/commands/T1/2/capability", slackapi.Response{Message: message()}),
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	no := func(code string) http.Handler {
		return answering(http.StatusOK, nil, `{"ok":false,"error":"`+code+`"}`)
	}
	throttled := func(after, body string) http.Handler {
		return answering(http.StatusTooManyRequests, http.Header{"Retry-After": {after}}, body)
	}
	for name, test := range map[string]struct {
		slack  http.Handler
		kind   guard.Kind
		wait   time.Duration
		remedy string
	}{
		"429":                       {throttled("30", `{"ok":false,"error":"ratelimited"}`), guard.Throttled, 30 * time.Second, "30 seconds"},
		"429 without a wait":        {answering(http.StatusTooManyRequests, nil, ""), guard.Throttled, 0, "a minute"},
		"429 with a date":           {throttled("Mon, 23 Nov 2026 12:00:00 GMT", ""), guard.Throttled, 0, "a minute"},
		"429 with less than 0":      {throttled("-5", ""), guard.Throttled, 0, "a minute"},
		"429 for ever":              {throttled("9223372036854775807", ""), guard.Throttled, 9223372036 * time.Second, "seconds"},
		"throttled, in a 200":       {no("ratelimited"), guard.Throttled, 0, "a minute"},
		"500":                       {answering(http.StatusInternalServerError, nil, "<html>"), guard.Upstream, 0, "later"},
		"500 that says yes":         {answering(http.StatusInternalServerError, nil, `{"ok":true}`), guard.Upstream, 0, "later"},
		"no word":                   {no(""), guard.Upstream, 0, "later"},
		"no, with a user":           {answering(http.StatusOK, nil, `{"ok":false,"ts":"1","user":{"id":"U1","profile":{"email":"alice@example.com"}}}`), guard.Upstream, 0, "later"},
		"an unknown word":           {no("fatal_error"), guard.Upstream, 0, "log"},
		"a token that is none":      {no("invalid_auth"), guard.Credentials, 0, "KEYREEVE_SLACK_BOT_TOKEN"},
		"a token that was revoked":  {no("token_revoked"), guard.Credentials, 0, "KEYREEVE_SLACK_BOT_TOKEN"},
		"a scope that is missing":   {answering(http.StatusOK, nil, `{"ok":false,"error":"missing_scope","needed":"users:read.email","provided":"chat:write"}`), guard.Credentials, 0, "Add the scope"},
		"some scope that is":        {no("missing_scope"), guard.Credentials, 0, "Add the scope"},
		"no such user":              {no("users_not_found"), guard.NotFound, 0, "e-mail"},
		"not in the channel":        {no("not_in_channel"), guard.NotFound, 0, "invite the app"},
		"an archived channel":       {no("is_archived"), guard.NotFound, 0, "another channel"},
		"an answer without an end":  {answering(http.StatusOK, nil, `{"ok":true,"x":"`+strings.Repeat("x", 2<<20)+`"}`), guard.Upstream, 0, "later"},
		"a connection that breaks":  {http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), guard.Upstream, 0, "later"},
		"an answer that breaks off": {answering(http.StatusOK, http.Header{"Content-Length": {"100"}}, `{"ok":true`), guard.Upstream, 0, "later"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for call, failed := range every(t.Context(), newClient(t, test.slack)) {
				err := wantKind(t, failed, test.kind)
				if err.RetryAfter != test.wait || !strings.Contains(err.Remedy, test.remedy) {
					t.Errorf("%s: retry after %s, remedy %q, want %s and %q", call, err.RetryAfter, err.Remedy, test.wait, test.remedy)
				}
			}
		})
	}
}

// Whoever answers at the end of a redirect did not see what was sent.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		elsewhere := 0
		mux := http.NewServeMux()
		mux.Handle("/", http.RedirectHandler("https://slack.com/elsewhere", status))
		mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, _ *http.Request) {
			elsewhere++
			_, _ = io.WriteString(w, `{"ok":true,"ts":"1","user":{"id":"U1","profile":{"email":"alice@example.com"}}}`)
		})
		for _, err := range every(t.Context(), newClient(t, mux)) {
			wantKind(t, err, guard.Upstream)
		}
		if elsewhere > 0 {
			t.Errorf("%d redirects with status %d were followed", elsewhere, status)
		}
	}
}

// The Web API says yes with what it was asked for; a response_url says no more than that it has it.
func TestAnswersThatSayNothing(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing": "", "a word": "ok", "a page": "<html>Welcome</html>", "yes": `{"ok":true}`, "an object": "{}", "null": "null",
		"another": `{"ok":true,"user":{"id":"U2","profile":{"email":"bob@example.com"}}}`,
		"a list":  "[]", "another type": `{"ok":true,"user":"U1","ts":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := every(t.Context(), newClient(t, answering(http.StatusOK, nil, body)))
			for _, call := range []string{"User", "FindByEmail", "Post"} {
				wantKind(t, got[call], guard.Upstream)
			}
			if got["Respond"] != nil {
				t.Errorf("Respond: %v", got["Respond"])
			}
		})
	}
}

// silent is a network on which no answer comes.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestSilentSlackIsWaitedForNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ deadline, want time.Duration }{
		"as long as the deadline": {300 * time.Millisecond, 300 * time.Millisecond},
		"without a near deadline": {time.Hour, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := slackapi.New(slackapi.Config{Token: guard.NewSecret(bot), Transport: silent{}})
				ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
				defer cancel()
				start := time.Now()
				err := wantKind(t, client.Post(ctx, channel, message()), guard.Upstream)
				if waited := time.Since(start); waited != test.want || !strings.Contains(err.Err.Error(), "no answer in time") {
					t.Errorf("waited %s and got %v, want %s", waited, err.Err, test.want)
				}
			})
		})
	}
}

func TestStoppedWhileItWaits(t *testing.T) {
	t.Parallel()
	client := slackapi.New(slackapi.Config{Token: guard.NewSecret(bot), Transport: silent{}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range every(ctx, client) {
		wantKind(t, err, guard.Upstream)
	}
}
