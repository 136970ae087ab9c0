// Package slacktest stands in for Slack: a workspace with people who type commands, see messages and press buttons, and
// the part of Slack's API that an app for that needs. It is written from what Slack documents, and is stricter than Slack
// where Slack would show something other than was meant.
package slacktest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is a workspace and the app in it.
type Config struct {
	// Token is the bot token of the app, SigningSecret what Slack signs its calls of the app with.
	Token, SigningSecret string
	// Team is the id of the workspace.
	Team  string
	Users []User
	// Channels are the ids of the channels that the app is in; none: all that there may be.
	Channels []string
	Clock    func() time.Time
	// Commands and Actions are the addresses at which the app takes commands and buttons.
	Commands, Actions string
	// Transport is how the app is called.
	Transport http.RoundTripper
}

// User is a person in Slack, or an app.
type User struct {
	// Team is the workspace of somebody from another one; empty for the workspace itself.
	ID, Team, Email, Name  string
	Deleted, Bot, Stranger bool
}

// Shown is a message in its latest version.
type Shown struct {
	Index   int    `json:"index"`
	Channel string `json:"channel"`
	// To is the only user who sees it, empty where the whole channel does.
	To      string          `json:"to,omitempty"`
	Text    string          `json:"text"`
	Blocks  json.RawMessage `json:"blocks,omitempty"`
	Deleted bool            `json:"deleted,omitempty"`
	// Versions counts how often it was written: 1, and one more for each time that it was replaced.
	Versions int `json:"versions"`
}

// Slack is a workspace. As an [http.Handler] it is slack.com and hooks.slack.com, by the Host of the call. It is safe for
// concurrent use.
type Slack struct {
	cfg Config

	mu         sync.Mutex
	shown      []Shown
	addresses  map[string]*address
	calls      []string
	refused    []string
	down       bool
	throttled  int
	retryAfter time.Duration
}

// New returns the workspace that cfg describes, with nothing in it yet.
func New(cfg Config) *Slack { return &Slack{cfg: cfg, addresses: make(map[string]*address)} }

// Shown returns every message that was ever shown, in the order of their first versions.
func (s *Slack) Shown() []Shown {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.shown)
}

// Refused returns what Slack refuses, or leaves without effect, and why: "chat.postMessage: invalid_blocks: …".
func (s *Slack) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// Calls returns the calls of Slack in the order they came, whatever became of them: "POST slack.com/api/chat.postMessage".
// Of a response_url only the beginning is told, "POST hooks.slack.com/commands".
func (s *Slack) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Down lets every call fail with a status of 503, until it is taken back.
func (s *Slack) Down(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Throttle refuses the next n calls with a status of 429 and tells to wait that long, which is rounded to seconds.
func (s *Slack) Throttle(n int, retryAfter time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttled, s.retryAfter = n, retryAfter
}

// maxBody is more than any body that Slack takes.
const maxBody = 1 << 20

// ServeHTTP answers as Slack does, and with a status of 501 to a Host that is not Slack's.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	down, wait := s.arrived(r)
	switch {
	case down:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprint(w, "<!DOCTYPE html><html><body>Server Error</body></html>")
	case wait > 0:
		w.Header().Set("Retry-After", fmt.Sprint(int(wait.Seconds())))
		answer(w, http.StatusTooManyRequests, map[string]any{"ok": false, "error": "ratelimited"})
	case r.Host == "slack.com":
		s.webAPI(w, r)
	case r.Host == "hooks.slack.com":
		s.hook(w, r)
	default:
		http.Error(w, "nobody answers for "+r.Host, http.StatusNotImplemented)
	}
}

// arrived notes a call and says whether it finds Slack down, or how long it is told to wait.
func (s *Slack) arrived(r *http.Request) (down bool, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.URL.Path
	if r.Host == "hooks.slack.com" {
		kind, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		path = "/" + kind
	}
	s.calls = append(s.calls, r.Method+" "+r.Host+path)
	if s.down || s.throttled == 0 {
		return s.down, 0
	}
	s.throttled--
	return false, max(s.retryAfter, time.Second)
}

// refuse notes what was refused.
func (s *Slack) refuse(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, fmt.Sprintf(format, args...))
}

// show adds the message and returns its index.
func (s *Slack) show(channel, to string, c content) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	index := len(s.shown)
	s.shown = append(s.shown, Shown{Index: index, Channel: channel, To: to, Text: c.Text, Blocks: c.Blocks, Versions: 1})
	return index
}

func (s *Slack) user(id string) (User, bool) {
	i := slices.IndexFunc(s.cfg.Users, func(u User) bool { return u.ID == id })
	if i < 0 {
		return User{}, false
	}
	return s.cfg.Users[i], true
}

func (s *Slack) teamOf(u User) string {
	if u.Team != "" {
		return u.Team
	}
	return s.cfg.Team
}

// stamp is the time of the message with the index, by which Slack names it.
func stamp(index int) string { return fmt.Sprintf("1700000000.%06d", index+1) }

// sign returns the headers by which Slack vouches for a body.
func (s *Slack) sign(body string) http.Header {
	seconds := fmt.Sprint(s.cfg.Clock().Unix())
	mac := hmac.New(sha256.New, []byte(s.cfg.SigningSecret))
	_, _ = mac.Write([]byte("v0:" + seconds + ":" + body)) // a hash takes everything
	header := http.Header{}
	header.Set("X-Slack-Request-Timestamp", seconds)
	header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return header
}

// random returns letters and digits that nobody guesses.
func random() string { return rand.Text() }

func answer(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // A body is made of strings and booleans.
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}
