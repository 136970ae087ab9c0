package ionos_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/ionos/ionostest"
)

// attempts is how often a call is attempted that fails each time.
const attempts = 4

func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		status int
		want   guard.Kind
		calls  int
	}{
		{302, guard.Upstream, 1},
		{400, guard.Upstream, 1},
		{401, guard.Credentials, 1},
		{403, guard.Credentials, 1},
		{404, guard.NotFound, 1},
		{405, guard.Upstream, 1},
		{409, guard.Upstream, 1},
		{422, guard.Upstream, 1},
		{429, guard.Throttled, attempts},
		{500, guard.Upstream, attempts},
		{501, guard.Upstream, 1},
		{502, guard.Upstream, attempts},
		{503, guard.Upstream, attempts},
		{504, guard.Upstream, attempts},
	} {
		for name, call := range callsOfAKey() {
			t.Run(fmt.Sprintf("%d %s", tc.status, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := &ionostest.Server{Fault: ionostest.Always(ionostest.Status(tc.status, 0))}
					err := call(t.Context(), newPipedClient(t, api))
					wantKind(t, err, tc.want)
					if got := len(api.Calls()); got != tc.calls {
						t.Errorf("%d calls, want %d", got, tc.calls)
					}
					if err != nil && (guard.AsError(err).Message == "" || guard.AsError(err).Remedy == "") {
						t.Errorf("%v has no message or no remedy", err)
					}
				})
			})
		}
	}
}

// callsOfAKey returns the calls that name a user and, but for list, a key.
func callsOfAKey() map[string]func(context.Context, *ionos.Client) error {
	return map[string]func(context.Context, *ionos.Client) error{
		"list": func(ctx context.Context, c *ionos.Client) error {
			_, err := c.ListKeys(ctx, selfID)
			return err
		},
		"switch": func(ctx context.Context, c *ionos.Client) error { return c.SwitchKey(ctx, selfID, "00e1", false) },
		"delete": func(ctx context.Context, c *ionos.Client) error { return c.DeleteKey(ctx, selfID, "00e1") },
	}
}

func TestNotFoundWithoutAnIDIsAWrongAddress(t *testing.T) {
	client := newClient(t, http.NotFoundHandler())
	_, err := client.FindUser(t.Context(), "a@example.com")
	wantKind(t, err, guard.Upstream)
	_, err = client.Administers(t.Context(), guard.User{Email: "a@example.com"})
	wantKind(t, err, guard.Upstream)
}

func TestErrorNamesWhatHelpsTheSupport(t *testing.T) {
	for name, tc := range map[string]struct {
		code, requestID string
		want, wantNot   string
	}{
		"code":               {code: `"VDC-5-7"`, want: "error code VDC-5-7"},
		"code as a number":   {code: `315`, want: "error code 315"},
		"request id":         {code: `""`, requestID: "3f0c1d1e-0000-4000-8000-000000000001", want: "request id 3f0c1d1e-0000-4000-8000-000000000001"},
		"code too long":      {code: `"` + strings.Repeat("a", 33) + `"`, wantNot: "aaa"},
		"code with a blank":  {code: `"oh no"`, wantNot: "oh no"},
		"code is an object":  {code: `{"secretKey":"oh"}`, wantNot: "oh"},
		"id too long":        {code: `""`, requestID: strings.Repeat("a", 37), wantNot: "aaa"},
		"id with a strange+": {code: `""`, requestID: "abc+def", wantNot: "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-ID", tc.requestID)
				answering(http.StatusBadRequest, `{"httpStatus":400,"messages":[{"errorCode":`+tc.code+`,"message":"x"}]}`)(w, r)
			})).ListKeys(t.Context(), selfID)
			if !strings.Contains(err.Error(), "400") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%q does not contain 400 and %q", err, tc.want)
			}
			if tc.wantNot != "" && strings.Contains(err.Error(), tc.wantNot) {
				t.Errorf("%q contains %q", err, tc.wantNot)
			}
		})
	}
}

