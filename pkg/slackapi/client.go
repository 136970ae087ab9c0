// Package slackapi is how Keyreeve calls Slack, and how outcomes of requests, sweeps and warnings read there. It is used by
// the packages that talk to people in Slack, and knows nothing of them.
package slackapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/slack-go/slack"

	"keyreeve/pkg/guard"
)

// Config says who calls, and how Slack is reached.
type Config struct {
	// Token is the bot token of the app. Without one only [Client.Respond] works, and all else is an error of kind
	// [guard.Credentials].
	Token guard.Secret
	// Endpoint is the address of an emulator; empty for the real Slack. All calls then go there, with the path, the query
	// and the Host they would have at Slack.
	Endpoint  string
	Transport http.RoundTripper
}

// Client calls Slack. It is safe for concurrent use.
//
// Its errors are of type [*guard.Error] and hold neither the token nor a response_url, which is a capability: whoever has
// it can post. Nothing is tried twice: Slack posts a message as often as it is asked to.
type Client struct {
	token guard.Secret
	http  *http.Client

	mu   sync.Mutex
	home []string // see [Client.homes]
}

// New returns the client that cfg describes. It calls nobody.
func New(cfg Config) *Client {
	return &Client{token: cfg.Token, http: &http.Client{Transport: &exchange{base: cfg.Transport, endpoint: cfg.Endpoint}}}
}

// User is a person or an app in Slack.
type User struct {
	ID string
	// Email is empty for a user without one, and where the app may not see it.
	Email string
	// Deleted users cannot log in.
	Deleted bool
	Bot     bool
	// Stranger belongs to neither the workspace that the app is installed in nor its enterprise, as people do with whom a
	// channel is shared: another organization vouches for the address.
	Stranger bool
}

// Message is what is posted. Text stands for the whole where blocks cannot be shown, as in a notification.
type Message struct {
	Text   string
	Blocks []slack.Block
}

// Response answers a command or a button.
type Response struct {
	Message

	// Public shows it to the whole channel; otherwise only whoever asked sees it.
	Public bool
	// Replace puts it in place of the message that holds the button.
	Replace bool
}

// MarshalJSON writes the response as Slack takes it, from a response_url and as the answer to a command.
//
// The library has a type for this whose blocks can also be read, and which so makes a function larger by all that there
// is in Slack.
func (r Response) MarshalJSON() ([]byte, error) {
	kind := slack.ResponseTypeEphemeral
	if r.Public {
		kind = slack.ResponseTypeInChannel
	}
	return json.Marshal(struct {
		ResponseType    string        `json:"response_type"`
		ReplaceOriginal bool          `json:"replace_original"` // Left out, it may mean yes.
		Text            string        `json:"text"`
		Blocks          []slack.Block `json:"blocks,omitempty"`
	}{kind, r.Replace, r.Text, r.Blocks})
}

// User returns the user with the id, an error of kind [guard.NotFound] if there is none. It needs the scope users:read,
// and users:read.email for the address.
func (c *Client) User(ctx context.Context, id string) (User, error) {
	found, err := c.user(ctx, "look up a user", func(api *slack.Client) (*slack.User, error) { return api.GetUserInfoContext(ctx, id) })
	if err == nil && found.ID != id {
		err = unreadable("look up a user", errors.New("users.info answered with another user"))
	}
	if err != nil {
		return User{}, err
	}
	return found, nil
}

// FindByEmail returns the user with the e-mail address, an error of kind [guard.NotFound] if there is none. It needs the
// scope users:read.email.
func (c *Client) FindByEmail(ctx context.Context, email string) (User, error) {
	found, err := c.user(ctx, "look up a user by e-mail", func(api *slack.Client) (*slack.User, error) { return api.GetUserByEmailContext(ctx, email) })
	if err == nil && (found.ID == "" || !strings.EqualFold(found.Email, email)) {
		err = unreadable("look up a user by e-mail", errors.New("users.lookupByEmail answered with another user"))
	}
	if err != nil {
		return User{}, err
	}
	return found, nil
}

