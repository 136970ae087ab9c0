package slacktest

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"time"
)

// address is what a response_url stands for.
type address struct {
	channel, user string
	// message is the index of the one with the button that was pressed, -1 after a command.
	message int
	since   time.Time
	posts   int
}

// What a response_url takes.
const (
	maxPosts = 5
	lifetime = 30 * time.Minute
)

// newAddress returns a new response_url for what the user did in the channel. Kind is "commands" or "actions".
func (s *Slack) newAddress(kind, channel, user string, message int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := fmt.Sprintf("/%s/%s/%d/%s", kind, s.cfg.Team, len(s.addresses)+1, random())
	s.addresses[path] = &address{channel: channel, user: user, message: message, since: s.cfg.Clock()}
	return "https://hooks.slack.com" + path
}

// reply is what is posted to a response_url, or answered to a command at once.
type reply struct {
	content

	ResponseType string `json:"response_type"`
	// ReplaceOriginal is nil where it is missing. Slack's documents of buttons differ in what becomes of the original then:
	// here it is replaced, which does more harm.
	ReplaceOriginal *bool `json:"replace_original"`
	DeleteOriginal  bool  `json:"delete_original"`
}

// hook takes what is posted to a response_url.
func (s *Slack) hook(w http.ResponseWriter, r *http.Request) {
	to, code := s.use(r.URL.Path)
	if code != "" {
		s.refuse("response_url: %s", code)
		answer(w, http.StatusNotFound, map[string]any{"ok": false, "error": code})
		return
	}
	var posted reply
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	err := json.NewDecoder(r.Body).Decode(&posted)
	code, why := "invalid_payload", "it takes JSON in a POST"
	if r.Method == http.MethodPost && contentType == "application/json" && err == nil {
		code, why = s.place(to, posted)
	}
	if code != "" {
		s.refuse("response_url: %s: %s", code, why)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, code)
		return
	}
	_, _ = fmt.Fprint(w, "ok")
}

// use counts one post and returns where it goes, or Slack's word for why it goes nowhere.
func (s *Slack) use(path string) (to address, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.addresses[path]
	switch {
	case found == nil:
		return address{}, "no_service"
	case s.cfg.Clock().Sub(found.since) > lifetime:
		return address{}, "expired_url"
	case found.posts == maxPosts:
		return address{}, "used_url"
	}
	found.posts++
	return *found, ""
}

// place shows what was posted: in the place of the message with the button, or as another message. A message that only
// one user sees stays so.
func (s *Slack) place(to address, posted reply) (code, why string) {
	if posted.DeleteOriginal {
		if to.message < 0 {
			return "invalid_payload", "there is no original to delete"
		}
		s.change(to.message, func(m *Shown) { m.Deleted = true })
		return "", ""
	}
	if code, why := posted.wrong(); code != "" {
		return code, why
	}
	switch posted.ResponseType {
	case "", "ephemeral", "in_channel":
	default:
		return "invalid_payload", "the response_type is not one"
	}
	if replaces := posted.ReplaceOriginal == nil || *posted.ReplaceOriginal; replaces && to.message >= 0 {
		s.change(to.message, func(m *Shown) { m.Text, m.Blocks = posted.Text, posted.Blocks; m.Versions++ })
		return "", ""
	}
	reader := to.user
	if posted.ResponseType == "in_channel" {
		reader = ""
	}
	s.show(to.channel, reader, posted.content)
	return "", ""
}

func (s *Slack) change(index int, change func(*Shown)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.shown[index])
}
