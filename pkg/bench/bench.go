package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
)

// bench builds the functions, takes all measurements one after the other, and prints them.
func bench(ctx context.Context) (err error) {
	if runtime.GOOS != "linux" {
		return errors.New("this works on Linux only")
	}
	dir, err := os.MkdirTemp("", "keyreeve-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintln(os.Stderr, "building …")
	if err := build(ctx, dir); err != nil {
		return err
	}
	var results table
	for _, part := range []struct {
		name    string
		measure func(ctx context.Context, dir string) (table, error)
	}{{"starts", starts}, {"sizes", sizes}, {"connections and memory", work}, {"offboardings", offboardings}, {"front doors", frontDoors}, {"sweeps", sweeps}} {
		fmt.Fprintf(os.Stderr, "measuring %s …\n", part.name)
		rows, err := part.measure(ctx, dir)
		if err != nil {
			return err
		}
		results = append(results, rows...)
	}
	return results.print(os.Stdout)
}
