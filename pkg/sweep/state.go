package sweep

import (
	"fmt"
	"path"
	"slices"
	"time"

	"keyreeve/pkg/guard"
)

// order is what somebody wants of a sweep: the payload of an invocation.
type order struct {
	// Policy is the only policy to go by; empty: all that are switched on.
	Policy guard.SweepPolicy `json:"policy,omitempty"`
	// DryRun only reports, whatever the modes.
	DryRun bool `json:"dryRun,omitempty"`
	// Override names brakes that must not stop this sweep.
	Override []guard.Brake `json:"override,omitempty"`
}

func (o order) validate(rules Rules) error {
	var message, remedy string
	foreign := slices.IndexFunc(o.Override, func(b guard.Brake) bool { return b != guard.ShrunkReading })
	switch _, on := rules.Modes[o.Policy]; {
	case o.Policy != "" && !slices.Contains(guard.SweepPolicies(), o.Policy):
		message, remedy = fmt.Sprintf("There is no policy %.80q.", o.Policy), "Name max_age, inactive_user or delete_after_grace, or leave policy out."
	case o.Policy != "" && !on:
		message, remedy = "The policy "+string(o.Policy)+" is switched off.", "Set KEYREEVE_MAX_KEY_AGE, the age past which keys are switched off."
	case foreign >= 0:
		message, remedy = fmt.Sprintf("The brake %.80q cannot be overridden.", o.Override[foreign]), "Override shrunk_reading, where the contract is meant to be smaller than it was, or leave override out."
	default:
		return nil
	}
	return &guard.Error{Kind: guard.Invalid, Message: message, Remedy: remedy}
}

// mode is that of the policy by the settings, empty where the order leaves it out or it is switched off.
func (r Rules) mode(policy guard.SweepPolicy, o order) guard.SweepMode {
	mode := r.Modes[policy]
	switch {
	case o.Policy != "" && o.Policy != policy:
		return ""
	case mode == guard.Enforce && (r.DryRun || o.DryRun):
		return guard.Report
	default:
		return mode
	}
}

// night is what one sweep goes by, all the while.
type night struct {
	ID        string    `json:"id"`
	StartedAt time.Time `json:"startedAt"`
	// Day and DayBegan are those of [guard.SweepMemory].
	Day      string    `json:"day"`
	DayBegan time.Time `json:"dayBegan"`
}

// phase is what a sweep is at.
type phase string

const (
	reading    phase = "reading"
	reporting  phase = "reporting"
	publishing phase = "publishing"
	finished   phase = "finished"
)

// state is how far a sweep has come: what one invocation leaves to the next.
type state struct {
	Order order `json:"order"`
	Night night `json:"night"`
	Phase phase `json:"phase"`
	// Offset is that of the next page of users.
	Offset int `json:"offset"`
	// Before are the ids of the users of the page before that one.
	Before []string `json:"before,omitempty"`
	// Parts has a name for each part of the plan in the archive, in order. No two are the same: where a message comes again,
	// two invocations go on from the same state, and neither may write into the plan of the other.
	Parts []string `json:"parts"`
	// Published is how many users of the plan are done with.
	Published int                `json:"published"`
	Users     int                `json:"users"`
	Keys      int                `json:"keys"`
	Policies  []guard.SweepTally `json:"policies"`
	Stopped   *guard.SweepStop   `json:"stopped,omitempty"`
	WouldStop *guard.SweepStop   `json:"wouldStop,omitempty"`
	// Reported is true when the report is in the archive.
	Reported bool `json:"reported,omitempty"`
}

// validate refuses what no sweep has left, and what was left so long ago that others have swept since: what was seen of a
// key that day must not take the place of what was seen of it later.
func (s *state) validate(now time.Time) error {
	goesOn := []phase{reading, reporting, publishing}
	switch {
	case !slices.Contains(goesOn, s.Phase) || s.Night.ID == "" || s.Night.Day == "" || len(s.Parts) == 0:
		return &guard.Error{Kind: guard.Invalid, Message: "The state of the sweep is none that a sweep has left.", Remedy: "Start another sweep."}
	case now.Sub(s.Night.StartedAt) > day:
		return &guard.Error{Kind: guard.Invalid, Message: "The sweep began too long ago to go on.", Remedy: "Start another sweep."}
	default:
		return nil
	}
}

// progress is another one whenever the sweep has come any further.
func (s *state) progress() string { return fmt.Sprint(s.Phase, s.Offset, s.Published) }

// tally counts what is due about a key.
func (s *state) tally(l line) {
	s.Keys++
	i := slices.IndexFunc(s.Policies, func(t guard.SweepTally) bool { return t.Policy == l.Policy })
	if i < 0 {
		return
	}
	t := &s.Policies[i]
	switch {
	case l.Rule != "":
		t.Refused++
	case l.Step == guard.StepWarn:
		t.Warn++
	case l.Step == guard.StepWait:
		t.Wait++
	case l.Step == guard.StepDeactivate:
		t.Deactivate++
	case l.Step == guard.StepDelete:
		t.Delete++
	}
}

// sweep is what the state amounts to, as others see it.
func (s *state) sweep() guard.Sweep {
	return guard.Sweep{
		ID: s.Night.ID, StartedAt: s.Night.StartedAt, Users: s.Users, Keys: s.Keys,
		Policies: s.Policies, Stopped: s.Stopped, WouldStop: s.WouldStop,
	}
}

// file is the name of what the archive keeps of the sweep.
func (s *state) file(name string) string { return path.Join(s.Night.Day, s.Night.ID, name) }

func (s *state) part(name string) string { return s.file("plan-" + name + ".jsonl") }
