// Package deadlettertest stands in for SQS in tests: it takes the messages that are sent to a queue of dead letters, if SQS
// would take them, and keeps them.
package deadlettertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Letter is a message as SendMessage hands it over.
type Letter struct {
	QueueURL   string               `json:"QueueUrl"`
	Body       string               `json:"MessageBody"`
	Attributes map[string]Attribute `json:"MessageAttributes"`
}

// Attribute is an attribute of a letter.
type Attribute struct {
	Type  string `json:"DataType"`
	Value string `json:"StringValue"`
}

// Queue is the part of SQS that letters reach, an [http.Handler]. The zero value is ready to use, from several goroutines
// at once.
type Queue struct {
	// Answer answers the nth call in place of SQS, which does not take the letter then; an empty answer leaves it to SQS.
	// May be nil.
	Answer func(n int) (status int, answer string)

	mu      sync.Mutex
	headers []http.Header
	letters []Letter
}

// Letters returns those that were taken, in the order they arrived.
func (q *Queue) Letters() []Letter {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.letters)
}

// Headers returns those of every call, in order.
func (q *Queue) Headers() []http.Header {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.headers)
}

// ServeHTTP takes the letter of a SendMessage call. Members that no letter has are not implemented.
func (q *Queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var letter Letter
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := errors.Join(err, decoder.Decode(&letter)); err != nil || r.Method != http.MethodPost || r.URL.Path != "/" {
		http.Error(w, fmt.Sprintf("%s %s: %v", r.Method, r.URL, err), http.StatusNotImplemented)
		return
	}
	status, answer := q.take(r.Header, letter)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer) // a caller who has gone will say so
}

func (q *Queue) take(header http.Header, letter Letter) (status int, answer string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.headers = append(q.headers, header)
	if q.Answer != nil {
		if status, answer := q.Answer(len(q.headers)); answer != "" {
			return status, answer
		}
	}
	if code := letter.refused(); code != "" {
		return http.StatusBadRequest, `{"__type":"com.amazonaws.sqs#` + code + `"}`
	}
	q.letters = append(q.letters, letter)
	return http.StatusOK, fmt.Sprintf(`{"MessageId":"new-%d"}`, len(q.letters))
}

// refused returns the code of the error that SQS answers the letter with, or "". The limits are those of its API
// reference.
func (l Letter) refused() string {
	size := len(l.Body)
	texts := []string{l.Body}
	for name, a := range l.Attributes {
		size += len(name) + len(a.Type) + len(a.Value)
		texts = append(texts, a.Value)
	}
	forbidden := func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\r", r) || r == 0xFFFE || r == 0xFFFF }
	for _, text := range texts {
		switch {
		case text == "":
			return "InvalidParameterValue"
		case strings.ContainsFunc(text, forbidden) || !utf8.ValidString(text):
			return "InvalidMessageContents"
		}
	}
	if size > 1<<20 {
		return "InvalidParameterValue"
	}
	return ""
}
