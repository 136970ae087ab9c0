package app

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/chatops"
	"keyreeve/pkg/signature"
	"keyreeve/pkg/slackapi"
)

// NewChatOps returns the handler of the front door for people in Slack: commands, buttons, and the queue of what they
// asked for and of what became of it.
func NewChatOps(ctx context.Context) (lambda.Handler, error) {
	config, problems, loaded := load(ctx)
	logger := newLogger(config)
	verifier, sealer, wrong := config.slackSecrets()
	if loaded { // Otherwise what it misses may be what could not be read.
		problems = append(problems, wrong...)
	}
	api, err := newIONOS(config, logger)
	if loaded {
		problems = append(problems, sentences(err)...)
	}
	memory, err := openLedger(ctx, config)
	problems = append(problems, sentences(err)...)
	people, err := openIdentities(ctx, config)
	problems = append(problems, sentences(err)...)
	problems = append(problems, config.needsBus()...)
	if len(problems) > 0 {
		return nil, cannotStart(problems)
	}
	events := openBus(config)
	repeats := newRepeats(config, memory, logger)
	door := &chatops.Door{
		Verifier: verifier, Channels: config.SlackCommandChannels, Bus: events, Repeats: repeats, Logger: logger,
	}
	worker := &chatops.Worker{
		Bus: events, Claims: memory, People: people, Slack: newSlack(config), Keys: newReader(config, api, memory),
		Sealer: sealer, Alone: config.Approvers.self,
		NoticeChannel: string(config.SlackNoticeChannel), Repeats: repeats, Clock: time.Now, Logger: logger,
	}
	return &frontDoor{
		http: adapt(routes(map[string]http.Handler{"/slack/": door}, logger), logger), queue: worker, logger: logger,
	}, nil
}

// slackSecrets returns what is made of Slack's signing secrets, and a sentence for each thing that is wrong with them.
func (c Config) slackSecrets() (verifier *signature.Verifier, sealer *chatops.Sealer, problems []string) {
	if c.SlackSigningSecret.Reveal() == "" {
		return nil, nil, []string{"KEYREEVE_SLACK_SIGNING_SECRET is missing: it must be the signing secret of the Slack app."}
	}
	secrets := itemsOf(c.SlackSigningSecret.Secret)
	verifier, err := signature.New("slack", secrets, time.Now)
	for _, problem := range sentences(err) {
		problems = append(problems, "KEYREEVE_SLACK_SIGNING_SECRET: "+problem)
	}
	if err != nil {
		return nil, nil, problems
	}
	sealer, err = chatops.NewSealer(secrets)
	return verifier, sealer, sentences(err)
}

func newSlack(config Config) *slackapi.Client {
	return slackapi.New(slackapi.Config{
		Token: config.SlackBotToken.Secret, Endpoint: string(config.SlackEndpoint), Transport: newTransport(),
	})
}
