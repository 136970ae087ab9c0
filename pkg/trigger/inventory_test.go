package trigger_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/trigger"
)

type asked struct {
	User  string
	Actor guard.Actor
}

// inventory answers every question with the question, and keeps it in questions.
func inventory(questions *[]asked) *trigger.Inventory {
	return &trigger.Inventory{
		Logger: slog.New(slog.DiscardHandler),
		Show: func(_ context.Context, user string, actor guard.Actor) (any, error) {
			*questions = append(*questions, asked{user, actor})
			switch user {
			case "nobody@example.com":
				return nil, &guard.Error{Kind: guard.NotFound, Message: "There is no such user."}
			case "panic@example.com":
				panic("boom")
			case "odd@example.com":
				return func() {}, nil
			}
			return asked{user, actor}, nil
		},
	}
}

func TestInventoryOverHTTP(t *testing.T) {
	const get = "GET"
	tests := map[string]struct {
		method, path string
		status       int
		allow        string
		asks         bool
	}{
		"the user's keys":          {get, "/v1/users/bob%40example.com/keys", 200, "", true},
		"somebody unknown":         {get, "/v1/users/nobody@example.com/keys", 404, "", true},
		"a defect":                 {get, "/v1/users/panic@example.com/keys", 500, "", true},
		"what cannot be encoded":   {get, "/v1/users/odd@example.com/keys", 500, "", true},
		"no user":                  {get, "/v1/users/bob/keys", 400, "", false},
		"one key":                  {get, "/v1/users/bob@example.com/keys/00e1", 404, "", false},
		"another function's":       {"DELETE", "/v1/users/bob@example.com/keys", 404, "", false},
		"a method of no function":  {"PUT", "/v1/users/bob@example.com/keys", 405, "GET, DELETE", false},
		"another function's route": {"POST", "/v1/users/bob@example.com/keys/activate", 404, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var questions []asked
			answer, err := inventory(&questions).Invoke(inLambda(t), httpEvent(t, tt.method, tt.path, nil))
			if err != nil {
				t.Fatal(err)
			}
			response := mustDecode[events.APIGatewayV2HTTPResponse](t, answer)
			if response.StatusCode != tt.status || response.Headers["Allow"] != tt.allow || (questions != nil) != tt.asks {
				t.Errorf("got %+v after %+v, want %+v", response, questions, tt)
			}
			if tt.status == http.StatusOK {
				want := asked{"bob@example.com", guard.Actor{Kind: guard.Operator, Name: "s-1", Email: alice}}
				diff(t, questions, []asked{want})
				diff(t, mustDecode[asked](t, []byte(response.Body)), want)
			}
		})
	}
	t.Run("no caller", func(t *testing.T) {
		var questions []asked
		answer, err := inventory(&questions).Invoke(inLambda(t), sample(t, "apigw-v2-request-no-authorizer.json", map[string]any{
			"rawPath": "/v1/users/bob@example.com/keys",
		}))
		if err != nil || mustDecode[events.APIGatewayV2HTTPResponse](t, answer).StatusCode != http.StatusUnauthorized || questions != nil {
			t.Errorf("got %s, %v, %+v, want 401", answer, err, questions)
		}
	})
}

func TestInventoryDirectly(t *testing.T) {
	tests := map[string]struct {
		payload string
		want    asked
		kind    guard.Kind
		says    string
	}{
		"user": {`{"user":"bob@example.com"}`, asked{"bob@example.com", guard.Actor{Kind: guard.System, Name: "direct"}}, "", ""},
		"user and actor": {
			`{"user":"bob@example.com","actor":{"kind":"chatops","email":"alice@example.com"}}`,
			asked{"bob@example.com", guard.Actor{Kind: guard.ChatOps, Email: alice}},
			"", "",
		},
		"somebody unknown": {`{"user":"nobody@example.com"}`, asked{"nobody@example.com", guard.Actor{Kind: guard.System, Name: "direct"}}, guard.NotFound, "no such user"},
		"no user":          {`{}`, asked{}, guard.Invalid, "user is missing"},
		"unknown actor":    {`{"user":"bob@example.com","actor":{"kind":"root"}}`, asked{}, guard.Invalid, "actor.kind"},
		"unknown member":   {`{"user":"bob@example.com","keys":["00e1"]}`, asked{}, guard.Invalid, "must not hold keys"},
		"text":             {`bob`, asked{}, guard.Invalid, "not valid JSON"},
		"null":             {`null`, asked{}, guard.Invalid, "not null"},
		"2 MiB":            {`{"user":"` + strings.Repeat("x", 2<<20) + `"}`, asked{}, guard.TooLarge, "the limit is"},
		"a queue":          {string(queue(t, `{"user":"bob@example.com"}`)), asked{}, guard.Invalid, "nobody would read the answer"},
		"an event":         {onBus(t, `{"user":"bob@example.com"}`), asked{}, guard.Invalid, "nobody would read the answer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var questions []asked
			answer, err := inventory(&questions).Invoke(inLambda(t), []byte(tt.payload))
			if guard.KindOf(err) != tt.kind || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %s, %v, want kind %q and %q", answer, err, tt.kind, tt.says)
			}
			if tt.want != (asked{}) {
				diff(t, questions, []asked{tt.want})
			} else if questions != nil {
				t.Errorf("asked %+v", questions)
			}
			if tt.kind == "" {
				diff(t, mustDecode[asked](t, answer), tt.want)
			}
		})
	}
}
