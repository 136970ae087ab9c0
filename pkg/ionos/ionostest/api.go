package ionostest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"time"
)

// reply is an answer that went well.
type reply struct {
	status int
	// location is the path of the request that carries out a write.
	location string
	// body is nil where there is none.
	body any
}

// refusal is an answer that did not.
type refusal struct {
	status        int
	code, message string
}

// endpoint answers a call while it holds the lock.
type endpoint func(*http.Request) (reply, *refusal)

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET "+BasePath+"/contracts", s.limited(s.getContracts))
	mux.Handle("GET "+BasePath+"/um/users", s.limited(s.getUsers))
	mux.Handle("GET "+BasePath+"/um/users/{user}", s.limited(s.getUser))
	mux.Handle("GET "+BasePath+"/um/users/{user}/s3keys", s.limited(s.getKeys))
	mux.Handle("POST "+BasePath+"/um/users/{user}/s3keys", s.limited(s.postKey))
	mux.Handle("GET "+BasePath+"/um/users/{user}/s3keys/{key}", s.limited(s.getKey))
	mux.Handle("PUT "+BasePath+"/um/users/{user}/s3keys/{key}", s.limited(s.putKey))
	mux.Handle("DELETE "+BasePath+"/um/users/{user}/s3keys/{key}", s.limited(s.deleteKey))
	mux.HandleFunc("/", unknownRoute)
	return mux
}

// unknownRoute is loud about a call that the fake does not know, so that a test shows what is missing.
func unknownRoute(w http.ResponseWriter, r *http.Request) {
	message := fmt.Sprintf("ionostest knows no %s %s", r.Method, r.URL.EscapedPath())
	writeRefusal(w, r, &refusal{http.StatusNotImplemented, "501", message})
}

// cloudAPI answers a call with which nothing goes wrong but what goes wrong with the real API, too.
func (s *Server) cloudAPI(w http.ResponseWriter, r *http.Request) {
	switch {
	case !s.authorized(r):
		writeRefusal(w, r, &refusal{http.StatusUnauthorized, "315", "Unauthorized"})
	case path.Clean(r.URL.EscapedPath()) != r.URL.EscapedPath():
		// A ServeMux would redirect a call that lacks an id to one that means something else.
		unknownRoute(w, r)
	default:
		s.once.Do(func() { s.mux = s.routes() })
		s.mux.ServeHTTP(w, r)
	}
}

func (s *Server) limited(answer endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, failed := s.locked(w.Header(), r, answer)
		if failed != nil {
			writeRefusal(w, r, failed)
			return
		}
		if got.location != "" {
			w.Header().Set("Location", root(r)+got.location)
		}
		writeJSON(w, r, got.status, got.body)
	})
}

func (s *Server) locked(header http.Header, r *http.Request, answer endpoint) (reply, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()

	bucket, limit := &s.writes, s.Writes.or(Limit{PerMinute: 120, Burst: 50})
	if r.Method == http.MethodGet {
		bucket, limit = &s.reads, s.Reads.or(Limit{PerMinute: 1150, Burst: 900})
	}
	remaining, wait := bucket.take(s.time(), limit)
	header.Set("X-Ratelimit-Limit", strconv.Itoa(limit.PerMinute))
	header.Set("X-Ratelimit-Burst", strconv.Itoa(limit.Burst))
	header.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
	if wait > 0 && !s.Unlimited {
		if s.RetryAfter {
			header.Set("Retry-After", seconds(wait))
		}
		return reply{}, &refusal{http.StatusTooManyRequests, "429", "Rate limit exceeded"}
	}
	return answer(r)
}

func (s *Server) getContracts(r *http.Request) (reply, *refusal) {
	depth, failed := number(r, "depth", 0, 0, maxDepth)
	if failed != nil {
		return reply{}, failed
	}
	return reply{status: http.StatusOK, body: s.contracts(root(r), depth)}, nil
}

func (s *Server) getUsers(r *http.Request) (reply, *refusal) {
	depth, failed := number(r, "depth", 0, 0, maxDepth)
	if failed != nil {
		return reply{}, failed
	}
	offset, failed := number(r, "offset", 0, 0, 1<<30)
	if failed != nil {
		return reply{}, failed
	}
	limit, failed := number(r, "limit", maxPage, 1, maxPage)
	if failed != nil {
		return reply{}, failed
	}
	if !s.permitted(r, "") {
		return reply{}, forbidden()
	}
	found := s.users
	if filter := r.URL.Query().Get("filter.email"); filter != "" {
		found = slices.DeleteFunc(slices.Clone(s.users), func(a *account) bool { return !s.emailMatches(a.Email, filter) })
	}
	return reply{status: http.StatusOK, body: s.userPage(root(r), found, depth, offset, limit)}, nil
}

func (s *Server) emailMatches(email, filter string) bool {
	if s.EmailFilter == nil {
		return email == filter
	}
	return s.EmailFilter(email, filter)
}

