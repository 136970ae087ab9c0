package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// initTimeout is how long a process may take until it asks for its first invocation, as on Lambda.
	initTimeout = 10 * time.Second
	// maxResponse is the largest answer of a function that Lambda takes.
	maxResponse = 6 << 20
)

// errNotDelivered: the process had ended before it took the invocation, so another one may.
var errNotDelivered = errors.New("the process ended before it took the invocation")

// invocation is one call of a function.
type invocation struct {
	id      string
	payload []byte
	answer  chan answer // takes one
}

type answer struct {
	payload []byte
	err     error
}

func newInvocation(payload []byte) *invocation {
	return &invocation{id: newID(), payload: payload, answer: make(chan answer, 1)}
}

// instance is one process of a function, and the Runtime API that this process alone talks to.
type instance struct {
	spec    functionSpec
	process *exec.Cmd
	api     *http.Server
	output  *lineWriter

	invocations chan *invocation
	ready       chan struct{} // closed when the process asks for its first invocation
	exited      chan struct{} // closed when the process has ended; exitErr says how
	exitErr     error

	mu      sync.Mutex
	asked   bool
	current *invocation
	initErr *functionError
}

// startInstance starts a process. It lives until it is stopped or ctx ends.
func startInstance(ctx context.Context, spec functionSpec, binary string, environ []string, c *console) (*instance, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &instance{
		spec:        spec,
		process:     exec.CommandContext(ctx, binary),
		output:      &lineWriter{write: func(line string) { c.output(spec.name, line) }},
		invocations: make(chan *invocation),
		ready:       make(chan struct{}),
		exited:      make(chan struct{}),
	}
	i.api = newServer(i.runtimeAPI())
	i.process.Env = append(slices.Clip(environ), "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String())
	i.process.Stdout, i.process.Stderr = i.output, i.output
	i.process.WaitDelay = time.Second
	if err := i.process.Start(); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	go func() { _ = i.api.Serve(listener) }() // ends when the server is closed
	go func() {
		i.exitErr = i.process.Wait()
		close(i.exited)
		_ = i.api.Close() // nobody is left to talk to it
	}()
	return i, nil
}

// stop ends the process and waits until it has gone.
func (i *instance) stop() {
	_ = i.process.Process.Kill() // it may have ended by itself
	<-i.exited
}

// awaitReady waits until the process asks for its first invocation.
func (i *instance) awaitReady(limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-i.ready:
		return nil
	case <-i.exited:
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.initErr != nil {
			return i.initErr
		}
		return &functionError{Type: "Runtime.ExitError", Message: fmt.Sprintf("%s at start: %s", i.exitText(), i.output.last())}
	case <-timer.C:
		return &functionError{Type: "Sandbox.Timedout", Message: fmt.Sprintf("not ready after %v: %s", limit, i.output.last())}
	}
}

// carryOut hands the invocation to the process and waits for its answer, at most for the function's timeout. A
// process that does not answer in time is killed.
func (i *instance) carryOut(inv *invocation) ([]byte, error) {
	select {
	case i.invocations <- inv:
	case <-i.exited:
		return nil, errNotDelivered
	}
	timer := time.NewTimer(i.spec.timeout)
	defer timer.Stop()
	select {
	case a := <-inv.answer:
		return a.payload, a.err
	case <-i.exited:
	case <-timer.C:
		i.stop()
		return nil, &functionError{Type: "Sandbox.Timedout", Message: fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", inv.id, i.spec.timeout.Seconds())}
	}
	// What it said before it ended counts: a panic is reported first.
	select {
	case a := <-inv.answer:
		return a.payload, a.err
	default:
		return nil, &functionError{Type: "Runtime.ExitError", Message: fmt.Sprintf("RequestId: %s Error: %s", inv.id, i.exitText()), died: true}
	}
}

// exitText says how the process ended, once it has.
func (i *instance) exitText() string {
	if i.exitErr == nil {
		return "Runtime exited without providing a reason"
	}
	return "Runtime exited with error: " + i.exitErr.Error()
}

// runtimeAPI is what a function's process speaks to: it asks for an invocation, and answers it.
func (i *instance) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", i.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		i.answered(w, r, func(body []byte) answer { return answer{payload: body} })
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		i.answered(w, r, func(body []byte) answer { return answer{err: reportedError(body)} })
	})
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", i.initFailed)
	return mux
}

func (i *instance) next(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	if !i.asked {
		i.asked = true
		i.output.pass()
		close(i.ready)
	}
	i.mu.Unlock()
	select {
	case inv := <-i.invocations:
		i.mu.Lock()
		i.current = inv
		i.mu.Unlock()
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(i.spec.timeout).UnixMilli(), 10))
		header.Set("Lambda-Runtime-Invoked-Function-Arn", functionARN(i.spec.name))
		header.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-"+strings.ReplaceAll(inv.id, "-", "")[:24]+";Sampled=0")
		_, _ = w.Write(inv.payload) // if the process is gone, its exit is noticed
	case <-r.Context().Done():
	}
}

// inHand is the payload of the invocation that the process is at work on.
func (i *instance) inHand() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.current == nil {
		return ""
	}
	return string(i.current.payload)
}

// answered takes the process' answer to the invocation it has in hand.
func (i *instance) answered(w http.ResponseWriter, r *http.Request, read func([]byte) answer) {
	i.mu.Lock()
	inv := i.current
	if inv == nil || inv.id != r.PathValue("id") {
		i.mu.Unlock()
		answerJSON(w, http.StatusBadRequest, &functionError{Type: "InvalidRequestID", Message: "Invalid request ID"})
		return
	}
	i.current = nil
	i.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
	if err != nil {
		tooLarge := &functionError{Type: "Function.ResponseSizeTooLarge", Message: "The response is over 6 MB or broke off."}
		inv.answer <- answer{err: tooLarge}
		answerJSON(w, http.StatusRequestEntityTooLarge, tooLarge)
		return
	}
	inv.answer <- read(body)
	answerJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func (i *instance) initFailed(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
	if err != nil {
		answerJSON(w, http.StatusBadRequest, &functionError{Type: "InvalidBody", Message: err.Error()})
		return
	}
	i.mu.Lock()
	i.initErr = reportedError(body)
	i.mu.Unlock()
	answerJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

// reportedError is the error that a process reported itself.
func reportedError(body []byte) *functionError {
	e := &functionError{}
	if err := json.Unmarshal(body, e); err != nil {
		return &functionError{Type: "Runtime.Unknown", Message: string(body)}
	}
	e.raw = body
	return e
}
