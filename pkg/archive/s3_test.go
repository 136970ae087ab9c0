package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"keyreeve/pkg/archive"
	"keyreeve/pkg/ionos/ionostest"
)

const (
	keyID   = "AKIDEXAMPLE"
	private = "the-private-half"
	session = "the-session-part"
	region  = "eu-central-1"
	bucket  = "reports"
)

// emulator is S3 with one bucket. It takes only what is signed right: gofakes3 checks the signature, and the emulator what
// that leaves out, the session token and the sum of the body.
type emulator struct {
	// plan says what goes wrong; nil where nothing does.
	plan ionostest.Plan
	api  http.Handler

	mu    sync.Mutex
	calls []*http.Request
}

func newEmulator(t *testing.T, bucket string, options ...gofakes3.Option) *emulator {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	options = append(options, gofakes3.WithV4Auth(map[string]string{keyID: private}))
	return &emulator{api: gofakes3.New(backend, options...).Server()}
}

// seen returns the calls in the order they came in.
func (e *emulator) seen() []*http.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls
}

func (e *emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.calls = append(e.calls, r.Clone(context.WithoutCancel(r.Context())))
	e.mu.Unlock()
	var api http.Handler = http.HandlerFunc(e.take)
	if e.plan != nil {
		if fault := e.plan(r); fault != nil {
			api = fault(api)
		}
	}
	api.ServeHTTP(w, r)
}

func (e *emulator) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	sum := sha256.Sum256(body)
	switch {
	case err != nil:
		panic(http.ErrAbortHandler)
	case r.Header.Get("X-Amz-Security-Token") != session:
		refuse(http.StatusForbidden, "InvalidToken")(nil).ServeHTTP(w, r)
	case r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]):
		refuse(http.StatusBadRequest, "XAmzContentSHA256Mismatch")(nil).ServeHTTP(w, r)
	default:
		r.Body = io.NopCloser(bytes.NewReader(body))
		e.api.ServeHTTP(w, r)
	}
}

// refuse answers with an error document that, like some of S3, quotes much of the request.
func refuse(status int, code string) ionostest.Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, errorDocument(code, "AWS4-HMAC-SHA256 Credential="+keyID+", x-amz-security-token:"+session))
		})
	}
}

func errorDocument(code, quoted string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error><Code>" + code + "</Code><Message>You sent " + quoted +
		"</Message><StringToSign>" + quoted + "</StringToSign><RequestId>4442587FB7D0A2F9</RequestId></Error>"
}

// config leads to the bucket by the transport.
func config(endpoint string, transport http.RoundTripper) archive.S3Config {
	return archive.S3Config{
		Bucket: bucket, Region: region, Endpoint: endpoint, Transport: transport, Clock: time.Now,
		Credentials: credentials.NewStaticCredentialsProvider(keyID, private, session),
	}
}

// serve returns the archive in the bucket of an emulator.
func serve(t *testing.T, e http.Handler) *archive.S3 {
	t.Helper()
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	return archive.NewS3(config(server.URL, transport))
}

func TestS3(t *testing.T) {
	t.Parallel()
	for name, prefix := range map[string]string{"at the top": "", "below a prefix": "key reeve/sweeps", "below a prefix among slashes": "/sweeps/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testArchive(t, func(t *testing.T) Archive {
				t.Helper()
				server := httptest.NewServer(newEmulator(t, bucket))
				t.Cleanup(server.Close)
				transport := new(http.Transport)
				t.Cleanup(transport.CloseIdleConnections)
				cfg := config(server.URL+"/", transport)
				cfg.Prefix = prefix
				return archive.NewS3(cfg)
			})
		})
	}
}