func (c *Client) user(ctx context.Context, does string, call func(*slack.Client) (*slack.User, error)) (User, error) {
	api, err := c.api(does)
	if err != nil {
		return User{}, err
	}
	found, err := call(api)
	if err != nil {
		return User{}, failed(does, err)
	}
	home, err := c.homes(ctx, api)
	if err != nil {
		return User{}, err
	}
	ours := func(team string) bool { return slices.Contains(home, team) }
	teams := append([]string{found.TeamID, found.Enterprise.EnterpriseID}, found.Enterprise.Teams...)
	return User{
		ID: found.ID, Email: found.Profile.Email, Deleted: found.Deleted, Bot: found.IsBot,
		Stranger: found.IsStranger || !slices.ContainsFunc(teams, ours),
	}, nil
}

// homes returns the ids of the workspace that the token is of and, in an enterprise, of that. It asks once.
func (c *Client) homes(ctx context.Context, api *slack.Client) ([]string, error) {
	const does = "tell which workspace is ours"
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.home == nil {
		own, err := api.AuthTestContext(ctx)
		if err != nil {
			return nil, failed(does, err)
		}
		if own.TeamID == "" { // Remembered, it would make everybody a stranger.
			return nil, unreadable(does, errors.New("auth.test answered without a workspace"))
		}
		c.home = slices.DeleteFunc([]string{own.TeamID, own.EnterpriseID}, func(id string) bool { return id == "" })
	}
	return c.home, nil
}

// Post posts the message to the channel with the id, or to the user with the id as a direct message. A channel that does
// not exist, or that the app is not in, is an error of kind [guard.NotFound]. After any other error the message may be
// there all the same. It needs the scope chat:write.
func (c *Client) Post(ctx context.Context, channel string, m Message) error {
	const does = "post a message"
	api, err := c.api(does)
	if err != nil {
		return err
	}
	options := []slack.MsgOption{slack.MsgOptionText(m.Text, false), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl()}
	if len(m.Blocks) > 0 {
		options = append(options, slack.MsgOptionBlocks(m.Blocks...))
	}
	_, posted, err := api.PostMessageContext(ctx, channel, options...)
	if err != nil {
		return failed(does, err)
	}
	if posted == "" {
		return unreadable(does, errors.New("chat.postMessage answered without the time of the message"))
	}
	return nil
}

// Respond answers a command or a button at its response_url, which is used up after five answers and after half an hour:
// then the error is of kind [guard.NotFound]. An address that is not Slack's is one of kind [guard.Invalid], and nothing
// is sent.
func (c *Client) Respond(ctx context.Context, responseURL string, r Response) error {
	if !guard.IsResponseURL(responseURL) {
		return &guard.Error{
			Kind: guard.Invalid, Message: "The address to answer at is not one of Slack.",
			Remedy: "Give the response_url as Slack sent it: it begins with https://hooks.slack.com/.",
		}
	}
	const does = "take an answer"
	body, err := json.Marshal(r)
	if err != nil {
		return guard.AsError(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, responseURL, bytes.NewReader(body))
	if err != nil {
		return guard.AsError(errors.New("a response_url is no address that can be called"))
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(req)
	if refused, ok := errors.AsType[*refusal](err); ok && refused.status == http.StatusNotFound {
		refused.code = "expired_url" // Slack has spelled it in several ways.
	}
	if err != nil {
		return failed(does, err)
	}
	_ = answer.Body.Close() // It was read whole, and says yes.
	return nil
}

// api returns the client of the Web API, an error if there is no token.
func (c *Client) api(does string) (*slack.Client, error) {
	if c.token.Reveal() == "" {
		return nil, &guard.Error{
			Kind: guard.Credentials, Message: "Keyreeve has no bot token of Slack, and cannot " + does + ".", Remedy: setUpBot,
		}
	}
	return slack.New(c.token.Reveal(), slack.OptionHTTPClient(c.http)), nil
}
