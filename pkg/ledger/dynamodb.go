package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keyreeve/pkg/guard"
)

// DynamoDBConfig says which table, and how to reach it.
type DynamoDBConfig struct {
	Table  string
	Region string
	// Endpoint is the address of an emulator; empty for the real DynamoDB.
	Endpoint    string
	Credentials aws.CredentialsProvider
	Transport   http.RoundTripper
	Clock       func() time.Time
}

// DynamoDB is a ledger in a table, which all functions share. It is safe for concurrent use.
//
// The table's key is the string id. Leases are the string holder and the number until, in nanoseconds since 1970; all
// other items are JSON in the string content. Leases, counters, events and warnings have the number expires as well, in
// seconds since 1970, after which DynamoDB may delete them. That is for tidiness alone: it deletes days late, so whether
// a lease has ended or an event is forgotten goes by until and by our clock. Warnings expire because nobody asks again
// about those of users who are gone. What is known of users never expires: who left must not be forgotten.
type DynamoDB struct {
	table table
	clock func() time.Time
}

// The attributes of the table.
const (
	idAttribute      = "id"
	contentAttribute = "content"
	holderAttribute  = "holder"
	untilAttribute   = "until"
	expiresAttribute = "expires"
)

// keptFor is how long leases, counters, events and warnings stay in the table after they ended: longer than any counts
// for anything, even where clocks disagree.
const keptFor = 24 * time.Hour

// NewDynamoDB returns the ledger in the table that cfg describes. It calls nobody.
func NewDynamoDB(cfg DynamoDBConfig) *DynamoDB {
	return &DynamoDB{table: newTable(cfg), clock: cfg.Clock}
}

