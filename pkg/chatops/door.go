package chatops

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/signature"
	"keyreeve/pkg/slackapi"
)

// Door is the http.Handler of POST /slack/commands and POST /slack/actions.
type Door struct {
	// Verifier is of the profile slack.
	Verifier *signature.Verifier
	// Channels are the ids of those in which commands are taken; none: in all.
	Channels []string
	Bus      Bus
	Repeats  edge.Repeats
	Logger   *slog.Logger
}

// patience is the time that a call may take. Slack waits for three seconds and does not try again.
const patience = 2500 * time.Millisecond

// ServeHTTP answers 200 to all that comes from Slack, in a message that only its author sees: what is being done, or what
// would be right. Else it answers with a problem: 401 whatever is wrong with the signature, 503 if the bus did not take
// the message.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	answer, err := edge.Shield(func() ([]byte, error) { return d.serve(ctx, r) })
	if err != nil {
		if guard.KindOf(err) == guard.NotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		edge.Refuse(ctx, w, d.Logger, err, slog.String("sender", source))
		return
	}
	contentType := ""
	if answer != nil {
		contentType = "application/json"
	}
	edge.Answer(w, http.StatusOK, contentType, answer)
}

// serve returns the body of the answer, nil where there is nothing to say.
func (d *Door) serve(ctx context.Context, r *http.Request) ([]byte, error) {
	read := map[string]func(context.Context, []byte) (message, *slackapi.Message, error){
		"/slack/commands": d.command, "/slack/actions": d.action,
	}[r.URL.Path]
	if read == nil {
		return nil, edge.NoSuchPath()
	}
	if r.Method != http.MethodPost {
		return nil, &guard.Error{Kind: guard.NotAllowed, Message: "This path does not take this method."}
	}
	body, err := edge.ReadBody(r)
	if err != nil {
		return nil, err
	}
	signed, err := d.Verifier.Verify(r.Header, body)
	if err != nil {
		return nil, err
	}
	m, answer, err := read(ctx, body)
	if err != nil {
		return nil, err
	}
	if m.Command != nil || m.Button != nil {
		m.ID, m.At = signed.Digest, signed.At
		if err := d.accept(ctx, m); err != nil {
			return nil, err
		}
	}
	if answer == nil {
		return nil, nil
	}
	return ephemeral(*answer)
}

// command reads what somebody typed. What needs no work is answered here, and then the message has no command.
func (d *Door) command(_ context.Context, body []byte) (message, *slackapi.Message, error) {
	m, text, err := typed(body)
	if err != nil {
		return message{}, nil, err
	}
	if !d.takes(m.Channel) {
		answer := plain("Keyreeve takes no commands in this channel. Go to " + channels(d.Channels) + ".")
		return message{}, &answer, nil
	}
	command, err := Parse(text)
	if err != nil {
		answer := refusal(err)
		return message{}, &answer, nil
	}
	if command.Verb == Help {
		answer := help()
		return message{}, &answer, nil
	}
	m.Command = &command
	answer := acknowledged(command)
	return m, &answer, nil
}

// action reads which button was pressed. Slack shows no answer to that; all that there is to say comes by response_url.
func (d *Door) action(ctx context.Context, body []byte) (message, *slackapi.Message, error) {
	m, isButton, err := pressed(body)
	if err != nil {
		return message{}, nil, err
	}
	if !isButton {
		d.Logger.LogAttrs(ctx, slog.LevelDebug, "An interaction is no button of Keyreeve's.")
		return message{}, nil, nil
	}
	if !d.takes(m.Channel) {
		return message{}, nil, &guard.Error{
			Kind: guard.Forbidden, Message: "Keyreeve takes no commands in this channel.",
			Remedy: "Go to a channel that KEYREEVE_SLACK_COMMAND_CHANNELS names.",
		}
	}
	return m, nil, nil
}

func (d *Door) takes(channel string) bool {
	return len(d.Channels) == 0 || slices.Contains(d.Channels, channel)
}

// accept puts a message on the bus, once: one that somebody recorded and plays back is answered as it was, and no more.
func (d *Door) accept(ctx context.Context, m message) error {
	if d.Repeats.Seen(ctx, m.ID) {
		d.Logger.LogAttrs(ctx, slog.LevelInfo, "A message came again and was not carried out again.",
			slog.String("sender", source), slog.String("digest", m.ID))
		return nil
	}
	if err := d.Bus.PublishChat(ctx, m); err != nil {
		return edge.Later(err)
	}
	// It is on the bus. Where this fails, a repeat is carried out as well; its requests have the same id.
	d.Repeats.Remember(ctx, m.ID)
	return nil
}

// ephemeral is the body of an answer that only the author of a command sees.
func ephemeral(m slackapi.Message) ([]byte, error) {
	encoded, err := json.Marshal(slackapi.Response{Message: m})
	if err != nil {
		return nil, guard.AsError(err)
	}
	return encoded, nil
}