func (s *Server) getUser(r *http.Request) (reply, *refusal) {
	a, depth, failed := s.addressed(r)
	if failed != nil {
		return reply{}, failed
	}
	return reply{status: http.StatusOK, body: s.userEntity(root(r), a, depth, WholeKeys)}, nil
}

func (s *Server) getKeys(r *http.Request) (reply, *refusal) {
	a, depth, failed := s.addressed(r)
	if failed != nil {
		return reply{}, failed
	}
	return reply{status: http.StatusOK, body: s.keyCollection(root(r), a, a.read(), depth)}, nil
}

func (s *Server) getKey(r *http.Request) (reply, *refusal) {
	a, depth, failed := s.addressed(r)
	if failed != nil {
		return reply{}, failed
	}
	keys := a.read()
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == r.PathValue("key") })
	if i < 0 {
		return reply{}, s.unknownKey()
	}
	return reply{status: http.StatusOK, body: s.keyEntity(root(r), a, keys[i], depth)}, nil
}

func (s *Server) postKey(r *http.Request) (reply, *refusal) {
	a, depth, failed := s.addressed(r)
	switch {
	case failed != nil:
		return reply{}, failed
	case a.NoObjectStorage:
		return reply{}, unprocessable("The user needs to be part of a group that has ACCESS_S3_OBJECT_STORAGE privilege")
	case len(a.keys) >= MaxKeys:
		return reply{}, unprocessable(fmt.Sprintf("The user has %d access keys already", len(a.keys)))
	}
	s.hide(a)
	k := s.addKey(a, Key{Active: true})
	return s.accepted(s.keyEntity(root(r), a, k, depth)), nil
}

func (s *Server) putKey(r *http.Request) (reply, *refusal) {
	a, depth, failed := s.addressed(r)
	if failed != nil {
		return reply{}, failed
	}
	active, failed := wantedState(r.Body)
	if failed != nil {
		return reply{}, failed
	}
	i := a.index(r.PathValue("key"))
	if i < 0 {
		return reply{}, s.unknownKey()
	}
	s.hide(a)
	s.switchKey(a, i, active)
	return s.accepted(s.keyEntity(root(r), a, a.keys[i], depth)), nil
}

// wantedState reads the only body that is understood: {"properties":{"active":bool}}.
func wantedState(body io.Reader) (bool, *refusal) {
	var key struct {
		Properties struct {
			Active *bool `json:"active"`
		} `json:"properties"`
	}
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&key); err != nil {
		return false, unprocessable("The body is not that of an access key: " + err.Error())
	}
	if key.Properties.Active == nil || decoder.More() {
		return false, unprocessable("The body must hold properties.active and nothing else")
	}
	return *key.Properties.Active, nil
}

func (s *Server) deleteKey(r *http.Request) (reply, *refusal) {
	a, _, failed := s.addressed(r)
	if failed != nil {
		return reply{}, failed
	}
	i := a.index(r.PathValue("key"))
	switch {
	case i < 0:
		return reply{}, s.unknownKey()
	case s.KeepOnlyKey && len(a.keys) == 1 && a.ownsBuckets():
		return reply{}, unprocessable("The only access key of a user with buckets cannot be deleted")
	}
	s.hide(a)
	a.keys = slices.Delete(a.keys, i, i+1)
	return s.accepted(nil), nil
}

// addressed returns the user that the call's path names and the depth it asks for.
func (s *Server) addressed(r *http.Request) (*account, int, *refusal) {
	depth, failed := number(r, "depth", 0, 0, maxDepth)
	if failed != nil {
		return nil, 0, failed
	}
	if !s.permitted(r, r.PathValue("user")) {
		return nil, 0, forbidden()
	}
	a := s.user(r.PathValue("user"))
	if a == nil {
		return nil, 0, &refusal{http.StatusNotFound, "309", "Resource does not exist"}
	}
	return a, depth, nil
}

func (s *Server) accepted(body any) reply {
	return reply{
		status:   http.StatusAccepted,
		location: BasePath + "/requests/" + uuid(s.seed("request")) + "/status",
		body:     body,
	}
}

// unknownKey is 422, where 404 would be expected.
func (s *Server) unknownKey() *refusal {
	const message = "The access key cannot be found, please double-check the key id and try again."
	return unprocessable(s.UnknownKeyPrefix + message)
}

func unprocessable(message string) *refusal {
	return &refusal{http.StatusUnprocessableEntity, "422", message}
}

func forbidden() *refusal { return &refusal{http.StatusForbidden, "403", "Forbidden"} }

// The bounds of parameters.
const (
	maxDepth = 10
	maxPage  = 100
)

func number(r *http.Request, name string, fallback, lowest, highest int) (int, *refusal) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < lowest || n > highest {
		return 0, unprocessable(fmt.Sprintf("%s must be a whole number from %d to %d", name, lowest, highest))
	}
	return n, nil
}

// root is what absolute addresses in answers begin with.
func root(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

// seconds returns d in whole seconds, rounded up, as headers have it.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}
