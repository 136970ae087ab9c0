package identity_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/identity"
)

const (
	keyID   = "AKIDEXAMPLE"
	private = "the-private-half"
	session = "the-session-part"
)

// pageSize is how many parameters a page has at most; Parameter Store may give fewer.
const pageSize = 10

// parameterStore is as much of Parameter Store as reading shows. All its parameters are encrypted.
type parameterStore struct {
	url string
	// answer returns a whole answer to the nth call, or no status for the usual one. May be nil.
	answer func(n int) (status int, body string)

	mu     sync.Mutex
	values map[string]string
	calls  []call
}

// call is one call as it came in, with every member that the two operations know.
type call struct {
	Operation string `json:"-"`

	Name             string `json:"Name"`
	Path             string `json:"Path"`
	Recursive        bool   `json:"Recursive"`
	WithDecryption   bool   `json:"WithDecryption"`
	NextToken        string `json:"NextToken"`
	MaxResults       int    `json:"MaxResults"`
	ParameterFilters []any  `json:"ParameterFilters"`
}

// parameter is a parameter in an answer.
type parameter struct {
	ARN              string
	DataType         string
	LastModifiedDate float64
	Name             string
	Type             string
	Value            string
	Version          int
}

func newParameterStore(t *testing.T) *parameterStore {
	t.Helper()
	s := new(parameterStore)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// config is the way to s.
func (s *parameterStore) config(t *testing.T, setting string) identity.Config {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return identity.Config{
		Setting: setting, Region: "eu-central-1", Endpoint: s.url, Transport: transport, Clock: noon,
		Credentials: credentials.NewStaticCredentialsProvider(keyID, private, session),
	}
}

func (s *parameterStore) put(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = make(map[string]string)
	}
	s.values[name] = value
}

func (s *parameterStore) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, name)
}

// made returns the calls that came in.
func (s *parameterStore) made() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *parameterStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	c := call{Operation: operation}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	authorization := r.Header.Get("Authorization")
	err := decoder.Decode(&c)
	if err != nil || service != "AmazonSSM" || r.Method != http.MethodPost || r.URL.Path != "/" ||
		r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || r.Header.Get("X-Amz-Security-Token") != session ||
		!strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential="+keyID+"/") || !strings.Contains(authorization, "/eu-central-1/ssm/aws4_request") {
		http.Error(w, fmt.Sprintf("%s %s %v: %v", r.Method, r.URL, r.Header, err), http.StatusNotImplemented)
		return
	}
	s.calls = append(s.calls, c)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("Location", "/") // which counts with a redirect only
	if s.answer != nil {
		if status, body := s.answer(len(s.calls)); status != 0 {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body) // A client need not read to the end.
			return
		}
	}
	status, answer := s.usual(c)
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

// usual is what Parameter Store answers when all is well.
func (s *parameterStore) usual(c call) (status int, answer any) {
	switch c.Operation {
	case "GetParameter":
		if c.Name == "" {
			return refuse("ValidationException")
		}
		if _, ok := s.values[c.Name]; !ok {
			return refuse("ParameterNotFound")
		}
		return http.StatusOK, map[string]parameter{"Parameter": s.show(c.Name, c.WithDecryption)}
	case "GetParametersByPath":
		if !strings.HasPrefix(c.Path, "/") || c.Path != "/" && strings.HasSuffix(c.Path, "/") {
			return refuse("ValidationException")
		}
		return s.page(c)
	default:
		return http.StatusNotImplemented, "no such operation here"
	}
}

// page is one page of the parameters below a path, in no order that a client could make something of.
func (s *parameterStore) page(c call) (status int, answer any) {
	prefix := strings.TrimSuffix(c.Path, "/") + "/"
	below := slices.DeleteFunc(slices.Sorted(maps.Keys(s.values)), func(name string) bool {
		return !strings.HasPrefix(name, prefix) || !c.Recursive && path.Dir(name) != c.Path
	})
	slices.Reverse(below)
	first := 0
	if c.NextToken != "" {
		if _, err := fmt.Sscanf(c.NextToken, "from %d", &first); err != nil || first > len(below) {
			return refuse("InvalidNextToken")
		}
	}
	last := min(first+pageSize, len(below))
	page := struct {
		Parameters []parameter
		NextToken  string `json:",omitempty"`
	}{Parameters: []parameter{}}
	for _, name := range below[first:last] {
		page.Parameters = append(page.Parameters, s.show(name, c.WithDecryption))
	}
	if last < len(below) {
		page.NextToken = fmt.Sprint("from ", last)
	}
	return http.StatusOK, page
}

