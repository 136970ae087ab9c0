package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOnLambdaNoLedgerIsAFile starts a function with the tags that the Makefile builds for Lambda with.
func TestOnLambdaNoLedgerIsAFile(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(makefile), " -tags ")
	tags, _, _ := strings.Cut(rest, "\n")
	binary := filepath.Join(t.TempDir(), "notify")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", tags, "-o", binary, "../../functions/notify").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	command := exec.CommandContext(t.Context(), binary)
	command.Env = []string{"KEYREEVE_LEDGER=bolt:" + filepath.Join(t.TempDir(), "ledger")}
	out, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "KEYREEVE_LEDGER must be dynamodb:TABLE") {
		t.Errorf("started with %v and said %s", err, out)
	}
}
