package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/report"
)

// TestScreenshots writes pictures of the page for somebody to look at, where `go test -screenshots` names a folder.
func TestScreenshots(t *testing.T) {
	folder := flag.Lookup("screenshots").Value.String()
	if folder == "" {
		t.Skip("no folder was named")
	}
	started := startBrowser(t)
	few, fewRows := contract(40)
	many, manyRows := contract(10_000)
	stopped := many
	stopped.Stopped = &guard.SweepStop{
		Brake:   guard.TooManyDue,
		Message: "2436 keys are due to be changed, and 0 were changed in the last hour; the limit is 50.",
		Remedy:  "Look through the report. If all of it is meant, raise KEYREEVE_MAX_CHANGES or KEYREEVE_SWEEP_MAX_SHARE until it is done; if not, exempt who is to be left alone.",
	}
	would := few
	would.WouldStop = stopped.Stopped
	none := few
	none.Users, none.Keys = 0, 0
	none.Policies = []guard.SweepTally{{Policy: guard.MaxAge, Mode: guard.Report}}
	for name, tt := range map[string]struct {
		sweep         guard.Sweep
		rows          []report.Row
		scheme        string
		width, height int64
		fragment      string
		then          string
	}{
		"light":         {few, fewRows, "light", 1280, 1400, "", ""},
		"dark":          {few, fewRows, "dark", 1280, 1400, "", ""},
		"narrow":        {few, fewRows, "light", 390, 2400, "", ""},
		"narrow-dark":   {few, fewRows, "dark", 390, 2400, "", "document.querySelector('#keys td').click()"},
		"tablet":        {few, fewRows, "light", 820, 1400, "", ""},
		"stopped":       {stopped, manyRows, "light", 1280, 1400, "", ""},
		"stopped-dark":  {stopped, manyRows, "dark", 1280, 1400, "", ""},
		"would":         {would, fewRows, "light", 1280, 1400, "", ""},
		"would-dark":    {would, fewRows, "dark", 1280, 1400, "", ""},
		"would-narrow":  {would, fewRows, "light", 390, 2400, "", ""},
		"empty":         {none, nil, "light", 1280, 900, "", ""},
		"many":          {many, manyRows, "light", 1280, 1400, "", ""},
		"many-scrolled": {many, manyRows, "light", 1280, 900, "#due=refused", "document.querySelectorAll('#keys tbody tr')[2].click(); scrollBy(0, 40)"},
		"many-narrow":   {many, manyRows, "light", 390, 844, "#due=refused", "document.querySelectorAll('#keys tbody tr')[1].click(); scrollBy(0, 40)"},
		"print":         {few, fewRows, "print", 800, 2400, "", "dispatchEvent(new Event('beforeprint'))"},
		"no-match":      {few, fewRows, "light", 1280, 900, "#q=nobody", ""},
	} {
		p := started.tab(tt.width, tt.height)
		if tt.scheme == "print" {
			p.print()
		} else {
			p.prefer(tt.scheme)
		}
		p.visit(tt.sweep, tt.rows, tt.fragment)
		p.run(tt.then)
		p.settle()
		mustNot(t, os.WriteFile(filepath.Join(folder, name+".png"), p.read(chromedp.CaptureScreenshot()), 0o600))
	}
}
