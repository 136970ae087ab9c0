package ionostest

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Fault is something that goes wrong with a call: it stands in front of the handler that would have answered,
// and need not ask it. Tests write their own where those here do not do.
type Fault func(api http.Handler) http.Handler

// Plan says what goes wrong with which call. It returns nil where nothing does. It may be asked by several
// goroutines at once.
type Plan func(*http.Request) Fault

// Always plans the fault for every call.
func Always(f Fault) Plan {
	return func(*http.Request) Fault { return f }
}

// On plans the fault for every call of the method.
func On(method string, f Fault) Plan {
	return func(r *http.Request) Fault {
		if r.Method != method {
			return nil
		}
		return f
	}
}

// InRegion plans the fault for every call to Object Storage that is signed for the region.
func InRegion(region Region, f Fault) Plan {
	return func(r *http.Request) Fault {
		if signed, ok := readSignature(r); !ok || signed.region != region {
			return nil
		}
		return f
	}
}

// First keeps the first n faults of the plan.
func First(n int, p Plan) Plan {
	return counted(p, func(i int64) bool { return i <= int64(n) })
}

// Nth keeps the nth fault of the plan, counted from 1.
func Nth(n int, p Plan) Plan {
	return counted(p, func(i int64) bool { return i == int64(n) })
}

func counted(p Plan, keep func(i int64) bool) Plan {
	var count atomic.Int64
	return func(r *http.Request) Fault {
		if f := p(r); f != nil && keep(count.Add(1)) {
			return f
		}
		return nil
	}
}

// Status answers with the status and an error body, and applies nothing. A retryAfter above zero becomes a
// Retry-After header, in whole seconds.
func Status(status int, retryAfter time.Duration) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if retryAfter > 0 {
				w.Header().Set("Retry-After", seconds(retryAfter))
			}
			writeRefusal(w, r, &refusal{status, strconv.Itoa(status), http.StatusText(status)})
		})
	}
}

// Hang answers nothing until the caller gives up, and applies nothing.
func Hang() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
	}
}

// Reset closes the connection without an answer, and applies nothing. An [http.Transport] by itself repeats a
// GET that meets this on a connection used before.
func Reset() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		})
	}
}

// Malformed answers 200 with an HTML page that calls itself JSON, and applies nothing.
func Malformed() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusOK)
			send(w, []byte("<html><body>Service temporarily unavailable</body></html>"))
		})
	}
}

// Truncate applies the call and closes the connection in the middle of the answer's body, or before the answer if
// it has none.
func Truncate() Fault {
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := applied(api, r)
			if body := answer.body.Bytes(); len(body) > 0 {
				answer.sendHead(w)
				send(w, body[:len(body)/2])
				flush(w)
			}
			panic(http.ErrAbortHandler)
		})
	}
}

// Trickle applies the call and sends the answer's body byte by byte, pausing before each.
func Trickle(pause time.Duration) Fault {
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := applied(api, r)
			answer.sendHead(w)
			flush(w)
			for i := range answer.body.Bytes() {
				if !wait(r.Context(), pause) {
					panic(http.ErrAbortHandler)
				}
				send(w, answer.body.Bytes()[i:i+1])
				flush(w)
			}
		})
	}
}

// Applied applies the call before f gets to see it: the change is made, and the caller need not learn of it.
func Applied(f Fault) Fault {
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f(applied(api, r)).ServeHTTP(w, r)
		})
	}
}

// Meanwhile does something just before the call is applied, such as switching a key as a person in the console
// would; Applied(Meanwhile(do)) does it just after, before the caller gets the answer.
func Meanwhile(do func()) Fault {
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			do()
			api.ServeHTTP(w, r)
		})
	}
}

// answer is an answer that has not been sent. As a handler it sends itself.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// applied has the call answered and keeps the answer.
func applied(api http.Handler, r *http.Request) *answer {
	a := &answer{status: http.StatusOK, header: http.Header{}}
	api.ServeHTTP(a, r)
	return a
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// ServeHTTP sends the answer.
func (a *answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	a.sendHead(w)
	send(w, a.body.Bytes())
}

// sendHead sends the head of the answer, with the length of its whole body.
func (a *answer) sendHead(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	w.WriteHeader(a.status)
}
