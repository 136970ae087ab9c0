package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is one figure.
type row struct {
	what, how string
	value     float64
	// limit is the highest value allowed; zero where there is none.
	limit float64
	// form is how to print value and limit.
	form string
}

type table []row

// markdown returns the table, and how many of its limits are broken.
func (t table) markdown() (text string, broken int) {
	var b strings.Builder
	b.WriteString("| Measured | Value | Limit | Holds | How |\n|---|---:|---:|---|---|\n")
	for _, r := range t {
		limit, holds := "–", "–"
		if r.limit > 0 {
			limit, holds = fmt.Sprintf(r.form, r.limit), "yes"
		}
		if r.limit > 0 && r.value > r.limit {
			holds = "**no**"
			broken++
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, fmt.Sprintf(r.form, r.value), limit, holds, r.how)
	}
	return b.String(), broken
}

// print writes the table and the machine it was measured on. A broken limit is an error.
func (t table) print(out io.Writer) error {
	text, broken := t.markdown()
	_, err := fmt.Fprintf(out, "%s\nMeasured on %d cores with %s for %s/%s.\n", text, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if err == nil && broken > 0 {
		err = fmt.Errorf("%d limits are broken", broken)
	}
	return err
}

// median returns the middle of the sorted values, the upper one of two.
func median[T float64 | time.Duration](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }

// milliseconds prints a time for people.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
