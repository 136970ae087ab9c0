package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"keyreeve/pkg/slackapi/slacktest"
)

// noticeChannel is the channel of the fake Slack where people ask and everybody hears of changes.
const noticeChannel = "C0KEYS"

// fakeSlack is a workspace with the people of the fake contract in it.
type fakeSlack struct {
	workspace *slacktest.Slack
	// environment is what makes the functions talk to it. The secrets in there are known to everybody.
	environment map[string]string
	close       func() error
}

// startSlack serves a workspace on a port of its own. It calls the stack that listens on the address.
func startSlack(ctx context.Context, address string) (*fakeSlack, error) {
	const secret = "only-for-make-run-slack"
	workspace := slacktest.New(slacktest.Config{
		Token: secret, SigningSecret: secret, Team: "T0KEYREEVE", Users: slackPeople(), Channels: []string{noticeChannel},
		Clock: time.Now, Commands: address + "/slack/commands", Actions: address + "/slack/actions", Transport: &http.Transport{},
	})
	endpoint, stop, err := serveAnywhere(ctx, workspace)
	if err != nil {
		return nil, err
	}
	return &fakeSlack{workspace: workspace, close: stop, environment: map[string]string{
		"KEYREEVE_SLACK_ENDPOINT":       endpoint,
		"KEYREEVE_SLACK_SIGNING_SECRET": secret,
		"KEYREEVE_SLACK_BOT_TOKEN":      secret,
	}}, nil
}

// slackPeople are the people of the fake contract who have a name there.
func slackPeople() []slacktest.User {
	var people []slacktest.User
	for _, name := range []string{"alice", "bob", "carol", "operator"} {
		people = append(people, slacktest.User{ID: "U0" + strings.ToUpper(name), Name: name, Email: name + "@example.com"})
	}
	return people
}

// showSlack shows every message, who sees it, and what Slack refused.
func (c *control) showSlack(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, struct {
		Messages []slacktest.Shown `json:"messages"`
		Refused  []string          `json:"refused"`
	}{append([]slacktest.Shown{}, c.slack.Shown()...), append([]string{}, c.slack.Refused()...)})
}

// deed is what somebody does in Slack: type a command, or press a button of a message.
type deed struct {
	User string `json:"user"`
	// Text follows /keys, in the channel.
	Channel string `json:"channel"`
	Text    string `json:"text"`
	// Press is the action id of the button, Nth which one of those with that id, from 0. Without a Message it is in the
	// newest one that has such a button.
	Message *int   `json:"message"`
	Press   string `json:"press"`
	Nth     int    `json:"nth"`
}

// do lets it happen, and returns what the app answered.
func (d deed) do(ctx context.Context, slack *slacktest.Slack) (slacktest.Answer, error) {
	if newest, found := slack.Newest(d.User, d.Press); d.Message == nil && d.Press != "" && found {
		d.Message = &newest
	}
	switch {
	case d.Message == nil && d.Press != "":
		return slacktest.Answer{}, errors.New("nobody shows " + d.User + " a button " + d.Press)
	case d.Message != nil && d.Press == "":
		return slacktest.Answer{}, errors.New("a message takes what to press")
	case d.Message != nil:
		return slack.Press(ctx, d.User, *d.Message, d.Press, d.Nth)
	case d.Channel == "":
		return slack.Type(ctx, d.User, noticeChannel, d.Text)
	default:
		return slack.Type(ctx, d.User, d.Channel, d.Text)
	}
}

// actInSlack answers with what the app answered to Slack at once. What it says later shows among the messages.
func (c *control) actInSlack(w http.ResponseWriter, r *http.Request, body []byte) {
	var d deed
	if err := decodeStrictly(body, &d); err != nil {
		answerMessage(w, http.StatusBadRequest, `The body must be {"user", "text"} or {"user", "press"}: `+err.Error())
		return
	}
	got, err := d.do(r.Context(), c.slack)
	if err != nil {
		answerMessage(w, http.StatusBadRequest, err.Error())
		return
	}
	answerJSON(w, http.StatusOK, struct {
		Status int    `json:"status"`
		Body   string `json:"body"`
		Took   string `json:"took"`
	}{got.Status, got.Body, got.Took.Round(time.Millisecond).String()})
}
