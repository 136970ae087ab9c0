package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/ledger"
)

func TestBolt(t *testing.T) {
	t.Parallel()
	testLedger(t, func(t *testing.T, clock func() time.Time) Ledger {
		t.Helper()
		return openBolt(t, filepath.Join(t.TempDir(), "ledger.db"), clock)
	})
}

func TestBoltRemembersBetweenOpenings(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	c := clockAt(noon())
	entry := guard.Memory{OffboardedAt: noon()}
	before := openBolt(t, path, c.now)
	record(t, before, alice, entry)
	acquire(t, before, alice, "first")
	wantReserve(t, before, 7, 10, 0)
	remember(t, before, event, noon().Add(time.Hour))
	warn(t, before, alice, noon(), "00e1")
	if err := before.RecordSweep(t.Context(), sweepOn(noon())); err != nil {
		t.Fatal(err)
	}

	after := openBolt(t, path, c.now)
	wantMemory(t, after, alice, entry)
	wantTaken(t, after.Acquire(t.Context(), alice, "second", time.Minute), time.Minute)
	wantReserve(t, after, 7, 10, 7)
	wantSeen(t, after, event, true)
	wantWarnings(t, after, alice, guard.KeyWarnings{"00e1": {noon()}})
	wantSweeps(t, after, sweepOn(noon()))
}

// A file that was written before ledgers remembered events, warnings and sweeps has no buckets for them.
func TestBoltOpensAnOlderFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	edit(t, path, func(tx *bbolt.Tx) error {
		for name, items := range map[string]map[string]string{
			"users":    {alice: `{"offboardedAt":"2026-11-22T12:00:00Z"}`},
			"leases":   {},
			"counters": {"changes": fmt.Sprintf(`{"%d":7}`, noon().Unix()/60)},
		} {
			bucket, err := tx.CreateBucket([]byte(name))
			for key, item := range items {
				err = errors.Join(err, bucket.Put([]byte(key), []byte(item)))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})

	l := openBolt(t, path, clockAt(noon()).now)
	wantSeen(t, l, event, false)
	remember(t, l, event, noon().Add(time.Hour))
	wantSeen(t, l, event, true)
	wantWarnings(t, l, alice, nil)
	wantSweeps(t, l, guard.SweepMemory{})
	wantMemory(t, l, alice, guard.Memory{OffboardedAt: noon()})
	wantReserve(t, l, 0, 0, 7)
}

func TestBoltForgetsPastEvents(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	c := clockAt(noon())
	l := openBolt(t, path, c.now)
	foreign := `{"from":"another version"}`
	edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("events")).Put([]byte("foreign"), []byte(foreign)) })
	for i := range 100 {
		remember(t, l, fmt.Sprint("event-", i), c.now().Add(10*time.Minute))
		c.advance(time.Minute)
	}
	want := map[string]string{"foreign": foreign}
	for i := 90; i < 100; i++ {
		until := noon().Add(time.Duration(i+10) * time.Minute)
		want[fmt.Sprint("event-", i)] = fmt.Sprintf(`{"until":%q}`, until.Format(time.RFC3339Nano))
	}
	got := map[string]string{}
	edit(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("events")).ForEach(func(digest, item []byte) error {
			got[string(digest)] = string(item)
			return nil
		})
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	_, err := l.Seen(t.Context(), "foreign")
	wantUnusable(t, err)
	wantUnusable(t, l.Remember(t.Context(), "foreign", c.now().Add(time.Hour)))
}

// Only the owner may read who switched what, and the file's creation leaves nothing beside it.
func TestBoltFileIsPrivateAndAlone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	openBolt(t, filepath.Join(folder, "ledger.db"), clockAt(noon()).now)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]os.FileMode{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		got[entry.Name()] = info.Mode()
	}
	if diff := cmp.Diff(map[string]os.FileMode{"ledger.db": 0o600}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Of many who find no file at once, one creates it, and the others do not put theirs in its place.
func TestBoltIsCreatedOnce(t *testing.T) {
	t.Parallel()
	const openers = 8
	for round := range 10 {
		path := filepath.Join(t.TempDir(), fmt.Sprint(round))
		together(openers, func(int) {
			l, err := ledger.OpenBolt(t.Context(), path, clockAt(noon()).now)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := l.Reserve(t.Context(), 1, 0); err != nil {
				t.Error(err)
			}
		})
		wantReserve(t, openBolt(t, path, clockAt(noon()).now), 0, 0, openers)
	}
}

func TestBoltPrunesCounters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	c := clockAt(noon())
	l := openBolt(t, path, c.now)
	for range 200 {
		if _, err := l.Reserve(t.Context(), 1, 0); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Minute)
	}
	var counters map[string]int
	edit(t, path, func(tx *bbolt.Tx) error {
		return json.Unmarshal(tx.Bucket([]byte("counters")).Get([]byte("changes")), &counters)
	})
	if len(counters) != 61 {
		t.Errorf("%d counters, want 61", len(counters))
	}
}

func TestOpenBoltRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		path func(t *testing.T, folder string) string
	}{
		{"a folder that does not exist", func(_ *testing.T, folder string) string { return filepath.Join(folder, "missing", "ledger.db") }},
		{"a folder that is a file", func(t *testing.T, folder string) string {
			t.Helper()
			return filepath.Join(write(t, folder, "file", []byte("x")), "ledger.db")
		}},
		{"a path that is a folder", func(_ *testing.T, folder string) string { return folder }},
		{"a short text file", func(t *testing.T, folder string) string {
			t.Helper()
			return write(t, folder, "notes.txt", []byte("not a ledger"))
		}},
		{"a long text file", func(t *testing.T, folder string) string {
			t.Helper()
			return write(t, folder, "notes.txt", bytes.Repeat([]byte("not a ledger\n"), 10_000))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := test.path(t, t.TempDir())
			before := snapshot(t, path)
			_, err := ledger.OpenBolt(t.Context(), path, clockAt(noon()).now)
			wantUnusable(t, err)
			if diff := cmp.Diff(before, snapshot(t, path)); diff != "" {
				t.Errorf("the file was changed:\n%s", diff)
			}
		})
	}
}

func TestBoltReportsDamage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		damage func(file []byte) []byte
	}{
		{"both headers overwritten", func(file []byte) []byte {
			clear(file[:2*os.Getpagesize()])
			return file
		}},
		{"all but the headers overwritten", func(file []byte) []byte {
			page := os.Getpagesize()
			copy(file[2*page:], bytes.Repeat([]byte{0xff}, len(file)-2*page))
			return file
		}},
		{"cut off behind the headers", func(file []byte) []byte { return file[:2*os.Getpagesize()] }},
		{"an item that is no JSON", func(file []byte) []byte {
			return bytes.ReplaceAll(file, []byte(`{"offboardedAt"`), []byte(`["offboardedAt"`))
		}},
		{"an item of another version", func(file []byte) []byte {
			return bytes.ReplaceAll(file, []byte(`{"offboardedAt"`), []byte(`{"sayGoodbyeAt"`))
		}},
		{"an item that is null", func(file []byte) []byte {
			return bytes.ReplaceAll(file, []byte(`{"offboardedAt":"2026-11-22T12:00:00Z"}`), []byte(`null                                   `))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := filepath.Join(folder, "ledger.db")
			l := openBolt(t, path, clockAt(noon()).now)
			record(t, l, alice, guard.Memory{OffboardedAt: noon()})
			write(t, folder, "ledger.db", test.damage(snapshot(t, path)))

			_, err := l.Recall(t.Context(), alice)
			wantUnusable(t, err)
			_, err = l.RecallAll(t.Context(), []string{bob, alice})
			wantUnusable(t, err)
			wantUnusable(t, l.Record(t.Context(), alice, guard.Memory{OffboardedAt: noon()})) // nor is the file left locked
		})
	}
}

// A new file in its place would not know who was offboarded.
func TestBoltDoesNotReplaceALostFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := openBolt(t, path, clockAt(noon()).now)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := l.Recall(t.Context(), alice)
	wantUnusable(t, err)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("Stat: %v, want that the file does not exist", err)
	}
}

func TestBoltWaitsForTheFileNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		ctx      func(context.Context) (context.Context, context.CancelFunc)
		min, max time.Duration
	}{
		{"as long as the deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, time.Second, 2 * time.Second},
		{"until it is cancelled", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, time.Second, 2 * time.Second},
		{"without a deadline", context.WithCancel, time.Second, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "ledger.db")
				l := openBolt(t, path, time.Now)
				other, err := bbolt.Open(path, 0o600, nil)
				if err != nil {
					t.Fatal(err)
				}

				ctx, cancel := test.ctx(t.Context())
				defer cancel()
				start := time.Now()
				err = l.Record(ctx, alice, guard.Memory{OffboardedAt: noon()})
				if guard.KindOf(err) != guard.Unavailable {
					t.Errorf("Record = %v, want an error of kind unavailable", err)
				}
				if waited := time.Since(start); waited < test.min || waited > test.max {
					t.Errorf("waited %s, want %s to %s", waited, test.min, test.max)
				}

				if err := other.Close(); err != nil {
					t.Fatal(err)
				}
				wantMemory(t, l, alice, guard.Memory{})
			})
		})
	}
}

func TestBoltGetsTheFileWhenAnotherLetsGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		l := openBolt(t, path, time.Now)
		other, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() {
			if err := other.Close(); err != nil {
				t.Error(err)
			}
		})
		record(t, l, alice, guard.Memory{OffboardedAt: noon()})
		wantMemory(t, l, alice, guard.Memory{OffboardedAt: noon()})
	})
}

// Processes of the test below, which run this test binary over again.
const (
	processVariable = "KEYREEVE_TEST_LEDGER_PROCESS"
	processes       = 6
	processLimit    = 10
)

// done is what a process did.
type done struct {
	Acquired bool `json:"acquired"`
	Counted  int  `json:"counted"`
}

func TestMain(m *testing.M) {
	if path := os.Getenv(processVariable); path != "" {
		if err := beProcess(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// beProcess goes for the lease, counts as many changes as it may and records one, once its standard input ends.
func beProcess(path string) error {
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	ctx := context.Background()
	id := fmt.Sprint("process-", os.Getpid())
	l, err := ledger.OpenBolt(context.Background(), path, time.Now)
	if err != nil {
		return err
	}
	var did done
	err = l.Acquire(ctx, alice, id, time.Hour)
	if err != nil && guard.AsError(err).RetryAfter == 0 {
		return err
	}
	did.Acquired = err == nil
	for range processLimit {
		already, err := l.Reserve(ctx, 1, processLimit)
		if err != nil {
			return err
		}
		if already < processLimit {
			did.Counted++
		}
	}
	change := guard.Change{Action: guard.Delete, At: noon(), OccurredAt: noon()}
	if err := l.Record(ctx, alice, guard.Memory{Changes: map[string]guard.Change{id: change}}); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(did)
}

// The processes race for the file's creation too.
func TestBoltIsSharedByProcesses(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	type process struct {
		*exec.Cmd
		start  io.Closer
		output bytes.Buffer
	}
	started := make([]*process, processes)
	for i := range started {
		p := &process{Cmd: exec.CommandContext(t.Context(), self)}
		p.Env = append(os.Environ(), processVariable+"="+path)
		p.Stdout, p.Stderr = &p.output, os.Stderr
		if p.start, err = p.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		started[i] = p
	}
	for _, p := range started {
		if err := p.start.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var acquired, counted int
	for _, p := range started {
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		var did done
		if err := json.Unmarshal(p.output.Bytes(), &did); err != nil {
			t.Fatal(err)
		}
		counted += did.Counted
		if did.Acquired {
			acquired++
		}
	}
	if acquired != 1 || counted != processLimit {
		t.Errorf("%d processes got the lease and %d changes were counted, want 1 and %d", acquired, counted, processLimit)
	}
	memory, err := openBolt(t, path, time.Now).Recall(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	if len(memory.Changes) != processes {
		t.Errorf("%d changes were recorded, want %d", len(memory.Changes), processes)
	}
}

func openBolt(t *testing.T, path string, clock func() time.Time) *ledger.Bolt {
	t.Helper()
	l, err := ledger.OpenBolt(t.Context(), path, clock)
	if err != nil {
		t.Fatalf("OpenBolt: %v", err)
	}
	return l
}

// edit looks at or changes the file at path behind the ledger's back.
func edit(t *testing.T, path string, do func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(do), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func wantUnusable(t *testing.T, err error) {
	t.Helper()
	got := guard.AsError(err)
	if err == nil || got.Kind != guard.Unavailable || got.Message != "The ledger's file cannot be used." {
		t.Errorf("got %v, want an error of kind unavailable that blames the file", err)
	}
}

func write(t *testing.T, folder, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// snapshot returns the content of the file at path, nil where there is none.
func snapshot(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return data
}
