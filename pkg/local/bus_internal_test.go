package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each bus has its own rules, and of a bus that nobody listens to a person hears.
func TestAnEventIsOnOneBus(t *testing.T) {
	t.Parallel()
	anything, err := parsePattern([]byte(`{"source":[{"exists":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	bare, err := newInput("", "", transformerSpec{})
	if err != nil {
		t.Fatal(err)
	}
	on := func(name, bus string) rule {
		return rule{name: name, bus: bus, pattern: anything, targets: []target{{queue: "Queue", input: bare}}}
	}
	for source, want := range map[string]struct {
		rules []string
		shown string
	}{
		"com.example.hr":               {[]string{"Own"}, "Left from com.example.hr, e1 → Own → Queue"},
		"aws.partner/okta.com/x/one":   {[]string{"Okta"}, "Left from aws.partner/okta.com/x/one, e1 → Okta → Queue"},
		"aws.partner/okta.com/x/other": {[]string{}, "Left from aws.partner/okta.com/x/other, e1 → no rule"},
		"aws.partner/auth0.com/x":      {[]string{"Auth0"}, "Left from aws.partner/auth0.com/x, e1 → Auth0 → Queue"},
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			tracker := newTracker()
			b := &bus{
				name:    "keyreeve",
				rules:   []rule{on("Own", "keyreeve"), on("Okta", "aws.partner/okta.com/x/one"), on("Auth0", "aws.partner/auth0.com/x")},
				queues:  map[string]*queue{"Queue": newQueue(queueSpec{name: "Queue"}, time.Second, tracker)},
				tracker: tracker, console: &console{out: &out},
			}
			if err := b.publish(event{ID: "e1", Source: source, DetailType: "Left", Detail: json.RawMessage(`{}`)}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.rules, b.events()[0].Rules); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			if waiting, _ := b.queues["Queue"].contents(); len(waiting) != len(want.rules) {
				t.Errorf("%d messages, want %d", len(waiting), len(want.rules))
			}
			if !strings.Contains(out.String(), want.shown+"\n") {
				t.Errorf("the console shows %q, want %q", out.String(), want.shown)
			}
		})
	}
}
