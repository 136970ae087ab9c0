package main

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

// options is what the shell decides about a run.
type options struct {
	// root is the folder of template.yaml.
	root string
	// port to listen on, on 127.0.0.1; "0" is any that is free.
	port string
	// retry is how long after a failure a message is delivered again.
	retry time.Duration
	// window is how long a batch is gathered at most, where the template has it gathered.
	window time.Duration
	// latency of every call to the fake IONOS API.
	latency time.Duration
	// system holds what every process needs (PATH, HOME), keyreeve and ionos the variables of those
	// prefixes, the latter with the address of Object Storage.
	system, keyreeve, ionos map[string]string
	// dynamodb is the address of an emulator of DynamoDB, for a ledger that is a table there.
	dynamodb string
}

// readOptions reads the environment, as "name=value", and reports everything that is wrong with it.
func readOptions(environ []string) (options, error) {
	o := options{root: ".", port: "8080", retry: time.Second, window: 200 * time.Millisecond, system: map[string]string{}, keyreeve: map[string]string{}, ionos: map[string]string{}}
	var problems []error
	duration := func(name, value string, into *time.Duration) {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			problems = append(problems, fmt.Errorf("%s must be a duration such as 500ms, not %q", name, value))
			return
		}
		*into = d
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case value == "":
			// Absent, as for the functions. Passed on, it would take the place of what is safe here.
		case name == "PATH" || name == "HOME":
			o.system[name] = value
		case name == "PORT":
			o.port = value
		case name == "LOCAL_RETRY":
			duration(name, value, &o.retry)
		case name == "LOCAL_WINDOW":
			duration(name, value, &o.window)
		case name == "LOCAL_LATENCY":
			duration(name, value, &o.latency)
		case strings.HasPrefix(name, "LOCAL_"):
			problems = append(problems, fmt.Errorf("%s is not a setting: there are LOCAL_RETRY, LOCAL_WINDOW and LOCAL_LATENCY", name))
		case strings.HasPrefix(name, "IONOS_") || name == "KEYREEVE_OBJECT_STORAGE_ENDPOINT":
			o.ionos[name] = value
		case strings.HasPrefix(name, "KEYREEVE_"):
			o.keyreeve[name] = value
		case name == "AWS_ENDPOINT_URL_DYNAMODB":
			o.dynamodb = value
		}
	}
	if strings.HasPrefix(o.keyreeve["KEYREEVE_LEDGER"], "dynamodb:") && o.dynamodb == "" {
		problems = append(problems, errors.New("AWS_ENDPOINT_URL_DYNAMODB is missing: KEYREEVE_LEDGER names a table, and without credentials of AWS that can only be an emulator's"))
	}
	return o, errors.Join(problems...)
}

// realContract reports whether there are credentials, and so a contract of IONOS to work on.
func (o options) realContract() bool {
	return o.ionos["IONOS_TOKEN"] != "" || o.ionos["IONOS_USERNAME"] != ""
}

// ownSlack reports whether there are the secrets of an app in the real Slack.
func (o options) ownSlack() bool {
	return o.keyreeve["KEYREEVE_SLACK_SIGNING_SECRET"] != "" || o.keyreeve["KEYREEVE_SLACK_BOT_TOKEN"] != ""
}

// fakeSlack reports whether a workspace is brought along. On a real contract, what everybody knows must open nothing.
func (o options) fakeSlack() bool { return !o.realContract() && !o.ownSlack() }

// merged returns the union of the layers; what a later one says wins.
func merged(layers ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, layer := range layers {
		maps.Copy(all, layer)
	}
	return all
}
