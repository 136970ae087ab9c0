package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keyreeve/pkg/ionos/ionostest"
	"keyreeve/pkg/ledger/ledgertest"
)

// laptop is `make run` as a user has it: the real program, which builds and starts the real functions. It works on a
// contract that the test can look into.
type laptop struct {
	t        *testing.T
	address  string
	contract *ionostest.Server
	self     ionostest.User
	client   *http.Client
	// seen is everything that anybody got to see: what was printed, answered and announced.
	seen *record
	// effects are the writes that changed something in the contract.
	effects *effects
}

// record is a buffer that several goroutines write to.
type record struct {
	mu      sync.Mutex
	content bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.content.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.content.String()
}

// root is the folder of the repository, where template.yaml is.
const root = "../.."

// startLaptop runs the program against the contract, with more variables if wanted.
func startLaptop(t *testing.T, contract *ionostest.Server, variables ...string) *laptop {
	t.Helper()
	return startLaptopIn(t, root, contract, variables...)
}

// startLaptopIn runs the program in a folder with another template.yaml.
func startLaptopIn(t *testing.T, folder string, contract *ionostest.Server, variables ...string) *laptop {
	t.Helper()
	l := &laptop{t: t, contract: contract, seen: new(record), client: &http.Client{Timeout: 40 * time.Second}}
	l.effects = &effects{contract: contract, byKey: make(map[string][]string)}
	contract.Fault = l.effects.plan
	contract.Now = time.Now
	contract.Unlimited = true
	l.self = contract.AddUser(ionostest.User{Email: "keyreeve@example.com", Administrator: true})
	contract.AddUser(ionostest.User{Email: "operator@example.com", Administrator: true})
	cloud, s3 := httptest.NewServer(contract), httptest.NewServer(contract.S3())
	t.Cleanup(cloud.Close)
	t.Cleanup(s3.Close)
	l.address = start(t, folder, l.seen, append([]string{
		"IONOS_API_URL=" + cloud.URL, "IONOS_TOKEN=" + contract.Token(l.self.ID), "KEYREEVE_OBJECT_STORAGE_ENDPOINT=" + s3.URL,
		"KEYREEVE_DRY_RUN=false", "KEYREEVE_LEDGER=bolt:" + filepath.Join(t.TempDir(), "ledger.db"), "KEYREEVE_MAX_CHANGES=1000",
		"LOCAL_RETRY=50ms",
	}, variables...))["Keyreeve listens on"]
	return l
}

// onEachLedger runs a part on laptops of its own, one for each sort of ledger. Calls to IONOS take a moment there, so
// that other processes can get in between.
func onEachLedger(t *testing.T, part func(*laptop), variables ...string) {
	t.Helper()
	withEachLedger(t, func(t *testing.T, ledger []string) {
		t.Helper()
		contract := &ionostest.Server{Latency: 5 * time.Millisecond}
		part(startLaptop(t, contract, append(ledger, variables...)...))
	})
}

// withEachLedger calls test with the variables that lead to each sort of ledger.
func withEachLedger(t *testing.T, test func(t *testing.T, ledger []string)) {
	t.Helper()
	for name, ledger := range map[string]func(*testing.T) []string{
		"bbolt":    func(*testing.T) []string { return nil }, // what a laptop has anyway
		"DynamoDB": dynamoDB,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, ledger(t))
		})
	}
}

// dynamoDB starts an emulator with a table for the ledger, and returns the variables that lead there.
func dynamoDB(t *testing.T) []string {
	t.Helper()
	emulator := ledgertest.Start(t)
	return []string{"AWS_ENDPOINT_URL_DYNAMODB=" + emulator.Endpoint, "KEYREEVE_LEDGER=dynamodb:" + emulator.Table(t)}
}

