package app_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImportArrows holds every import of one of our packages by another against the direction that the layout allows:
// functions know app, app knows the parts, the parts know the guard, how AWS and Slack are called, what all edges have in
// common, how signatures are verified and how a report is written; of these all but AWS know the guard, and nothing else of
// ours.
func TestImportArrows(t *testing.T) {
	parts := []string{"keyreeve/pkg/lifecycle", "keyreeve/pkg/ionos", "keyreeve/pkg/buckets", "keyreeve/pkg/ledger", "keyreeve/pkg/bus", "keyreeve/pkg/trigger", "keyreeve/pkg/identity", "keyreeve/pkg/scim", "keyreeve/pkg/webhook", "keyreeve/pkg/chatops", "keyreeve/pkg/deadletter", "keyreeve/pkg/notify", "keyreeve/pkg/sweep", "keyreeve/pkg/archive"}
	const (
		guard, awscall, edge = "keyreeve/pkg/guard", "keyreeve/pkg/awscall", "keyreeve/pkg/edge"
		signature, signs     = "keyreeve/pkg/signature", "keyreeve/pkg/signature/signaturetest"
		slackapi, slack      = "keyreeve/pkg/slackapi", "keyreeve/pkg/slackapi/slacktest"
		report, tools        = "keyreeve/pkg/report", "keyreeve/pkg/tooltest"
		app, fake            = "keyreeve/pkg/app", "keyreeve/pkg/ionos/ionostest"
	)
	allowed := func(importer string) []string {
		switch {
		case strings.HasPrefix(importer, "keyreeve/functions/"):
			return []string{app}
		case importer == app:
			return append(slices.Clone(parts), guard, awscall, edge, signature, slackapi)
		case slices.Contains(parts, importer):
			return []string{guard, awscall, edge, signature, slackapi, report}
		case importer == edge, importer == signature, importer == slackapi, importer == report:
			return []string{guard}
		case importer == "keyreeve/pkg/local", importer == "keyreeve/pkg/bench":
			return []string{fake, signs, slack}
		case importer == "keyreeve/pkg/bus/bustest":
			return []string{guard}
		case importer == "keyreeve/pkg/ledger/ledgertest":
			return []string{tools}
		default:
			return nil
		}
	}
	listed, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}}{{range .Imports}} {{.}}{{end}}", "keyreeve/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(listed)) {
		importer, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		for imported := range strings.FieldsSeq(imports) {
			ours := strings.HasPrefix(imported, "keyreeve/")
			if importer == guard && strings.Contains(imported, ".") {
				t.Errorf("the guard imports %s", imported)
			}
			if ours && !slices.Contains(allowed(importer), imported) {
				t.Errorf("%s must not import %s", importer, imported)
			}
			if ours {
				seen++
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d imports of ours were seen: this test looks in the wrong place", seen)
	}
}
