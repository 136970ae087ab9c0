package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/report"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write testdata/report.json anew")
	flag.String("screenshots", "", "the folder to write pictures of the page into")
	m.Run()
}

// write is one of the two formats.
type write func(io.Writer, guard.Sweep, iter.Seq2[report.Row, error]) error

func formats() map[string]write {
	return map[string]write{"JSON": report.WriteJSON, "HTML": report.WriteHTML}
}

// TestJSON compares a report with testdata/report.json. `go test -update` writes it anew.
func TestJSON(t *testing.T) {
	t.Parallel()
	sweep, rows := contract(3)
	sweep.FinishedAt = night().Add(time.Minute)
	sweep.Stopped = &guard.SweepStop{Brake: guard.ShrunkReading, Message: "Half of the users are gone.", Remedy: "Look whether that is so."}
	rows = append(rows, report.Row{
		User: "olga@example.com", UserID: "0f1e", UserInactive: true, Key: "4fec9c05b7f6db9c1b5f", Active: true, Legacy: true,
		Created: ago(900), InactiveSince: ago(3), Policy: guard.MaxAge, Step: guard.StepWait, Mode: guard.Report, Due: ago(-14),
		Rule: guard.LastActiveKey, Message: "It is <the> last.", Remedy: "Make another & wait.",
	})
	var got bytes.Buffer
	mustNot(t, report.WriteJSON(&got, sweep, stream(rows)))

	golden := filepath.Join("testdata", "report.json")
	if flag.Lookup("update").Value.String() == "true" {
		mustNot(t, os.WriteFile(golden, got.Bytes(), 0o600))
	}
	want, err := os.ReadFile(golden)
	mustNot(t, err)
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the report differs (-want +got):\n%s", diff)
	}

	var read struct {
		Sweep guard.Sweep  `json:"sweep"`
		Keys  []report.Row `json:"keys"`
	}
	mustNot(t, json.Unmarshal(got.Bytes(), &read))
	if diff := cmp.Diff(sweep, read.Sweep); diff != "" {
		t.Errorf("another sweep was read (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(rows, read.Keys); diff != "" {
		t.Errorf("other rows were read (-want +got):\n%s", diff)
	}
}

