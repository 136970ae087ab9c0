package guard

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Outcome is what became of one key.
type Outcome string

// The outcomes. Superseded is no refusal: the event came too late, after a newer change of the same key.
const (
	Changed    Outcome = "changed"
	Unchanged  Outcome = "unchanged"
	Refused    Outcome = "refused"
	Superseded Outcome = "superseded"
	Failed     Outcome = "failed"
)

// KeyResult is the outcome of one key. Rule and Remedy are set where it was refused, Message wherever there is
// something to explain.
type KeyResult struct {
	ID      string  `json:"id"`
	Outcome Outcome `json:"outcome"`
	Rule    Rule    `json:"rule,omitempty"`
	Message string  `json:"message,omitempty"`
	Remedy  string  `json:"remedy,omitempty"`
	// Overridden names the rules that would have refused the change.
	Overridden []Rule `json:"overridden,omitempty"`
	// Active is the key's state as last known; a deleted key is not active.
	Active bool `json:"active"`
}

// WarningCode names a [Warning].
type WarningCode string

// The warnings.
const (
	// UserCanCreateKeys: the user can still log in to IONOS, and so make a new key.
	UserCanCreateKeys WarningCode = "user_can_create_keys"
	// UnknownUser: the person who left has no IONOS user, so there was nothing to switch off.
	UnknownUser WarningCode = "unknown_user"
	// UnmappedUser: nobody knows the e-mail address of the person whom the sender means; the request waits.
	UnmappedUser WarningCode = "unmapped_user"
	// Repeated: a message that holds no time came again, and was not carried out again; it might have been meant anew.
	Repeated WarningCode = "repeated"
	// SwitchedBackOn: a key was switched back on that an earlier request had left off.
	SwitchedBackOn WarningCode = "switched_back_on"
	// GivenUp: the request failed too often and waits with the dead letters.
	GivenUp WarningCode = "given_up"
	// NotAnnounced: the bus did not confirm that it has the outcome.
	NotAnnounced WarningCode = "not_announced"
)

// Warning is something the asker should know although the request was carried out.
type Warning struct {
	Code    WarningCode `json:"code"`
	Message string      `json:"message"`
}

// Result is what became of a request: one outcome a key.
type Result struct {
	ID       string      `json:"id"`
	Action   Action      `json:"action"`
	User     User        `json:"user"`
	DryRun   bool        `json:"dryRun"`
	Keys     []KeyResult `json:"keys"`
	Warnings []Warning   `json:"warnings,omitempty"`
	// OffboardedAt is when the user left, as the ledger had it before; absent for everybody else.
	OffboardedAt time.Time `json:"offboardedAt,omitzero"`
}

// Any reports whether a key of the result has the outcome.
func (r Result) Any(outcome Outcome) bool {
	for _, k := range r.Keys {
		if k.Outcome == outcome {
			return true
		}
	}
	return false
}

// Noteworthy reports whether there is more to tell than that nothing had to be done.
func (r Result) Noteworthy() bool {
	return len(r.Warnings) > 0 || r.Any(Changed) || r.Any(Refused) || r.Any(Failed)
}

// Finished is a result as the bus announces it: with who asked, why, and where they want to hear of it.
type Finished struct {
	Result
	Actor       Actor     `json:"actor"`
	ApprovedBy  Actor     `json:"approvedBy,omitzero"`
	Reason      string    `json:"reason,omitempty"`
	Source      string    `json:"source,omitempty"`
	OccurredAt  time.Time `json:"occurredAt"`
	Offboarding bool      `json:"offboarding,omitempty"`
	ReplyTo     ReplyTo   `json:"replyTo,omitzero"`
}

// Fingerprint is the same for the same outcome, in whatever words it is explained: a request that is tried again and
// refused again is, some of the time, refused in other words.
func (f Finished) Fingerprint() string {
	f.Keys = slices.Clone(f.Keys)
	for i := range f.Keys {
		f.Keys[i].Message, f.Keys[i].Remedy = "", ""
	}
	encoded, err := json.Marshal(f)
	if err != nil {
		encoded = fmt.Appendf(nil, "%+v", f) // JSON has no way to write the times of some years.
	}
	return fmt.Sprintf("%x", sha256.Sum256(encoded))
}

// Finish is the result of the request as the bus announces it.
func (r Request) Finish(result Result) Finished {
	return Finished{
		Result: result, Actor: r.Actor, ApprovedBy: r.ApprovedBy, Reason: r.Reason, Source: r.Source,
		OccurredAt: r.OccurredAt, Offboarding: r.Offboarding, ReplyTo: r.ReplyTo,
	}
}

// Told finishes a request of which no key was touched, with a warning instead.
func (r Request) Told(code WarningCode, message string) Finished {
	user := User{Email: r.User}
	if IsUUID(r.User) {
		user = User{ID: r.User}
	}
	return r.Finish(Result{
		ID: r.ID, Action: r.Action, User: user, DryRun: r.DryRun, Keys: []KeyResult{},
		Warnings: []Warning{{Code: code, Message: message}},
	})
}