// start builds the program, runs it in the folder, on any free port, and returns the addresses that it prints, by the
// words before them. It stops the program when the test ends.
func start(t *testing.T, folder string, output io.Writer, variables []string) map[string]string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "local")
	if built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, built)
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program)
	command.Dir = folder
	command.Env = append(os.Environ(), append([]string{"PORT=0"}, variables...)...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	printed, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(io.TeeReader(printed, output))
	lines.Buffer(nil, 1<<20)
	addresses := make(map[string]string)
	tooSlow := time.AfterFunc(3*time.Minute, cancel)
	defer tooSlow.Stop()
	for first := true; first || lines.Text() != ""; first = false { // A blank line ends what it says of itself.
		if !lines.Scan() {
			cancel()
			t.Fatalf("the program ended: %v\n%s", command.Wait(), output)
		}
		if words, address, found := strings.Cut(lines.Text(), " http://"); found && !strings.Contains(words, "curl") {
			addresses[words] = "http://" + address
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
			continue
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-drained
		if err := command.Wait(); err != nil && ctx.Err() == nil {
			t.Errorf("the program ended: %v", err)
		}
		if t.Failed() {
			t.Logf("it printed:\n%s", output)
		}
	})
	return addresses
}

// person adds a user with the given number of active keys, the oldest first.
func (l *laptop) person(name string, keys int) (ionostest.User, []string) {
	user := l.contract.AddUser(ionostest.User{Email: name + "@example.com"})
	ids := make([]string, keys)
	for i := range keys {
		ids[i] = l.contract.AddKey(user.ID, ionostest.Key{Active: true, Created: time.Now().AddDate(0, 0, i-100)}).ID
	}
	return user, ids
}

// active returns the states of the user's keys in the API.
func (l *laptop) active(user ionostest.User) map[string]bool {
	states := make(map[string]bool)
	for _, k := range l.contract.Keys(user.ID) {
		states[k.ID] = k.Active
	}
	return states
}

// post sends the body to one of the program's own addresses and returns the answer.
func (l *laptop) post(path, body string) (status int, answer string) {
	return l.call(http.MethodPost, path, "", body)
}

// call is an HTTP call as the caller, or as nobody.
func (l *laptop) call(method, path, caller, body string) (status int, answer string) {
	l.t.Helper()
	got, err := l.try(method, path, caller, body)
	if err != nil {
		l.t.Fatal(err)
	}
	return got.status, got.body
}

// reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	body   string
}

// try is a call that goroutines of a test may make, too.
func (l *laptop) try(method, path, caller, body string) (reply, error) {
	request, err := http.NewRequestWithContext(l.t.Context(), method, l.address+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if caller != "" {
		request.SetBasicAuth(caller, "any")
	}
	response, err := l.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.TeeReader(response.Body, l.seen))
	return reply{response.StatusCode, response.Header, string(content)}, err
}

// keyOutcome is what a result says of one key.
type keyOutcome struct {
	ID         string   `json:"id"`
	Outcome    string   `json:"outcome"`
	Rule       string   `json:"rule"`
	Message    string   `json:"message"`
	Remedy     string   `json:"remedy"`
	Overridden []string `json:"overridden"`
	Active     bool     `json:"active"`
}

type result struct {
	ID   string `json:"id"`
	User struct {
		Email string `json:"email"`
	} `json:"user"`
	Keys     []keyOutcome `json:"keys"`
	Warnings []struct {
		Code string `json:"code"`
	} `json:"warnings"`
}

// givenUp reports whether the result says nothing but that the request was given up.
func (r result) givenUp() bool {
	return len(r.Keys) == 0 && len(r.Warnings) == 1 && r.Warnings[0].Code == "given_up"
}

// said is each key's outcome, or the rule that refused it.
func (r result) said() map[string]string {
	said := make(map[string]string)
	for _, k := range r.Keys {
		said[k.ID] = k.Outcome
		if k.Rule != "" {
			said[k.ID] = k.Rule
		}
	}
	return said
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return value
}

// event sends an event, waits for all it causes, and returns the outcomes and the number of dead letters.
func (l *laptop) event(source, detailType, detail string) (outcomes []result, deadLetters int) {
	l.t.Helper()
	status, answer := l.post("/_events", fmt.Sprintf(`{"source":%q,"detail-type":%q,"detail":%s}`, source, detailType, detail))
	report := decode[struct {
		Outcomes    []result          `json:"outcomes"`
		DeadLetters []json.RawMessage `json:"deadLetters"`
		Unfinished  bool              `json:"unfinished"`
	}](l.t, answer)
	if status != http.StatusOK || report.Unfinished {
		l.t.Fatalf("event: %d %s", status, answer)
	}
	return report.Outcomes, len(report.DeadLetters)
}