// TestPageHoldsTheSame expands the rows of the page and compares them with those of the JSON.
func TestPageHoldsTheSame(t *testing.T) {
	t.Parallel()
	for name, users := range map[string]int{"no keys": 0, "some keys": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sweep, rows := contract(users)
			var page bytes.Buffer
			mustNot(t, report.WriteHTML(&page, sweep, stream(rows)))
			_, after, _ := strings.Cut(page.String(), `<script type="application/json" id="report">`)
			data, _, _ := strings.Cut(after, "</script>")
			var read struct {
				Sweep   guard.Sweep `json:"sweep"`
				Columns []string    `json:"columns"`
				Rows    [][]any     `json:"rows"`
			}
			mustNot(t, json.Unmarshal([]byte(data), &read))
			if diff := cmp.Diff(sweep, read.Sweep); diff != "" {
				t.Errorf("the page has another sweep (-want +got):\n%s", diff)
			}
			if len(read.Rows) != len(rows) {
				t.Fatalf("got %d rows, want %d", len(read.Rows), len(rows))
			}
			above := make([]any, len(read.Columns))
			for i, row := range read.Rows {
				got := map[string]any{}
				for j, column := range read.Columns {
					if j < len(row) && row[j] != nil {
						above[j] = row[j]
					}
					if above[j] != "" && above[j] != false && above[j] != 0.0 {
						got[column] = above[j]
					}
				}
				if diff := cmp.Diff(members(t, rows[i]), got); diff != "" {
					t.Fatalf("row %d differs (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

// members returns what a row has, with times in seconds.
func members(t *testing.T, row report.Row) map[string]any {
	t.Helper()
	data, err := json.Marshal(row)
	mustNot(t, err)
	var all map[string]any
	mustNot(t, json.Unmarshal(data, &all))
	for name, value := range all {
		text, _ := value.(string)
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			all[name] = float64(at.Unix())
		}
		if value == false {
			delete(all, name)
		}
	}
	return all
}

// TestRowHasNoSecret knows every member of a row. Each is fit to be read by whoever may read the report.
func TestRowHasNoSecret(t *testing.T) {
	t.Parallel()
	want := []string{
		"User", "UserID", "UserInactive", "Key", "Active", "Legacy", "Created", "InactiveSince",
		"Policy", "Step", "Mode", "Due", "Rule", "Message", "Remedy",
	}
	var got []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[report.Row]()) {
		got = append(got, field.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a row has other members (-want +got):\n%s", diff)
	}
}

// counter counts what is written, and fails when it has had enough.
type counter struct {
	written, writes int
	enough          int // 0: never
}

var errEnough = errors.New("the disk is full")

func (c *counter) Write(p []byte) (int, error) {
	c.writes++
	if c.enough > 0 && c.written+len(p) > c.enough {
		return 0, errEnough
	}
	c.written += len(p)
	return len(p), nil
}

func TestRowsAreWrittenAsTheyCome(t *testing.T) {
	t.Parallel()
	for name, write := range formats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const rows, least, held = 30_000, 40, 16 << 10 // bytes of the shortest row, and what may wait to be written
			var out counter
			given := 0
			mustNot(t, write(&out, tallied(nil), func(yield func(report.Row, error) bool) {
				for given < rows {
					if waiting := given*least - out.written; waiting > held {
						t.Fatalf("after %d rows at least %d bytes wait to be written", given, waiting)
					}
					given++
					if !yield(report.Row{User: "alice@example.com", Key: strings.Repeat(string(rune('a'+given%2)), least)}, nil) {
						return
					}
				}
			}))
			if given != rows {
				t.Errorf("%d rows were taken, want %d", given, rows)
			}
		})
	}
}

func TestNothingIsWrittenAfterAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the plan is broken")
	for name, write := range formats() {
		t.Run(name+", of the rows", func(t *testing.T) {
			t.Parallel()
			_, rows := contract(1000)
			var out counter
			var before int
			err := write(&out, tallied(nil), func(yield func(report.Row, error) bool) {
				for _, row := range rows {
					if !yield(row, nil) {
						t.Fatal("the rows were not wanted any more")
					}
				}
				before = out.writes
				if yield(report.Row{}, broken) {
					t.Error("more rows were wanted after the error")
				}
			})
			if !errors.Is(err, broken) {
				t.Errorf("got %v, want %v", err, broken)
			}
			if before == 0 || out.writes != before {
				t.Errorf("%d writes before the error and %d after it", before, out.writes-before)
			}
		})
		t.Run(name+", of the writer", func(t *testing.T) {
			t.Parallel()
			_, rows := contract(1000)
			out := counter{enough: 50_000}
			taken := 0
			err := write(&out, tallied(nil), func(yield func(report.Row, error) bool) {
				for _, row := range rows {
					taken++
					if !yield(row, nil) {
						return
					}
				}
			})
			if !errors.Is(err, errEnough) {
				t.Errorf("got %v, want %v", err, errEnough)
			}
			if taken == len(rows) {
				t.Error("rows were taken to the last, though nothing could be written")
			}
		})
		t.Run(name+", of a time that JSON has no form for", func(t *testing.T) {
			t.Parallel()
			sweep := tallied(nil)
			sweep.StartedAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
			if err := write(io.Discard, sweep, stream(nil)); err == nil {
				t.Error("got no error")
			}
		})
	}
}

// TestPolicy holds what the page tells browsers to load: the style and the script that are in it, and nothing else.
func TestPolicy(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	mustNot(t, report.WriteHTML(&page, tallied(nil), stream(nil)))
	between := func(before, after string) string {
		_, rest, _ := strings.Cut(page.String(), before)
		found, _, _ := strings.Cut(rest, after)
		return found
	}
	digest := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	want := "default-src 'none'; style-src " + digest(between("<style>", "</style>")) + "; script-src " + digest(between("<script>", "</script>")) +
		"; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	if got := between(`<meta http-equiv="Content-Security-Policy" content="`, `"`); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if policy, style := strings.Index(page.String(), "Content-Security-Policy"), strings.Index(page.String(), "<style>"); policy > style {
		t.Error("the policy comes after what it is about")
	}
}

// TestPageIsShort holds what 30,000 keys weigh.
func TestPageIsShort(t *testing.T) {
	t.Parallel()
	sweep, rows := contract(10_000)
	var page, plain counter
	mustNot(t, report.WriteHTML(&page, sweep, stream(rows)))
	mustNot(t, report.WriteJSON(&plain, sweep, stream(rows)))
	if page.written > plain.written/2 {
		t.Errorf("the page has %d bytes, more than half of the %d of the JSON", page.written, plain.written)
	}
}
