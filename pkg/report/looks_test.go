package report_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/report"
)

func (b browser) colors() {
	sweep, rows := contract(40)
	stop := &guard.SweepStop{Brake: guard.ShrunkReading, Message: "Half of the users are gone.", Remedy: "Look whether that is so."}
	stopped, wouldStop := sweep, sweep
	stopped.Stopped, wouldStop.WouldStop = stop, stop
	measure, err := os.ReadFile(filepath.Join("testdata", "contrast.js"))
	mustNot(b.t, err)
	grounds := map[string]string{}
	for _, tt := range []struct {
		scheme string
		sweep  guard.Sweep
	}{{"light", stopped}, {"light", wouldStop}, {"dark", stopped}, {"dark", wouldStop}} {
		p := b.tab(1280, high)
		p.prefer(tt.scheme)
		p.visit(tt.sweep, rows, "")
		p.settle()
		p.run(`document.querySelectorAll("#keys td.due").forEach((cell) => cell.click())`)
		got := look[struct {
			Ground string   `json:"ground"`
			Texts  int      `json:"texts"`
			Marks  int      `json:"marks"`
			Faint  []string `json:"faint"`
		}](p, string(measure))
		if got.Texts < 500 || got.Marks < 100 {
			b.t.Errorf("%s: only %d texts and %d marks were looked at", tt.scheme, got.Texts, got.Marks)
		}
		for _, faint := range got.Faint {
			b.t.Errorf("%s: %s", tt.scheme, faint)
		}
		grounds[tt.scheme] = got.Ground
	}
	if grounds["light"] == grounds["dark"] {
		b.t.Errorf("the ground is %s in both schemes", grounds["light"])
	}
}

func (b browser) narrow() {
	sweep, rows := contract(40)
	long := strings.Repeat("0123456789abcdef", 6)
	rows[0] = report.Row{
		User: long + "@example.com", UserID: long, UserInactive: true, Key: long[:92], Legacy: true, InactiveSince: ago(4000),
		Policy: guard.DeleteAfterGrace, Step: guard.StepDelete, Mode: guard.Enforce, Rule: guard.OnlyKeyWithBuckets, Message: long + " " + long, Remedy: long,
	}
	sweep.ID = long
	sweep.Stopped = &guard.SweepStop{Brake: guard.ShrunkReading, Message: long, Remedy: long}
	for _, width := range []int64{390, 320, 820, 1280} {
		p := b.tab(width, 844)
		p.visit(sweep, rows, "#due=refused&sort=created")
		p.click("#keys td.user")
		p.settle()
		wantEqual(b.t, "row that is open", []string{rows[0].Key},
			look[[]string](p, `[...document.querySelectorAll("#keys tr.opened .key code")].map((code) => code.textContent)`))
		if got := look[int64](p, "document.scrollingElement.scrollWidth"); got > width {
			b.t.Errorf("in a window of %d pixels the page is %d wide", width, got)
		}
		wantEqual(b.t, fmt.Sprintf("rows that are cut off or overlap at %d pixels", width), []string{}, look[[]string](p, `
			[...document.querySelectorAll("#keys tbody tr")].filter((row, i, all) => {
				const bottom = (element) => element.getBoundingClientRect().bottom;
				const lines = [...row.querySelectorAll("div")].filter((line) => line.checkVisibility());
				return lines.some((line) => bottom(line) > bottom(row)) || all[i + 1] && bottom(row) > all[i + 1].getBoundingClientRect().top + 0.5;
			}).map((row) => row.innerText)`))
	}
}

func (b browser) paper() {
	sweep, rows := contract(500)
	p := b.tab(1280, 900)
	p.visit(sweep, rows, "#state=inactive")
	p.run(`addEventListener("beforeprint", () => { window.printed = document.querySelectorAll("#keys tbody tr").length; })`)
	pdf := p.read(chromedp.PrintToPDF())
	if !strings.HasPrefix(string(pdf), "%PDF") {
		b.t.Fatal("it is no PDF")
	}
	inactive := slices.DeleteFunc(slices.Clone(rows), func(r report.Row) bool { return r.Active })
	wantEqual(b.t, "rows on paper", len(inactive), look[int](p, "window.printed"))
	p.settle()
	if n := look[int](p, `document.querySelectorAll("#keys tbody tr").length`); n > 60 {
		b.t.Errorf("after printing %d rows are in the page", n)
	}
	p.print()
	wantEqual(b.t, "what is on paper of the controls and the filters", []bool{false, false, true, true},
		look[[]bool](p, `["td.open", "input", "[name=state]", "output"].map((at) => document.querySelector("#keys " + at).checkVisibility())`))
}

func (b browser) withoutJavaScript() {
	sweep, rows := contract(3)
	p := b.tab(1280, 900)
	p.do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	p.visit(sweep, rows, "")
	got := look[string](p, "document.body.innerText")
	if want := "This page needs JavaScript to show the keys that it holds. The same report is beside it as JSON."; strings.TrimSpace(got) != want {
		b.t.Errorf("got %q, want %q", got, want)
	}
}
