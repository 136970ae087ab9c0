package ionostest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// BasePath is where the Cloud API lives below its host.
const BasePath = "/cloudapi/v6"

// What a [Server] says of its contract unless told otherwise.
const (
	DefaultOwner   = "owner@example.com"
	ContractNumber = 31_234_567
)

// Server is a fake contract of IONOS. It is an [http.Handler] for the Cloud API; [Server.S3] is one for Object
// Storage. The zero value is ready to use. All methods may be called at any time; fields are set before the
// first call arrives, or while none is under way.
type Server struct {
	// Now is the clock of dates and rate limits. Without it, time begins at [Epoch] and moves on by a second
	// with every call and everything added, so that dates are the same in each run and no rate limit runs dry.
	Now func() time.Time
	// Owner is the e-mail address of the contract's owner; [DefaultOwner] if empty.
	Owner string
	// Authorize says whether the credentials of a call are good; if not, the answer is 401. Without it, any
	// bearer token is, and any name and password but those of a user with two-factor login.
	Authorize func(*http.Request) bool
	// Fault is asked about every call to the Cloud API what shall go wrong with it, S3Fault about every call
	// to Object Storage.
	Fault, S3Fault Plan
	// Latency is how long every call takes before anything else happens.
	Latency time.Duration

	// Reads is the rate limit of GET, Writes that of everything else. If zero, they are those of the real API:
	// 1150 reads a minute and 900 at once, 120 writes a minute and 50 at once.
	Reads, Writes Limit
	// Unlimited never answers 429, although the headers still count down.
	Unlimited bool
	// RetryAfter puts a Retry-After header on the 429 of a rate limit.
	RetryAfter bool
	// EmailFilter says which users filter.email finds. Without it, those whose address is the same to the
	// letter. [strings.EqualFold], [strings.Contains] and [IgnoreFilter] are other guesses.
	EmailFilter func(email, filter string) bool
	// Nesting says how much of a user's keys a list of users shows where its depth reaches them. Without it, all.
	Nesting func(User) Nesting
	// PageSize is how many users a page holds at most, whatever limit a call asks for; if zero, that limit.
	PageSize int
	// NoNextLink leaves out the link to the next page.
	NoNextLink bool
	// Lag is how many reads of a user's keys do not show a write yet. Writes see everything at once.
	Lag int
	// Rights answers 403 to callers who are neither owner nor administrator of the contract, except about
	// themselves. A caller is known by the token of [Server.Token] or by a user's e-mail address as name.
	Rights bool
	// ModifiedMetadata adds the newer members createdBy… and lastModified… to the metadata of keys.
	ModifiedMetadata bool
	// KeepOnlyKey refuses to delete the only key of a user with buckets.
	KeepOnlyKey bool
	// UnknownKeyPrefix stands in front of the message about an unknown key; "[VDC-21-2] " has been seen.
	UnknownKeyPrefix string

	once sync.Once
	mux  *http.ServeMux

	mu     sync.Mutex
	now    time.Time // only without Now
	serial int
	users  []*account
	byID   map[string]*account // by the UUID in lower case
	calls  []*Call
	lists  []*Call
	reads  tokens
	writes tokens
}

// Call is one HTTP call that arrived, whatever became of it.
type Call struct {
	Method string
	// Path is the path with its escapes undone.
	Path  string
	Query url.Values
	// Region is what a call to Object Storage was signed for.
	Region Region
	// Status is what was answered, 0 if nothing was or is yet.
	Status int
}

// IgnoreFilter is the EmailFilter of an API that knows no such filter: it finds everybody.
func IgnoreFilter(_, _ string) bool { return true }

// ServeHTTP answers as the Cloud API does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, &s.calls, s.Fault, s.cloudAPI)
}

// S3 returns the handler of Object Storage, for all three user-owned regions: a call's signature says which one
// is meant. It lists buckets and nothing else.
func (s *Server) S3() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, &s.lists, s.S3Fault, s.listBuckets)
	})
}

// Calls returns the calls to the Cloud API in the order they arrived.
func (s *Server) Calls() []Call { return s.copied(&s.calls) }

// S3Calls returns the calls to Object Storage in the order they arrived.
func (s *Server) S3Calls() []Call { return s.copied(&s.lists) }

func (s *Server) copied(log *[]*Call) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []Call
	for _, c := range *log {
		calls = append(calls, *c)
	}
	return calls
}

// maxBody is far more than any body that is understood here.
const maxBody = 1 << 20

// serve notes the call, lets it wait, and has it answered, unless the plan knows something worse.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, log *[]*Call, plan Plan, answer http.HandlerFunc) {
	call := s.arrived(log, r)
	noting := &noted{ResponseWriter: w, note: func(status int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		call.Status = status
	}}

	// Only when the body has been read does net/http notice that the caller has gone.
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))

	if !wait(r.Context(), s.Latency) {
		panic(http.ErrAbortHandler)
	}
	handler := http.Handler(answer)
	if plan != nil {
		if fault := plan(r); fault != nil {
			handler = fault(handler)
		}
	}
	handler.ServeHTTP(noting, r)
}

func (s *Server) arrived(log *[]*Call, r *http.Request) *Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick()
	signed, _ := readSignature(r)
	call := &Call{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Region: signed.region}
	*log = append(*log, call)
	return call
}

// noted passes the status of an answer on to note.
type noted struct {
	http.ResponseWriter

	note func(status int)
	done bool
}

func (n *noted) WriteHeader(status int) {
	n.done = true
	n.note(status)
	n.ResponseWriter.WriteHeader(status)
}

func (n *noted) Write(p []byte) (int, error) {
	if !n.done {
		n.WriteHeader(http.StatusOK)
	}
	return n.ResponseWriter.Write(p)
}

// Unwrap lets an [http.ResponseController] flush.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// wait returns false if the context ends before d is over.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
