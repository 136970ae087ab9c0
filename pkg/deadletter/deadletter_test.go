package deadletter_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"keyreeve/pkg/deadletter"
	"keyreeve/pkg/deadletter/deadlettertest"
	"keyreeve/pkg/guard"
)

const (
	keyID   = "AKIDEXAMPLE"
	private = "the-private-half"
	session = "the-session-part"
	// queueURL is no address that anybody answers at: the calls go to the endpoint.
	queueURL = "https://queue.test/123456789012/DeleteDeadLetters"
)

// serve returns a client of the queue.
func serve(t *testing.T, q http.Handler) *deadletter.Queue {
	t.Helper()
	server := httptest.NewServer(q)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(server.Close)
	return newQueue(server.URL, transport)
}

func newQueue(endpoint string, transport http.RoundTripper) *deadletter.Queue {
	return deadletter.New(deadletter.Config{
		URL: queueURL, Region: "eu-central-1", Endpoint: endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(keyID, private, session), Transport: transport,
	})
}

// down is a reason with something in it that is for the log alone.
func down() *guard.Error {
	return &guard.Error{Kind: guard.Upstream, Message: "IONOS is down.", Remedy: "Try later.", Err: errors.New("quite confidential")}
}

func TestBuryOnTheWire(t *testing.T) {
	t.Parallel()
	q := new(deadlettertest.Queue)
	const body = "{\"user\": \"alice@example.com\",\t\"reason\": \"<left> & gone…\"}\n"
	if err := serve(t, q).Bury(t.Context(), "m-1", body, down(), 5); err != nil {
		t.Fatal(err)
	}
	want := []deadlettertest.Letter{{QueueURL: queueURL, Body: body, Attributes: map[string]deadlettertest.Attribute{
		"Why":       {Type: "String", Value: "IONOS is down. Try later."},
		"Kind":      {Type: "String", Value: "upstream"},
		"Attempts":  {Type: "Number", Value: "5"},
		"MessageId": {Type: "String", Value: "m-1"},
	}}}
	if diff := cmp.Diff(want, q.Letters()); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"Content-Type":         "application/x-amz-json-1.0",
		"X-Amz-Target":         "AmazonSQS.SendMessage",
		"X-Amz-Security-Token": session,
	} {
		if got := q.Headers()[0].Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	authorization := q.Headers()[0].Get("Authorization")
	if !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential="+keyID+"/") || !strings.Contains(authorization, "/eu-central-1/sqs/aws4_request") {
		t.Errorf("Authorization = %q, want a signature for SQS in eu-central-1", authorization)
	}
}

func TestWhyIsWhatFitsBesideTheBody(t *testing.T) {
	t.Parallel()
	const (
		limit = 1 << 20
		// besides is the size of the attributes without the text of Why.
		besides = len("Why"+"String") + len("Kind"+"String"+"upstream") + len("Attempts"+"Number"+"5") + len("MessageId"+"String"+"m-1")
	)
	why := func(message string) *guard.Error { return &guard.Error{Kind: guard.Upstream, Message: message} }
	for name, test := range map[string]struct {
		body int // size
		why  *guard.Error
		want string // Why; empty: there are no attributes
	}{
		"all of it":            {limit - besides - 14, why("IONOS is down."), "IONOS is down."},
		"cut":                  {limit - besides - 13, why("IONOS is down."), "IONOS is d…"},
		"cut before an umlaut": {limit - besides - 13, why("IONOS is dö wn."), "IONOS is d…"},
		"cut within an umlaut": {limit - besides - 13, why("IONOS is äö wn."), "IONOS is …"},
		"one character":        {limit - besides - 4, why("IONOS is down."), "I…"},
		"no room":              {limit - besides - 3, why("IONOS is down."), ""},
		"a full message":       {limit, why("IONOS is down."), ""},
		"no remedy":            {1, why("IONOS is down."), "IONOS is down."},
		"what XML cannot hold": {1, why("a\x00b\x1bc\ufffed\uffffe\xfff\tg\r\nh\U0001F511"), "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\tg\r\nh\U0001F511"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := new(deadlettertest.Queue)
			body := strings.Repeat("x", test.body)
			if err := serve(t, q).Bury(t.Context(), "m-1", body, test.why, 5); err != nil {
				t.Fatal(err)
			}
			got := q.Letters()[0]
			if got.Body != body {
				t.Errorf("%d bytes of the body arrived, want all %d", len(got.Body), len(body))
			}
			if why := got.Attributes["Why"].Value; why != test.want {
				t.Errorf("Why is %q, want %q", why, test.want)
			}
			if names := slices.Collect(maps.Keys(got.Attributes)); test.want == "" && len(names) > 0 {
				t.Errorf("there are the attributes %q, want none", names)
			}
		})
	}
}

