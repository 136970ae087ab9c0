// Package tooltest is for tests that need a program of the machine that they run on, an emulator or a browser.
package tooltest

import (
	"testing"

	"github.com/kelseyhightower/envconfig"
)

// GiveUp skips the test for a reason; but it fails the test where the environment has CI=true, and everything must be there.
func GiveUp(t *testing.T, reason string) {
	t.Helper()
	var environment struct {
		CI bool `envconfig:"CI"`
	}
	if err := envconfig.Process("", &environment); err != nil || environment.CI {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
