// Package edgetest lets tests of the edges look at what was logged.
package edgetest

import (
	"bytes"
	"sync"
)

// Log keeps what was logged. The zero value is ready to use, from several goroutines at once.
type Log struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

// Write adds to the log.
func (l *Log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(line)
}

// String returns all that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}
