// Package app puts the functions together: it reads the configuration once, builds the parts and joins them. It is
// the only package that knows all the others.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/buckets"
	"keyreeve/pkg/bus"
	"keyreeve/pkg/chatops"
	"keyreeve/pkg/deadletter"
	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ledger"
	"keyreeve/pkg/lifecycle"
	"keyreeve/pkg/notify"
	"keyreeve/pkg/sweep"
	"keyreeve/pkg/trigger"
)

// awsTimeout bounds one call to Secrets Manager, and every TLS handshake.
const awsTimeout = 5 * time.Second

// NewAction returns the handler of the function that carries out one action.
func NewAction(ctx context.Context, action guard.Action) (lambda.Handler, error) {
	parts, err := assemble(ctx)
	if err != nil {
		return nil, err
	}
	return &trigger.Handler{
		Action: action, Do: parts.do, DeadLetters: parts.deadLetters, Bus: parts.Bus, Clock: time.Now, Logger: parts.Logger,
	}, nil
}

// NewInventory returns the handler of the function that shows a user's keys.
func NewInventory(ctx context.Context) (lambda.Handler, error) {
	parts, err := assemble(ctx)
	if err != nil {
		return nil, err
	}
	show := func(ctx context.Context, user string, actor guard.Actor) (any, error) {
		return parts.Inventory(ctx, user, actor)
	}
	return &trigger.Inventory{Show: show, Logger: parts.Logger}, nil
}

// parts is a whole function but for its trigger.
type parts struct {
	lifecycle.Lifecycle
	deadLetters trigger.DeadLetters
	dryRun      bool
}

// do carries out a request. Where all of Keyreeve is set to dry runs, no request can ask for a real one.
func (p *parts) do(ctx context.Context, req guard.Request) (guard.Result, error) {
	req.DryRun = req.DryRun || p.dryRun
	return p.Do(ctx, req)
}

// assemble reads the configuration and builds what every function needs. Its error names every variable at fault.
func assemble(ctx context.Context) (*parts, error) {
	config, problems, loaded := load(ctx)
	logger := newLogger(config)
	api, err := newIONOS(config, logger)
	if loaded { // Otherwise what it misses may be what could not be read.
		problems = append(problems, sentences(err)...)
	}
	memory, err := openLedger(ctx, config)
	problems = append(problems, sentences(err)...)
	if len(problems) > 0 {
		return nil, cannotStart(problems)
	}
	return &parts{dryRun: config.DryRun, deadLetters: newDeadLetters(config), Lifecycle: lifecycle.Lifecycle{
		Reader: newReader(config, api, memory),
		Leases: memory, Buckets: newBuckets(config, api, logger), Bus: newBus(config),
		Holder: rand.Text, Logger: logger,
	}}, nil
}

func newReader(config Config, api *ionos.Client, memory memory) lifecycle.Reader {
	return lifecycle.Reader{Users: api, Keys: api, Ledger: memory, Policy: config.policy(), Self: api.Self(), Clock: time.Now}
}

func cannotStart(problems []string) error {
	return errors.New("Keyreeve cannot start, its configuration is not right:\n  " + strings.Join(problems, "\n  "))
}

func newLogger(config Config) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: config.LogLevel}))
}

func newIONOS(config Config, logger *slog.Logger) (*ionos.Client, error) {
	return ionos.New(ionos.Config{
		Token: config.Token.Reveal(), Username: config.Username.Reveal(), Password: config.Password.Reveal(),
		URL: config.APIURL, ContractNumber: config.ContractNumber, Logger: logger, Clock: time.Now,
	})
}

// load reads the configuration and returns a sentence for each variable at fault, and whether all was read.
func load(ctx context.Context) (config Config, problems []string, loaded bool) {
	problems = readEnvironment(&config)
	if users := strings.Join(config.usersOfAWS(), " and "); users != "" {
		if config.Region == "" {
			problems = append(problems, "AWS_REGION is missing, for "+users+".")
		}
		if config.AccessKeyID == "" {
			problems = append(problems, "AWS_ACCESS_KEY_ID is missing, for "+users+".")
		}
	}
	err := readSecrets(ctx, &config)
	problems = append(problems, sentences(err)...)
	if config.Token.Reveal() != "" && config.Username.Reveal() != "" {
		problems = append(problems, "IONOS_TOKEN and IONOS_USERNAME are both set: Keyreeve must know as whom it runs.")
	}
	return config, problems, err == nil
}

// sentences tells what is wrong in the words meant for people, one line an error.
func sentences(err error) []string {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, one := range joined.Unwrap() {
			all = append(all, sentences(one)...)
		}
		return all
	}
	if known, ok := errors.AsType[*guard.Error](err); ok {
		return []string{strings.TrimSpace(known.Error() + " " + known.Remedy)}
	}
	return []string{err.Error()}
}

// newTransport keeps connections between invocations.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: awsTimeout,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second,
	}
}

// memory is a ledger: all that the parts want of one.
type memory interface {
	lifecycle.Ledger
	lifecycle.Leases
	edge.Memory
	chatops.Claims
	notify.Warnings
	sweep.Ledger
	sweep.Past
}

// openLedger returns the ledger that the configuration names, nil where it names none.
func openLedger(ctx context.Context, config Config) (memory, error) {
	switch {
	case config.Ledger.table != "":
		return ledger.NewDynamoDB(ledger.DynamoDBConfig{
			Table: config.Ledger.table, Region: config.Region, Credentials: config.credentials(),
			Endpoint: config.endpoint(config.DynamoDBEndpoint), Transport: newTransport(), Clock: time.Now,
		}), nil
	case config.Ledger.path != "":
		return openBolt(ctx, config.Ledger.path)
	default:
		return nil, nil
	}
}

// newBus returns where outcomes are announced; nil: nowhere.
func newBus(config Config) lifecycle.Announcer {
	if config.Bus == "" {
		return nil
	}
	return openBus(config)
}

func openBus(config Config) *bus.Bus {
	return bus.New(bus.Config{
		Name: config.Bus, Region: config.Region, Credentials: config.credentials(),
		Endpoint: config.endpoint(config.EventBridgeEndpoint), Transport: newTransport(), Clock: time.Now,
	})
}

func newDeadLetters(config Config) trigger.DeadLetters {
	if config.DeadLetters == "" {
		return nil
	}
	return deadletter.New(deadletter.Config{
		URL: string(config.DeadLetters), Region: config.Region, Credentials: config.credentials(),
		Endpoint: config.endpoint(config.SQSEndpoint), Transport: newTransport(),
	})
}

func newBuckets(config Config, api *ionos.Client, logger *slog.Logger) lifecycle.Buckets {
	return buckets.New(buckets.Config{
		Credentials: api.KeysWithSecrets, Endpoint: string(config.ObjectStorage), Transport: newTransport(), Clock: time.Now, Logger: logger,
	})
}
