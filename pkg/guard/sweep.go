package guard

import "time"

// SweepPolicy is a rule by which a sweep finds keys about which something is due.
type SweepPolicy string

// The policies.
const (
	// MaxAge switches active keys off that are older than a limit, after their owner was warned twice.
	MaxAge SweepPolicy = "max_age"
	// InactiveUser switches off the keys of users who can no longer log in to IONOS.
	InactiveUser SweepPolicy = "inactive_user"
	// DeleteAfterGrace deletes keys whose grace period is over.
	DeleteAfterGrace SweepPolicy = "delete_after_grace"
)

// SweepPolicies returns all policies, in the order they are usually shown.
func SweepPolicies() []SweepPolicy { return []SweepPolicy{MaxAge, InactiveUser, DeleteAfterGrace} }

// SweepMode says what becomes of what is due by a policy.
type SweepMode string

// The modes.
const (
	// Report only tells what is due.
	Report SweepMode = "report"
	// Enforce has it done.
	Enforce SweepMode = "enforce"
)

// SweepStep is what is due about one key.
type SweepStep string

// The steps. A key about which nothing is due has none.
const (
	// StepWait: by its policy the key's time has come, or comes soon; but its owner has to be warned first, or was warned
	// too short a time ago.
	StepWait       SweepStep = "wait"
	StepWarn       SweepStep = "warn"
	StepDeactivate SweepStep = "deactivate"
	StepDelete     SweepStep = "delete"
)

// Brake names a reason for which a sweep stops before it does anything.
type Brake string

// The brakes.
const (
	// TooManyDue: the changes that are due are more than the limit allows, in number or as a share of the contract.
	TooManyDue Brake = "blast_radius"
	// ShrunkReading: the contract has far fewer users or keys than it had at the last sweep.
	ShrunkReading Brake = "shrunk_reading"
	// BrokenReading: the contract could not be read to its end.
	BrokenReading Brake = "broken_reading"
)

// Sweep is what a sweep found and what it had done, as the bus announces it.
type Sweep struct {
	ID         string    `json:"id"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	// Users and Keys are those of the contract, as far as they were read.
	Users int `json:"users"`
	Keys  int `json:"keys"`
	// Policies has one entry for each policy that the sweep went by.
	Policies []SweepTally `json:"policies"`
	// Stopped is set where a brake stopped the sweep, so that nothing was done.
	Stopped *SweepStop `json:"stopped,omitempty"`
	// WouldStop is the brake that would have stopped it if all its policies were enforced, where none did.
	WouldStop *SweepStop `json:"wouldStop,omitempty"`
	// Continues is true where the time ran out, and another invocation goes on.
	Continues bool `json:"continues,omitempty"`
	// Report is the address of the page that lists every key; empty where there is none.
	Report string `json:"report,omitempty"`
}

// SweepTally counts the keys about which something is due by one policy.
type SweepTally struct {
	Policy     SweepPolicy `json:"policy"`
	Mode       SweepMode   `json:"mode"`
	Warn       int         `json:"warn"`
	Wait       int         `json:"wait"`
	Deactivate int         `json:"deactivate"`
	Delete     int         `json:"delete"`
	// Refused counts keys that are due and that the guard would not let through.
	Refused int `json:"refused"`
}

// SweepStop is why a sweep was stopped. Message and Remedy are for people.
type SweepStop struct {
	Brake   Brake  `json:"brake"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

// OwnerWarning is to tell the owner of keys that they will be switched off.
type OwnerWarning struct {
	// SweepID is the id of the sweep that found it due.
	SweepID string     `json:"sweepId"`
	User    User       `json:"user"`
	Keys    []AgingKey `json:"keys"`
}

// AgingKey is a key that will be switched off for its age.
type AgingKey struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	// DeactivateAfter is the earliest time at which it will be switched off.
	DeactivateAfter time.Time `json:"deactivateAfter"`
	// Last is true for the second warning of two.
	Last bool `json:"last"`
	// OnlyActive is true where the owner has no other active key that could replace it: it stays on until there is one.
	OnlyActive bool `json:"onlyActive,omitempty"`
}

// KeyWarnings are the times at which the owners of keys were warned, the oldest first, by key id.
type KeyWarnings map[string][]time.Time

// WarningsApart is the least time between two warnings of one key: what comes sooner is the same warning again.
const WarningsApart = 6 * 24 * time.Hour

// UserKeys is a user with all their keys.
type UserKeys struct {
	User User
	Keys []Key
}

// SweepMemory is what the ledger remembers of past sweeps.
type SweepMemory struct {
	// Day is the date of the last sweep in UTC, as in 2026-11-23, and DayBegan when the first sweep of that day started:
	// the time of all requests of that day.
	Day      string    `json:"day"`
	DayBegan time.Time `json:"dayBegan"`
	// Users and Keys are what the last whole reading of the contract counted.
	Users int `json:"users"`
	Keys  int `json:"keys"`
}