func TestErrorsHoldNothingConfidential(t *testing.T) {
	const canary = "cAnArY+s3cr3t/"
	token := tokenOf(`{"identity":{"uuid":"` + selfID + `"},"canary":"` + canary + `"}`)
	bodies := []string{
		`{"items":[{"id":"00e1","properties":{"secretKey":"` + canary + `"}}]}`,
		`{"items":[{"id":"00e1","properties":{"secretKey":["` + canary + `"],"active":true}}]}`,
		`{"httpStatus":422,"messages":[{"errorCode":"` + canary + `","message":"` + canary + `"}]}`,
		`{"id":"00e1","properties":{"secretKey":"` + canary + `","active":true}}`,
		`{"id":"` + canary,
		canary,
	}
	for _, status := range []int{200, 202, 301, 400, 401, 403, 404, 418, 422, 429, 500, 503, 599} {
		for _, body := range bodies {
			t.Run(fmt.Sprintf("%d %s", status, body), func(t *testing.T) {
				client := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					for _, header := range []string{"X-Request-ID", "Location", "Retry-After", "Www-Authenticate"} {
						w.Header().Set(header, canary+r.Header.Get("Authorization"))
					}
					answering(status, body)(w, r)
				}), func(cfg *ionos.Config) { cfg.Token = token })
				// Too short for a second attempt.
				ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
				defer cancel()
				for name, call := range callsOfAKey() {
					wantWithout(t, name, call(ctx, client), canary, token)
				}
				_, err := client.FindUser(ctx, selfID)
				wantWithout(t, "find", err, canary, token)
				_, err = client.Administers(ctx, guard.User{Email: "a@example.com"})
				wantWithout(t, "contract", err, canary, token)
			})
		}
	}
}

// wantWithout checks everything that can be got out of an error.
func wantWithout(t *testing.T, what string, err error, secrets ...string) {
	t.Helper()
	if err == nil {
		return
	}
	shown := guard.AsError(err)
	text := fmt.Sprintf("%v %+v %#v %q %q", err, err, err, shown.Message, shown.Remedy)
	for cause := shown.Err; cause != nil; {
		text += fmt.Sprintf("%v %#v", cause, cause)
		wrapper, ok := cause.(interface{ Unwrap() error })
		if !ok {
			break
		}
		cause = wrapper.Unwrap()
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s: the error shows a secret: %s", what, text)
		}
	}
}

func TestTransportErrorsDoNotQuoteTheAnswer(t *testing.T) {
	const canary = "cAnArY"
	for name, answer := range map[string]string{
		"no HTTP":       canary + "\r\n\r\n",
		"strange code":  "HTTP/1.1 " + canary + " OK\r\n\r\n",
		"strange field": "HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n",
		"strange chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + canary + "\r\n",
		"strange place": "HTTP/1.1 301 Moved\r\nLocation: http://[" + canary + "\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Read(make([]byte, 4096))
					_, _ = io.WriteString(conn, answer)
					_ = conn.Close()
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			defer cancel()
			_, err = clientAt(t, "http://"+listener.Addr().String()).ListKeys(ctx, selfID)
			wantKind(t, err, guard.Upstream)
			wantWithout(t, name, err, canary)
		})
	}
}

// failing fails every request without sending it.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestTransportErrorsSayWhy(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"refused":                {refused, "connection refused"},
		"untrusted certificate":  {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "unknown authority"},
		"closed before a word":   {io.EOF, "unexpected EOF"},
		"timeout":                {fmt.Errorf("oh: %w", os.ErrDeadlineExceeded), "no answer in time"},
		"something else, hidden": {errors.New("cAnArY"), "*errors.errorString"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := clientAt(t, "https://api.invalid", func(cfg *ionos.Config) { cfg.Transport = failing{tc.err} })
				_, err := client.ListKeys(t.Context(), selfID)
				wantKind(t, err, guard.Upstream)
				wantWithout(t, name, err, "cAnArY", "api.invalid")
				if !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%q does not say %q", err, tc.want)
				}
			})
		})
	}
}
