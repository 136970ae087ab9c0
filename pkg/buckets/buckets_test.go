package buckets_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/buckets"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// patience is longer than any answer here takes that comes at all.
const patience = 30 * time.Second

// storage is Object Storage with one user, alice, and what is known of her keys.
type storage struct {
	ionostest.Server
	alice ionostest.User
	// address is that of an Object Storage handler.
	address string
	log     bytes.Buffer
}

func newStorage(t *testing.T) *storage {
	t.Helper()
	s := new(storage)
	s.alice = s.AddUser(ionostest.User{})
	server := httptest.NewServer(s.S3())
	t.Cleanup(server.Close)
	s.address = server.URL
	return s
}

// credentials are alice's keys, as the Cloud API would give them.
func (s *storage) credentials(_ context.Context, userID string) ([]guard.Credential, error) {
	var credentials []guard.Credential
	for _, k := range s.Keys(userID) {
		credentials = append(credentials, guard.Credential{
			Key: guard.Key{ID: k.ID, Active: k.Active, Created: k.Created}, Secret: guard.NewSecret(k.Secret),
		})
	}
	return credentials, nil
}

// config goes by one address for all regions. No secret may get in the log.
func (s *storage) config(t *testing.T) buckets.Config {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		for _, k := range s.Keys(s.alice.ID) {
			if strings.Contains(s.log.String(), k.Secret) {
				t.Errorf("a secret key is in the log: %s", &s.log)
			}
		}
	})
	return buckets.Config{
		Credentials: s.credentials,
		Endpoint:    s.address,
		Transport:   transport,
		Clock:       time.Now,
		Timeout:     patience,
		Logger:      slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func (s *storage) wantOwned(t *testing.T, cfg buckets.Config, want guard.Ownership, wantLog string) {
	t.Helper()
	if got := buckets.New(cfg).Owned(t.Context(), s.alice.ID); got != want {
		t.Errorf("Owned = %s, want %s; log: %s", got, want, &s.log)
	}
	if wantLog == "" && s.log.Len() > 0 || !strings.Contains(s.log.String(), wantLog) {
		t.Errorf("log is %q, want %q in it", &s.log, wantLog)
	}
}

func TestOwned(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(s *storage)
		want    guard.Ownership
		wantLog string
	}{
		{"no buckets anywhere", func(*storage) {}, guard.OwnsNone, ""},
		{"a bucket in Frankfurt", func(s *storage) { s.SetBuckets(s.alice.ID, ionostest.Frankfurt, "b") }, guard.OwnsSome, ""},
		{"a bucket in Berlin", func(s *storage) { s.SetBuckets(s.alice.ID, ionostest.Berlin, "b") }, guard.OwnsSome, ""},
		{"buckets in Logroño", func(s *storage) { s.SetBuckets(s.alice.ID, ionostest.Logrono, "b", "c") }, guard.OwnsSome, ""},
		{"somebody else's bucket", func(s *storage) {
			s.SetBuckets(s.AddUser(ionostest.User{}).ID, ionostest.Berlin, "b")
		}, guard.OwnsNone, ""},
		{"one region fails", func(s *storage) {
			s.S3Fault = ionostest.InRegion(ionostest.Berlin, ionostest.Status(http.StatusInternalServerError, 0))
		}, guard.OwnsUnknown, "region eu-central-2"},
		{"one region breaks off", func(s *storage) {
			s.S3Fault = ionostest.InRegion(ionostest.Logrono, ionostest.Truncate())
		}, guard.OwnsUnknown, "region eu-south-2"},
		{"two regions fail and the third shows a bucket", func(s *storage) {
			s.SetBuckets(s.alice.ID, ionostest.Frankfurt, "b")
			frankfurt := ionostest.InRegion(ionostest.Frankfurt, ionostest.Reset())
			s.S3Fault = func(r *http.Request) ionostest.Fault {
				if frankfurt(r) != nil {
					return nil
				}
				return ionostest.Reset()
			}
		}, guard.OwnsSome, ""},
		{"one region fails once", func(s *storage) {
			s.S3Fault = ionostest.First(1, ionostest.InRegion(ionostest.Berlin, ionostest.Status(http.StatusServiceUnavailable, 0)))
		}, guard.OwnsNone, ""},
		{"the key was switched off meanwhile", func(s *storage) {
			s.S3Fault = ionostest.Always(ionostest.Meanwhile(func() { s.SwitchKey(s.alice.ID, s.Keys(s.alice.ID)[0].ID, false) }))
		}, guard.OwnsUnknown, "AccessDenied (status 403)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t)
			s.AddKey(s.alice.ID, ionostest.Key{Active: true})
			test.prepare(s)
			s.wantOwned(t, s.config(t), test.want, test.wantLog)
		})
	}
}

