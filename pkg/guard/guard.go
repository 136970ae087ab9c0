// Package guard is Keyreeve's vocabulary and its judgement: what a request is, what is known of a user's
// access keys, and whether an action on them may go ahead.
//
// Everything here is a value or a pure function. The lifecycle package reads the world, hands it over as a
// [Reading], and acts on the verdicts of [Judge]; nothing in this package performs I/O or imports anything but
// the standard library, so every rule can be read and tested by itself.
package guard

import "time"

// Key is one IONOS Object Storage access key. Its secret is never part of it.
type Key struct {
	// ID is the access key id: opaque, 20 hex digits or up to 92 characters.
	ID     string
	Active bool
	// Created is in UTC; zero where the API gave none.
	Created time.Time
	// Modified is the last change the API reports, which can only be a switch; zero where it reports none.
	Modified time.Time
}

// Legacy reports whether the key predates contract-owned buckets: it opens user-owned buckets only, and so does
// not replace a newer key. A key of unknown age counts as legacy.
//
// The date is from the IONOS Object Storage documentation on key management: 25 April 2024.
func (k Key) Legacy() bool {
	return k.Created.Before(time.Date(2024, time.April, 25, 0, 0, 0, 0, time.UTC))
}

// Newest returns the most recently created of keys, ties broken by id so that every reader picks the same one.
// It returns the zero Key when there is none.
func Newest(keys []Key) Key {
	var newest Key
	for i, k := range keys {
		if i == 0 || k.Created.After(newest.Created) || k.Created.Equal(newest.Created) && k.ID > newest.ID {
			newest = k
		}
	}
	return newest
}

// ActiveKeys returns those of keys that are active, in the order given.
func ActiveKeys(keys []Key) []Key {
	var active []Key
	for _, k := range keys {
		if k.Active {
			active = append(active, k)
		}
	}
	return active
}

// User is a user of the IONOS contract.
type User struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	// Administrator is true for administrators of the contract. Its owner need not be one.
	Administrator bool `json:"-"`
	// Active is false where the user can no longer log in to IONOS.
	Active    bool   `json:"-"`
	FirstName string `json:"-"`
	LastName  string `json:"-"`
	// Created is in UTC; zero where the API gave no date.
	Created time.Time `json:"-"`
}

// Ownership answers whether a user owns buckets.
type Ownership string

// What is known of a user's buckets. The zero value means that nobody has asked.
const (
	OwnsNone    Ownership = "none"
	OwnsSome    Ownership = "some"
	OwnsUnknown Ownership = "unknown"
)

// Change is what the ledger remembers of the last switch of a key.
type Change struct {
	Action Action `json:"action"`
	// At is when the key was switched, or first seen switched: the start of the grace period.
	At time.Time `json:"at"`
	// OccurredAt is the time of the event that asked for it: what later events are compared with.
	OccurredAt time.Time `json:"occurredAt"`
	Actor      Actor     `json:"actor"`
	// ApprovedBy is the second person, where one had to agree.
	ApprovedBy Actor  `json:"approvedBy,omitzero"`
	Reason     string `json:"reason,omitempty"`
	Source     string `json:"source,omitempty"`
	RequestID  string `json:"requestId"`
	// Overridden names the rules that would have refused the change and were overridden.
	Overridden []Rule `json:"overridden,omitempty"`
	// Events are the last events that decided on the key, by [Request.Event], whether it had to be switched or not: when
	// one of them arrives again, it changes nothing.
	Events []string `json:"events,omitempty"`
	// Seen is true where nobody asked Keyreeve for it: the key was switched elsewhere, and a sweep found it so.
	Seen bool `json:"seen,omitempty"`
}

// Activated reports whether the last thing that was decided about the key is that it may be on. That it was found on decides
// nothing.
func (c Change) Activated() bool { return c.Action == Activate && !c.Seen }

// Refusal is what the ledger remembers of the last refusal of a key, so that the same request is refused again when it
// arrives again, even if it would pass by then.
type Refusal struct {
	Rule    Rule   `json:"rule"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
	// Fingerprint is that of the request.
	Fingerprint string `json:"fingerprint"`
}

// BucketAnswer is a remembered answer to the question who owns buckets.
type BucketAnswer struct {
	Ownership Ownership `json:"ownership"`
	At        time.Time `json:"at"`
}

// Memory is what the ledger knows of one user and the API does not.
type Memory struct {
	// OffboardedAt is when the user left, as the event said; zero for everybody else.
	OffboardedAt time.Time
	Buckets      BucketAnswer
	// Changes holds the last change of each key, by key id.
	Changes map[string]Change
	// Refusals holds the last refusal of each key, by key id.
	Refusals map[string]Refusal
	// Attempts holds what requests set out to do and did not tell the end of, by key id.
	Attempts map[string]Attempt
}

// Attempt is a change that a request is about to make. It is remembered before the key is touched and forgotten with
// the record of the outcome: where one is found, the request failed or died in between, and nobody knows how far it
// got. The zero Attempt stands for none.
type Attempt struct {
	Action Action    `json:"action"`
	At     time.Time `json:"at"`
	// OccurredAt is the time of the event that asked for it; zero where it is Keyreeve's own doing.
	OccurredAt time.Time `json:"occurredAt,omitzero"`
	RequestID  string    `json:"requestId"`
	// Guarded is true for a deactivation that must not leave its user without an active key.
	Guarded bool `json:"guarded,omitempty"`
}

// Identity is whose credentials Keyreeve itself uses. One of its two fields is set.
type Identity struct {
	ID    string
	Email string
}
