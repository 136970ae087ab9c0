package archive_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyreeve/pkg/archive"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// piped returns the archive in the bucket of an emulator, for a bubble of testing/synctest: its waits take no time there.
func piped(t *testing.T, e http.Handler) *archive.S3 {
	t.Helper()
	transport, end := ionostest.Piped(e)
	t.Cleanup(end)
	return archive.NewS3(config("http://s3.test", transport))
}

// hang takes the body and answers nothing until the caller gives up. A server notices that only once it has the body.
func hang() ionostest.Fault {
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			ionostest.Hang()(api).ServeHTTP(w, r)
		})
	}
}

// calls are those that an archive makes, by the name that S3 has for them.
func calls() map[string]func(ctx context.Context, a Archive) error {
	return map[string]func(ctx context.Context, a Archive) error{
		"PutObject": func(ctx context.Context, a Archive) error {
			return a.Put(ctx, report, html, strings.NewReader("quite confidential"))
		},
		"GetObject": func(ctx context.Context, a Archive) error {
			_, err := read(ctx, a, report)
			return err
		},
		"DeleteObject": func(ctx context.Context, a Archive) error { return a.Remove(ctx, report) },
	}
}

func TestS3CallsThatFail(t *testing.T) {
	t.Parallel()
	const elsewhere = "http://elsewhere.test/"
	for operation, call := range calls() {
		for name, test := range map[string]struct {
			plan      ionostest.Plan
			wantCalls int
			want      string // the message and the cause of the error; empty: none
		}{
			"fails once":          {ionostest.First(1, ionostest.Always(refuse(http.StatusServiceUnavailable, "SlowDown"))), 2, ""},
			"is throttled twice":  {ionostest.First(2, ionostest.Always(ionostest.Status(http.StatusTooManyRequests, 0))), 3, ""},
			"breaks off once":     {ionostest.First(1, ionostest.Always(ionostest.Reset())), 2, ""},
			"is silent once":      {ionostest.First(1, ionostest.Always(hang())), 2, ""},
			"fails for good":      {ionostest.Always(refuse(http.StatusInternalServerError, "InternalError")), 3, "cannot be used. (CALL: InternalError (status 500))"},
			"breaks off for good": {ionostest.Always(ionostest.Reset()), 3, "EOF"},
			"is silent for good":  {ionostest.Always(hang()), 3, "nothing came for 30s"},
			"is denied":           {ionostest.Always(refuse(http.StatusForbidden, "AccessDenied")), 1, "cannot be used. (CALL: AccessDenied (status 403))"},
			"names a strange error": {
				ionostest.Always(refuse(http.StatusBadRequest, "you sent "+session)), 1, "cannot be used. (CALL: an unknown error code (status 400))",
			},
			"knows no such bucket": {ionostest.Always(refuse(http.StatusNotFound, "NoSuchBucket")), 1, "cannot be used. (CALL: NoSuchBucket (status 404))"},
			"is a page":            {ionostest.Always(ionostest.Malformed()), 1, "cannot be used. (CALL: the answer is none of S3 (status 200))"},
			"is accepted":          {ionostest.Always(ionostest.Status(http.StatusAccepted, 0)), 1, "the answer is none of S3 (status 202)"},
			"is in another region": {ionostest.Always(refuse(http.StatusMovedPermanently, "PermanentRedirect")), 1, "not in the region of the function. (CALL: PermanentRedirect (status 301))"},
			"is for another region": {
				ionostest.Always(refuse(http.StatusBadRequest, "AuthorizationHeaderMalformed")), 1, "not in the region of the function. (CALL: Auth",
			},
			"leads elsewhere": {ionostest.Always(func(http.Handler) http.Handler {
				return http.RedirectHandler(elsewhere, http.StatusTemporaryRedirect)
			}), 1, "not in the region of the function. (CALL: an unknown error code (status 307))"},
		} {
			t.Run(operation+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					e := newEmulator(t, bucket)
					// The connection of another archive: a transport by itself repeats what fails on one used before.
					put(t, piped(t, e), report, "x")
					before := len(e.seen())
					e.plan = test.plan
					wantFailure(t, call(t.Context(), piped(t, e)), strings.ReplaceAll(test.want, "CALL", operation))
					if got := len(e.seen()) - before; got != test.wantCalls {
						t.Errorf("%d calls, want %d", got, test.wantCalls)
					}
				})
			})
		}
	}
}

