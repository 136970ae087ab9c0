package ledger_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
)

// text is a string as DynamoDB has it on the wire.
type text struct {
	S string `json:"S"`
}

// batches stands in for a table that is only ever read in batches, and has every item that it is asked for.
type batches struct {
	// content is that of all items.
	content string
	// answer says what becomes of the nth batch.
	answer func(n int) batchAnswer
	// calls are the ids that each batch asked for.
	calls [][]string
}

// batchAnswer is what becomes of a batch. The zero batchAnswer is that all goes well.
type batchAnswer struct {
	// takes is how long it takes.
	takes time.Duration
	// leaves is how many items at most are left unread.
	leaves int
	// calls is the table's name in the answer, where it is another than in the request.
	calls string
	// status and body are another answer.
	status int
	body   string
}

func (b *batches) RoundTrip(r *http.Request) (*http.Response, error) {
	var request struct {
		RequestItems map[string]struct {
			ConsistentRead bool              `json:"ConsistentRead"`
			Keys           []map[string]text `json:"Keys"`
		} `json:"RequestItems"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	asked := request.RequestItems["table"]
	if target := r.Header.Get("X-Amz-Target"); target != "DynamoDB_20120810.BatchGetItem" || !asked.ConsistentRead {
		return nil, fmt.Errorf("%s with consistent reads %t is not what this table is for", target, asked.ConsistentRead)
	}
	var ids []string
	for _, key := range asked.Keys {
		ids = append(ids, key["id"].S)
	}
	b.calls = append(b.calls, ids)

	var answer batchAnswer
	if b.answer != nil {
		answer = b.answer(len(b.calls))
	}
	select {
	case <-time.After(answer.takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	recorder := httptest.NewRecorder()
	if answer.status != 0 {
		recorder.WriteHeader(answer.status)
		_, err := recorder.WriteString(answer.body)
		return recorder.Result(), err
	}
	table := "table"
	if answer.calls != "" {
		table = answer.calls
	}
	err := json.NewEncoder(recorder).Encode(b.body(table, asked.Keys, answer.leaves))
	return recorder.Result(), err
}

// body is the answer that leaves that many of the items unread.
func (b *batches) body(table string, keys []map[string]text, leaves int) map[string]any {
	read := max(0, len(keys)-leaves)
	items := []map[string]text{}
	for _, key := range keys[:read] {
		items = append(items, map[string]text{"id": key["id"], "content": {b.content}})
	}
	unread := map[string]any{}
	if leaves > 0 && len(keys) > 0 {
		unread[table] = map[string]any{"Keys": keys[read:]}
	}
	return map[string]any{"Responses": map[string]any{table: items}, "UnprocessedKeys": unread}
}

// users returns the ids of that many users.
func users(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("user-%04d", i))
	}
	return all
}

func TestDynamoDBReadsInBatches(t *testing.T) {
	t.Parallel()
	refused := func(code string) batchAnswer {
		r := refusal(code)
		return batchAnswer{status: r.status, body: r.body}
	}
	for _, test := range []struct {
		name   string
		users  []string
		answer func(n int) batchAnswer
		// wantCalls is how many items each call asks for.
		wantCalls []int
		max       time.Duration
	}{
		{name: "nobody"},
		{name: "one", users: users(1), wantCalls: []int{1}},
		{name: "a full batch", users: users(100), wantCalls: []int{100}},
		{name: "one more", users: users(101), wantCalls: []int{100, 1}},
		{name: "users who are named twice", users: slices.Concat(users(150), users(120)), wantCalls: []int{100, 50}},
		{
			name: "a table that is called by its ARN", users: users(2), wantCalls: []int{2},
			answer: func(int) batchAnswer {
				return batchAnswer{calls: "arn:aws:dynamodb:eu-central-1:123456789012:table/table"}
			},
		},
		{
			name: "items that are left unread", users: users(130), max: 200 * time.Millisecond,
			answer:    func(n int) batchAnswer { return batchAnswer{leaves: []int{70, 1, 0, 5, 0}[n-1]} },
			wantCalls: []int{100, 70, 1, 30, 5},
		},
		{
			name: "all left unread for a while", users: users(3), max: time.Second,
			answer: func(n int) batchAnswer {
				if n <= 4 {
					return batchAnswer{leaves: 100}
				}
				return batchAnswer{}
			},
			wantCalls: []int{3, 3, 3, 3, 3},
		},
		{
			name: "throttled halfway", users: users(150), max: 3 * time.Second,
			answer: func(n int) batchAnswer {
				if n == 2 || n == 4 {
					return batchAnswer{leaves: 20}
				}
				if n == 3 || n >= 5 && n <= 7 {
					return refused("ProvisionedThroughputExceededException")
				}
				return batchAnswer{}
			},
			wantCalls: []int{100, 50, 20, 20, 20, 20, 20, 20},
		},
		{
			name: "many, of which each batch is in time", users: users(1000), max: 15 * time.Second,
			answer:    func(int) batchAnswer { return batchAnswer{takes: 1500 * time.Millisecond} },
			wantCalls: []int{100, 100, 100, 100, 100, 100, 100, 100, 100, 100},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table := &batches{content: `{"offboardedAt":"2026-11-22T12:00:00Z"}`, answer: test.answer}
				want := map[string]guard.Memory{}
				for _, id := range test.users {
					want[id] = guard.Memory{OffboardedAt: noon()}
				}
				start := time.Now()
				wantMemories(t, newDynamoDB("http://dynamodb.test", "table", table, time.Now), test.users, want)
				if took := time.Since(start); took > test.max {
					t.Errorf("it took %s, want %s at most", took, test.max)
				}
				var calls []int
				for _, ids := range table.calls {
					calls = append(calls, len(ids))
					if distinct := slices.Compact(slices.Sorted(slices.Values(ids))); len(distinct) != len(ids) {
						t.Errorf("one call asked twice for an item: %s", ids)
					}
				}
				if diff := cmp.Diff(test.wantCalls, calls); diff != "" {
					t.Errorf("items that each call asked for (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// What cannot be read to the end is an error: half of the users would never have left.
func TestDynamoDBReadsABatchOrFails(t *testing.T) {
	t.Parallel()
	const unusable, late = "The ledger's table cannot be used.", "The ledger could not be had in time."
	body := func(responses, unprocessed string) batchAnswer {
		return batchAnswer{status: http.StatusOK, body: fmt.Sprintf(`{"Responses":{"table":[%s]},"UnprocessedKeys":{%s}}`, responses, unprocessed)}
	}
	// The second batch has the users 100 to 149.
	const left = `{"id":{"S":"users/user-0100"},"content":{"S":"{}"}}`
	for _, test := range []struct {
		name string
		// second is what becomes of the second batch, however often it is asked for.
		second      batchAnswer
		wantMessage string
		wantCause   string
	}{
		{"denied", batchAnswer{status: http.StatusBadRequest, body: refusal("AccessDeniedException").body}, unusable, "AccessDeniedException"},
		{"half an answer", batchAnswer{status: http.StatusOK, body: `{"Responses":{"table":[` + left}, unusable, "cannot be understood"},
		{"silent", batchAnswer{takes: time.Hour}, late, "deadline exceeded"},
		{"throttled for ever", batchAnswer{status: http.StatusBadRequest, body: refusal("ThrottlingException").body}, late, "ThrottlingException"},
		{"left unread for ever", batchAnswer{leaves: 100}, late, "50 items unread"},
		{"an item of the first batch", body(left+`,{"id":{"S":"users/user-0000"},"content":{"S":"{}"}}`, ""), unusable, "not asked for"},
		{"an item of another user", body(`{"id":{"S":"users/mallory"},"content":{"S":"{}"}}`, ""), unusable, "not asked for"},
		{"an item of another sort", body(`{"id":{"S":"leases/user-0100"},"content":{"S":"{}"}}`, ""), unusable, "not asked for"},
		{"an item without an id", body(left+`,{"content":{"S":"{}"}}`, ""), unusable, "not asked for"},
		{"an item whose id is a number", body(`{"id":{"N":"1"},"content":{"S":"{}"}}`, ""), unusable, "not asked for"},
		{"an item that is null", body(left+`,null`, ""), unusable, "not asked for"},
		{"another item left unread", body(left, `"table":{"Keys":[{"id":{"S":"users/mallory"}}]}`), unusable, "not asked for"},
		{"an item of another table left unread", body(left, `"other":{"Keys":[{"number":{"N":"1"}}]}`), unusable, "not asked for"},
		{"an item without content", body(left+`,{"id":{"S":"users/user-0101"}}`, ""), unusable, "users/user-0101: it has no text in content"},
		{"an item that is no JSON", body(left+`,{"id":{"S":"users/user-0101"},"content":{"S":"confidential"}}`, ""), unusable, "users/user-0101: it is no JSON object"},
		{"an item of another version", body(`{"id":{"S":"users/user-0101"},"content":{"S":"{\"leftAt\":1}"}}`, ""), unusable, "users/user-0101"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table := &batches{content: "{}", answer: func(n int) batchAnswer {
					if n == 1 {
						return batchAnswer{}
					}
					return test.second
				}}
				start := time.Now()
				got, err := newDynamoDB("http://dynamodb.test", "table", table, time.Now).RecallAll(t.Context(), users(150))
				wantUnavailable(t, "RecallAll", err, test.wantMessage, test.wantCause)
				if got != nil {
					t.Errorf("RecallAll returned %d memories with its error, want none", len(got))
				}
				if waited := time.Since(start); waited > 5*time.Second || test.wantMessage == unusable && waited > 0 {
					t.Errorf("waited %s", waited)
				}
				if err != nil && strings.Contains(err.Error(), "confidential") {
					t.Errorf("the error quotes the item: %v", err)
				}
			})
		})
	}
}

func TestDynamoDBReadsAllWarningsOrNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := &batches{content: `{"00e1":["2026-11-22T12:00:00Z"]}`, answer: func(n int) batchAnswer {
			if n == 3 {
				return batchAnswer{status: http.StatusBadRequest, body: refusal("AccessDeniedException").body}
			}
			return batchAnswer{leaves: 10}
		}}
		got, err := newDynamoDB("http://dynamodb.test", "table", table, time.Now).WarningsOf(t.Context(), users(100))
		wantUnusableTable(t, "WarningsOf", err, "AccessDeniedException")
		if got != nil {
			t.Errorf("WarningsOf returned those of %d users with its error, want none", len(got))
		}
	})
}
