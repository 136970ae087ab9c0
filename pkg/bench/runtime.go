package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience is how long a function may take to start or to answer.
const patience = 30 * time.Second

// function is one warm process of a function, and the Runtime API that this process alone talks to.
type function struct {
	name string
	// started is how long it took from the start of the process until it asked for work.
	started     time.Duration
	invocations int

	process *exec.Cmd
	server  *http.Server
	log     bytes.Buffer // complete once the process has exited
	asks    chan time.Time
	work    chan []byte
	answers chan answer
	exited  chan struct{} // closed when the process has ended
}

type answer struct {
	payload []byte
	err     error
}

// start starts a process and waits until it asks for work.
func start(ctx context.Context, binary string, env []string) (*function, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &function{
		name:    filepath.Base(binary),
		process: exec.CommandContext(ctx, binary),
		asks:    make(chan time.Time, 1), work: make(chan []byte), answers: make(chan answer, 1), exited: make(chan struct{}),
	}
	f.server = &http.Server{Handler: f.runtimeAPI(), ReadHeaderTimeout: patience}
	go func() { _ = f.server.Serve(listener) }() // ends when the server is closed
	f.process.Env = append(slices.Clip(env), "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String())
	f.process.Stdout, f.process.Stderr = &f.log, &f.log
	began := time.Now()
	if err := f.process.Start(); err != nil {
		_ = f.server.Close()
		return nil, err
	}
	go func() {
		_ = f.process.Wait() // how it ended is part of its state
		close(f.exited)
	}()
	asked, err := await(f, f.asks)
	f.started = asked.Sub(began)
	return f, err
}

// stop ends the process and waits until it has gone.
func (f *function) stop() {
	_ = f.process.Process.Kill() // it may have ended by itself
	<-f.exited
	_ = f.server.Close() // nobody is left to talk to it
}

// await receives what the process is expected to send. If it ends instead, or takes too long, it is stopped.
func await[T any](f *function, from <-chan T) (T, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var none T
	select {
	case got := <-from:
		return got, nil
	case <-f.exited:
		f.stop()
		return none, fmt.Errorf("%s ended (%s): %s", f.name, f.process.ProcessState, f.log.String())
	case <-timer.C:
		f.stop()
		return none, fmt.Errorf("%s did not answer within %v: %s", f.name, patience, f.log.String())
	}
}

// invoke hands the payload to the process and decodes its answer. It returns how long that took, and only when the
// process is ready for more.
func invoke[T any](f *function, payload any) (result T, took time.Duration, err error) {
	encoded, err := json.Marshal(payload)
	if err != nil {
		return result, 0, err
	}
	f.invocations++
	began := time.Now()
	select {
	case f.work <- encoded:
	case <-f.exited: // which is noticed below
	}
	got, err := await(f, f.answers)
	took = time.Since(began)
	if err != nil {
		return result, 0, err
	}
	if _, err := await(f, f.asks); err != nil {
		return result, 0, err
	}
	if got.err == nil {
		got.err = json.Unmarshal(got.payload, &result)
	}
	return result, took, got.err
}

// runtimeAPI is what the process speaks to: it asks for work, and answers.
func (f *function) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		f.asks <- time.Now()
		select {
		case payload := <-f.work:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", strconv.Itoa(f.invocations))
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(patience).UnixMilli(), 10))
			_, _ = w.Write(payload) // a process that is gone is noticed by its exit
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{outcome}", func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(r.Body)
		if r.PathValue("outcome") == "error" {
			err = fmt.Errorf("%s failed: %s", f.name, payload)
		}
		f.answers <- answer{payload, err}
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

// peakMemory returns the most memory, in bytes, that the process has had resident so far.
//
// What wait4 says of an ended process would not do: on Linux that is at least what this process has resident itself.
func (f *function) peakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if peak, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kibibytes int64
			_, err := fmt.Sscanf(peak, "%d kB", &kibibytes)
			return kibibytes * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc does not tell the peak memory of %s", f.name)
}
