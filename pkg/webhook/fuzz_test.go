package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/signature/signaturetest"
	"keyreeve/pkg/webhook"
)

// straight leads to a handler without a network.
type straight struct{ http.Handler }

func (s straight) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

// seed adds the messages of a sender that are at hand.
func seed(f *testing.F, sender string, more ...string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", sender, "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("there are no messages of %s: %v", sender, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, message := range more {
		f.Add([]byte(message))
	}
}

// fuzzDoor hands arbitrary messages to the door, as genuine ones of the sender. Each is understood or refused, and what
// gets on the bus is valid, and about somebody whom the message names.
func fuzzDoor(f *testing.F, sender string, settings webhook.Settings, check func(*testing.T, []byte, guard.Request)) {
	f.Helper()
	newest, _ := secrets(sender)
	f.Fuzz(func(t *testing.T, body []byte) {
		var events bustest.Bus
		door := newDoor(noon, newBus("http://events.invalid", straight{&events}, noon), stuck{}, newPeople(t, nil), io.Discard)
		door.Settings = settings
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/"+sender, strings.NewReader(string(body)))
		request.Header = signaturetest.Sign(sender, newest, noon(), "msg_1", body)
		recorder := httptest.NewRecorder()
		door.ServeHTTP(recorder, request)
		arrived := len(events.Requests()) + len(events.Unmapped())
		statuses := []int{http.StatusOK, http.StatusNoContent, http.StatusBadRequest}
		if arrived > 0 {
			statuses = []int{http.StatusOK, http.StatusAccepted}
		}
		if !slices.Contains(statuses, recorder.Code) {
			t.Errorf("answered %d %s to %q, and %d requests arrived", recorder.Code, recorder.Body, body, arrived)
		}
		mustBeMeant(t, sender, body, &events, check)
	})
}

// mustBeMeant checks what got on the bus. People are as the message has them, and a CloudEvent's may be in base64.
func mustBeMeant(t *testing.T, sender string, message []byte, events *bustest.Bus, check func(*testing.T, []byte, guard.Request)) {
	t.Helper()
	names := texts(message)
	for _, r := range events.Requests() {
		if !slices.Contains(names, r.User) {
			t.Errorf("%q is about %q, whom it does not name", message, r.User)
		}
		mustBeComplete(t, sender, r)
		check(t, message, r)
	}
	for _, u := range events.Unmapped() {
		for _, name := range u.People {
			if !slices.Contains(names, name) || len(name) > 256 {
				t.Errorf("%q is about %q, whom it does not name", message, name)
			}
		}
		if u.Sender != sender || u.People == nil || u.Request.User != "" {
			t.Errorf("%+v waits", u)
		}
		u.Request.User = "alice@example.com"
		mustBeComplete(t, sender, u.Request)
		check(t, message, u.Request)
	}
}

func mustBeComplete(t *testing.T, sender string, r guard.Request) {
	t.Helper()
	if err := r.Validate(noon()); err != nil {
		t.Error(err)
	}
	if r.Source != sender || r.Actor != (guard.Actor{Kind: guard.System, Name: sender}) || r.ID == "" || r.OccurredAt.IsZero() || r.OccurredAt.After(noon()) || r.ReplyTo.Slack != "" {
		t.Errorf("incomplete: %+v", r)
	}
}

// mustLeave checks that a request is what a sender may ask for who only says that people leave.
func mustLeave(t *testing.T, _ []byte, r guard.Request) {
	t.Helper()
	if r.Action != guard.Deactivate || !r.Offboarding || len(r.Keys)+len(r.Override)+len(r.Confirm) > 0 || r.DryRun {
		t.Errorf("more than an offboarding: %+v", r)
	}
}

// texts returns all strings and numbers that a message holds, without the spaces around them.
func texts(message []byte) []string {
	var all []string
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case string:
			all = append(all, strings.TrimSpace(value))
		case json.Number:
			all = append(all, value.String())
		case []any:
			for _, item := range value {
				walk(item)
			}
		case map[string]any:
			for _, item := range value {
				walk(item)
			}
		}
	}
	decoder := json.NewDecoder(strings.NewReader(string(message)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err == nil {
		walk(value)
	}
	for _, text := range all {
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && json.Valid(decoded) {
			all = append(all, texts(decoded)...)
		}
	}
	return all
}
