package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// errNoFunction: the template has no function of the name.
var errNoFunction = errors.New("there is no function of this name")

// stack is the template, running.
type stack struct {
	options  options
	template *template
	console  *console
	// address of the HTTP API, the bus and the control routes: http://127.0.0.1:PORT.
	address string
	// contract is the fake one; nil when the stack works on a real one.
	contract *fakeContract
	// slack is the fake one; nil when the stack talks to a real one, or to none.
	slack *fakeSlack

	functions map[string]*function
	queues    map[string]*queue
	s3        *s3API
	bus       *bus
	tracker   *tracker

	mappings sync.WaitGroup
	closers  []func() error // of what was started, in that order
}

// newStack builds the functions and starts everything. It returns when each function is ready for its first call.
func newStack(ctx context.Context, o options, out io.Writer) (*stack, error) {
	s := &stack{options: o, console: &console{out: out}, tracker: newTracker(), functions: map[string]*function{}, queues: map[string]*queue{}}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stack) start(ctx context.Context) error {
	// The queues and the functions go by the address; calls to it wait until the functions are ready.
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	if s.template, err = loadTemplate(s.options.root, s.address, templateParameters(s.options)); err != nil {
		return err
	}
	state, err := s.makeState()
	if err != nil {
		return err
	}
	if err := s.openBuckets(state); err != nil {
		return err
	}
	if !s.options.realContract() {
		if s.contract, err = startContract(ctx, s.options.latency); err != nil {
			return err
		}
		s.closers = append(s.closers, s.contract.close)
	}
	if s.options.fakeSlack() {
		if s.slack, err = startSlack(ctx, s.address); err != nil {
			return err
		}
		s.closers = append(s.closers, s.slack.close)
	}
	s.makeQueues()
	if err := s.startFunctions(ctx, state); err != nil {
		return err
	}
	s.serve(listener)
	s.startMappings(ctx)
	return nil
}

// makeState returns the folder of the ledger, the objects and the binaries: one that is removed at the end, or .keyreeve
// for a real contract, since what is remembered and reported of its keys has to outlive the run.
func (s *stack) makeState() (string, error) {
	if s.options.realContract() {
		state, err := filepath.Abs(filepath.Join(s.options.root, ".keyreeve"))
		if err != nil {
			return "", err
		}
		return state, os.MkdirAll(state, 0o700)
	}
	state, err := os.MkdirTemp("", "keyreeve-")
	s.closers = append(s.closers, func() error { return os.RemoveAll(state) })
	return state, err
}

func (s *stack) openBuckets(state string) (err error) {
	if s.s3, err = openS3(filepath.Join(state, "objects"), s.template.buckets, s.console); err != nil {
		return err
	}
	s.closers = append(s.closers, s.s3.close)
	return nil
}

func (s *stack) makeQueues() {
	for _, spec := range s.template.queues {
		s.queues[spec.name] = newQueue(spec, s.options.retry, s.tracker)
	}
	for _, q := range s.queues {
		q.deadLetters = s.queues[q.spec.deadLetters]
		q.unread = !slices.ContainsFunc(s.template.mappings, func(m mappingSpec) bool { return m.queue == q.spec.name })
	}
	s.bus = &bus{name: s.template.bus, rules: s.template.rules, queues: s.queues, tracker: s.tracker, console: s.console}
}

func (s *stack) listen(ctx context.Context) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", s.options.port))
	if err != nil {
		return nil, fmt.Errorf("set PORT to listen elsewhere: %w", err)
	}
	s.address = "http://" + listener.Addr().String()
	s.closers = append(s.closers, func() error {
		_ = listener.Close() // the server may have closed it already
		return nil
	})
	return listener, nil
}

// serve answers calls to the HTTP API, the bus and the control routes.
func (s *stack) serve(listener net.Listener) {
	server := newServer(s.handler())
	s.closers = append(s.closers, server.Close)
	go func() { _ = server.Serve(listener) }() // ends when the server is closed
}

func (s *stack) handler() http.Handler {
	api := &gateway{routes: s.template.routes, invoke: s.invoke, console: s.console}
	aws := &awsAPI{bus: s.bus, queues: s.queues, console: s.console}
	inside := &control{bus: s.bus, queues: s.queues, functions: s.functions, tracker: s.tracker, invoke: s.invoke}
	if s.slack != nil {
		inside.slack = s.slack.workspace
	}
	controls := inside.handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case fromBrowser(r) && !s.opensObject(r):
			answerMessage(w, http.StatusForbidden, "Web pages may not call this.")
		case strings.HasPrefix(r.URL.Path, "/_"):
			controls.ServeHTTP(w, r)
		case r.URL.Path == "/" && r.Header.Get("X-Amz-Target") != "":
			aws.ServeHTTP(w, r)
		case s.s3.takes(r):
			s.s3.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	})
}

