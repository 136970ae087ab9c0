package proof_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"keyreeve/pkg/ionos/ionostest"
)

// trouble is what goes wrong in the first delivery, and what the servers saw of it.
type trouble struct {
	// victim is the user whose request meets the trouble.
	victim string
	// step meets the fault, at its first call only where once is true.
	step  step
	fault ionostest.Fault
	once  bool
	// before is what has to happen for the step to be taken at all, by step.
	before map[step]ionostest.Fault

	mu sync.Mutex
	// over is true from the end of the first delivery on.
	over bool
	// seen counts the victim's calls of the step, struck those that met the fault.
	seen, struck int
	effects      []effect
	// calls counts the calls for each user's request, by e-mail address, in all deliveries.
	calls map[string]int
}

// effect is a write that changed the state of a key.
type effect struct{ key, state string }

// in puts the trouble in front of a server's handler.
func (d *trouble) in(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Only when the body has been read does net/http notice that the caller has gone.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if fault := d.plan(r); fault != nil {
			fault(handler).ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// plan is an [ionostest.Plan].
func (d *trouble) plan(r *http.Request) ionostest.Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := labelOf(r)
	if d.calls == nil {
		d.calls = make(map[string]int)
	}
	d.calls[name.user]++
	if d.over || name.user != d.victim {
		return nil
	}
	if name.step == d.step {
		d.seen++
		if d.fault != nil && (!d.once || d.seen == 1) {
			d.struck++
			return d.fault
		}
	}
	return d.before[name.step]
}

// onCloud is the plan for the Cloud API, which notes the effects of writes as well.
func (d *trouble) onCloud(api *ionostest.Server) ionostest.Plan {
	return func(r *http.Request) ionostest.Fault {
		fault := d.plan(r)
		return func(handler http.Handler) http.Handler {
			if r.Method != http.MethodGet {
				handler = d.noting(api, handler)
			}
			if fault != nil {
				handler = fault(handler)
			}
			return handler
		}
	}
}

func (d *trouble) noting(api *ionostest.Server, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.Split(r.URL.Path, "/") // …/{user}/s3keys/{key}
		user, key := path[len(path)-3], path[len(path)-1]
		before := stateOf(api, user, key)
		handler.ServeHTTP(w, r)
		if after := stateOf(api, user, key); after != before {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.effects = append(d.effects, effect{key, after})
		}
	})
}

// The states of a key.
const (
	isOn   = "on"
	isOff  = "off"
	isGone = "gone"
)

func stateOf(api *ionostest.Server, userID, keyID string) string {
	keys := api.Keys(userID)
	i := slices.IndexFunc(keys, func(k ionostest.Key) bool { return k.ID == keyID })
	switch {
	case i < 0:
		return isGone
	case keys[i].Active:
		return isOn
	default:
		return isOff
	}
}

// end ends the trouble and returns what came of it.
func (d *trouble) end() (seen, struck int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	return d.seen, d.struck
}

// since returns the effects on the key from the nth of all on.
func (d *trouble) since(n int, key string) (states []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.effects[n:] {
		if e.key == key {
			states = append(states, e.state)
		}
	}
	return states
}

func (d *trouble) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.effects)
}

// faults are the columns of the matrix. A plus says that the call was applied before it went wrong.
func faults() map[string]ionostest.Fault {
	return map[string]ionostest.Fault{
		"hang":    ionostest.Hang(),
		"hang+":   ionostest.Applied(ionostest.Hang()),
		"reset":   ionostest.Reset(),
		"reset+":  ionostest.Applied(ionostest.Reset()),
		"429":     ionostest.Status(http.StatusTooManyRequests, 0),
		"429s":    ionostest.Status(http.StatusTooManyRequests, 2*time.Second),
		"500":     ionostest.Status(http.StatusInternalServerError, 0),
		"502":     ionostest.Status(http.StatusBadGateway, 0),
		"503":     ionostest.Status(http.StatusServiceUnavailable, 0),
		"504":     ionostest.Status(http.StatusGatewayTimeout, 0),
		"cut+":    ionostest.Truncate(),
		"garbage": ionostest.Malformed(),
		"slow+":   ionostest.Trickle(1100 * time.Millisecond),
		"401":     ionostest.Status(http.StatusUnauthorized, 0),
		"lag":     func(api http.Handler) http.Handler { return api }, // the lag itself is the server's

		"busy":    awsError("ThrottlingException"),
		"expired": awsError("ExpiredTokenException"),
		"denied":  awsError("AccessDeniedException"),
	}
}

// awsError is how EventBridge and DynamoDB refuse.
func awsError(code string) ionostest.Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"com.amazonaws#`+code+`","message":"It was refused."}`)
		})
	}
}
