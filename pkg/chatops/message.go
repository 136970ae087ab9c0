package chatops

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// message is what a person did in Slack, as it crosses the bus. One of Command and Button is set.
type message struct {
	// ID is the same whenever Slack's call arrives again, and differs for all others.
	ID string `json:"id"`
	// At is when Slack signed the call, so that one which is played back asks for what was asked then.
	At time.Time `json:"at"`
	// Channel and User are Slack's ids.
	Channel     string   `json:"channel"`
	User        string   `json:"user"`
	ResponseURL string   `json:"responseUrl"`
	Command     *Command `json:"command,omitempty"`
	Button      *button  `json:"button,omitempty"`
}

// button is a press of one.
type button struct {
	Action string `json:"action"`
	Value  string `json:"value"`
}

// typed reads the form of a slash command, but for what was typed, which it returns as it came.
//
// Source: Slack's documentation of slash commands.
func typed(body []byte) (m message, text string, err error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return message{}, "", unreadable(fmt.Errorf("read the form of a command: %w", err))
	}
	m = message{
		Channel: form.Get("channel_id"), User: form.Get("user_id"), ResponseURL: form.Get("response_url"),
	}
	return m, form.Get("text"), m.complete()
}

// pressed reads the form of an interaction, and reports whether a button was pressed.
//
// Source: Slack's documentation of block_actions payloads.
func pressed(body []byte) (m message, isButton bool, err error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return message{}, false, unreadable(fmt.Errorf("read the form of an interaction: %w", err))
	}
	var payload struct {
		Type string `json:"type"`
		User struct {
			ID string `json:"id"`
		} `json:"user"`
		Channel struct {
			ID string `json:"id"`
		} `json:"channel"`
		ResponseURL string `json:"response_url"`
		Actions     []struct {
			Type     string `json:"type"`
			ActionID string `json:"action_id"`
			Value    string `json:"value"`
		} `json:"actions"`
	}
	if err := edge.DecodeEnvelope([]byte(form.Get("payload")), &payload); err != nil {
		return message{}, false, unreadable(err)
	}
	if payload.Type != "block_actions" || len(payload.Actions) != 1 || payload.Actions[0].Type != "button" {
		return message{}, false, nil
	}
	m = message{
		Channel: payload.Channel.ID, User: payload.User.ID, ResponseURL: payload.ResponseURL,
		Button: &button{Action: payload.Actions[0].ActionID, Value: payload.Actions[0].Value},
	}
	return m, true, m.complete()
}

// complete returns an error if Slack's call lacks what every one has.
func (m message) complete() error {
	switch {
	case m.User == "" || m.Channel == "":
		return unreadable(errors.New("it names no user or no channel"))
	case !guard.IsResponseURL(m.ResponseURL):
		return &guard.Error{
			Kind: guard.Invalid, Message: "The response_url is not one of Slack's: it must begin with https://hooks.slack.com/.",
			Remedy: "Send what Slack sends.",
		}
	}
	return nil
}

func unreadable(err error) error {
	return &guard.Error{Kind: guard.Invalid, Message: "This is nothing that Slack sends.", Remedy: "Send what Slack sends.", Err: err}
}
