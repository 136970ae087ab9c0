package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"keyreeve/pkg/guard"
)

// Bolt is a ledger in one file on this machine, which several processes and goroutines may share.
type Bolt struct {
	file  *sharedFile
	clock func() time.Time
}

// The buckets of the file, and the one key in that of the counters and in that of the sweeps.
const (
	usersBucket    = "users"
	leasesBucket   = "leases"
	countersBucket = "counters"
	eventsBucket   = "events"
	warningsBucket = "warnings"
	sweepsBucket   = "sweeps"
	changesCounter = "changes"
	lastSweep      = "last"
)

func bucketNames() []string {
	return []string{usersBucket, leasesBucket, countersBucket, eventsBucket, warningsBucket, sweepsBucket}
}

// OpenBolt returns the ledger in the file at path. It creates the file where there is none, whole or not at all, and
// never a folder. A file of an older version gets the buckets that it lacks. The file is not kept open: each call opens,
// locks, uses and closes it.
func OpenBolt(ctx context.Context, path string, clock func() time.Time) (*Bolt, error) {
	file, err := openShared(path)
	if err != nil {
		return nil, err
	}
	b := &Bolt{file: file, clock: clock}
	// Every start of a function comes here, and a write costs more than the rest of it.
	complete := false
	err = b.view(ctx, func(tx *bbolt.Tx) error {
		missing := func(name string) bool { return tx.Bucket([]byte(name)) == nil }
		complete = !slices.ContainsFunc(bucketNames(), missing)
		return nil
	})
	if err == nil && !complete {
		err = b.update(ctx, createBuckets)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

func createBuckets(tx *bbolt.Tx) error {
	for _, name := range bucketNames() {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

// Acquire takes the user's lease for ttl, or renews it where holder has it already. Where another has it, the error is
// of kind [guard.Unavailable] and its RetryAfter is the rest of that lease.
func (b *Bolt) Acquire(ctx context.Context, userID, holder string, ttl time.Duration) error {
	return b.update(ctx, func(tx *bbolt.Tx) error {
		lease, err := get[leaseItem](tx, leasesBucket, userID)
		if err != nil {
			return err
		}
		now := b.clock().UTC()
		if err := lease.refuse(holder, now); err != nil {
			return err
		}
		return put(tx, leasesBucket, userID, leaseItem{Holder: holder, Until: now.Add(ttl)})
	})
}

// Release gives the user's lease back. Where holder does not have it (any more), nothing happens.
func (b *Bolt) Release(ctx context.Context, userID, holder string) error {
	return b.update(ctx, func(tx *bbolt.Tx) error {
		lease, err := get[leaseItem](tx, leasesBucket, userID)
		if err != nil || lease.Holder != holder {
			return err
		}
		return tx.Bucket([]byte(leasesBucket)).Delete([]byte(userID))
	})
}

// Recall returns all that is known of the user, with times in UTC; the zero Memory for a user never heard of.
func (b *Bolt) Recall(ctx context.Context, userID string) (guard.Memory, error) {
	var user userItem
	err := b.view(ctx, func(tx *bbolt.Tx) (err error) {
		user, err = get[userItem](tx, usersBucket, userID)
		return err
	})
	return user.memory(), err
}

// RecallAll returns what Recall does, of each of the users by id. Users never heard of are absent.
func (b *Bolt) RecallAll(ctx context.Context, userIDs []string) (map[string]guard.Memory, error) {
	users, err := getAll[userItem](ctx, b, usersBucket, userIDs)
	if err != nil {
		return nil, err
	}
	return memories(users), nil
}

// Record adds entry to what is known of the user. Each part of it counts only if it is not older than what is stored:
// the mark of offboarding by its time, the answer about buckets by its At, the change of a key by its OccurredAt.
// What entry leaves zero stays as it is.
func (b *Bolt) Record(ctx context.Context, userID string, entry guard.Memory) error {
	return b.update(ctx, func(tx *bbolt.Tx) error {
		user, err := get[userItem](tx, usersBucket, userID)
		if err != nil {
			return err
		}
		if err := user.merge(entry); err != nil {
			return err
		}
		return put(tx, usersBucket, userID, user)
	})
}

// Reserve counts that many changes more, unless they would bring the last hour's above limit: then it counts none.
// A limit of zero or less is no limit. It returns how many the last hour had before, so the changes were counted if
// already+changes <= limit. No changes only read the number; a negative number gives changes back.
//
// The hour slides by the minute: a change counts for at least 60 and at most 61 minutes.
func (b *Bolt) Reserve(ctx context.Context, changes, limit int) (already int, err error) {
	err = b.update(ctx, func(tx *bbolt.Tx) error {
		counters, err := get[counterItem](tx, countersBucket, changesCounter)
		if err != nil {
			return err
		}
		var counted counterItem
		already, counted = counters.reserve(changes, limit, b.clock())
		if counted == nil {
			return nil
		}
		return put(tx, countersBucket, changesCounter, counted)
	})
	if err != nil {
		return 0, err
	}
	return already, nil
}

// Seen reports whether the event was remembered and is not forgotten yet.
func (b *Bolt) Seen(ctx context.Context, digest string) (bool, error) {
	var event eventItem
	err := b.view(ctx, func(tx *bbolt.Tx) (err error) {
		event, err = get[eventItem](tx, eventsBucket, digest)
		return err
	})
	return err == nil && event.counts(b.clock()), err
}

// Remember remembers the event until then, or for as long as it is remembered already where that is longer.
func (b *Bolt) Remember(ctx context.Context, digest string, until time.Time) error {
	return b.update(ctx, func(tx *bbolt.Tx) error {
		event, err := get[eventItem](tx, eventsBucket, digest)
		if err != nil {
			return err
		}
		event.extend(until)
		if err := put(tx, eventsBucket, digest, event); err != nil {
			return err
		}
		return forgetEvents(tx, b.clock())
	})
}

// Claim remembers the event like Remember and reports whether that is holder's doing: of several who claim an event, the
// first one holds it, however often they ask. One that was only remembered is nobody's.
func (b *Bolt) Claim(ctx context.Context, digest, holder string, until time.Time) (held bool, err error) {
	err = b.update(ctx, func(tx *bbolt.Tx) error {
		event, err := get[eventItem](tx, eventsBucket, digest)
		if err != nil {
			return err
		}
		if held = event.claim(holder, until, b.clock()); !held {
			return nil
		}
		if err := put(tx, eventsBucket, digest, event); err != nil {
			return err
		}
		return forgetEvents(tx, b.clock())
	})
	return err == nil && held, err
}

// WarningsOf returns when the owners of keys were warned, by user id, with times in UTC. Users who never were are absent.
func (b *Bolt) WarningsOf(ctx context.Context, userIDs []string) (map[string]guard.KeyWarnings, error) {
	return getAll[guard.KeyWarnings](ctx, b, warningsBucket, userIDs)
}

// RecordWarnings records that the user was warned of the keys. Where a key has a warning less than [guard.WarningsApart]
// before or after that, it is taken for the same, so that a notice may come twice or late. The last four times of a key
// are kept, and none of keys whose last time is more than two years before.
func (b *Bolt) RecordWarnings(ctx context.Context, userID string, keyIDs []string, at time.Time) error {
	return b.update(ctx, func(tx *bbolt.Tx) error {
		warnings, err := get[guard.KeyWarnings](tx, warningsBucket, userID)
		if err != nil {
			return err
		}
		return put(tx, warningsBucket, userID, addWarnings(warnings, keyIDs, at))
	})
}

// RecallSweeps returns what is known of past sweeps, with times in UTC; the zero SweepMemory where there was none.
func (b *Bolt) RecallSweeps(ctx context.Context) (guard.SweepMemory, error) {
	var sweeps guard.SweepMemory
	err := b.view(ctx, func(tx *bbolt.Tx) (err error) {
		sweeps, err = get[guard.SweepMemory](tx, sweepsBucket, lastSweep)
		return err
	})
	return sweeps, err
}

// RecordSweep puts m in the place of what is known of past sweeps, unless that cannot be read.
func (b *Bolt) RecordSweep(ctx context.Context, m guard.SweepMemory) error {
	m.DayBegan = m.DayBegan.UTC()
	return b.update(ctx, func(tx *bbolt.Tx) error {
		if _, err := get[guard.SweepMemory](tx, sweepsBucket, lastSweep); err != nil {
			return err
		}
		return put(tx, sweepsBucket, lastSweep, m)
	})
}

// forgetEvents deletes the events that do not count any more, so that the file does not grow for ever. An item that
// cannot be read stays: it is an error for whoever asks for that event, and for nobody else.
func forgetEvents(tx *bbolt.Tx, now time.Time) error {
	events := tx.Bucket([]byte(eventsBucket))
	var past [][]byte
	if err := events.ForEach(func(digest, data []byte) error {
		if event, err := decode[eventItem](data); err == nil && !event.counts(now) {
			past = append(past, digest)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, digest := range past {
		if err := events.Delete(digest); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bolt) update(ctx context.Context, change func(*bbolt.Tx) error) error {
	return b.file.use(ctx, func(db *bbolt.DB) error { return db.Update(change) })
}

func (b *Bolt) view(ctx context.Context, look func(*bbolt.Tx) error) error {
	return b.file.use(ctx, func(db *bbolt.DB) error { return db.View(look) })
}

// get returns the item stored under key, the zero item where there is none.
func get[T any](tx *bbolt.Tx, bucket, key string) (T, error) {
	data := tx.Bucket([]byte(bucket)).Get([]byte(key))
	if data == nil {
		var none T
		return none, nil
	}
	item, err := decode[T](data)
	if err != nil {
		return item, fmt.Errorf("read the item %s/%s: %w", bucket, key, err)
	}
	return item, nil
}

// getAll returns the items stored under keys, by key, all as they are at one moment. Those that are not there are absent.
func getAll[T any](ctx context.Context, b *Bolt, bucket string, keys []string) (map[string]T, error) {
	items := make(map[string]T)
	err := b.view(ctx, func(tx *bbolt.Tx) error {
		for _, key := range keys {
			if tx.Bucket([]byte(bucket)).Get([]byte(key)) == nil {
				continue
			}
			item, err := get[T](tx, bucket, key)
			if err != nil {
				return err
			}
			items[key] = item
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

func put(tx *bbolt.Tx, bucket, key string, item any) error {
	data, err := json.Marshal(item)
	if err != nil {
		return fmt.Errorf("write the item %s/%s: %w", bucket, key, err)
	}
	return tx.Bucket([]byte(bucket)).Put([]byte(key), data)
}
