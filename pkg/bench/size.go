package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// sizes weighs the zip of each function as it is uploaded.
func sizes(ctx context.Context, _ string) (table, error) {
	if err := run(exec.CommandContext(ctx, "make", "--silent", "build")); err != nil {
		return nil, err
	}
	var rows table
	for _, name := range functions() {
		zip, err := os.Stat("build/" + name + ".zip")
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{
			what: fmt.Sprintf("Zip of `%s` for arm64", name), how: "as `make build` makes it",
			value: megabytes(zip.Size()), limit: 4, form: "%.2f MB",
		})
	}
	return rows, nil
}