// SQS takes the letter whatever the error says.
func TestEveryLetterIsTaken(t *testing.T) {
	t.Parallel()
	q := new(deadlettertest.Queue)
	queue := serve(t, q)
	rapid.Check(t, func(rt *rapid.T) {
		const body = `{"user":"alice@example.com"}`
		why := &guard.Error{
			Kind:    rapid.SampledFrom([]guard.Kind{guard.Upstream, guard.Invalid, guard.Internal}).Draw(rt, "kind"),
			Message: "M" + rapid.String().Draw(rt, "message"), Remedy: rapid.String().Draw(rt, "remedy"),
		}
		before := len(q.Letters())
		if err := queue.Bury(t.Context(), rapid.StringMatching(`[0-9a-f-]{1,36}`).Draw(rt, "id"), body, why, rapid.IntRange(5, 1000).Draw(rt, "tries")); err != nil {
			rt.Fatal(err)
		}
		if taken := q.Letters()[before:]; len(taken) != 1 || taken[0].Body != body {
			rt.Errorf("%d letters were taken, want one with the body", len(taken))
		}
	})
}

func TestCallsThatFail(t *testing.T) {
	t.Parallel()
	fail := func(status int, body string) func(int) (int, string) {
		return func(int) (int, string) { return status, body }
	}
	for name, test := range map[string]struct {
		answer    func(n int) (status int, answer string)
		wantCalls int
		wantCause string // empty: no error
	}{
		"fails once and recovers": {func(n int) (int, string) {
			if n == 1 {
				return http.StatusServiceUnavailable, `{"__type":"ServiceUnavailable"}`
			}
			return 0, ""
		}, 2, ""},
		"fails for good":     {fail(http.StatusInternalServerError, `{"__type":"InternalError"}`), 3, "InternalError (status 500)"},
		"is denied":          {fail(http.StatusForbidden, `{"__type":"com.amazonaws.sqs#AccessDenied"}`), 1, "AccessDenied (status 403)"},
		"no such queue":      {fail(http.StatusBadRequest, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}`), 1, "QueueDoesNotExist"},
		"answers by a page":  {fail(http.StatusOK, "<html>Welcome</html>"), 1, "cannot be understood"},
		"answers nothing":    {fail(http.StatusOK, "{}"), 1, "names no message"},
		"took something odd": {fail(http.StatusOK, `{"MessageId":"new-1","MD5OfMessageBody":"0123"}`), 1, "checksum"},
		"repeats the request": {
			fail(http.StatusForbidden, `{"__type":"InvalidSecurity","message":"quite confidential, `+keyID+`, `+session+`"}`), 1, "InvalidSecurity",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := &deadlettertest.Queue{Answer: test.answer}
			err := serve(t, q).Bury(t.Context(), "m-1", "quite confidential", down(), 5)
			if test.wantCause == "" {
				if err != nil {
					t.Errorf("Bury: %v", err)
				}
			} else {
				wantUnconfirmed(t, err, test.wantCause)
			}
			if got := len(q.Headers()); got != test.wantCalls {
				t.Errorf("%d calls, want %d", got, test.wantCalls)
			}
		})
	}
}

// A redirected call would arrive without its letter, and whoever answers it could seem to have taken it.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := new(deadlettertest.Queue)
	server := httptest.NewServer(elsewhere)
	t.Cleanup(server.Close)
	wantUnconfirmed(t, serve(t, http.RedirectHandler(server.URL, http.StatusFound)).Bury(t.Context(), "m-1", "quite confidential", down(), 5), "302")
	if len(elsewhere.Headers()) > 0 {
		t.Error("the redirect was followed")
	}
}

// network is one on which the first few calls are not answered.
type network struct{ silent, calls int }

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.calls++; n.calls <= n.silent {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	answer := httptest.NewRecorder()
	_, err := answer.WriteString(`{"MessageId":"new-1"}`)
	return answer.Result(), err
}

func TestSilentQueueIsCalledAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if err := newQueue("http://queue.test", &network{silent: 1}).Bury(t.Context(), "m-1", "body", down(), 5); err != nil {
			t.Error(err)
		}
	})
}

func TestSilentQueueIsWaitedForNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ deadline, want time.Duration }{
		"as long as the deadline": {300 * time.Millisecond, 300 * time.Millisecond},
		"without a near deadline": {time.Hour, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
				defer cancel()
				start := time.Now()
				wantUnconfirmed(t, newQueue("http://queue.test", &network{silent: 1000}).Bury(ctx, "m-1", "quite confidential", down(), 5), "deadline")
				if waited := time.Since(start); waited != test.want {
					t.Errorf("waited %s, want %s", waited, test.want)
				}
			})
		})
	}
}

// wantUnconfirmed wants an error that is fit for the log: it has the cause, and neither credentials nor what was sent.
func wantUnconfirmed(t *testing.T, err error, cause string) {
	t.Helper()
	known, ok := errors.AsType[*guard.Error](err)
	if !ok || known.Kind != guard.Unavailable || known.Remedy == "" || !strings.Contains(err.Error(), cause) {
		t.Errorf("got %v, want an error of kind unavailable (%s)", err, cause)
		return
	}
	for _, confidential := range []string{keyID, private, session, "Signature=", "quite confidential"} {
		if strings.Contains(err.Error(), confidential) {
			t.Errorf("the error has %q in it: %v", confidential, err)
		}
	}
}
