package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

// build compiles the functions, below the template's folder root, into the folder bin. It returns the path of each
// binary, by the function's name.
func build(ctx context.Context, root, bin string, functions []functionSpec) (map[string]string, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(bin, 0o750); err != nil {
		return nil, err
	}
	binaries := map[string]string{}
	// One command for all, since it compiles what they share once. Without symbols they are linked in half the time.
	// The slash says that bin is a folder.
	arguments := []string{"build", "-ldflags=-s -w", "-o", bin + string(filepath.Separator)}
	for _, f := range functions {
		arguments = append(arguments, "./"+path.Clean(f.folder))
		binaries[f.name] = filepath.Join(bin, path.Base(f.folder))
	}
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the functions cannot be built: %w\n%s", err, output)
	}
	return binaries, nil
}
