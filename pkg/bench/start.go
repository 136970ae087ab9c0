package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// pairs is how often each function is started, each time next to one that does nothing; the first few do not count.
const (
	pairs  = 40
	warmUp = 3
)

// starts compares the start of each function, until it asks for work, with that of a function that does nothing.
// Whatever else the machine does at the moment slows both starts of a pair.
func starts(ctx context.Context, dir string) (table, error) {
	w, err := newWorld(dir, 0, 0)
	if err != nil {
		return nil, err
	}
	defer w.close()
	front, err := w.newFront()
	if err != nil {
		return nil, err
	}
	defer front.Close()
	env := append(w.environment(front), "KEYREEVE_LEDGER=dynamodb:bench") // As deployed; nobody is asked at start.
	var rows table
	for _, name := range functions() {
		var own, empty []time.Duration
		var ratios []float64
		for i := range warmUp + pairs {
			b, err := timeStart(ctx, filepath.Join(dir, bare), env)
			if err != nil {
				return nil, err
			}
			a, err := timeStart(ctx, filepath.Join(dir, name), env)
			if err != nil {
				return nil, err
			}
			if i >= warmUp {
				own, empty, ratios = append(own, a), append(empty, b), append(ratios, float64(a)/float64(b))
			}
		}
		rows = append(rows, row{
			what:  fmt.Sprintf("Start of `%s`, to that of an empty function", name),
			how:   fmt.Sprintf("%s to %s, median of %d pairs", milliseconds(median(own)), milliseconds(median(empty)), pairs),
			value: median(ratios), limit: 1.8, form: "%.2f",
		})
	}
	return rows, nil
}

func timeStart(ctx context.Context, binary string, env []string) (time.Duration, error) {
	f, err := start(ctx, binary, env)
	if err != nil {
		return 0, err
	}
	f.stop()
	return f.started, nil
}
