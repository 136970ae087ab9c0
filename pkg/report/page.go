package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"keyreeve/pkg/guard"
)

// files are what the page is put together from.
//
//go:embed page
var files embed.FS

// WriteHTML writes what [WriteJSON] writes as one page that needs nothing else. Browsers are told to load nothing from
// anywhere, and to run no script but the page's own.
func WriteHTML(w io.Writer, sweep guard.Sweep, rows iter.Seq2[Row, error]) error {
	before, after, err := page()
	if err != nil {
		return err
	}
	out := newWriter(w)
	out.text(before)
	out.text(`{"sweep":`)
	out.json(sweep)
	out.text(`,"columns":`)
	out.json(columns())
	out.text(`,"rows":`)
	out.list(rows, compactly())
	out.text("}")
	out.text(after)
	return out.close()
}

// page returns the page without its data: what comes before them, and what comes after.
func page() (before, after string, err error) {
	html, err := read("page.html")
	if err != nil {
		return "", "", err
	}
	style, err := read("style.css")
	if err != nil {
		return "", "", err
	}
	// Each file uses what those before it say.
	script, err := read("keys.js", "head.js", "plots.js", "rows.js", "view.js", "start.js")
	if err != nil {
		return "", "", err
	}
	before, after, _ = strings.Cut(html, "{{data}}")
	parts := strings.NewReplacer("{{policy}}", policy(style, script), "{{style}}", style, "{{script}}", script)
	return parts.Replace(before), parts.Replace(after), nil
}

func read(names ...string) (string, error) {
	var all strings.Builder
	for _, name := range names {
		data, err := files.ReadFile("page/" + name)
		if err != nil {
			return "", err
		}
		_, _ = all.Write(data) // never fails
	}
	return all.String(), nil
}

// policy is the page's Content Security Policy: that style and that script, and nothing else. The icon is an empty one in
// the page itself, because without one browsers ask the server.
func policy(style, script string) string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src data:; base-uri 'none'; form-action 'none'; "+
		"require-trusted-types-for 'script'; trusted-types 'none'", digest(style), digest(script))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// cell is what one column of the page has of a row.
type cell struct {
	column string
	value  any // of a comparable type
}

// cells returns what the page has of a row. What differs most often from row to row comes first: see compactly.
func cells(r Row) []cell {
	return []cell{
		{"key", r.Key},
		{"created", seconds(r.Created)},
		{"user", r.User},
		{"userId", r.UserID},
		{"active", r.Active},
		{"inactiveSince", seconds(r.InactiveSince)},
		{"legacy", r.Legacy},
		{"step", r.Step},
		{"policy", r.Policy},
		{"mode", r.Mode},
		{"due", seconds(r.Due)},
		{"rule", r.Rule},
		{"message", r.Message},
		{"remedy", r.Remedy},
		{"userInactive", r.UserInactive},
	}
}

func columns() []string {
	var names []string
	for _, c := range cells(Row{}) {
		names = append(names, c.column)
	}
	return names
}

// compactly returns a function that makes rows short, called for one after the other: a null, and what is missing at the
// end, is as in the row above.
func compactly() func(Row) any {
	above := make([]any, len(columns()))
	return func(r Row) any {
		row, last := make([]any, len(above)), 0
		for i, c := range cells(r) {
			if c.value != above[i] {
				row[i], above[i], last = c.value, c.value, i+1
			}
		}
		return row[:last]
	}
}

// seconds is a time as the page has it: whole seconds since 1970, and 0 for a time that is not known.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