func (s *parameterStore) show(name string, decrypted bool) parameter {
	value := "AQICAHgjv"
	if decrypted {
		value = s.values[name]
	}
	return parameter{
		ARN: "arn:aws:ssm:eu-central-1:123456789012:parameter" + name, DataType: "text", LastModifiedDate: 1795348800.123,
		Name: name, Type: "SecureString", Value: value, Version: 1,
	}
}

func refuse(code string) (status int, answer any) {
	return http.StatusBadRequest, map[string]string{"__type": code}
}

// refusal is an answer that quotes from the request.
func refusal(code string) (status int, body string) {
	return http.StatusBadRequest, fmt.Sprintf(`{"__type":%q,"message":"the request had %s and %s"}`, code, session, private)
}

func TestParametersOnTheWire(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		setting string
		want    []call
	}{
		"one parameter": {"ssm:/tree/people/1", []call{{Operation: "GetParameter", Name: "/tree/people/1", WithDecryption: true}}},
		"by its ARN": {"ssm:arn:aws:ssm:eu-central-1:123456789012:parameter/shared", []call{
			{Operation: "GetParameter", Name: "arn:aws:ssm:eu-central-1:123456789012:parameter/shared", WithDecryption: true},
		}},
		"a path": {"ssm:/tree/", []call{
			{Operation: "GetParametersByPath", Path: "/tree", Recursive: true, WithDecryption: true},
			{Operation: "GetParametersByPath", Path: "/tree", Recursive: true, WithDecryption: true, NextToken: "from 10"},
			{Operation: "GetParametersByPath", Path: "/tree", Recursive: true, WithDecryption: true, NextToken: "from 20"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newParameterStore(t)
			for i := range 25 {
				s.put(fmt.Sprint("/tree/people/", i), fmt.Sprintf("github:login%d=person%d@example.com", i, i))
			}
			s.put("/tree", "github:outside=outside@example.com")
			s.put("/trees/1", "github:outside=outside@example.com")
			s.put("arn:aws:ssm:eu-central-1:123456789012:parameter/shared", "github:login1=person1@example.com")
			m := open(t, s.config(t, test.setting))
			if diff := cmp.Diff(test.want, s.made()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			wantEmail(t, m, "github", "login1", "person1@example.com")
			wantEmail(t, m, "github", "outside", "")
			if len(test.want) > 1 {
				for i := range 25 {
					wantEmail(t, m, "github", fmt.Sprint("login", i), fmt.Sprintf("person%d@example.com", i))
				}
			}
		})
	}
}

func TestParametersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	reply := func(status int, body string) func() (int, string) {
		return func() (int, string) { return status, body }
	}
	refused := func(code string) func() (int, string) { return func() (int, string) { return refusal(code) } }
	for name, test := range map[string]struct {
		answer func() (int, string)
		// times is how often that is the answer.
		times int
		want  int
		cause string
	}{
		"throttled twice":             {refused("ThrottlingException"), 2, 3, ""},
		"failed twice":                {reply(http.StatusInternalServerError, `{"__type":"InternalServerError"}`), 2, 3, ""},
		"throttled":                   {refused("ThrottlingException"), 9, 3, "ThrottlingException (status 400)"},
		"failed":                      {reply(http.StatusServiceUnavailable, session), 9, 3, ""},
		"denied":                      {refused("AccessDeniedException"), 9, 1, "AccessDeniedException (status 400)"},
		"a signature does not match":  {refused("InvalidSignatureException"), 9, 1, "InvalidSignatureException (status 400)"},
		"a code that is none":         {refused("no code but " + session), 9, 1, "an unknown error code (status 400)"},
		"a redirect":                  {reply(http.StatusFound, ""), 9, 1, ""},
		"a page":                      {reply(http.StatusOK, "<html>"+session), 9, 1, "the answer cannot be understood"},
		"half an answer":              {reply(http.StatusOK, `{"Parameter":{"Value":"github:`), 9, 1, "the answer cannot be understood"},
		"parameters without a value":  {reply(http.StatusOK, `{"Parameters":[{"Name":"/people/1"}],"Parameter":{"Name":"/people/1"}}`), 9, 1, "has no value"},
		"an answer to something else": {reply(http.StatusOK, `{}`), 9, 1, ""},
	} {
		for _, setting := range []string{"ssm:/people/1", "ssm:/people/"} {
			t.Run(name+": "+setting, func(t *testing.T) {
				t.Parallel()
				s := newParameterStore(t)
				s.put("/people/1", items)
				s.answer = func(n int) (int, string) {
					if n > test.times {
						return 0, ""
					}
					return test.answer()
				}
				m, err := identity.Open(t.Context(), s.config(t, setting))
				if got := len(s.made()); got != test.want {
					t.Errorf("%d calls, want %d", got, test.want)
				}
				if test.times < test.want {
					if err != nil {
						t.Fatal(err)
					}
					wantEmail(t, m, "github", "octocat", "alice@example.com")
					return
				}
				wantUnreadable(t, err, test.cause)
			})
		}
	}
	t.Run("a later page", func(t *testing.T) {
		t.Parallel()
		s := newParameterStore(t)
		for i := range 11 {
			s.put(fmt.Sprint("/people/", i), "#")
		}
		s.answer = func(n int) (int, string) {
			if n == 2 {
				return refusal("AccessDeniedException")
			}
			return 0, ""
		}
		_, err := identity.Open(t.Context(), s.config(t, "ssm:/people/"))
		wantUnreadable(t, err, "GetParametersByPath: AccessDeniedException (status 400)")
	})
	t.Run("too long an answer", func(t *testing.T) {
		t.Parallel()
		for _, setting := range []string{"ssm:/people/1", "ssm:/people/"} {
			s := &parameterStore{answer: func(int) (int, string) {
				parameter := `{"Name":"/people/1",` + strings.Repeat(" ", 1<<20) + `"Value":"#"}`
				return http.StatusOK, `{"Parameter":` + parameter + `,"Parameters":[` + parameter + `]}`
			}}
			cfg := s.config(t, setting)
			cfg.Transport = slow{s, 0}
			_, err := identity.Open(t.Context(), cfg)
			wantUnreadable(t, err, "the answer cannot be understood")
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		cfg := new(parameterStore).config(t, "ssm:/people")
		cfg.Endpoint = server.URL
		_, err := identity.Open(t.Context(), cfg)
		wantUnreadable(t, err, "connection refused")
	})
}

// slow answers by itself, without a network, and takes its time.
type slow struct {
	http.Handler
	time.Duration
}

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(s.Duration):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, r)
	return answer.Result(), nil
}

func TestParameterStoreIsWaitedForNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	endless := &parameterStore{answer: func(int) (int, string) {
		return http.StatusOK, `{"Parameters":[{"Name":"/people/1","Value":"#"}],"NextToken":"again"}`
	}}
	for name, test := range map[string]struct {
		transport http.RoundTripper
		want      time.Duration
	}{
		"no answer":       {slow{endless, time.Hour}, 5 * time.Second},
		"no end of pages": {slow{endless, 100 * time.Millisecond}, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := endless.config(t, "ssm:/people/")
				cfg.Transport, cfg.Endpoint = test.transport, "http://ssm.test"
				start := time.Now()
				_, err := identity.Open(t.Context(), cfg)
				wantUnreadable(t, err, "deadline exceeded")
				if got := time.Since(start); got != test.want {
					t.Errorf("waited %s, want %s", got, test.want)
				}
			})
		})
	}
}

// FuzzAnswer reads parameters from a store that answers anything at all. No error repeats what the answer says: AWS
// quotes from requests. A $ stands for such a quotation.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"Parameter":{"Name":"/people","Type":"SecureString","Value":"github:octocat=alice@example.com","Version":1,"LastModifiedDate":1.795348800123E9}}`)
	f.Add(200, `{"Parameters":[{"Name":"/a","Value":"github:octocat=alice@example.com"},{"Name":"/b","Value":"$"}]}`)
	f.Add(200, `{"Parameters":[{"Name":"/a","Value":"#"}],"NextToken":"again"}`)
	f.Add(200, `{"Parameters":[null],"Parameter":null}`)
	f.Add(200, `{"Parameters":[{"Value":null}],"Parameter":{"Value":1}}`)
	f.Add(200, `{"Parameters":{"Value":"$"}}`)
	f.Add(200, `<html>$</html>`)
	f.Add(200, ``)
	f.Add(302, ``)
	f.Add(400, `{"__type":"ParameterNotFound"}`)
	f.Add(400, `{"__type":"$","message":"$"}`)
	f.Add(503, `$`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			t.Skip("no final status")
		}
		for _, setting := range []string{"ssm:/people", "ssm:/people/"} {
			synctest.Test(t, func(t *testing.T) {
				s := &parameterStore{answer: func(int) (int, string) { return status, strings.ReplaceAll(body, "$", session) }}
				cfg := s.config(t, setting)
				cfg.Transport, cfg.Endpoint = slow{s, 100 * time.Millisecond}, "http://ssm.test"
				m, err := identity.Open(t.Context(), cfg)
				if (m == nil) != (err != nil) {
					t.Errorf("got the map %v and the error %v", m, err)
				}
				if err == nil {
					if status >= 300 || !strings.Contains(body, "alue") {
						t.Errorf("status %d with %q counts as read", status, body)
					}
					return
				}
				known := guard.AsError(err)
				if known.Kind != guard.Unavailable && known.Kind != guard.Invalid || known.Remedy == "" || strings.Contains(known.Error(), session) {
					t.Errorf("failed with %+v", known)
				}
			})
		}
	})
}