func TestOwnedAsksWithTheNewestActiveKey(t *testing.T) {
	t.Parallel()
	year := func(y int) time.Time { return time.Date(y, time.May, 1, 0, 0, 0, 0, time.UTC) }
	for _, test := range []struct {
		name    string
		keys    []ionostest.Key
		want    guard.Ownership
		wantLog string
	}{
		{"no key", nil, guard.OwnsUnknown, "no active access key"},
		{"inactive keys only", []ionostest.Key{{Created: year(2023)}, {Created: year(2024)}}, guard.OwnsUnknown, "no active access key"},
		{"the newest is inactive", []ionostest.Key{{Created: year(2025), Active: true}, {Created: year(2026)}}, guard.OwnsSome, ""},
		{"an old key", []ionostest.Key{{Created: year(2022), Active: true}}, guard.OwnsSome, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t)
			s.SetBuckets(s.alice.ID, ionostest.Frankfurt, "b")
			for _, k := range test.keys {
				s.AddKey(s.alice.ID, k)
			}
			s.wantOwned(t, s.config(t), test.want, test.wantLog)
		})
	}

	t.Run("of two active ones", func(t *testing.T) {
		t.Parallel()
		s := newStorage(t)
		older := s.AddKey(s.alice.ID, ionostest.Key{Created: year(2025), Active: true})
		newer := s.AddKey(s.alice.ID, ionostest.Key{Created: year(2026), Active: true})
		s.S3Fault = ionostest.Always(func(api http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if signature := r.Header.Get("Authorization"); strings.Contains(signature, older.ID) || !strings.Contains(signature, newer.ID) {
					t.Errorf("signed by %q, want by %s", signature, newer.ID)
				}
				api.ServeHTTP(w, r)
			})
		})
		s.wantOwned(t, s.config(t), guard.OwnsNone, "")
	})
}

func TestOwnedWithoutGoodCredentials(t *testing.T) {
	t.Parallel()
	key := guard.Key{ID: "00e1", Active: true}
	for _, test := range []struct {
		name        string
		credentials []guard.Credential
		err         error
		wantLog     string
	}{
		{"the keys cannot be read", nil, errors.New("the API is down"), "the API is down"},
		{"there is no secret", []guard.Credential{{Key: key}}, nil, "without its secret"},
		{"the key is unknown", []guard.Credential{{Key: key, Secret: guard.NewSecret("wrong")}}, nil, "InvalidAccessKeyId (status 403)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t)
			cfg := s.config(t)
			cfg.Credentials = func(context.Context, string) ([]guard.Credential, error) { return test.credentials, test.err }
			s.wantOwned(t, cfg, guard.OwnsUnknown, test.wantLog)
		})
	}
}

const (
	listHead = xml.Header + `<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`
	owner    = `<Owner><ID>1</ID><DisplayName>alice</DisplayName></Owner>`
	noneList = listHead + owner + `<Buckets></Buckets></ListAllMyBucketsResult>`
	oneList  = listHead + owner + `<Buckets><Bucket><Name>b</Name></Bucket></Buckets></ListAllMyBucketsResult>`
)