// onBus is an event that was on the bus.
type onBus struct {
	DetailType string          `json:"detail-type"`
	Detail     json.RawMessage `json:"detail"`
}

// events returns those that were on the bus, the oldest first.
func (l *laptop) events() []onBus {
	l.t.Helper()
	aside := *l
	aside.seen = new(record) // Each look shows all of them again.
	_, answer := aside.call(http.MethodGet, "/_events", "", "")
	var all []onBus
	for _, seen := range decode[[]struct {
		Event onBus `json:"event"`
	}](l.t, answer) {
		all = append(all, seen.Event)
	}
	return all
}

// announced returns the outcomes that are on the bus, by the request's id, the oldest first.
func (l *laptop) announced() map[string][]result {
	l.t.Helper()
	outcomes := make(map[string][]result)
	for _, e := range l.events() {
		if e.DetailType == "Key Operation Finished" {
			outcome := decode[result](l.t, string(e.Detail))
			outcomes[outcome.ID] = append(outcomes[outcome.ID], outcome)
		}
	}
	return outcomes
}

// await looks at the outcomes on the bus until they are as wanted.
func (l *laptop) await(what string, wanted func(outcomes map[string][]result) bool) map[string][]result {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 45*time.Second)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		outcomes := l.announced()
		if wanted(outcomes) {
			return outcomes
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			l.t.Fatalf("no %s", what)
		}
	}
}

// finished waits until the outcome of the request with the id is on the bus.
func (l *laptop) finished(id string) result {
	l.t.Helper()
	return l.finishedAgain(id, 1)
}

// finishedAgain waits until the request with the id has that many outcomes on the bus, and returns the last of them.
func (l *laptop) finishedAgain(id string, times int) result {
	l.t.Helper()
	enough := func(outcomes map[string][]result) bool { return len(outcomes[id]) >= times }
	return l.await("outcome of "+id, enough)[id][times-1]
}

// deadLetters returns the messages in the dead-letter queue of an action.
func (l *laptop) deadLetters(action string) []string {
	l.t.Helper()
	_, answer := l.call(http.MethodGet, "/_queues/"+function(action)+"DeadLetters", "", "")
	var bodies []string
	for _, letter := range decode[struct {
		Waiting []struct {
			Body string `json:"body"`
		} `json:"waiting"`
	}](l.t, answer).Waiting {
		bodies = append(bodies, letter.Body)
	}
	return bodies
}

// process is one process of a function.
type process struct {
	PID    int    `json:"pid"`
	InHand string `json:"inHand"`
}

// processes returns those of an action's function. A goroutine may ask, too.
func (l *laptop) processes(action string) ([]process, error) {
	got, err := l.try(http.MethodGet, "/_functions/"+function(action), "", "")
	if err != nil {
		return nil, err
	}
	var shown struct {
		Processes []process `json:"processes"`
	}
	err = json.Unmarshal([]byte(got.body), &shown)
	return shown.Processes, err
}

// effects notes the writes to the contract that changed something, whatever was asked for and answered.
type effects struct {
	contract *ionostest.Server

	mu sync.Mutex
	// byKey holds "on", "off" and "gone", in order, by the id of the key.
	byKey map[string][]string
}

// plan has every write noted.
func (e *effects) plan(r *http.Request) ionostest.Fault {
	if r.Method == http.MethodGet {
		return nil
	}
	return e.note
}

func (e *effects) note(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock() // A write at a time, so that what changes meanwhile was changed by this one.
		defer e.mu.Unlock()
		path := strings.Split(r.URL.Path, "/") // …/users/{user}/s3keys/{key}
		user, key := path[len(path)-3], path[len(path)-1]
		before := e.state(user, key)
		api.ServeHTTP(w, r)
		if after := e.state(user, key); after != before {
			e.byKey[key] = append(e.byKey[key], after)
		}
	})
}

func (e *effects) state(user, key string) string {
	for _, k := range e.contract.Keys(user) {
		switch {
		case k.ID == key && k.Active:
			return "on"
		case k.ID == key:
			return "off"
		}
	}
	return "gone"
}

// of returns what became of the key by the writes to it.
func (e *effects) of(key string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.byKey[key])
}

// all returns what became of each key that was written to.
func (e *effects) all() map[string][]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.byKey)
}
