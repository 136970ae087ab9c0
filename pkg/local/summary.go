package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The detail-types of the events in which the functions announce what became of requests and of sweeps.
const (
	finishedType      = "Key Operation Finished"
	sweepFinishedType = "Key Sweep Finished"
	sweepStoppedType  = "Key Sweep Stopped"
)

// summary condenses an outcome: who, what, and each key.
func summary(detail json.RawMessage) string {
	var outcome struct {
		Action string `json:"action"`
		DryRun bool   `json:"dryRun"`
		User   struct {
			Email string `json:"email"`
		} `json:"user"`
		Keys []struct {
			ID      string `json:"id"`
			Outcome string `json:"outcome"`
			Rule    string `json:"rule"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(detail, &outcome); err != nil {
		return string(detail)
	}
	words := []string{outcome.Action, outcome.User.Email}
	if outcome.DryRun {
		words = append(words, "(dry run)")
	}
	for _, k := range outcome.Keys {
		words = append(words, strings.TrimSpace(k.ID+" "+k.Outcome+" "+k.Rule)+";")
	}
	return strings.TrimSuffix(strings.Join(words, " "), ";")
}

// sweepSummary condenses what a sweep announces: what it read, why it stopped, what each policy finds due, and where its
// report is.
func sweepSummary(detail json.RawMessage) string {
	var sweep struct {
		Users    int           `json:"users"`
		Keys     int           `json:"keys"`
		Policies []policyTally `json:"policies"`
		Stopped  *struct {
			Brake   string `json:"brake"`
			Message string `json:"message"`
		} `json:"stopped"`
		Report string `json:"report"`
	}
	if err := json.Unmarshal(detail, &sweep); err != nil {
		return string(detail)
	}
	parts := []string{fmt.Sprintf("%d keys of %d users", sweep.Keys, sweep.Users)}
	if sweep.Stopped != nil {
		parts = append(parts, sweep.Stopped.Brake+": "+strings.TrimSuffix(sweep.Stopped.Message, "."))
	}
	for _, p := range sweep.Policies {
		parts = append(parts, p.String())
	}
	if sweep.Report != "" {
		parts = append(parts, sweep.Report)
	}
	return strings.Join(parts, "; ")
}

// policyTally counts the keys about which something is due by one policy of a sweep.
type policyTally struct {
	Policy     string `json:"policy"`
	Mode       string `json:"mode"`
	Warn       int    `json:"warn"`
	Wait       int    `json:"wait"`
	Deactivate int    `json:"deactivate"`
	Delete     int    `json:"delete"`
	Refused    int    `json:"refused"`
}

func (p policyTally) String() string {
	words := []string{p.Policy, "(" + p.Mode + ")"}
	for _, step := range []struct {
		name  string
		count int
	}{{"warn", p.Warn}, {"wait", p.Wait}, {"deactivate", p.Deactivate}, {"delete", p.Delete}, {"refused", p.Refused}} {
		if step.count > 0 {
			words = append(words, fmt.Sprintf("%s %d", step.name, step.count))
		}
	}
	if len(words) == 2 {
		words = append(words, "nothing")
	}
	return strings.Join(words, " ")
}