// Only a complete list without buckets is a list without buckets.
func TestOwnedBelievesListsOnly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		status  int
		body    string
		want    guard.Ownership
		wantLog string
	}{
		{"an empty list", http.StatusOK, noneList, guard.OwnsNone, ""},
		{"an empty list in no namespace", http.StatusOK, `<ListAllMyBucketsResult><Owner/><Buckets/></ListAllMyBucketsResult>`, guard.OwnsNone, ""},
		{"an empty list in another namespace", http.StatusOK, strings.Replace(noneList, "2006-03-01", "2015-06-30", 1), guard.OwnsNone, ""},
		{"an empty list with more in it than is known here", http.StatusOK, strings.Replace(noneList, "<Buckets>", "<Prefix/><Quota>5</Quota><Buckets>", 1), guard.OwnsNone, ""},
		{"an empty list among white space and comments", http.StatusOK, " <!-- a -->" + strings.TrimPrefix(noneList, xml.Header) + "<!-- b -->\n", guard.OwnsNone, ""},
		{"a list", http.StatusOK, oneList, guard.OwnsSome, ""},
		{"a list in no namespace", http.StatusOK, `<ListAllMyBucketsResult><Buckets><Bucket/></Buckets></ListAllMyBucketsResult>`, guard.OwnsSome, ""},
		{
			"a list with a prefix for its namespace", http.StatusOK,
			`<s:ListAllMyBucketsResult xmlns:s="urn:s3"><s:Owner/><s:Buckets><s:Bucket/></s:Buckets></s:ListAllMyBucketsResult>`, guard.OwnsSome, "",
		},
		{"nothing", http.StatusOK, "", guard.OwnsUnknown, "no complete list"},
		{"no content", http.StatusNoContent, "", guard.OwnsUnknown, "status 204"},
		{"plain text", http.StatusOK, "It works!", guard.OwnsUnknown, "no complete list"},
		{"JSON", http.StatusOK, `{"buckets":[]}`, guard.OwnsUnknown, "no complete list"},
		{"a page in HTML", http.StatusOK, "<!DOCTYPE html><html><head><meta charset=utf-8></head><body>Log in<br></body></html>", guard.OwnsUnknown, "region de"},
		{"a page in XHTML", http.StatusOK, "<html><body>Log in</body></html>", guard.OwnsUnknown, "no complete list"},
		{"another list", http.StatusOK, "<ListBucketResult><Name>b</Name></ListBucketResult>", guard.OwnsUnknown, "no complete list"},
		{"a list in another document", http.StatusOK, "<html>" + strings.TrimPrefix(noneList, xml.Header) + "</html>", guard.OwnsUnknown, "no complete list"},
		{"buckets in another document", http.StatusOK, "<Other><Owner/><Buckets><Bucket/></Buckets></Other>", guard.OwnsUnknown, "no complete list"},
		{"a list by almost its name", http.StatusOK, strings.ReplaceAll(noneList, "ListAllMyBuckets", "ListBuckets"), guard.OwnsUnknown, "no complete list"},
		{"a list in small letters", http.StatusOK, strings.ToLower(noneList), guard.OwnsUnknown, "no complete list"},
		{"a list behind text", http.StatusOK, "Warning: " + noneList, guard.OwnsUnknown, "text outside"},
		{"a list before text", http.StatusOK, noneList + "Warning", guard.OwnsUnknown, "more behind"},
		{"a list before another", http.StatusOK, noneList + strings.TrimPrefix(oneList, xml.Header), guard.OwnsUnknown, "more behind"},
		{"a list that is not closed right", http.StatusOK, strings.Replace(noneList, "</Buckets>", "</Bucket>", 1), guard.OwnsUnknown, "no complete list"},
		{"a list without an owner", http.StatusOK, listHead + `<Buckets/></ListAllMyBucketsResult>`, guard.OwnsUnknown, "no complete list"},
		{"a list that goes on", http.StatusOK, strings.Replace(noneList, "<Buckets>", "<ContinuationToken>x</ContinuationToken><Buckets>", 1), guard.OwnsUnknown, "no complete list"},
		{"a list cut off in the head", http.StatusOK, listHead, guard.OwnsUnknown, "unexpected EOF"},
		{"a list cut off behind the owner", http.StatusOK, listHead + owner, guard.OwnsUnknown, "unexpected EOF"},
		{"a list cut off in the buckets", http.StatusOK, listHead + owner + "<Buckets>", guard.OwnsUnknown, "unexpected EOF"},
		{"a list cut off at the end", http.StatusOK, listHead + owner + "<Buckets></Buckets>", guard.OwnsUnknown, "unexpected EOF"},
		{"a list longer than any", http.StatusOK, listHead + owner + "<Buckets>" + strings.Repeat(" ", 2<<20) + "</Buckets></ListAllMyBucketsResult>", guard.OwnsUnknown, "too large"},
		{"an error called success", http.StatusOK, "<Error><Code>InternalError</Code></Error>", guard.OwnsUnknown, "InternalError"},
		{"an empty list called an error", http.StatusForbidden, noneList, guard.OwnsUnknown, "status 403"},
		{"an error without a body", http.StatusBadGateway, "", guard.OwnsUnknown, "status 502"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t)
			s.AddKey(s.alice.ID, ionostest.Key{Active: true})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body) // the client hangs up on the long one
			}))
			t.Cleanup(server.Close)
			cfg := s.config(t)
			cfg.Endpoint = server.URL
			s.wantOwned(t, cfg, test.want, test.wantLog)
		})
	}
}

func TestOwnedFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	s := newStorage(t)
	s.AddKey(s.alice.ID, ionostest.Key{Active: true})
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was called", r.Method, r.URL)
		_, _ = io.WriteString(w, noneList)
	}))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	cfg := s.config(t)
	cfg.Endpoint = server.URL
	s.wantOwned(t, cfg, guard.OwnsUnknown, "307")
}

// recorder sends every request to one address, whomever it is for, and keeps what it was for.
type recorder struct {
	http.Transport
	to string

	mu   sync.Mutex
	sent []string
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	_, scope, _ := strings.Cut(request.Header.Get("Authorization"), "/")
	r.mu.Lock()
	r.sent = append(r.sent, fmt.Sprintf("%s %s for %s", request.Method, request.URL, strings.Split(scope, "/")[1]))
	r.mu.Unlock()
	to, err := url.Parse(r.to)
	if err != nil {
		return nil, err
	}
	redirected := request.Clone(request.Context())
	redirected.Host, redirected.URL.Host, redirected.URL.Scheme = request.URL.Host, to.Host, to.Scheme
	return r.Transport.RoundTrip(redirected)
}

func TestOwnedAsksTheUserOwnedRegions(t *testing.T) {
	t.Parallel()
	s := newStorage(t)
	s.AddKey(s.alice.ID, ionostest.Key{Active: true})
	r := &recorder{to: s.address}
	t.Cleanup(r.CloseIdleConnections)
	cfg := s.config(t)
	cfg.Endpoint, cfg.Transport = "", r
	s.wantOwned(t, cfg, guard.OwnsNone, "")
	slices.Sort(r.sent)
	want := []string{
		"GET https://s3.eu-central-1.ionoscloud.com/ for de",
		"GET https://s3.eu-central-2.ionoscloud.com/ for eu-central-2",
		"GET https://s3.eu-south-2.ionoscloud.com/ for eu-south-2",
	}
	if diff := cmp.Diff(want, r.sent); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// answering answers every request by itself, without a network.
type answering func(r *http.Request) *http.Response

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

// list is an answer that its sender calls a list.
func list(body string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/xml"}},
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}

// The signatures were computed by other code, from what Signature Version 4 says.
func TestOwnedSignsItsRequests(t *testing.T) {
	t.Parallel()
	const rest = ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="
	want := map[string]string{
		"s3.eu-central-1.ionoscloud.com": "AWS4-HMAC-SHA256 Credential=00e1/20261122/de/s3/aws4_request" + rest + "90eea5642b787daa1b04b01431874ed2f6402a4e6379f131582ca952a528c891",
		"s3.eu-central-2.ionoscloud.com": "AWS4-HMAC-SHA256 Credential=00e1/20261122/eu-central-2/s3/aws4_request" + rest + "1651f2e45ef6949be09e152ee8479cf0bf85ee67d8c320bbc8d067ebf7c19219",
		"s3.eu-south-2.ionoscloud.com":   "AWS4-HMAC-SHA256 Credential=00e1/20261122/eu-south-2/s3/aws4_request" + rest + "d4c68a19075894c3ff2cfc54a91cc68ef1dbee3490be41483a505982072de850",
	}
	var mu sync.Mutex
	got := map[string]string{}
	asker := buckets.New(buckets.Config{
		Credentials: func(context.Context, string) ([]guard.Credential, error) {
			return []guard.Credential{{Key: guard.Key{ID: "00e1", Active: true}, Secret: guard.NewSecret("the secret")}}, nil
		},
		Transport: answering(func(r *http.Request) *http.Response {
			mu.Lock()
			defer mu.Unlock()
			got[r.URL.Host] = r.Header.Get("Authorization")
			return list(noneList)
		}),
		Clock:  func() time.Time { return time.Date(2026, time.November, 22, 11, 0, 0, 0, time.FixedZone("CET", 3600)) },
		Logger: slog.New(slog.DiscardHandler),
	})
	if owned := asker.Owned(t.Context(), "alice"); owned != guard.OwnsNone {
		t.Errorf("Owned = %s, want none", owned)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("signatures by host (-want +got):\n%s", diff)
	}
}

// What may pass is tried once more, and a refusal is not.
func TestOwnedAsksARegionAgain(t *testing.T) {
	t.Parallel()
	const regions = 3
	for _, test := range []struct {
		name  string
		fault ionostest.Fault
		times int
		want  guard.Ownership
		calls int
	}{
		{"that hangs up", ionostest.Reset(), 1, guard.OwnsNone, regions + 1},
		{"that breaks off", ionostest.Truncate(), 1, guard.OwnsNone, regions + 1},
		{"that fails", ionostest.Status(http.StatusInternalServerError, 0), 1, guard.OwnsNone, regions + 1},
		{"that is unavailable", ionostest.Status(http.StatusServiceUnavailable, 0), 1, guard.OwnsNone, regions + 1},
		{"that has too much to do", ionostest.Status(http.StatusTooManyRequests, 0), 1, guard.OwnsNone, regions + 1},
		{"but no third time", ionostest.Status(http.StatusServiceUnavailable, 0), 2, guard.OwnsUnknown, regions + 1},
		{"but not one that refuses", ionostest.Status(http.StatusForbidden, 0), 1, guard.OwnsUnknown, regions},
		{"but not one that answers something else", ionostest.Malformed(), 1, guard.OwnsUnknown, regions},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t)
			s.AddKey(s.alice.ID, ionostest.Key{Active: true})
			s.S3Fault = ionostest.First(test.times, ionostest.InRegion(ionostest.Berlin, test.fault))
			if got := buckets.New(s.config(t)).Owned(t.Context(), s.alice.ID); got != test.want {
				t.Errorf("Owned = %s, want %s; log: %s", got, test.want, &s.log)
			}
			if got := len(s.S3Calls()); got != test.calls {
				t.Errorf("%d calls, want %d", got, test.calls)
			}
		})
	}
}

