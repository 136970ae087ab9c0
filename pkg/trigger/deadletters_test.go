package trigger_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"keyreeve/pkg/bus"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/deadletter"
	"keyreeve/pkg/deadletter/deadlettertest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/trigger"
)

// received is a batch of SQS with the bodies, of messages that were received so many times.
func received(t *testing.T, times string, bodies ...string) []byte {
	t.Helper()
	batch := mustDecode[events.SQSEvent](t, queue(t, bodies...))
	for i := range batch.Records {
		batch.Records[i].Attributes = map[string]string{"ApproximateReceiveCount": times}
	}
	return mustEncode(t, batch)
}

// direct calls a handler without a network between, so that time in a bubble stands still meanwhile.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	d.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// silent is a network without answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func deadLetters(endpoint string, transport http.RoundTripper) *deadletter.Queue {
	return deadletter.New(deadletter.Config{
		URL: "https://queue.test/123456789012/Dead", Region: "eu-central-1", Endpoint: endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "the-private-half", ""), Transport: transport,
	})
}

// wantGivenUp is that Alice's request was announced as given up, and why, or that nothing was.
func wantGivenUp(t *testing.T, told []guard.Finished, why string, given bool) {
	t.Helper()
	if !given {
		diff(t, len(told), 0)
		return
	}
	if len(told) != 1 || told[0].User.Email != "alice@example.com" || told[0].ID != "m0" || len(told[0].Warnings) != 1 {
		t.Fatalf("told %+v, want that one request of Alice's was given up", told)
	}
	warning := told[0].Warnings[0]
	if known, _, _ := strings.Cut(why, "."); warning.Code != guard.GivenUp || !strings.Contains(warning.Message, known) {
		t.Errorf("warned of %+v, want that it was given up because %q", warning, why)
	}
}

func announcer(t *testing.T, events *bustest.Bus) *bus.Bus {
	t.Helper()
	server := httptest.NewServer(events)
	t.Cleanup(server.Close)
	return bus.New(bus.Config{
		Name: "keyreeve", Region: "eu-central-1", Endpoint: server.URL, Transport: new(http.Transport), Clock: now,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "the-private-half", ""),
	})
}

func TestMessagesAreBuriedAtTheirLastTry(t *testing.T) {
	request := func(reason string) string { return `{"user":"alice@example.com","reason":"` + reason + `"}` }
	leaver := func(reason string) string {
		return `{"user":"alice@example.com","offboarding":true,"reason":"` + reason + `"}`
	}
	for name, tt := range map[string]struct {
		times, body string
		kind, why   string // of the letter; empty: none
		failed      bool   // whether SQS delivers the message again
	}{
		"first try":                     {"1", request("throttled"), "", "", true},
		"last but one":                  {"4", request("throttled"), "", "", true},
		"last":                          {"5", request("throttled"), "throttled", "IONOS is busy.", false},
		"one too many":                  {"6", request("throttled"), "throttled", "IONOS is busy.", false},
		"far too many":                  {"1000", request("throttled"), "throttled", "IONOS is busy.", false},
		"nobody knows":                  {"", request("throttled"), "", "", true},
		"no number":                     {"often", request("throttled"), "", "", true},
		"no message":                    {"5", "garbage", "invalid", "not valid JSON", false},
		"a defect":                      {"5", request("panic"), "internal", "Something went wrong inside Keyreeve. Look in the function's log.", false},
		"a failed key":                  {"5", request("failed"), "upstream", "k1 failed (because of failed). Send the same request again", false},
		"a leaver's event came late":    {"5", leaver("stale"), "unavailable", "k1 of somebody who left stays as it is.", false},
		"no such user":                  {"5", request("not found"), "not_found", "There is no such user.", false},
		"a leaver who is no such user":  {"5", leaver("not found"), "", "", false},
		"done":                          {"5", request("changed"), "", "", false},
		"refused":                       {"5", request("refused"), "", "", false},
		"a leaver is exempt":            {"5", leaver("exempt"), "", "", false},
		"an event that is wrong within": {"5", onBus(t, `{"user":"alice@example.com","force":true}`), "invalid", "must not hold force", false},
	} {
		t.Run(name, func(t *testing.T) {
			var buried deadlettertest.Queue
			server := httptest.NewServer(&buried)
			defer server.Close()
			l := lifecycle{answer: fate}
			handler := l.handler(guard.Deactivate)
			handler.DeadLetters = deadLetters(server.URL, new(http.Transport))
			var events bustest.Bus
			handler.Bus = announcer(t, &events)

			answer, err := handler.Invoke(inLambda(t), received(t, tt.times, tt.body))
			if err != nil {
				t.Fatal(err)
			}
			wantGivenUp(t, events.Finished(), tt.why, tt.why != "" && tt.kind != "invalid")
			want := `{"batchItemFailures":[]}`
			if tt.failed {
				want = `{"batchItemFailures":[{"itemIdentifier":"m0"}]}`
			}
			diff(t, string(answer), want)
			letters := buried.Letters()
			if len(letters) != min(len(tt.why), 1) {
				t.Fatalf("%d letters, want why %q", len(letters), tt.why)
			}
			for _, letter := range letters {
				says := func(name string) string { return letter.Attributes[name].Value }
				diff(t, []string{letter.Body, says("Kind"), says("Attempts"), says("MessageId")}, []string{tt.body, tt.kind, tt.times, "m0"})
				if why := says("Why"); !strings.Contains(why, tt.why) || strings.Contains(why, "boom") {
					t.Errorf("Why is %q, want %q and no cause", why, tt.why)
				}
			}
			if log := l.log.String(); strings.Contains(log, "not buried") {
				t.Errorf("logged %s", log)
			}
		})
	}
}

