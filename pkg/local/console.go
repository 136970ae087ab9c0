package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// console is what the person at the machine sees: one line a step.
type console struct {
	mu  sync.Mutex
	out io.Writer
}

// say writes a line as it is.
func (c *console) say(format string, args ...any) { c.write(fmt.Sprintf(format, args...)) }

// step writes a line with the time of day in front.
func (c *console) step(format string, args ...any) {
	c.write(time.Now().Format("15:04:05.000 ") + fmt.Sprintf(format, args...))
}

// output writes a line that a function wrote.
func (c *console) output(function, line string) { c.step("%s | %s", function, readable(line)) }

// readable turns a log line of a function into what a person reads: the message, and what is set besides. Lines of
// another form stay as they are.
func readable(line string) string {
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["msg"] == nil {
		return line
	}
	words := []string{fmt.Sprint(fields["msg"])}
	if level := fields["level"]; level != "INFO" {
		words = []string{fmt.Sprint(level), words[0]}
	}
	for _, known := range []string{"time", "level", "msg"} {
		delete(fields, known)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch value := fields[name].(type) {
		case nil:
		case map[string]any, []any:
			if part, err := json.Marshal(value); err == nil { // always: it was JSON
				words = append(words, name+"="+string(part))
			}
		case bool:
			if value {
				words = append(words, name)
			}
		case string:
			if strings.ContainsAny(value, " \t") {
				value = strconv.Quote(value)
			}
			if value != "" {
				words = append(words, name+"="+value)
			}
		default:
			words = append(words, fmt.Sprintf("%s=%v", name, value))
		}
	}
	return strings.Join(words, " ")
}

func (c *console) write(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = fmt.Fprintln(c.out, line) // without a terminal there is nobody to tell
}

// since is how long something took, for people.
func since(start time.Time) time.Duration { return time.Since(start).Round(time.Millisecond) }

// keptLines is how much of its output a function that does not start is quoted with.
const keptLines = 20

// lineWriter splits what a process writes into lines. Until the process is ready it keeps them, for the error that
// tells why it never got there.
type lineWriter struct {
	write func(line string)

	mu      sync.Mutex
	partial []byte
	kept    []string
	passing bool
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, p...)
	for {
		line, rest, found := bytes.Cut(w.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.partial = rest
		if w.passing {
			w.write(string(line))
			continue
		}
		w.kept = append(w.kept, string(line))
		w.kept = w.kept[max(0, len(w.kept)-keptLines):]
	}
}

// pass writes the lines kept so far, and all that come.
func (w *lineWriter) pass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.kept {
		w.write(line)
	}
	w.kept, w.passing = nil, true
}

// last returns the last of the lines kept, and what followed them.
func (w *lineWriter) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(strings.Join(append(slices.Clip(w.kept), string(w.partial)), "\n"))
}
