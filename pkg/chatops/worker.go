package chatops

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/slackapi"
)

// Worker is the lambda.Handler of the messages of an SQS queue to which rules of EventBridge send what people wrote in
// Slack, and the outcomes of what they asked for. All fields must be set, but for those that say otherwise.
type Worker struct {
	Bus    Bus
	Claims Claims
	People People
	Slack  Slack
	Keys   Keys
	Sealer *Sealer
	// Alone lets people approve what they asked for themselves.
	Alone bool
	// NoticeChannel is the id of the channel where everybody reads of every outcome anyway; empty: there is none.
	NoticeChannel string
	// Repeats keeps an outcome from being told twice.
	Repeats edge.Repeats
	Clock   func() time.Time
	Logger  *slog.Logger

	directory directory
}

// Invoke deals with the events of a batch and answers which of them to deliver again: those that the bus, the ledger or
// Slack did not take. A person who waits is told at once of everything else that goes wrong, and may try again.
func (w *Worker) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := edge.Batch(payload, func(record events.SQSMessage) error {
		_, err := edge.Shield(func() (struct{}, error) { return struct{}{}, w.deliver(ctx, []byte(record.Body)) })
		if err != nil {
			err = edge.GiveUp(ctx, w.Logger, err, slog.String("message", record.MessageId))
		}
		return err
	})
	if err != nil {
		return nil, edge.GiveUp(ctx, w.Logger, err)
	}
	return answer, nil
}

func (w *Worker) deliver(ctx context.Context, body []byte) error {
	var event events.EventBridgeEvent
	if err := edge.DecodeEnvelope(body, &event); err != nil {
		return err
	}
	switch event.DetailType {
	case "Chat Message Received":
		var m message
		form := edge.Form{Name: "The message", Members: "id, at, channel, user, responseUrl, command and button"}
		if err := edge.DecodeStrictly(event.Detail, &m, form); err != nil {
			return err
		}
		return w.answer(ctx, m)
	case "Key Operation Finished":
		var finished guard.Finished
		if err := edge.DecodeEnvelope(event.Detail, &finished); err != nil {
			return err
		}
		return w.reply(ctx, finished)
	default:
		return &guard.Error{
			Kind: guard.Invalid, Message: "Nobody here understands events of the type " + edge.Clip(event.DetailType) + ".",
			Remedy: "Let the rule send only messages from chat and outcomes.",
		}
	}
}

// tellingTime is what is left of the invocation's time when the work has to end, so that its author is told.
const tellingTime = 5 * time.Second

// answer does what a message asks for, and tells its author what there is to tell at once.
func (w *Worker) answer(ctx context.Context, m message) error {
	working, cancel := edge.Until(ctx, tellingTime)
	defer cancel()
	response, err := w.act(working, m)
	if err != nil || response == nil {
		return err
	}
	return w.respond(ctx, m.ResponseURL, *response)
}

// act does what a message asks for. It returns the answer, nil where an outcome will be; an error means that the message
// must be delivered again.
func (w *Worker) act(ctx context.Context, m message) (*slackapi.Response, error) {
	switch {
	case m.Command != nil:
		return w.command(ctx, m, *m.Command)
	case m.Button != nil && m.Button.Action == approve, m.Button != nil && m.Button.Action == cancel:
		return w.decide(ctx, m)
	case m.Button != nil:
		command, err := keyButton(*m.Button)
		if err != nil {
			return w.told(ctx, m, err), nil
		}
		return w.command(ctx, m, command)
	default:
		return nil, &guard.Error{Kind: guard.Invalid, Message: "The message holds neither a command nor a button.", Remedy: "Send what the front door sends."}
	}
}

// told is the answer to somebody whose wish failed with err, which is logged with its cause.
func (w *Worker) told(ctx context.Context, m message, err error) *slackapi.Response {
	w.Logger.LogAttrs(ctx, slog.LevelWarn, "A wish from chat was turned down.",
		slog.String("message", m.ID), slog.String("user", m.User), slog.String("kind", string(guard.KindOf(err))), slog.Any("error", err))
	return &slackapi.Response{Message: refusal(err)}
}

// respond tells an answer. Where the address for it is used up, nobody waits any more.
func (w *Worker) respond(ctx context.Context, responseURL string, response slackapi.Response) error {
	err := w.Slack.Respond(ctx, responseURL, response)
	if guard.KindOf(err) == guard.NotFound {
		w.Logger.LogAttrs(ctx, slog.LevelWarn, "An answer came too late for Slack to show it.", slog.Any("error", err))
		return nil
	}
	return err
}

// reply tells an outcome to whoever asked for it, once: it may arrive several times, and a request that is tried again
// may be refused each time for the same reason. Everybody in the channel sees it, unless they read it there as a notice;
// a dry run is for nobody but who asked for it, unless that is not who approved it.
func (w *Worker) reply(ctx context.Context, finished guard.Finished) error {
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte("reply: "+finished.Fingerprint())))
	if w.Repeats.Seen(ctx, digest) {
		return nil
	}
	approved := finished.ApprovedBy != (guard.Actor{})
	noticed := w.NoticeChannel != "" && w.NoticeChannel == finished.ReplyTo.Channel && finished.Noteworthy() && !finished.DryRun
	public := !noticed && (approved || !finished.DryRun)
	if err := w.respond(ctx, finished.ReplyTo.Slack, slackapi.Response{Message: slackapi.Outcome(finished), Public: public}); err != nil {
		return err
	}
	w.Repeats.Remember(ctx, digest)
	return nil
}
