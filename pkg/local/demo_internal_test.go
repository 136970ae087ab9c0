package main

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/ionos/ionostest"
)

func TestDemoSecrets(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"KEYREEVE_WEBHOOK_OKTA_SECRET":     "only-for-make-run-okta",
		"KEYREEVE_WEBHOOK_SCIM_SECRET":     "only-for-make-run-scim",
		"KEYREEVE_WEBHOOK_GITHUB_SECRET":   "only-for-make-run-github",
		"KEYREEVE_WEBHOOK_STANDARD_SECRET": "whsec_" + base64.StdEncoding.EncodeToString([]byte("only-for-make-run-standard")),
		"KEYREEVE_WEBHOOK_BAMBOOHR_SECRET": "only-for-make-run-bamboohr",
		"KEYREEVE_WEBHOOK_HIBOB_SECRET":    "only-for-make-run-hibob",
		"KEYREEVE_WEBHOOK_WORKOS_SECRET":   "only-for-make-run-workos",
	}
	got := demoSecrets()
	identities := got["KEYREEVE_IDENTITY_MAP"]
	delete(got, "KEYREEVE_IDENTITY_MAP")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	contract := &ionostest.Server{Authorize: func(*http.Request) bool { return true }}
	addPeople(contract)
	users := httptest.NewRecorder()
	contract.ServeHTTP(users, httptest.NewRequestWithContext(t.Context(), http.MethodGet, ionostest.BasePath+"/um/users?depth=1", nil))
	for identity := range strings.SplitSeq(identities, ",") {
		if _, email, _ := strings.Cut(identity, "="); !strings.Contains(users.Body.String(), strconv.Quote(email)) {
			t.Errorf("%s leads to nobody in the contract", identity)
		}
	}
}

// The shell's own secret takes the place of the one that everybody knows.
func TestDemoSecretsGiveWay(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	o.keyreeve["KEYREEVE_WEBHOOK_OKTA_SECRET"] = "a-secret-of-the-shell"
	s := &stack{options: o, contract: &fakeContract{}}
	environ := s.environ(functionSpec{environment: map[string]string{"KEYREEVE_IDENTITY_MAP": "", "KEYREEVE_WEBHOOK_SCIM_SECRET": ""}}, "x")
	for _, want := range []string{
		"KEYREEVE_WEBHOOK_OKTA_SECRET=a-secret-of-the-shell",
		"KEYREEVE_WEBHOOK_SCIM_SECRET=only-for-make-run-scim",
		"KEYREEVE_IDENTITY_MAP=" + demoSecrets()["KEYREEVE_IDENTITY_MAP"],
	} {
		if !slices.Contains(environ, want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
}