// Acquire is [Bolt.Acquire]. One that is sent again because the answer was lost finds its own holder, and passes.
func (d *DynamoDB) Acquire(ctx context.Context, userID, holder string, ttl time.Duration) error {
	id := leaseID(userID)
	return d.table.use(ctx, func(ctx context.Context) error {
		now := d.clock()
		until := now.Add(ttl)
		err := d.table.put(ctx, &dynamodb.PutItemInput{
			Item: map[string]types.AttributeValue{
				idAttribute: text(id), holderAttribute: text(holder),
				untilAttribute: number(until.UnixNano()), expiresAttribute: number(until.Add(keptFor).Unix()),
			},
			ConditionExpression:                 aws.String("attribute_not_exists(#id) OR #until <= :now OR #holder = :holder"),
			ExpressionAttributeNames:            map[string]string{"#id": idAttribute, "#until": untilAttribute, "#holder": holderAttribute},
			ExpressionAttributeValues:           map[string]types.AttributeValue{":now": number(now.UnixNano()), ":holder": text(holder)},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
		if !ok {
			return err
		}
		held := failed.Item
		if held == nil { // Emulators leave it out.
			if held, err = d.table.get(ctx, id); err != nil {
				return err
			}
		}
		if held == nil {
			return failed // It was given back in between.
		}
		lease, err := readLease(held)
		if err != nil {
			return fmt.Errorf("read the item %s: %w", id, err)
		}
		if err := lease.refuse(holder, now); err != nil {
			return err
		}
		return failed // It has expired in between.
	})
}

// Release is [Bolt.Release].
func (d *DynamoDB) Release(ctx context.Context, userID, holder string) error {
	return d.table.use(ctx, func(ctx context.Context) error {
		err := d.table.delete(ctx, &dynamodb.DeleteItemInput{
			Key:                       key(leaseID(userID)),
			ConditionExpression:       aws.String("#holder = :holder"),
			ExpressionAttributeNames:  map[string]string{"#holder": holderAttribute},
			ExpressionAttributeValues: map[string]types.AttributeValue{":holder": text(holder)},
		})
		if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
			return nil
		}
		return err
	})
}

// Recall is [Bolt.Recall].
func (d *DynamoDB) Recall(ctx context.Context, userID string) (guard.Memory, error) {
	var user userItem
	err := d.table.use(ctx, func(ctx context.Context) (err error) {
		user, _, err = read[userItem](ctx, d.table, userItemID(userID))
		return err
	})
	return user.memory(), err
}

// RecallAll is [Bolt.RecallAll], but for that each item is as the last write left it, not all as at one moment. It needs
// the permission dynamodb:BatchGetItem.
func (d *DynamoDB) RecallAll(ctx context.Context, userIDs []string) (map[string]guard.Memory, error) {
	users, err := readAll[userItem](ctx, d.table, userItemID, userIDs)
	if err != nil {
		return nil, err
	}
	return memories(users), nil
}

// Record is [Bolt.Record]. One that is sent again because the answer was lost finds nothing left to change.
func (d *DynamoDB) Record(ctx context.Context, userID string, entry guard.Memory) error {
	return change(ctx, d.table, userItemID(userID), writing{attempts: attempts}, func(user *userItem) error { return user.merge(entry) })
}

// Reserve is [Bolt.Reserve]. Where the answer of DynamoDB is lost, changes may be counted twice, so that the limit is
// reached too soon. They are never given back twice, as that would let through more than the limit: where it is not
// known whether they were, that is an error.
func (d *DynamoDB) Reserve(ctx context.Context, changes, limit int) (already int, err error) {
	w := writing{attempts: attempts, expires: d.clock().Add(keptFor)}
	if changes < 0 {
		w.attempts = 1
	}
	err = change(ctx, d.table, changesID, w, func(counters *counterItem) error {
		var counted counterItem
		already, counted = counters.reserve(changes, limit, d.clock())
		if counted != nil {
			*counters = counted
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return already, nil
}

// Seen is [Bolt.Seen].
func (d *DynamoDB) Seen(ctx context.Context, digest string) (bool, error) {
	var event eventItem
	err := d.table.use(ctx, func(ctx context.Context) (err error) {
		event, _, err = read[eventItem](ctx, d.table, eventID(digest))
		return err
	})
	return err == nil && event.counts(d.clock()), err
}

// Remember is [Bolt.Remember]. One that is sent again because the answer was lost finds nothing left to change.
func (d *DynamoDB) Remember(ctx context.Context, digest string, until time.Time) error {
	w := writing{attempts: attempts, expires: until.Add(keptFor)}
	return change(ctx, d.table, eventID(digest), w, func(event *eventItem) error { event.extend(until); return nil })
}

// Claim is [Bolt.Claim]. One that is sent again because the answer was lost finds its own holder.
func (d *DynamoDB) Claim(ctx context.Context, digest, holder string, until time.Time) (held bool, err error) {
	w := writing{attempts: attempts, expires: until.Add(keptFor)}
	err = change(ctx, d.table, eventID(digest), w, func(event *eventItem) error {
		held = event.claim(holder, until, d.clock())
		return nil
	})
	return err == nil && held, err
}

// WarningsOf is [Bolt.WarningsOf], read as by RecallAll, with the same permission.
func (d *DynamoDB) WarningsOf(ctx context.Context, userIDs []string) (map[string]guard.KeyWarnings, error) {
	return readAll[guard.KeyWarnings](ctx, d.table, warningsID, userIDs)
}

// RecordWarnings is [Bolt.RecordWarnings]. One that is sent again because the answer was lost finds its own warning.
func (d *DynamoDB) RecordWarnings(ctx context.Context, userID string, keyIDs []string, at time.Time) error {
	w := writing{attempts: attempts, expires: d.clock().Add(warningsKeptFor + keptFor)}
	return change(ctx, d.table, warningsID(userID), w, func(warnings *guard.KeyWarnings) error {
		*warnings = addWarnings(*warnings, keyIDs, at)
		return nil
	})
}

// RecallSweeps is [Bolt.RecallSweeps].
func (d *DynamoDB) RecallSweeps(ctx context.Context) (guard.SweepMemory, error) {
	var sweeps guard.SweepMemory
	err := d.table.use(ctx, func(ctx context.Context) (err error) {
		sweeps, _, err = read[guard.SweepMemory](ctx, d.table, sweepsID)
		return err
	})
	return sweeps, err
}

// RecordSweep is [Bolt.RecordSweep]. One that is sent again because the answer was lost finds nothing left to change.
func (d *DynamoDB) RecordSweep(ctx context.Context, m guard.SweepMemory) error {
	m.DayBegan = m.DayBegan.UTC()
	return change(ctx, d.table, sweepsID, writing{attempts: attempts}, func(sweeps *guard.SweepMemory) error { *sweeps = m; return nil })
}

// The ids of the items.
const (
	changesID = "counters/changes"
	sweepsID  = "sweeps/last"
)

func userItemID(userID string) string { return "users/" + userID }
func leaseID(userID string) string    { return "leases/" + userID }
func eventID(digest string) string    { return "events/" + digest }
func warningsID(userID string) string { return "warnings/" + userID }

func readLease(item map[string]types.AttributeValue) (leaseItem, error) {
	holder, isText := item[holderAttribute].(*types.AttributeValueMemberS)
	until, isNumber := item[untilAttribute].(*types.AttributeValueMemberN)
	if !isText || !isNumber {
		return leaseItem{}, errors.New("it is no lease")
	}
	nanoseconds, err := strconv.ParseInt(until.Value, 10, 64)
	return leaseItem{Holder: holder.Value, Until: time.Unix(0, nanoseconds)}, err
}
