package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/ledger/ledgertest"
)

// swept is what a sweep answers and announces.
type swept struct {
	ID      string `json:"id"`
	Users   int    `json:"users"`
	Keys    int    `json:"keys"`
	Stopped struct {
		Brake string `json:"brake"`
	} `json:"stopped"`
	Continues bool   `json:"continues"`
	Report    string `json:"report"`
}

// sweep invokes the function, and waits until all is done that comes of it.
func (l *laptop) sweep(order string) swept {
	l.t.Helper()
	status, answer := l.post("/_invoke/Sweep", order)
	if status != http.StatusOK {
		l.t.Fatalf("the sweep failed: %d %s", status, answer)
	}
	l.idle()
	return decode[swept](l.t, answer)
}

// key adds a key to the user, which was made that many days ago, and returns its id.
func (l *laptop) key(user ionostest.User, days int) string {
	return l.contract.AddKey(user.ID, ionostest.Key{Active: true, Created: time.Now().AddDate(0, 0, -days)}).ID
}

// TestSweep sweeps a contract through the real binaries, with owners in Slack and a ledger in DynamoDB.
func TestSweep(t *testing.T) {
	t.Parallel()
	emulator := ledgertest.Start(t)
	table, reports := emulator.Table(t), fmt.Sprint("sweep-test-", time.Now().UnixNano())
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Join(root, ".keyreeve/objects/keyreeve-reportbucket", reports)) })
	w := startWorkspace(t, []string{"otis", "wanda"},
		"AWS_ENDPOINT_URL_DYNAMODB="+emulator.Endpoint, "KEYREEVE_LEDGER=dynamodb:"+table,
		"KEYREEVE_MAX_KEY_AGE=2160h", "KEYREEVE_SWEEP_MAX_AGE=enforce", "KEYREEVE_SWEEP_INACTIVE_USER=enforce", "KEYREEVE_SWEEP_DELETE=enforce",
		"KEYREEVE_SWEEP_REPORTS=s3:keyreeve-reportbucket/"+reports)
	w.contract.ModifiedMetadata = true
	s := newSweptContract(w)
	s.warnedTwice(t, emulator.Client, table)

	t.Run("a dry run", func(t *testing.T) { s.dryRun(w.during(t)) })
	t.Run("a night", func(t *testing.T) { s.night(w.during(t)) })
	t.Run("another one", func(t *testing.T) { s.again(w.during(t)) })
	t.Run("a contract that shrank", func(t *testing.T) { s.shrunk(w.during(t)) })
}

// sweptContract has somebody for each policy, and many whom nothing is due about.
type sweptContract struct {
	otis, wanda, gus, fritz ionostest.User
	old, aging, idle, gone  string
	others                  []ionostest.User
}

func newSweptContract(w *workspace) *sweptContract {
	s := new(sweptContract)
	s.otis, s.wanda = w.contract.AddUser(ionostest.User{Email: email("otis")}), w.contract.AddUser(ionostest.User{Email: email("wanda")})
	s.old, s.aging = w.key(s.otis, 200), w.key(s.wanda, 200)
	s.gus = w.contract.AddUser(ionostest.User{Email: email("gus"), Inactive: true})
	s.idle = w.key(s.gus, 50)
	s.fritz = w.contract.AddUser(ionostest.User{Email: email("fritz")})
	s.gone = w.contract.AddKey(s.fritz.ID, ionostest.Key{Created: time.Now().AddDate(0, 0, -100), Modified: time.Now().AddDate(0, 0, -40)}).ID
	for _, user := range []ionostest.User{s.otis, s.wanda, s.fritz} {
		w.key(user, 10)
	}
	for i := range 30 {
		other := w.contract.AddUser(ionostest.User{Email: email(fmt.Sprint("other", i))})
		w.key(other, 10)
		s.others = append(s.others, other)
	}
	return s
}

