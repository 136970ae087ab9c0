package app

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/notify"
)

// NewNotify returns the handler of the function that tells people in Slack what became of requests and of sweeps, and warns
// owners of keys.
func NewNotify(ctx context.Context) (lambda.Handler, error) {
	config, problems, loaded := load(ctx)
	logger := newLogger(config)
	memory, err := openLedger(ctx, config)
	problems = append(problems, sentences(err)...)
	if loaded && config.SlackNoticeChannel != "" && config.SlackBotToken.Reveal() == "" {
		problems = append(problems, "KEYREEVE_SLACK_BOT_TOKEN is missing, for KEYREEVE_SLACK_NOTICE_CHANNEL.")
	}
	if len(problems) > 0 {
		return nil, cannotStart(problems)
	}
	queue := &notify.Queue{
		Channel: string(config.SlackNoticeChannel), Repeats: newRepeats(config, memory, logger), Warnings: memory, Clock: time.Now, Logger: logger,
	}
	if config.SlackBotToken.Reveal() != "" {
		queue.Slack = newSlack(config)
	}
	return queue, nil
}
