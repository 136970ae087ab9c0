package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Environ(), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run starts the stack, says how to use it, and takes it down when ctx ends.
func run(ctx context.Context, environ []string, out io.Writer) error {
	o, err := readOptions(environ)
	if err != nil {
		return err
	}
	s, err := newStack(ctx, o, out)
	if err != nil {
		return err
	}
	s.greet()
	<-ctx.Done()
	return s.close()
}
