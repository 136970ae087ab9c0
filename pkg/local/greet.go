package main

import (
	"cmp"
	"strings"
)

// greet says what runs where, and what to try.
func (s *stack) greet() {
	say := s.console.say
	say("Keyreeve listens on %s", s.address)
	// Somebody who left, somebody with many keys, somebody with buckets.
	leaver, collector, owner := "USER@EXAMPLE.COM", "USER@EXAMPLE.COM", "USER@EXAMPLE.COM"
	if s.contract != nil {
		say("fake IONOS API on %s", s.contract.address)
		say("  look at its keys: curl -s -u owner@example.com: '%s/cloudapi/v6/um/users?depth=3'", s.contract.address)
		leaver, collector, owner = "alice@example.com", "carol@example.com", "bob@example.com"
	} else {
		say("It works on a REAL contract of IONOS (%s).", cmp.Or(s.options.ionos["IONOS_API_URL"], "the public API"))
		say("KEYREEVE_DRY_RUN is %s.", cmp.Or(s.options.keyreeve["KEYREEVE_DRY_RUN"], "true: nothing is changed, unless you set it to false"))
		say("KEYREEVE_LEDGER is %s.", cmp.Or(s.options.keyreeve["KEYREEVE_LEDGER"], "a file in .keyreeve/"))
	}
	for _, f := range s.template.functions {
		say("  function %s", f.name)
	}
	for _, route := range s.template.routes {
		say("  %s → %s", route.key, route.function)
	}
	for _, r := range s.template.rules {
		say("  bus %s, %s", r.bus, routesOf([]rule{r}))
	}
	for _, m := range s.template.mappings {
		say("  %s → %s", m.queue, m.function)
	}
	say("Callers of the HTTP API are who they say they are (curl -u NAME:): no signature is verified here.")
	say("")
	say("Somebody left:")
	say(`  curl -s %s/_events -d '{"source":"com.example.hr","detail-type":"Employee Offboarded","detail":{"employee":{"email":"%s"}}}'`, s.address, leaver)
	say("An operator switches all keys of a user off:")
	say(`  curl -s -u operator@example.com: %s/v1/users/%s/keys/deactivate -d '{"reason":"lost laptop"}'`, s.address, collector)
	say("Which keys does a user have:")
	say("  curl -s -u operator@example.com: %s/v1/users/%s/keys", s.address, owner)
	if s.slack != nil {
		say("An operator asks for them in Slack, and this is what Slack shows:")
		say(`  curl -s %[1]s/_slack -d '{"user":"U0OPERATOR","text":"%[2]s"}'; curl -s %[1]s/_idle; curl -s %[1]s/_slack`, s.address, owner)
	}
	say("What a sweep of all keys finds due, and where its report is:")
	say("  curl -s -X POST %s/_invoke/Sweep", s.address)
	say("%s", strings.Repeat("-", 80))
}
