// Package sweep looks at every access key of the contract, finds what is due by the policies that the operator armed, and
// has it done: keys past an age, keys of users who can no longer log in, keys whose grace period is over.
//
// It is a front door like the others: a schedule, a person or a program asks for a sweep, and what is due goes to the bus
// as ordinary requests, one a user and policy, which the same guard judges again. A sweep reads the contract to its end
// before it does anything. What it finds is written down key by key as it reads, the plan, so that memory does not grow
// with the contract; the report shows the plan, and what is done is the plan, line by line. Where the time of an
// invocation runs out, the sweep puts on the bus how far it came, and the next invocation goes on from there.
//
//	read.go     page by page, with what the ledger knows, into the plan
//	policy.go   what is due about each key of one user: a pure function
//	aging.go    when a key goes off for its age, and when its owner is warned
//	brake.go    reasons to stop before anything is done
//	publish.go  the report, the requests, the warnings
package sweep

import (
	"context"
	"io"
	"log/slog"
	"time"

	"keyreeve/pkg/guard"
)

// Contract is the IONOS contract.
type Contract interface {
	// UserPage returns some users with all their keys, beginning with the one at the offset, and the offset of the next
	// page, which is 0 after the last one. A page that cannot be read as a whole is an error.
	UserPage(ctx context.Context, offset int) (users []guard.UserKeys, next int, err error)
}

// Ledger is what is remembered of users and their keys.
type Ledger interface {
	RecallAll(ctx context.Context, userIDs []string) (map[string]guard.Memory, error)
	// WarningsOf returns, by user id, when the owners of keys were really warned.
	WarningsOf(ctx context.Context, userIDs []string) (map[string]guard.KeyWarnings, error)
	// Record adds to the memory of a user. No change takes the place of a newer one.
	Record(ctx context.Context, userID string, entry guard.Memory) error
}

// Past is what is remembered of sweeps, and of changes.
type Past interface {
	RecallSweeps(ctx context.Context) (guard.SweepMemory, error)
	RecordSweep(ctx context.Context, memory guard.SweepMemory) error
	// Reserve with no changes and no limit returns how many keys were changed within the last hour.
	Reserve(ctx context.Context, changes, limit int) (already int, err error)
}

// Leases keep two sweeps from being under way at once.
type Leases interface {
	// Acquire takes the lease for ttl, also for the holder that has it. One that another holds is an error of kind
	// [guard.Unavailable].
	Acquire(ctx context.Context, id, holder string, ttl time.Duration) error
	Release(ctx context.Context, id, holder string) error
}

// Archive keeps plans and reports, by names with slashes in them.
type Archive interface {
	Put(ctx context.Context, name, contentType string, content io.ReadSeeker) error
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	Remove(ctx context.Context, name string) error
}

// Bus is the event bus.
type Bus interface {
	Publish(ctx context.Context, requests ...guard.Request) error
	PublishWarnings(ctx context.Context, warnings ...guard.OwnerWarning) error
	AnnounceSweep(ctx context.Context, sweep guard.Sweep) error
	ContinueSweep(ctx context.Context, state any) error
}

// Rules are what the operator armed.
type Rules struct {
	// Modes has the policies that are switched on.
	Modes map[guard.SweepPolicy]guard.SweepMode
	// MaxKeyAge is the age past which [guard.MaxAge] has keys switched off.
	MaxKeyAge time.Duration
	// MaxShare is how much of the contract may change in one sweep, and be missing from one reading to the next, in percent.
	MaxShare int
	// DryRun: nothing is done, and nothing remembered, whatever the modes.
	DryRun bool
}

// Sweeper carries out sweeps. All fields must be set.
type Sweeper struct {
	Contract Contract
	Ledger   Ledger
	Past     Past
	Leases   Leases
	Archive  Archive
	// Link returns where people find what the archive keeps under the name.
	Link   func(name string) string
	Bus    Bus
	Rules  Rules
	Policy guard.Policy
	// Self is whose credentials Keyreeve uses.
	Self guard.Identity
	// Unique makes a name that is different at each call.
	Unique func() string
	Clock  func() time.Time
	Logger *slog.Logger
}
