package slacktest

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// content is what a message shows.
type content struct {
	Text   string          `json:"text"`
	Blocks json.RawMessage `json:"blocks"`
}

// maxText is how many characters the text of a message may have.
const maxText = 40_000

// wrong returns Slack's word for what is wrong with a message, and an explanation; empty if nothing is. A text is always
// wanted: without one a notification says only that there is a message.
func (c content) wrong() (code, why string) {
	if c.Text == "" {
		return "no_text", "there is no text for notifications"
	}
	if length(c.Text) > maxText {
		return "msg_too_long", "the text is longer than Slack takes"
	}
	if why := markup(c.Text); why != "" {
		return "invalid_arguments", "text: " + why
	}
	if len(c.Blocks) > 0 {
		if err := Check(c.Blocks); err != nil {
			return "invalid_blocks", err.Error()
		}
	}
	return "", ""
}

// webAPI answers calls of slack.com. Nearly all its refusals have a status of 200.
func (s *Slack) webAPI(w http.ResponseWriter, r *http.Request) {
	method := strings.TrimPrefix(r.URL.Path, "/api/")
	arguments, code := read(r)
	if code == "" {
		code = s.authenticate(arguments["token"])
	}
	result := map[string]any{}
	if code == "" {
		switch method {
		case "auth.test":
			result["team_id"], result["user_id"], result["bot_id"] = s.cfg.Team, "U"+botID, botID
		case "users.info":
			code = s.usersInfo(arguments, result)
		case "users.lookupByEmail":
			code = s.lookupByEmail(arguments, result)
		case "chat.postMessage":
			code = s.postMessage(arguments, result)
		default:
			code = "unknown_method"
		}
	}
	if code != "" {
		code, why, _ := strings.Cut(code, ": ")
		if !strings.HasSuffix(code, "_not_found") || method == "chat.postMessage" { // Nobody is an answer to who that is.
			s.refuse("%s", strings.TrimSuffix(method+": "+code+": "+why, ": "))
		}
		result = map[string]any{"error": code, "response_metadata": map[string]any{"messages": []string{"[ERROR] " + why}}}
	}
	result["ok"] = code == ""
	answer(w, http.StatusOK, result)
}

// read returns the arguments of a call, from a form or from JSON. The token may be among them or in a header.
func read(r *http.Request) (arguments map[string]string, code string) {
	arguments = make(map[string]string)
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch contentType {
	case "application/json":
		var members map[string]json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&members); err != nil {
			return nil, "invalid_json"
		}
		for name, value := range members {
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				text = string(value)
			}
			arguments[name] = text
		}
		delete(arguments, "token") // In JSON the header alone counts.
	case "application/x-www-form-urlencoded", "":
		if err := r.ParseForm(); err != nil {
			return nil, "invalid_form_data"
		}
		for name := range r.Form {
			arguments[name] = r.Form.Get(name)
		}
	default:
		return nil, "invalid_post_type"
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		arguments["token"] = token
	}
	return arguments, ""
}

func (s *Slack) authenticate(token string) (code string) {
	switch token {
	case "":
		return "not_authed"
	case s.cfg.Token:
		return ""
	default:
		return "invalid_auth"
	}
}

func (s *Slack) usersInfo(arguments map[string]string, result map[string]any) (code string) {
	found, ok := s.user(arguments["user"])
	if !ok {
		return "user_not_found"
	}
	result["user"] = s.profile(found)
	return ""
}

func (s *Slack) lookupByEmail(arguments map[string]string, result map[string]any) (code string) {
	i := slices.IndexFunc(s.cfg.Users, func(u User) bool { return u.Email != "" && strings.EqualFold(u.Email, arguments["email"]) })
	if i < 0 {
		return "users_not_found"
	}
	result["user"] = s.profile(s.cfg.Users[i])
	return ""
}

// profile is a user as Slack tells of one. It tells much more that nobody here reads.
func (s *Slack) profile(u User) map[string]any {
	return map[string]any{
		"id": u.ID, "team_id": s.teamOf(u), "name": u.Name, "deleted": u.Deleted,
		"is_bot": u.Bot, "is_stranger": u.Stranger, "updated": 1_700_000_000,
		"profile": map[string]any{"email": u.Email, "real_name": u.Name, "team": s.teamOf(u)},
	}
}

func (s *Slack) postMessage(arguments map[string]string, result map[string]any) (code string) {
	message := content{Text: arguments["text"]}
	if blocks := arguments["blocks"]; blocks != "" {
		message.Blocks = json.RawMessage(blocks)
	}
	if code, why := message.wrong(); code != "" {
		return code + ": " + why
	}
	channel, to := arguments["channel"], ""
	_, known := s.user(channel)
	switch {
	case known:
		// A direct message, in a channel of its own.
		channel, to = "D"+channel[1:], channel
	case !strings.HasPrefix(channel, "C") && !strings.HasPrefix(channel, "G"):
		return "channel_not_found"
	case len(s.cfg.Channels) > 0 && !slices.Contains(s.cfg.Channels, channel):
		return "not_in_channel"
	}
	index := s.show(channel, to, message)
	result["channel"], result["ts"] = channel, stamp(index)
	result["message"] = map[string]any{"type": "message", "text": message.Text, "ts": stamp(index)}
	return ""
}
