package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// bare names the function that does nothing, see folder bare.
const bare = "bare"

// functions returns the names of the functions measured.
func functions() []string { return append(keyFunctions(), "webhook", "chatops", "notify", "sweep") }

// keyFunctions returns the names of those that are about one user's keys.
func keyFunctions() []string { return []string{"activate", "deactivate", "delete", "inventory"} }

// build builds the functions for this machine into the folder, with the flags of the Makefile.
func build(ctx context.Context, dir string) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-tags", "lambda.norpc",
		"-o", dir+string(filepath.Separator), "./pkg/bench/"+bare)
	for _, name := range functions() {
		command.Args = append(command.Args, "./functions/"+name)
	}
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	return run(command)
}

// run runs a command that has something to say only if it fails.
func run(command *exec.Cmd) error {
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return nil
}