// fromBrowser reports whether a web page made the call, of its own origin or under a name that it had resolved to this
// machine. No page has any business here: behind this address may be the keys of a real contract.
func fromBrowser(r *http.Request) bool {
	return !toThisMachine(r) || r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

// opensObject reports whether a person opens an object in a browser, be it by a link on some page: what they get is a page
// of its own then, of which the other one sees nothing.
func (s *stack) opensObject(r *http.Request) bool {
	return s.s3.owns(r) && toThisMachine(r) &&
		r.Method == http.MethodGet && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

func toThisMachine(r *http.Request) bool {
	host, _, _ := strings.Cut(r.Host, ":")
	return host == "127.0.0.1" || host == "localhost"
}

// startFunctions builds the functions and starts a first process of each.
func (s *stack) startFunctions(ctx context.Context, state string) error {
	s.console.say("Building %d functions ...", len(s.template.functions))
	binaries, err := build(ctx, s.options.root, filepath.Join(state, "bin"), s.template.functions)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func() error {
		s.mappings.Wait() // when the processes are gone, so is what is under way
		return nil
	})
	for _, spec := range s.template.functions {
		f := newFunction(spec, binaries[spec.name], s.environ(spec, filepath.Join(state, "ledger.db")), s.console)
		s.functions[spec.name] = f
		s.closers = append(s.closers, func() error {
			f.close()
			return nil
		})
	}
	for _, f := range s.functions {
		// What is wrong with one is mostly wrong with all: once is enough to read.
		if err := f.warm(ctx); err != nil {
			return err
		}
	}
	return nil
}

// environ is the environment of a function's processes: what the template says; instead of that, what takes the
// place of AWS and IONOS here; and before both, the KEYREEVE_ variables of the shell.
func (s *stack) environ(spec functionSpec, ledger string) []string {
	lambda := map[string]string{
		"AWS_REGION":                      region,
		"AWS_DEFAULT_REGION":              region,
		"AWS_ACCESS_KEY_ID":               "local",
		"AWS_SECRET_ACCESS_KEY":           "local",
		"AWS_SESSION_TOKEN":               "local",
		"AWS_LAMBDA_FUNCTION_NAME":        spec.name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(spec.memory),
		"AWS_ENDPOINT_URL_DYNAMODB":       s.options.dynamodb,
		"AWS_ENDPOINT_URL_EVENTBRIDGE":    s.address,
		"AWS_ENDPOINT_URL_S3":             s.address,
		"AWS_ENDPOINT_URL_SQS":            s.address,
		"KEYREEVE_LEDGER":                 "bolt:" + ledger,
		"KEYREEVE_SECRETS":                "",
		"TZ":                              "UTC",
	}
	contract := merged(s.options.ionos, map[string]string{"KEYREEVE_DRY_RUN": "true"})
	if s.contract != nil {
		contract = merged(s.contract.environment, demoSecrets(), map[string]string{"AWS_ENDPOINT_URL": s.address})
	}
	slack := map[string]string{}
	if s.slack != nil {
		slack = s.slack.environment
	}
	var environ []string
	for name, value := range merged(s.options.system, spec.environment, lambda, contract, slack, s.options.keyreeve) {
		environ = append(environ, name+"="+value)
	}
	slices.Sort(environ)
	return environ
}

// startMappings lets the functions empty their queues, until the stack is closed.
func (s *stack) startMappings(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	for _, spec := range s.template.mappings {
		m := &mapping{spec: spec, queue: s.queues[spec.queue], longest: s.options.window, timeout: s.functions[spec.function].spec.timeout, invoke: s.invoke, console: s.console}
		s.mappings.Go(func() { m.run(ctx) })
	}
	s.closers = append(s.closers, func() error {
		cancel()
		return nil
	})
}

// invoke calls the function of the name.
func (s *stack) invoke(ctx context.Context, name string, payload []byte) ([]byte, error) {
	f, ok := s.functions[name]
	if !ok {
		return nil, errNoFunction
	}
	start := time.Now()
	result, err := f.invoke(ctx, payload)
	if err != nil && ctx.Err() == nil {
		s.console.step("%s failed after %v: %v", name, since(start), err)
	}
	return result, err
}

// close stops what was started, the last first.
func (s *stack) close() error {
	var problems []error
	for _, closer := range slices.Backward(s.closers) {
		problems = append(problems, closer())
	}
	s.closers = nil
	return errors.Join(problems...)
}