// wantFailure wants an error of kind unavailable that is fit for the log: what is wanted of it, and nothing of the request.
// Empty, it wants none.
func wantFailure(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	wantKind(t, "the call", err, guard.Unavailable)
	if err == nil {
		return
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
	known := guard.AsError(err)
	if !strings.Contains(known.Remedy, "KEYREEVE_SWEEP_REPORTS") {
		t.Errorf("the remedy is %q", known.Remedy)
	}
	for _, confidential := range []string{keyID, private, session, "Signature", "AWS4-HMAC", "quite confidential"} {
		if strings.Contains(err.Error()+known.Message+known.Remedy, confidential) {
			t.Errorf("the error has %q in it: %v", confidential, err)
		}
	}
}

func TestS3WaitsNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ deadline, want time.Duration }{
		"a deadline before the first answer": {10 * time.Second, 10 * time.Second},
		"a deadline before the second":       {45 * time.Second, 45 * time.Second},
		"no near deadline":                   {time.Hour, 3*30*time.Second + 1500*time.Millisecond},
	} {
		for operation, call := range calls() {
			t.Run(operation+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					e := newEmulator(t, bucket)
					e.plan = ionostest.Always(hang())
					ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
					defer cancel()
					start := time.Now()
					err := call(ctx, piped(t, e))
					wantKind(t, operation, err, guard.Unavailable)
					if waited := time.Since(start); waited != test.want {
						t.Errorf("waited %s for %v, want %s", waited, err, test.want)
					}
				})
			})
		}
	}
}

func TestS3AnswerThatBreaksOff(t *testing.T) {
	t.Parallel()
	e := newEmulator(t, bucket)
	a := serve(t, e)
	content := strings.Repeat("x", 100_000)
	put(t, a, report, content)
	e.plan = ionostest.Always(ionostest.Truncate())
	got, err := read(t.Context(), a, report)
	wantKind(t, "reading", err, guard.Unavailable)
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != len(content)/2 {
		t.Errorf("got %d bytes of %d and %v", len(got), len(content), err)
	}
}

