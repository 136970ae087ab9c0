// Bench measures the functions as they are deployed: real binaries that are given work over the Lambda Runtime API,
// against a stand-in for IONOS on this machine. It prints one table of figures, ratios where a time alone would say
// more about the machine, each with its limit. It fails if a limit is broken or a function does not do what it should.
//
// It is for Linux, which tells a process's peak memory and lets a function trust the stand-in's certificate.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := bench(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