func TestMessagesThatCannotBeBuriedFail(t *testing.T) {
	denied := func(n int) (int, string) {
		if n == 2 {
			return http.StatusForbidden, `{"__type":"com.amazonaws.sqs#AccessDenied"}`
		}
		return 0, ""
	}
	buried := deadlettertest.Queue{Answer: denied}
	server := httptest.NewServer(&buried)
	defer server.Close()
	l := lifecycle{answer: fate}
	handler := l.handler(guard.Deactivate)
	handler.DeadLetters = deadLetters(server.URL, new(http.Transport))
	answer, err := handler.Invoke(inLambda(t), received(t, "5", "one", "two", "three"))
	if err != nil {
		t.Fatal(err)
	}
	diff(t, string(answer), `{"batchItemFailures":[{"itemIdentifier":"m1"}]}`)
	var bodies []string
	for _, letter := range buried.Letters() {
		bodies = append(bodies, letter.Body)
	}
	diff(t, bodies, []string{"one", "three"})
	if log := l.log.String(); strings.Count(log, "was not buried") != 1 || !strings.Contains(log, "SendMessage: AccessDenied (status 403)") {
		t.Errorf("logged %s, want one line about the message that was not buried, and why", log)
	}
}

// The time of an invocation is enough for requests that never end, for saying so of each, and for the answer.
func TestLastTriesLeaveTimeToBury(t *testing.T) {
	const (
		whole   = time.Minute
		burying = whole - 2300*time.Millisecond
		both    = `[{"itemIdentifier":"m0"},{"itemIdentifier":"m1"}]`
	)
	for name, tt := range map[string]struct {
		times     string
		silent    bool            // SQS does not answer
		tried     []time.Duration // when the time of each request is over
		answered  time.Duration
		letters   int
		delivered string // again
	}{
		"no last try":             {"4", false, []time.Duration{whole, whole}, whole, 0, both},
		"a last try":              {"5", false, []time.Duration{burying, burying}, burying, 2, `[]`},
		"and SQS does not answer": {"5", true, []time.Duration{burying, whole - 300*time.Millisecond}, whole - 300*time.Millisecond, 0, both},
	} {
		t.Run(name, func(t *testing.T) {
			payload := received(t, tt.times, `{"user":"alice@example.com"}`, `{"user":"bob@example.com"}`)
			synctest.Test(t, func(t *testing.T) {
				var buried deadlettertest.Queue
				var transport http.RoundTripper = direct{&buried}
				if tt.silent {
					transport = silent{}
				}
				ctx, cancel := context.WithTimeout(t.Context(), whole)
				defer cancel()
				var l lifecycle
				handler := l.handler(guard.Deactivate)
				handler.DeadLetters = deadLetters("http://queue.test", transport)
				start := time.Now()
				var tried []time.Duration
				handler.Do = func(ctx context.Context, _ guard.Request) (guard.Result, error) {
					<-ctx.Done()
					tried = append(tried, time.Since(start))
					return guard.Result{}, ctx.Err()
				}
				answer, err := handler.Invoke(ctx, payload)
				if err != nil {
					t.Fatal(err)
				}
				diff(t, tried, tt.tried)
				diff(t, time.Since(start), tt.answered)
				diff(t, string(answer), `{"batchItemFailures":`+tt.delivered+`}`)
				diff(t, len(buried.Letters()), tt.letters)
				for _, letter := range buried.Letters() {
					diff(t, letter.Attributes["Why"].Value, "The time for this request ran out. Send it again.")
				}
			})
		})
	}
}

// Without a queue of dead letters of its own nobody buries anything, and the same message fails as often as it is tried.
func TestWithoutDeadLettersMessagesFail(t *testing.T) {
	l := lifecycle{answer: fate}
	for times := range 2 * trigger.Tries {
		answer, err := l.handler(guard.Deactivate).Invoke(inLambda(t), received(t, fmt.Sprint(times+1), "garbage"))
		if err != nil {
			t.Fatal(err)
		}
		diff(t, string(answer), `{"batchItemFailures":[{"itemIdentifier":"m0"}]}`)
	}
}