// warnedTwice lets the ledger know that Otis was warned of his old key, as notify does.
func (s *sweptContract) warnedTwice(t *testing.T, client *dynamodb.Client, table string) {
	t.Helper()
	ago := func(days int) string { return time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339) }
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: map[string]types.AttributeValue{
		"id":      &types.AttributeValueMemberS{Value: "warnings/" + s.otis.ID},
		"content": &types.AttributeValueMemberS{Value: fmt.Sprintf(`{%q:[%q,%q]}`, s.old, ago(20), ago(10))},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// dryRun changes nothing, whatever the modes.
func (s *sweptContract) dryRun(w *workspace) {
	before := len(w.slack.Shown())
	result := w.sweep(`{"dryRun": true}`)
	want(w.t, "stopped", result.Stopped.Brake, "")
	want(w.t, "changes", w.effects.all(), map[string][]string{})
	channel, private := w.news(before)
	w.one("the notice", channel, everybody, result.Report)
	w.none("warnings", private)
	w.nothingRefused()
}

// due is what a night has to change: the key of whoever cannot log in, the one that is too old, and the forgotten one.
func (s *sweptContract) due() map[string][]string {
	return map[string][]string{s.idle: {"off"}, s.old: {"off"}, s.gone: {"gone"}}
}

// night does what is due: it switches off, deletes and warns, and shows where the report is.
func (s *sweptContract) night(w *workspace) {
	before := len(w.slack.Shown())
	result := w.sweep(`{}`)
	want(w.t, "changes", w.effects.all(), s.due())
	_, private := w.news(before)
	var letters []string
	for _, text := range readAll(w.t, private) {
		if strings.Contains(text, s.aging) {
			letters = append(letters, text)
		}
	}
	want(w.t, "warnings to Wanda", len(letters), 1)
	status, page := w.call(http.MethodGet, strings.TrimPrefix(result.Report, w.address), "", "")
	if status != http.StatusOK || !strings.Contains(page, s.wanda.Email) || !strings.Contains(page, s.gone) {
		w.t.Errorf("the report at %s: %d", result.Report, status)
	}
	w.nothingRefused()
}

// again does nothing: the day's work is done.
func (s *sweptContract) again(w *workspace) {
	before := len(w.slack.Shown())
	result := w.sweep(`{}`)
	want(w.t, "changes, with those of the first one", w.effects.all(), s.due())
	channel, private := w.news(before)
	w.one("the notice", channel, everybody, result.Report)
	w.none("warnings", private)
}

// shrunk stops when a part of the contract is missing.
func (s *sweptContract) shrunk(w *workspace) {
	before := len(w.slack.Shown())
	for _, user := range s.others[:20] {
		w.contract.RemoveUser(user.ID)
	}
	want(w.t, "brake", w.sweep(`{}`).Stopped.Brake, "shrunk_reading")
	_, waiting := w.queue("StoppedSweeps")
	want(w.t, "stopped sweeps, which an alarm watches", len(waiting), 1)
	channel, _ := w.news(before)
	w.one("the notice", channel, everybody, "shrunk_reading")
	want(w.t, "after an override", w.sweep(`{"override": ["shrunk_reading"]}`).Stopped.Brake, "")
	want(w.t, "the next time", w.sweep(`{}`).Stopped.Brake, "")
}

// TestASweepGoesOnInAnotherInvocation gives the function less time than it needs.
func TestASweepGoesOnInAnotherInvocation(t *testing.T) {
	t.Parallel()
	// Of these 20 seconds 15 are for saying how far it came.
	l := startLaptopIn(t, hurried(t, "      Timeout: 900", "      Timeout: 20"), &ionostest.Server{Latency: 2 * time.Second})
	for i := range 450 {
		l.key(l.contract.AddUser(ionostest.User{Email: email(fmt.Sprint("user", i))}), 10)
	}
	if !l.sweep(`{}`).Continues {
		t.Error("the first invocation did not continue")
	}
	var ends []swept
	continued := 0
	for _, e := range l.events() {
		switch e.DetailType {
		case "Key Sweep Continued":
			continued++
		case "Key Sweep Finished":
			ends = append(ends, decode[swept](t, string(e.Detail)))
		}
	}
	if continued < 2 || len(ends) != 1 || ends[0].Users != 452 || ends[0].Keys != 450 {
		t.Errorf("continued %d times, and ended with %+v", continued, ends)
	}
	_, waiting := l.queue("SweepDeadLetters")
	want(t, "dead letters", len(waiting), 0)
}
