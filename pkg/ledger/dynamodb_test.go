package ledger_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ledger"
	"keyreeve/pkg/ledger/ledgertest"
)

func TestDynamoDB(t *testing.T) {
	t.Parallel()
	emulator := ledgertest.Start(t)
	testLedger(t, func(t *testing.T, clock func() time.Time) Ledger {
		t.Helper()
		return openDynamoDB(t, emulator.Endpoint, emulator.Table(t), clock)
	})
	t.Run("items expire long after they count", func(t *testing.T) { testExpiry(t, emulator) })
	t.Run("what the table holds", func(t *testing.T) { testItems(t, emulator) })
	t.Run("items that cannot be read", func(t *testing.T) { testForeignItems(t, emulator) })
	t.Run("ledgers of many functions share a table", func(t *testing.T) { testShared(t, emulator) })
	t.Run("a condition that fails", func(t *testing.T) { testFailedCondition(t, emulator) })
	t.Run("what goes wrong on the wire", func(t *testing.T) { testWire(t, emulator) })
}

// testExpiry is about the attribute by which DynamoDB deletes items. It may do so at any time from then on, but late.
func testExpiry(t *testing.T, emulator *ledgertest.DynamoDB) {
	t.Helper()
	c := clockAt(noon())
	name := emulator.Table(t)
	l := openDynamoDB(t, emulator.Endpoint, name, c.now)
	acquire(t, l, alice, "first")
	record(t, l, alice, guard.Memory{OffboardedAt: noon()})
	wantReserve(t, l, 1, 0, 0)
	remember(t, l, event, noon().Add(time.Hour))
	remember(t, l, event, noon().Add(7*24*time.Hour))
	remember(t, l, event, noon().Add(time.Minute))
	if err := l.RecordSweep(t.Context(), sweepOn(noon())); err != nil {
		t.Fatal(err)
	}
	c.advance(59 * time.Minute)
	wantReserve(t, l, 1, 0, 1)
	warn(t, l, alice, noon(), "00e1")
	warn(t, l, alice, noon().Add(-7*24*time.Hour), "00e1") // which was told late

	items := scan(t, emulator, name)
	for id, end := range map[string]time.Time{
		"leases/" + alice:   noon().Add(time.Minute),
		"counters/changes":  noon().Add(59*time.Minute + 61*time.Minute),
		"events/" + event:   noon().Add(7 * 24 * time.Hour),
		"warnings/" + alice: noon().Add(2 * 365 * 24 * time.Hour),
	} {
		expires, ok := items[id]["expires"].(*types.AttributeValueMemberN)
		if !ok {
			t.Errorf("%s never expires", id)
			continue
		}
		var seconds int64
		if _, err := fmt.Sscan(expires.Value, &seconds); err != nil {
			t.Fatal(err)
		}
		if after := time.Unix(seconds, 0).Sub(end); after < time.Hour || after > 48*time.Hour {
			t.Errorf("%s expires %s after its end, want a few hours", id, after)
		}
	}
	for _, id := range []string{"users/" + alice, "sweeps/last"} {
		if item := items[id]; item == nil || item["expires"] != nil {
			t.Errorf("%s = %v, want an item that never expires", id, item)
		}
	}

	c.advance(30 * 24 * time.Hour)
	acquire(t, l, alice, "second") // although the item is still there
	wantReserve(t, l, 0, 0, 0)
	wantSeen(t, l, event, false)
}

func testItems(t *testing.T, emulator *ledgertest.DynamoDB) {
	t.Helper()
	c := clockAt(noon())
	name := emulator.Table(t)
	l := openDynamoDB(t, emulator.Endpoint, name, c.now)
	acquire(t, l, alice, "first")
	record(t, l, alice, guard.Memory{OffboardedAt: noon()})
	wantReserve(t, l, 3, 0, 0)
	remember(t, l, event, noon().Add(time.Hour).In(time.FixedZone("east", 2*60*60)))
	warn(t, l, alice, noon(), "00e1")
	warn(t, l, alice, noon().Add(7*24*time.Hour), "00e1")
	if err := l.RecordSweep(t.Context(), guard.SweepMemory{Day: "2026-11-22", DayBegan: noon(), Users: 3, Keys: 7}); err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]types.AttributeValue{
		"leases/" + alice: {
			"holder": &types.AttributeValueMemberS{Value: "first"},
			"until":  &types.AttributeValueMemberN{Value: fmt.Sprint(noon().Add(time.Minute).UnixNano())},
		},
		"users/" + alice:    {"content": &types.AttributeValueMemberS{Value: `{"offboardedAt":"2026-11-22T12:00:00Z"}`}},
		"counters/changes":  {"content": &types.AttributeValueMemberS{Value: fmt.Sprintf(`{"%d":3}`, noon().Unix()/60)}},
		"events/" + event:   {"content": &types.AttributeValueMemberS{Value: `{"until":"2026-11-22T13:00:00Z"}`}},
		"warnings/" + alice: {"content": &types.AttributeValueMemberS{Value: `{"00e1":["2026-11-22T12:00:00Z","2026-11-29T12:00:00Z"]}`}},
		"sweeps/last":       {"content": &types.AttributeValueMemberS{Value: `{"day":"2026-11-22","dayBegan":"2026-11-22T12:00:00Z","users":3,"keys":7}`}},
	}
	got := scan(t, emulator, name)
	for id := range got {
		delete(got[id], "id")
		delete(got[id], "expires")
	}
	if diff := cmp.Diff(want, got, values()); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	release(t, l, alice, "first")
	if _, ok := scan(t, emulator, name)["leases/"+alice]; ok {
		t.Error("a lease that was given back is still there")
	}
}

