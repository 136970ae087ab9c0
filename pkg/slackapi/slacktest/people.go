package slacktest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Answer is what the app answered to Slack.
type Answer struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
	// Took is how long that took, by the clock of the workspace.
	Took time.Duration `json:"took"`
}

// patience is how long Slack waits for an answer before it tells the user that the app did not answer.
const patience = 3 * time.Second

// Ids that are the same wherever they occur.
const (
	appID      = "A0KEYS"
	botID      = "B0KEYS"
	teamDomain = "example"
)

// Type lets the user type /keys and the text in the channel. The text is as Slack hands it on, with <@U1|name> for a
// mention and &lt; for a <. A message in the app's answer is shown. What Slack would not take as an answer is among
// [Slack.Refused].
func (s *Slack) Type(ctx context.Context, user, channel, text string) (Answer, error) {
	who, known := s.user(user)
	if !known {
		return Answer{}, fmt.Errorf("there is no user %s", user)
	}
	form := url.Values{
		"token": {"gone-out-of-use"}, "team_id": {s.teamOf(who)}, "team_domain": {teamDomain},
		"channel_id": {channel}, "channel_name": {"keys"}, "user_id": {who.ID}, "user_name": {who.Name},
		"command": {"/keys"}, "text": {text}, "api_app_id": {appID}, "is_enterprise_install": {"false"},
		"response_url": {s.newAddress("commands", channel, user, -1)}, "trigger_id": {random()},
	}
	got, isJSON, err := s.call(ctx, s.cfg.Commands, form)
	if err != nil || got.Status != http.StatusOK || strings.TrimSpace(got.Body) == "" {
		return got, err
	}
	if code, why := s.say(address{channel: channel, user: user, message: -1}, got.Body, isJSON); code != "" {
		s.refuse("/keys: %s: %s", code, why)
	}
	return got, nil
}

// say shows what the app answered to a command at once.
func (s *Slack) say(to address, body string, isJSON bool) (code, why string) {
	said := reply{content: content{Text: body}}
	if isJSON {
		said = reply{}
		if err := json.Unmarshal([]byte(body), &said); err != nil {
			return "invalid_payload", err.Error()
		}
	}
	return s.place(to, said)
}

// Press lets the user press a button in the message with the index: the n-th, from 0, of those with the action id. It is an
// error if there is no such button, or if the user does not see the message.
func (s *Slack) Press(ctx context.Context, user string, message int, actionID string, n int) (Answer, error) {
	who, known := s.user(user)
	all := s.Shown()
	switch {
	case !known:
		return Answer{}, fmt.Errorf("there is no user %s", user)
	case message < 0 || message >= len(all) || all[message].Deleted:
		return Answer{}, fmt.Errorf("there is no message %d", message)
	case all[message].To != "" && all[message].To != user:
		return Answer{}, fmt.Errorf("only %s sees message %d", all[message].To, message)
	}
	pressed, err := findButton(all[message].Blocks, actionID, n)
	if err != nil {
		return Answer{}, fmt.Errorf("message %d: %w", message, err)
	}
	payload, err := json.Marshal(s.interaction(who, all[message], pressed))
	if err != nil {
		return Answer{}, err
	}
	got, _, err := s.call(ctx, s.cfg.Actions, url.Values{"payload": {string(payload)}})
	return got, err
}

// Newest returns the index of the newest message that the user sees with a button of that action id.
func (s *Slack) Newest(user, actionID string) (message int, found bool) {
	for _, m := range slices.Backward(s.Shown()) {
		if _, err := findButton(m.Blocks, actionID, 0); err == nil && !m.Deleted && (m.To == "" || m.To == user) {
			return m.Index, true
		}
	}
	return 0, false
}

// findButton returns the n-th button with the action id, as it is sent to the app.
func findButton(blocks json.RawMessage, actionID string, n int) (map[string]any, error) {
	var all []struct {
		BlockID   string           `json:"block_id"`
		Accessory map[string]any   `json:"accessory"`
		Elements  []map[string]any `json:"elements"`
	}
	if len(blocks) > 0 {
		if err := json.Unmarshal(blocks, &all); err != nil {
			return nil, err
		}
	}
	seen := 0
	for i, b := range all {
		for _, element := range append(b.Elements, b.Accessory) {
			if element["type"] != "button" || element["action_id"] != actionID {
				continue
			}
			if seen == n {
				pressed := map[string]any{"block_id": b.BlockID}
				if b.BlockID == "" {
					pressed["block_id"] = fmt.Sprintf("b%d", i)
				}
				for _, member := range []string{"type", "action_id", "text", "value", "style"} {
					if value, ok := element[member]; ok {
						pressed[member] = value
					}
				}
				return pressed, nil
			}
			seen++
		}
	}
	return nil, fmt.Errorf("there are %d buttons %s, and not one more", seen, actionID)
}

// interaction is what Slack tells the app about a button. Of a message that only one user sees it does not tell the content.
func (s *Slack) interaction(who User, in Shown, pressed map[string]any) map[string]any {
	at := s.cfg.Clock()
	pressed["action_ts"] = fmt.Sprintf("%d.%06d", at.Unix(), at.Nanosecond()/1000)
	interaction := map[string]any{
		"type": "block_actions", "token": "gone-out-of-use", "api_app_id": appID, "trigger_id": random(),
		"team":       map[string]any{"id": s.cfg.Team, "domain": teamDomain},
		"user":       map[string]any{"id": who.ID, "username": who.Name, "name": who.Name, "team_id": s.teamOf(who)},
		"channel":    map[string]any{"id": in.Channel, "name": "keys"},
		"enterprise": nil, "is_enterprise_install": false,
		"container": map[string]any{
			"type": "message", "message_ts": stamp(in.Index), "channel_id": in.Channel, "is_ephemeral": in.To != "" && in.Channel[0] != 'D',
		},
		"state":        map[string]any{"values": map[string]any{}},
		"response_url": s.newAddress("actions", in.Channel, who.ID, in.Index),
		"actions":      []any{pressed},
	}
	if in.To == "" || in.Channel[0] == 'D' {
		interaction["message"] = map[string]any{
			"type": "message", "bot_id": botID, "app_id": appID, "ts": stamp(in.Index), "text": in.Text, "blocks": in.Blocks,
		}
	}
	return interaction
}

// call sends a signed form to the app, and reports whether it answered with JSON.
func (s *Slack) call(ctx context.Context, address string, form url.Values) (got Answer, isJSON bool, err error) {
	body := form.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return Answer{}, false, err
	}
	request.Header = s.sign(body)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	start := s.cfg.Clock()
	response, err := (&http.Client{Transport: s.cfg.Transport}).Do(request)
	if err != nil {
		return Answer{}, false, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return Answer{}, false, err
	}
	got = Answer{Status: response.StatusCode, Body: string(text), Took: s.cfg.Clock().Sub(start)}
	if got.Status != http.StatusOK {
		s.refuse("%s: the app answered with status %d", request.URL.Path, got.Status)
	}
	if got.Took > patience {
		s.refuse("%s: the app took %s to answer, and Slack waits no longer than %s", request.URL.Path, got.Took, patience)
	}
	return got, strings.HasPrefix(response.Header.Get("Content-Type"), "application/json"), nil
}
