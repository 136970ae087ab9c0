package app

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/identity"
	"keyreeve/pkg/scim"
	"keyreeve/pkg/signature"
	"keyreeve/pkg/webhook"
)

// NewWebhook returns the handler of the front door for systems that say that somebody left: their webhooks, SCIM, and
// the queue of what has to be translated.
func NewWebhook(ctx context.Context) (lambda.Handler, error) {
	config, problems, loaded := load(ctx)
	logger := newLogger(config)
	verifiers, wrong := config.verifiers()
	problems = append(problems, wrong...)
	memory, err := openLedger(ctx, config)
	problems = append(problems, sentences(err)...)
	people, err := openIdentities(ctx, config)
	problems = append(problems, sentences(err)...)
	problems = append(problems, config.needsBus()...)
	provider := &scim.Provider{Memory: memory, Activate: config.SCIMActivate, Clock: time.Now, Logger: logger}
	// Nobody but SCIM reads from IONOS here: without it the function needs no credentials.
	if verifier := verifiers["scim"]; verifier != nil {
		api, err := newIONOS(config, logger)
		if loaded {
			problems = append(problems, sentences(err)...)
		}
		provider.Users = api
		provider.Verify = func(header http.Header, body []byte) error {
			_, err := verifier.Verify(header, body)
			return err
		}
	}
	if len(problems) > 0 {
		return nil, cannotStart(problems)
	}
	events := openBus(config)
	provider.Bus = events
	desk := webhook.Desk{Bus: events, People: people, Logger: logger}
	settings := webhook.Settings{OktaGroups: config.OktaGroups, BambooHREmail: config.BambooHREmail}
	door := &webhook.Door{
		Verifiers: verifiers, Settings: settings, Desk: desk, Clock: time.Now, Logger: logger,
		Repeats: newRepeats(config, memory, logger),
	}
	return &frontDoor{
		http:   adapt(routes(map[string]http.Handler{"/hooks/": door, "/scim/v2/": provider}, logger), logger),
		queue:  &webhook.Queue{Desk: desk, Settings: settings, Clock: time.Now, Logger: logger},
		logger: logger,
	}, nil
}

// senderSecrets returns the secrets of all senders, by the names of their signature profiles.
func (c Config) senderSecrets() map[string]secret {
	return map[string]secret{
		"okta": c.OktaSecret, "scim": c.SCIMSecret, "standard": c.StandardSecret, "github": c.GitHubSecret,
		"bamboohr": c.BambooHRSecret, "hibob": c.HiBobSecret, "workos": c.WorkOSSecret,
	}
}

// verifiers returns one for each sender that has a secret, and a sentence for each secret at fault.
func (c Config) verifiers() (verifiers map[string]*signature.Verifier, problems []string) {
	verifiers = make(map[string]*signature.Verifier)
	all := c.senderSecrets()
	for _, sender := range slices.Sorted(maps.Keys(all)) {
		if all[sender].Reveal() == "" {
			continue
		}
		verifier, err := signature.New(sender, itemsOf(all[sender].Secret), time.Now)
		for _, problem := range sentences(err) {
			problems = append(problems, "KEYREEVE_WEBHOOK_"+strings.ToUpper(sender)+"_SECRET: "+problem)
		}
		verifiers[sender] = verifier
	}
	return verifiers, problems
}

func openIdentities(ctx context.Context, config Config) (*identity.Map, error) {
	return identity.Open(ctx, identity.Config{
		Setting: config.IdentityMap, Region: config.Region, Credentials: config.credentials(),
		Endpoint: config.endpoint(config.SSMEndpoint), Transport: newTransport(), Clock: time.Now,
	})
}
