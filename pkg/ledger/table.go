package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/sethvargo/go-retry"

	"keyreeve/pkg/awscall"
	"keyreeve/pkg/guard"
)

const (
	// attemptPatience bounds one exchange with DynamoDB.
	attemptPatience = 2 * time.Second
	// attempts is how often the SDK makes a call that fails in a way that may pass.
	attempts = 3
	// turnWait is how long to wait, give or take half, when another was faster or DynamoDB throttles; doubled each time.
	turnWait = 10 * time.Millisecond
	// maxWait bounds each wait, also the SDK's.
	maxWait = 200 * time.Millisecond
	// maxBatch is the most items that DynamoDB gets in one call.
	maxBatch = 100
)

// table is one DynamoDB table.
type table struct {
	name   string
	client *dynamodb.Client
}

func newTable(cfg DynamoDBConfig) table {
	options := dynamodb.Options{
		Region:      cfg.Region,
		Credentials: cfg.Credentials,
		HTTPClient:  awscall.Client(cfg.Transport, attemptPatience),
		Retryer:     awscall.Retryer(attempts, maxWait),
	}
	if cfg.Endpoint != "" {
		options.BaseEndpoint = aws.String(cfg.Endpoint)
	}
	return table{name: cfg.Table, client: dynamodb.New(options)}
}

// use calls fn, and calls it again while it fails for a condition that did not hold, because DynamoDB throttles or because
// it left items unread: in no case did it write. It does so no longer than ctx and [patience] allow. Its error is a
// *guard.Error.
func (t table) use(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	backoff := retry.WithJitterPercent(50, retry.WithCappedDuration(maxWait, retry.NewExponential(turnWait)))
	var reason error
	err := retry.Do(ctx, backoff, func(ctx context.Context) error {
		err := fn(ctx)
		_, failed := errors.AsType[*types.ConditionalCheckFailedException](err)
		_, unread := errors.AsType[unreadError](err)
		if failed || unread || throttled(err) {
			reason = err
			return retry.RetryableError(err)
		}
		return err
	})
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*guard.Error](err); ok {
		return known
	}
	if ctx.Err() != nil {
		return late(errors.Join(describe(err), describe(reason)))
	}
	return unusableTable(describe(err))
}

func unusableTable(err error) *guard.Error {
	return &guard.Error{
		Kind:    guard.Unavailable,
		Message: "The ledger's table cannot be used.",
		Remedy:  "See in the log what is wrong with it, and check that KEYREEVE_LEDGER names a table in this region whose items the function may get, put and delete.",
		Err:     err,
	}
}

func late(err error) *guard.Error {
	return &guard.Error{
		Kind:    guard.Unavailable,
		Message: "The ledger could not be had in time.",
		Remedy:  "Try again; if it stays so, see whether DynamoDB throttles the table that KEYREEVE_LEDGER names.",
		Err:     err,
	}
}

// throttled reports whether DynamoDB turned a request down because there were too many.
func throttled(err error) bool {
	return awsretry.ThrottleErrorCode{Codes: awsretry.DefaultThrottleErrorCodes}.IsErrorThrottle(err) == aws.TrueTernary
}

func describe(err error) error { return awscall.Describe("DynamoDB", err) }

// get returns the item as the last write left it, nil where there is none.
func (t table) get(ctx context.Context, id string) (map[string]types.AttributeValue, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(t.name), Key: key(id), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// unreadError is that DynamoDB left so many items for another call. It does so when it throttles, and where an answer
// would exceed 16 MB.
type unreadError int

func (e unreadError) Error() string { return fmt.Sprintf("DynamoDB left %d items unread", int(e)) }

// getBatch returns those of up to [maxBatch] items that are there, by id, each as the last write left it; but for those
// that DynamoDB left unread, of which it returns the ids.
func (t table) getBatch(ctx context.Context, ids []string) (items map[string]map[string]types.AttributeValue, unread []string, err error) {
	asked := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, id := range ids {
		asked.Keys = append(asked.Keys, key(id))
	}
	out, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{t.name: asked}})
	if err != nil {
		return nil, nil, err
	}
	items = make(map[string]map[string]types.AttributeValue, len(ids))
	// There is one table, whether the answer calls it by its name or its ARN. To look for one of them and not find it
	// would be to find no items.
	for _, found := range slices.Concat(slices.Collect(maps.Values(out.Responses))...) {
		id, err := idAmong(ids, found)
		if err != nil {
			return nil, nil, err
		}
		items[id] = found
	}
	for _, left := range out.UnprocessedKeys {
		for _, item := range left.Keys {
			id, err := idAmong(ids, item)
			if err != nil {
				return nil, nil, err
			}
			unread = append(unread, id)
		}
	}
	return items, unread, nil
}