// An item that cannot be read must not count as none: nobody would have left, nobody be at work, nothing have happened or
// been accepted.
func testForeignItems(t *testing.T, emulator *ledgertest.DynamoDB) {
	t.Helper()
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	type attributes = map[string]types.AttributeValue
	content := map[string]attributes{
		"no content":      {},
		"a number":        {"content": number("1")},
		"no JSON":         {"content": text("confidential")},
		"half of it":      {"content": text(`{"offboardedAt":`)},
		"empty":           {"content": text("")},
		"null":            {"content": text("null")},
		"a list":          {"content": text("[]")},
		"another version": {"content": text(`{"leftAt":"2026-11-22T12:00:00Z"}`)},
	}
	lease := map[string]attributes{
		"no holder":      {"until": number(fmt.Sprint(noon().Add(time.Hour).UnixNano()))},
		"no end":         {"holder": text("first")},
		"an end in text": {"holder": text("first"), "until": text("1")},
		"half an end":    {"holder": text("first"), "until": number(fmt.Sprint(noon().Add(time.Hour).UnixNano()) + ".5")},
	}
	for _, test := range []struct {
		id    string
		items map[string]attributes
		calls map[string]func(t *testing.T, l Ledger) error
	}{
		{"users/" + alice, content, map[string]func(*testing.T, Ledger) error{
			"Recall": func(t *testing.T, l Ledger) error { t.Helper(); _, err := l.Recall(t.Context(), alice); return err },
			"RecallAll": func(t *testing.T, l Ledger) error {
				t.Helper()
				_, err := l.RecallAll(t.Context(), []string{bob, alice})
				return err
			},
			"Record": func(t *testing.T, l Ledger) error {
				t.Helper()
				return l.Record(t.Context(), alice, guard.Memory{OffboardedAt: noon()})
			},
		}},
		{"counters/changes", content, map[string]func(*testing.T, Ledger) error{
			"Reserve": func(t *testing.T, l Ledger) error { t.Helper(); _, err := l.Reserve(t.Context(), 1, 10); return err },
		}},
		{"events/" + event, content, map[string]func(*testing.T, Ledger) error{
			"Seen": func(t *testing.T, l Ledger) error { t.Helper(); _, err := l.Seen(t.Context(), event); return err },
			"Remember": func(t *testing.T, l Ledger) error {
				t.Helper()
				return l.Remember(t.Context(), event, noon().Add(time.Hour))
			},
		}},
		{"warnings/" + alice, content, map[string]func(*testing.T, Ledger) error{
			"WarningsOf": func(t *testing.T, l Ledger) error {
				t.Helper()
				_, err := l.WarningsOf(t.Context(), []string{bob, alice})
				return err
			},
			"RecordWarnings": func(t *testing.T, l Ledger) error {
				t.Helper()
				return l.RecordWarnings(t.Context(), alice, []string{"00e1"}, noon())
			},
		}},
		{"sweeps/last", content, map[string]func(*testing.T, Ledger) error{
			"RecallSweeps": func(t *testing.T, l Ledger) error { t.Helper(); _, err := l.RecallSweeps(t.Context()); return err },
			"RecordSweep":  func(t *testing.T, l Ledger) error { t.Helper(); return l.RecordSweep(t.Context(), sweepOn(noon())) },
		}},
		{"leases/" + alice, lease, map[string]func(*testing.T, Ledger) error{
			"Acquire": func(t *testing.T, l Ledger) error {
				t.Helper()
				return l.Acquire(t.Context(), alice, "second", time.Minute)
			},
		}},
	} {
		for name, item := range test.items {
			t.Run(test.id+": "+name, func(t *testing.T) {
				table := emulator.Table(t)
				item = maps.Clone(item)
				item["id"] = text(test.id)
				if _, err := emulator.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: item}); err != nil {
					t.Fatal(err)
				}
				l := openDynamoDB(t, emulator.Endpoint, table, clockAt(noon()).now)
				for call, do := range test.calls {
					wantUnusableTable(t, call, do(t, l), test.id)
				}
				if diff := cmp.Diff(item, scan(t, emulator, table)[test.id], values()); diff != "" {
					t.Errorf("the item was changed (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// Each has a client of its own, as functions have.
func testShared(t *testing.T, emulator *ledgertest.DynamoDB) {
	t.Helper()
	const functions, limit = 8, 10
	name := emulator.Table(t)
	ledgers := make([]Ledger, functions)
	for i := range ledgers {
		ledgers[i] = openDynamoDB(t, emulator.Endpoint, name, clockAt(noon()).now)
	}
	counted, acquired := make([]int, functions), make([]int, functions)
	together(functions, func(i int) {
		l := ledgers[i]
		if l.Acquire(t.Context(), alice, fmt.Sprint("holder-", i), time.Hour) == nil {
			acquired[i]++
		}
		for range 3 {
			already, err := l.Reserve(t.Context(), 1, limit)
			if err != nil {
				t.Errorf("Reserve: %v", err)
			}
			if err == nil && already < limit {
				counted[i]++
			}
		}
		change := guard.Change{Action: guard.Delete, At: noon(), OccurredAt: noon()}
		if err := l.Record(t.Context(), alice, guard.Memory{Changes: map[string]guard.Change{fmt.Sprint("key-", i): change}}); err != nil {
			t.Errorf("Record: %v", err)
		}
	})
	sum := func(all []int) (n int) {
		for _, one := range all {
			n += one
		}
		return n
	}
	if sum(acquired) != 1 || sum(counted) != limit {
		t.Errorf("%d got the lease and %d changes were counted, want 1 and %d", sum(acquired), sum(counted), limit)
	}
	wantReserve(t, ledgers[0], 0, 0, limit)
	memory, err := ledgers[0].Recall(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	if len(memory.Changes) != functions {
		t.Errorf("%d changes were recorded, want %d: %v", len(memory.Changes), functions, slices.Collect(maps.Keys(memory.Changes)))
	}
}

// values compares attributes by what they hold.
func values() cmp.Option {
	return cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{})
}

// scan returns all items of the table by id.
func scan(t *testing.T, emulator *ledgertest.DynamoDB, name string) map[string]map[string]types.AttributeValue {
	t.Helper()
	out, err := emulator.Client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(name), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	items := make(map[string]map[string]types.AttributeValue)
	for _, item := range out.Items {
		id, ok := item["id"].(*types.AttributeValueMemberS)
		if !ok {
			t.Fatalf("an item has no id: %v", item)
		}
		items[id.Value] = item
	}
	return items
}

// What a client signs with. None of it may be in an error.
const (
	accessKeyID  = "AKIDEXAMPLE"
	private      = "the-private-half"
	sessionToken = "the-session-part"
)

// openDynamoDB returns a ledger with connections of its own.
func openDynamoDB(t *testing.T, endpoint, table string, clock func() time.Time) *ledger.DynamoDB {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return newDynamoDB(endpoint, table, transport, clock)
}

func newDynamoDB(endpoint, table string, transport http.RoundTripper, clock func() time.Time) *ledger.DynamoDB {
	return ledger.NewDynamoDB(ledger.DynamoDBConfig{
		Table: table, Region: "eu-central-1", Endpoint: endpoint, Transport: transport, Clock: clock,
		Credentials: credentials.NewStaticCredentialsProvider(accessKeyID, private, sessionToken),
	})
}

// wantUnusableTable wants an error that is fit for people and for the log.
func wantUnusableTable(t *testing.T, call string, err error, cause string) {
	t.Helper()
	wantUnavailable(t, call, err, "The ledger's table cannot be used.", cause)
}

func wantUnavailable(t *testing.T, call string, err error, message, cause string) {
	t.Helper()
	got := guard.AsError(err)
	if err == nil || got.Kind != guard.Unavailable || got.Message != message || !strings.Contains(got.Remedy, "KEYREEVE_LEDGER") {
		t.Errorf("%s = %v, want an error of kind unavailable: %s", call, err, message)
		return
	}
	if !strings.Contains(err.Error(), cause) {
		t.Errorf("%s = %v, want %q in it", call, err, cause)
	}
	for _, secret := range []string{accessKeyID, private, sessionToken, "Signature="} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error has %q in it: %v", call, secret, err)
		}
	}
}
