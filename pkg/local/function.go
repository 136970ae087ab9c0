package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// defaultInstances is how many processes of a function there may be: what a new AWS account allows altogether.
const defaultInstances = 10

// functionSpec is a function of the template.
type functionSpec struct {
	name string
	// folder holds its package main, below the template's folder.
	folder  string
	timeout time.Duration
	// memory in MB is what the function is told it has.
	memory      int
	environment map[string]string
	// instances is how many processes there may be at a time.
	instances int
}

// function runs the processes of one function: one invocation a process at a time, and a further process when all
// are busy. That a process has ended shows when it is to carry out the next invocation.
type function struct {
	spec    functionSpec
	binary  string
	environ []string
	console *console

	slots chan struct{} // one entry an invocation under way

	mu     sync.Mutex
	closed bool
	idle   []*instance
	all    map[*instance]bool
}

// functionError is why an invocation failed, as Lambda reports it.
type functionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
	// raw is what the function itself reported, if it did.
	raw json.RawMessage
	// died: the process ended in the middle of the invocation.
	died bool
}

func (e *functionError) Error() string { return e.Type + ": " + e.Message }

// document is the error as the caller of a function gets it.
func (e *functionError) document() json.RawMessage {
	if e.raw != nil {
		return e.raw
	}
	document, err := json.Marshal(e)
	if err != nil {
		panic(err) // two strings can be marshalled
	}
	return document
}

func newFunction(spec functionSpec, binary string, environ []string, c *console) *function {
	return &function{
		spec: spec, binary: binary, environ: environ, console: c,
		slots: make(chan struct{}, spec.instances), all: map[*instance]bool{},
	}
}

// warm starts a first process, which tells whether the function can start at all.
func (f *function) warm(ctx context.Context) error {
	i, err := f.start(ctx)
	if err != nil {
		return fmt.Errorf("the function %s does not start: %w", f.spec.name, err)
	}
	f.release(i)
	return nil
}

// invoke hands the payload to a process and returns the function's answer. An error of the function itself is a
// [functionError]. When all processes are busy it waits, until ctx ends.
func (f *function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	inv := newInvocation(payload)
	for {
		i, err := f.take(ctx)
		if err != nil {
			return nil, err
		}
		result, err := i.carryOut(inv)
		if errors.Is(err, errNotDelivered) {
			f.drop(i)
			continue
		}
		f.release(i)
		return result, err
	}
}

// take returns an idle process, or a new one.
func (f *function) take(ctx context.Context) (*instance, error) {
	f.mu.Lock()
	if last := len(f.idle) - 1; last >= 0 {
		i := f.idle[last]
		f.idle = f.idle[:last]
		f.mu.Unlock()
		return i, nil
	}
	f.mu.Unlock()
	return f.start(ctx)
}

func (f *function) start(ctx context.Context) (*instance, error) {
	i, err := f.launch(ctx)
	if err != nil {
		return nil, err
	}
	if err := i.awaitReady(initTimeout); err != nil {
		f.drop(i)
		return nil, err
	}
	return i, nil
}

// launch starts a process, unless the function is closed already.
func (f *function) launch(ctx context.Context) (*instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errors.New("the stack is being stopped")
	}
	// The process outlives the call that made it necessary.
	i, err := startInstance(context.WithoutCancel(ctx), f.spec, f.binary, f.environ, f.console)
	if err != nil {
		return nil, err
	}
	f.all[i] = true
	return i, nil
}

func (f *function) release(i *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = append(f.idle, i)
}

// drop ends a process that is of no more use.
func (f *function) drop(i *instance) {
	i.stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, i)
}

// process is one process of a function, as a person sees it who wants to watch it, or to kill it.
type process struct {
	PID int `json:"pid"`
	// InHand is the payload that it is at work on.
	InHand string `json:"inHand,omitempty"`
}

// processes returns those that are running, by their ids.
func (f *function) processes() []process {
	f.mu.Lock()
	defer f.mu.Unlock()
	running := []process{}
	for i := range f.all {
		select {
		case <-i.exited:
		default:
			running = append(running, process{PID: i.process.Process.Pid, InHand: i.inHand()})
		}
	}
	slices.SortFunc(running, func(a, b process) int { return cmp.Compare(a.PID, b.PID) })
	return running
}

// close ends all processes, busy or not.
func (f *function) close() {
	f.mu.Lock()
	f.closed = true
	all := f.all
	f.all = map[*instance]bool{}
	f.mu.Unlock()
	for i := range all {
		i.stop()
	}
}