// idAmong returns the item's id, which must be one of those that were asked for.
func idAmong(ids []string, item map[string]types.AttributeValue) (string, error) {
	id, ok := item[idAttribute].(*types.AttributeValueMemberS)
	if !ok || !slices.Contains(ids, id.Value) {
		return "", errors.New("DynamoDB answered with an item that it was not asked for")
	}
	return id.Value, nil
}

func (t table) put(ctx context.Context, in *dynamodb.PutItemInput, options ...func(*dynamodb.Options)) error {
	in.TableName = aws.String(t.name)
	_, err := t.client.PutItem(ctx, in, options...)
	return err
}

func (t table) delete(ctx context.Context, in *dynamodb.DeleteItemInput) error {
	in.TableName = aws.String(t.name)
	_, err := t.client.DeleteItem(ctx, in)
	return err
}

// read returns the item that is kept as JSON under id, and that JSON; the zero item and no JSON where there is none.
func read[T any](ctx context.Context, t table, id string) (item T, content string, err error) {
	stored, err := t.get(ctx, id)
	if err != nil || stored == nil {
		return item, "", err
	}
	return parse[T](id, stored)
}

// readAll returns the items that are kept as JSON under the ids of names, by name. Those that are not there are absent.
// Each batch may take as long as any other call.
func readAll[T any](ctx context.Context, t table, id func(name string) string, names []string) (map[string]T, error) {
	nameOf := make(map[string]string, len(names))
	for _, name := range names {
		nameOf[id(name)] = name
	}
	items := make(map[string]T)
	for pending := range slices.Chunk(slices.Sorted(maps.Keys(nameOf)), maxBatch) {
		err := t.use(ctx, func(ctx context.Context) error {
			found, unread, err := t.getBatch(ctx, pending)
			if err != nil {
				return err
			}
			for id, stored := range found {
				if items[nameOf[id]], _, err = parse[T](id, stored); err != nil {
					return err
				}
			}
			if pending = unread; len(unread) > 0 {
				return unreadError(len(unread))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return items, nil
}

// parse returns the item that is kept as JSON in a stored one, and that JSON.
func parse[T any](id string, stored map[string]types.AttributeValue) (item T, content string, err error) {
	attribute, ok := stored[contentAttribute].(*types.AttributeValueMemberS)
	if !ok {
		return item, "", fmt.Errorf("read the item %s: it has no text in %s", id, contentAttribute)
	}
	if item, err = decode[T]([]byte(attribute.Value)); err != nil {
		return item, "", fmt.Errorf("read the item %s: %w", id, err)
	}
	return item, attribute.Value, nil
}

// writing says how an item is put.
type writing struct {
	// attempts bounds how often the SDK sends the same put.
	attempts int
	// expires is when DynamoDB may delete the item; zero: never.
	expires time.Time
}

// change reads the item that is kept as JSON under id, lets edit change it and puts it back where it is another by then,
// on condition that the table still has what was read. Otherwise it begins again. What was read needs no version number
// to be recognized: where the content is the same, so is what edit makes of it.
func change[T any](ctx context.Context, t table, id string, w writing, edit func(*T) error) error {
	return t.use(ctx, func(ctx context.Context) error {
		item, content, err := read[T](ctx, t, id)
		if err != nil {
			return err
		}
		before, err := json.Marshal(item)
		if err != nil {
			return err
		}
		if err := edit(&item); err != nil {
			return err
		}
		after, err := json.Marshal(item)
		if err != nil || bytes.Equal(before, after) {
			return err
		}
		return t.put(ctx, w.put(id, content, string(after)), func(o *dynamodb.Options) { o.RetryMaxAttempts = w.attempts })
	})
}

// put returns the call that puts content in the place of before, which is empty where there must be no item yet.
func (w writing) put(id, before, content string) *dynamodb.PutItemInput {
	in := &dynamodb.PutItemInput{
		Item:                     map[string]types.AttributeValue{idAttribute: text(id), contentAttribute: text(content)},
		ConditionExpression:      aws.String("attribute_not_exists(#id)"),
		ExpressionAttributeNames: map[string]string{"#id": idAttribute},
	}
	if before != "" {
		in.ConditionExpression = aws.String("#content = :before")
		in.ExpressionAttributeNames = map[string]string{"#content": contentAttribute}
		in.ExpressionAttributeValues = map[string]types.AttributeValue{":before": text(before)}
	}
	if !w.expires.IsZero() {
		in.Item[expiresAttribute] = number(w.expires.Unix())
	}
	return in
}

func key(id string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{idAttribute: text(id)}
}

func text(s string) *types.AttributeValueMemberS { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) *types.AttributeValueMemberN {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