// Without a length nobody could tell a part of an answer from the whole.
func TestS3AnswerWithoutALength(t *testing.T) {
	t.Parallel()
	e := newEmulator(t, bucket)
	a := serve(t, e)
	put(t, a, report, "x")
	e.plan = ionostest.Always(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"0123"`)
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		})
	})
	_, err := a.Get(t.Context(), report)
	wantFailure(t, err, "the answer is none of S3 (status 200)")
}

func TestS3AnswerThatTakesTime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server, reader time.Duration // between two bytes
		want           string
	}{
		"S3 is slow":         {29 * time.Second, 0, ""},
		"S3 falls silent":    {31 * time.Second, 0, "GetObject: nothing came for 30s"},
		"the reader is slow": {0, time.Hour, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEmulator(t, bucket)
				a := piped(t, e)
				put(t, a, report, "some report")
				e.plan = ionostest.Always(ionostest.Trickle(test.server))
				answer, err := a.Get(t.Context(), report)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = answer.Close() }()
				var got []byte
				for err == nil {
					time.Sleep(test.reader)
					one := make([]byte, 1)
					var n int
					n, err = answer.Read(one)
					got = append(got, one[:n]...)
				}
				if test.want != "" {
					wantFailure(t, err, test.want)
				} else if string(got) != "some report" || !errors.Is(err, io.EOF) {
					t.Errorf("got %q and %v", got, err)
				}
			})
		})
	}
}

// changing is a content that is another one at each reading.
type changing struct {
	io.ReadSeeker
	readings []string
}

func (c *changing) Seek(int64, int) (int64, error) {
	c.ReadSeeker, c.readings = strings.NewReader(c.readings[0]), c.readings[1:]
	return 0, nil
}

func TestS3TakesNoContentThatChanges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		readings []string
		want     string
	}{
		"shorter":   {[]string{"12345", "1234", "1234", "1234"}, "ContentLength=5"},
		"empty":     {[]string{"12345", "", "", ""}, "ContentLength=5"},
		"different": {[]string{"12345", "54321"}, "an unknown error code (status 400)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := piped(t, newEmulator(t, bucket))
				put(t, a, report, "old")
				wantFailure(t, a.Put(t.Context(), report, html, &changing{readings: test.readings}), test.want)
				wantContent(t, a, report, "old")
			})
		})
	}
}

// counted is a content that counts how many bytes of it were read.
type counted struct {
	io.ReadSeeker
	read int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadSeeker.Read(p)
	c.read += n
	return n, err
}

// S3 says no before it has the content, and closes the connection on who sends it all the same.
func TestS3RefusesBeforeTheContent(t *testing.T) {
	t.Parallel()
	e := newEmulator(t, bucket)
	e.plan = ionostest.Always(refuse(http.StatusForbidden, "AccessDenied"))
	const size = 20 << 20
	content := &counted{ReadSeeker: strings.NewReader(strings.Repeat("x", size))}
	wantFailure(t, serve(t, e).Put(t.Context(), report, html, content), "AccessDenied (status 403)")
	if content.read != size {
		t.Errorf("%d bytes were read, want %d: once for the sum of them, and none to send", content.read, size)
	}
}

// eager is a network that answers before it has read the content, and reads that when it is told to.
type eager struct {
	read chan struct{}
	got  chan string
}

func (n eager) RoundTrip(r *http.Request) (*http.Response, error) {
	go func() {
		<-n.read
		content, err := io.ReadAll(r.Body)
		n.got <- fmt.Sprintf("%s %v", content, err)
	}()
	answer := httptest.NewRecorder()
	answer.WriteHeader(http.StatusForbidden)
	return answer.Result(), nil
}

func TestS3LeavesTheContentAloneAfterwards(t *testing.T) {
	t.Parallel()
	n := eager{make(chan struct{}), make(chan string)}
	a := archive.NewS3(config("http://s3.test", n))
	wantFailure(t, a.Put(t.Context(), report, html, strings.NewReader("quite confidential")), "status 403")
	close(n.read)
	if got := <-n.got; got != " "+io.ErrClosedPipe.Error() {
		t.Errorf("after Put %q was read of the content", got)
	}
}

// 20 MB pass through, and no part of the program holds more than a small piece of them.
func TestContentsAreNotHeld(t *testing.T) {
	const size, limit = 20 << 20, 4 << 20
	path := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(path, []byte(strings.Repeat("a line of a report\n", size/19)), 0o600); err != nil {
		t.Fatal(err)
	}
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"0123"`)
		if r.Method == http.MethodGet {
			http.ServeFile(w, r, path)
			return
		}
		sum := sha256.New()
		_, err := io.Copy(sum, r.Body)
		if got := hex.EncodeToString(sum.Sum(nil)); err != nil || got != r.Header.Get("X-Amz-Content-Sha256") {
			t.Errorf("the body has the sum %s (%v), want %s", got, err, r.Header.Get("X-Amz-Content-Sha256"))
		}
	})
	for name, a := range map[string]Archive{"S3": serve(t, server), "folder": archive.NewFolder(t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			content, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = content.Close() }()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := a.Put(t.Context(), report, html, content); err != nil {
				t.Fatal(err)
			}
			got, err := a.Get(t.Context(), report)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, got)
			if err := errors.Join(err, got.Close()); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if n < size-19 {
				t.Errorf("got %d bytes", n)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > limit {
				t.Errorf("%d bytes of memory were used, want no more than %d", used, limit)
			}
		})
	}
}