func TestS3OfAWS(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		bucket, host string
		options      []gofakes3.Option
	}{
		"a bucket":                       {"reports", "reports.s3.eu-central-1.amazonaws.com", []gofakes3.Option{gofakes3.WithHostBucket(true)}},
		"a bucket with dots in its name": {"reports.example.com", "s3.eu-central-1.amazonaws.com", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testArchive(t, func(t *testing.T) Archive {
				t.Helper()
				e := newEmulator(t, test.bucket, test.options...)
				t.Cleanup(func() {
					for _, call := range e.seen() {
						if call.Host != test.host {
							t.Errorf("called %s, want %s", call.Host, test.host)
						}
					}
				})
				cfg := config("", aws443(t, e, test.host))
				cfg.Bucket = test.bucket
				return archive.NewS3(cfg)
			})
		})
	}
}

// aws443 serves the handler as https://host, and returns the transport that leads there, and nowhere else.
func aws443(t *testing.T, handler http.Handler, host string) *http.Transport {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != host+":443" {
			t.Errorf("dialled %s, want %s:443", address, host)
		}
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	transport.TLSClientConfig = server.TLS.Clone()
	transport.TLSClientConfig.ServerName = "example.com" // what the certificate of the server is for
	transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	return transport
}

// What one of the two clients puts, the other gets.
func TestS3AndTheClientOfAWS(t *testing.T) {
	t.Parallel()
	e := newEmulator(t, bucket)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	cfg := config(server.URL, server.Client().Transport)
	cfg.Prefix = "sweeps"
	a := archive.NewS3(cfg)
	client := s3.New(s3.Options{BaseEndpoint: aws.String(server.URL), Region: region, UsePathStyle: true, Credentials: cfg.Credentials})
	put(t, a, report, "<!doctype html>")
	got, err := client.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("sweeps/" + report), ChecksumMode: "ENABLED",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	content, err := io.ReadAll(got.Body)
	if err != nil || string(content) != "<!doctype html>" || *got.ContentType != html || aws.ToString(got.ChecksumSHA256) == "" {
		t.Errorf("got %q (%v) as %s with checksum %v", content, err, *got.ContentType, got.ChecksumSHA256)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("sweeps/a b+c"), Body: strings.NewReader("of the client"),
	}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, a, "a b+c", "of the client")
}

func TestS3OnTheWire(t *testing.T) {
	t.Parallel()
	e := newEmulator(t, bucket)
	a := serve(t, e)
	put(t, a, "a b+c/ä.html", "x")
	wantContent(t, a, "a b+c/ä.html", "x")
	if err := a.Remove(t.Context(), "a b+c/ä.html"); err != nil {
		t.Error(err)
	}
	type call struct{ Method, URI, ContentType, Expect string }
	var got []call
	for _, r := range e.seen() {
		got = append(got, call{r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("Expect")})
		if signature := r.Header.Get("Authorization"); !strings.Contains(signature, "/eu-central-1/s3/aws4_request") {
			t.Errorf("Authorization = %q, want a signature for S3 in eu-central-1", signature)
		}
	}
	const uri = "/reports/a%20b%2Bc/%C3%A4.html"
	want := []call{{"PUT", uri, html, "100-continue"}, {"GET", uri, "", ""}, {"DELETE", uri, "", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestS3Link(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ endpoint, bucket, prefix, want string }{
		"in the console": {
			"", "reports", "key reeve", "https://eu-central-1.console.aws.amazon.com/s3/object/reports?region=eu-central-1&prefix=key+reeve%2F2026-11-23%2Freport.html",
		},
		"below a prefix among slashes": {
			"", "reports", "/sweeps/", "https://eu-central-1.console.aws.amazon.com/s3/object/reports?region=eu-central-1&prefix=sweeps%2F2026-11-23%2Freport.html",
		},
		"at an emulator": {"http://127.0.0.1:9000/", "reports", "key reeve", "http://127.0.0.1:9000/reports/key%20reeve/2026-11-23/report.html"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(test.endpoint, nil)
			cfg.Bucket, cfg.Prefix = test.bucket, test.prefix
			if got := archive.NewS3(cfg).Link(report); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