// An emulator may live below a path, which is signed too.
func TestOwnedAsksBelowAPath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/storage", "/storage/", "/st%C3%B6rage"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t)
			s.AddKey(s.alice.ID, ionostest.Key{Active: true})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if want := strings.TrimSuffix(path, "/") + "/"; r.RequestURI != want {
					t.Errorf("asked for %s, want %s", r.RequestURI, want)
				}
				r.URL.Path = "/"
				s.S3().ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			cfg := s.config(t)
			cfg.Endpoint = server.URL + path
			s.wantOwned(t, cfg, guard.OwnsNone, "")
		})
	}
}

// No region is answered before all have been asked.
func TestOwnedAsksAllRegionsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStorage(t)
	s.AddKey(s.alice.ID, ionostest.Key{Active: true})
	var arrived sync.WaitGroup
	arrived.Add(3)
	s.S3Fault = ionostest.Always(ionostest.Meanwhile(func() {
		arrived.Done()
		arrived.Wait()
	}))
	s.wantOwned(t, s.config(t), guard.OwnsNone, "")
}

func TestOwnedDoesNotWaitWhereOneBucketIsSeen(t *testing.T) {
	t.Parallel()
	s := newStorage(t)
	s.AddKey(s.alice.ID, ionostest.Key{Active: true})
	s.SetBuckets(s.alice.ID, ionostest.Berlin, "b")
	berlin := ionostest.InRegion(ionostest.Berlin, ionostest.Hang())
	s.S3Fault = func(r *http.Request) ionostest.Fault {
		if berlin(r) != nil {
			return nil
		}
		return ionostest.Hang()
	}
	start := time.Now()
	s.wantOwned(t, s.config(t), guard.OwnsSome, "")
	if waited := time.Since(start); waited >= patience {
		t.Errorf("waited %s for regions that do not answer", waited)
	}
}

func TestOwnedGivesUp(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]ionostest.Fault{
		"when nothing is answered":    ionostest.Hang(),
		"when the answer trickles in": ionostest.Trickle(time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorage(t)
			s.AddKey(s.alice.ID, ionostest.Key{Active: true})
			s.S3Fault = ionostest.InRegion(ionostest.Frankfurt, fault)
			cfg := s.config(t)
			cfg.Timeout = 200 * time.Millisecond
			s.wantOwned(t, cfg, guard.OwnsUnknown, "deadline exceeded")
		})
	}
}

// silent is a network on which nobody answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestOwnedGivesUpAfterTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asker := buckets.New(buckets.Config{
			Credentials: func(context.Context, string) ([]guard.Credential, error) {
				time.Sleep(time.Second) // reading the keys counts too
				return []guard.Credential{{Key: guard.Key{ID: "00e1", Active: true}, Secret: guard.NewSecret("s")}}, nil
			},
			Transport: silent{},
			Clock:     time.Now,
			Logger:    slog.New(slog.DiscardHandler),
		})
		start := time.Now()
		if got := asker.Owned(t.Context(), "alice"); got != guard.OwnsUnknown {
			t.Errorf("Owned = %s, want unknown", got)
		}
		if waited := time.Since(start); waited != 2*time.Second {
			t.Errorf("waited %s, want 2s", waited)
		}
	})
}
