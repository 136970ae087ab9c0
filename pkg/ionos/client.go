// Package ionos is the client of the IONOS Cloud API v6, as far as access keys need it: users, their keys, and
// who owns the contract. It gives and takes the values of pkg/guard. pkg/lifecycle and the front doors reach
// IONOS through it by interfaces of their own, which pkg/app fits to it.
//
// The requests are those of the IONOS SDK. What the SDK does around them is done here instead: which connection
// they take (transport.go), how long they may take and when they are sent again (call.go), how fast writes
// and the reads of a whole contract follow each other (pace.go), what an answer means (failure.go, answer.go).
//
// Every error is a [guard.Error]. None holds anything of an answer's body, because IONOS sends the secrets of
// access keys along with them.
package ionos

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	ionoscloud "github.com/ionos-cloud/sdk-go/v6"

	"keyreeve/pkg/guard"
)

// Config says whom the client speaks to, as whom, and by what means.
type Config struct {
	// Token is an IONOS token, a JWT. Username, an e-mail address, and Password are used where there is none.
	Token              string
	Username, Password string
	// URL is the address of the API; empty means the public one. As in the IONOS SDK, https:// and /cloudapi/v6
	// are added where they are missing.
	URL string
	// ContractNumber chooses one of several contracts; empty where there is only one.
	ContractNumber string

	// Transport sends the requests; nil means a transport of the client's own.
	Transport http.RoundTripper
	// Logger hears of calls that are tried again; nil means nobody does.
	Logger *slog.Logger
	// Clock returns the time of day, as [time.Now] does; required. The deadline of a context is held against it.
	Clock func() time.Time
}

// Client speaks to the IONOS Cloud API. Its methods may be called from several goroutines at once.
//
// They go on trying for as long as their context lets them: give it a deadline.
type Client struct {
	api      *ionoscloud.APIClient
	self     guard.Identity
	contract int64
	logger   *slog.Logger
	clock    func() time.Time
	writes   pace
	// wholesale is the pace of the reads of a whole contract; a single read keeps to none.
	wholesale pace
}

// New returns a client. It performs no I/O: whether IONOS accepts the credentials shows at the first call.
//
// The error is of kind [guard.Credentials] where credentials are missing, or where they do not say whose they
// are, without which Keyreeve could cut itself off; it is of kind [guard.Invalid] where something else is wrong.
func New(cfg Config) (*Client, error) {
	self, selfErr := identify(cfg)
	address, addressErr := baseURL(cfg.URL)
	contract, contractErr := contractNumber(cfg.ContractNumber)
	if err := errors.Join(selfErr, addressErr, contractErr); err != nil {
		return nil, err
	}
	if cfg.Clock == nil {
		return nil, &guard.Error{Kind: guard.Internal, Message: "The IONOS client was given no clock."}
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Client{
		api:      newAPI(cfg, address),
		self:     self,
		contract: contract,
		logger:   logger,
		clock:    cfg.Clock,
		// Whoever reads the whole contract is in no hurry, and whoever switches off a leaver's keys is.
		wholesale: pace{reserve: 0.25},
	}, nil
}

// Self returns whose credentials the client uses: the user's UUID if they are a token, else the e-mail address.
// A token's word is taken for it, its signature is not checked.
func (c *Client) Self() guard.Identity { return c.self }

// newAPI sets the SDK up by hand: its own constructor reads the environment, where a log level could make it
// print the Authorization header.
func newAPI(cfg Config, address string) *ionoscloud.APIClient {
	sender := &http.Client{
		// A redirect would carry the credentials somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	api := ionoscloud.NewAPIClient(&ionoscloud.Configuration{
		Servers:            ionoscloud.ServerConfigurations{{URL: address}},
		HTTPClient:         sender,
		Token:              cfg.Token,
		Username:           cfg.Username,
		Password:           cfg.Password,
		UserAgent:          "keyreeve ionos-cloud-sdk-go/" + ionoscloud.Version,
		DefaultQueryParams: url.Values{"depth": {"1"}, "pretty": {"false"}},
		MaxRetries:         1, // attempts, in fact
		LogLevel:           ionoscloud.Off,
	})
	// Not before: where IONOS_PINNED_CERT is set, NewAPIClient puts in a transport that has no time limits and
	// checks no certificate chain.
	sender.Transport = newTransport(cfg)
	return api
}

func baseURL(address string) (string, error) {
	const basePath = "/cloudapi/v6"
	if address == "" {
		return ionoscloud.DefaultIonosServerUrl, nil
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", &guard.Error{
			Kind:    guard.Invalid,
			Message: "The address of the IONOS API is not an http or https URL, or holds more than a host and a path.",
			Remedy:  "Set IONOS_API_URL to an address such as " + ionoscloud.DefaultIonosServerUrl + ", or leave it empty.",
		}
	}
	address = strings.TrimRight(u.Scheme+"://"+u.Host+u.EscapedPath(), "/")
	if !strings.HasSuffix(address, basePath) {
		address += basePath
	}
	return address, nil
}

func contractNumber(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	number, err := strconv.ParseInt(s, 10, 64)
	if err != nil || number <= 0 {
		return 0, &guard.Error{
			Kind:    guard.Invalid,
			Message: "The contract number is not a number.",
			Remedy:  "Set IONOS_CONTRACT_NUMBER to the number of the IONOS contract, or leave it empty.",
		}
	}
	return number, nil
}

// pathSafe refuses ids that would lead to another route: the SDK escapes them, but not dots, and does not mind
// an empty one.
func pathSafe(what, id string) error {
	switch id {
	case "", ".", "..":
		return &guard.Error{Kind: guard.Invalid, Message: strconv.Quote(id) + " is not the id of " + what + "."}
	}
	return nil
}

// fits reports whether the context lasts longer than the wait.
func (c *Client) fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || wait < deadline.Sub(c.clock())
}
