package archive

import (
	"crypto/sha256"
	"io"
	"net/http"
	"sync"
)

// load is the body of a request: its content, how many bytes that has, and its SHA-256.
type load struct {
	content io.ReadSeeker
	size    int64
	sum     [sha256.Size]byte
}

// nothing is the load of a request without a body.
func nothing() load { return load{sum: sha256.Sum256(nil)} }

// measure reads the content once, from its beginning.
func measure(content io.ReadSeeker) (load, error) {
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return load{}, err
	}
	hash := sha256.New()
	size, err := io.Copy(hash, content)
	return load{content: content, size: size, sum: [sha256.Size]byte(hash.Sum(nil))}, err
}

// lend returns the body for one attempt, from the beginning of the content.
func (l load) lend() (io.ReadCloser, error) {
	if l.size == 0 {
		return http.NoBody, nil
	}
	if _, err := l.content.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return &loan{content: l.content}, nil
}

// loan is the content while an attempt may read it. A transport may have an answer and go on reading; once the loan is
// closed it reads nothing, and the content is free for another attempt, or for whoever it belongs to.
type loan struct {
	mu      sync.Mutex
	content io.Reader
	closed  bool
}

// Read reads the content, or fails after Close.
func (l *loan) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, io.ErrClosedPipe
	}
	return l.content.Read(p)
}

// Close waits for a Read that is under way.
func (l *loan) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}
