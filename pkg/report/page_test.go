package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/report"
)

// TestPage looks at the page in a real browser. That it asks for nothing and writes nothing to the console holds in every
// case: see tab.
func TestPage(t *testing.T) {
	t.Parallel()
	started := startBrowser(t)
	for name, test := range map[string]func(browser){
		"sorting":              browser.sorting,
		"filters":              browser.filters,
		"counts lead to keys":  browser.counts,
		"plots":                browser.plots,
		"what is due":          browser.due,
		"a sweep that stopped": browser.stopped,
		"one that would stop":  browser.wouldStop,
		"no keys":              browser.noKeys,
		"hostile data":         browser.hostile,
		"a hostile address":    browser.hostileAddress,
		"30,000 keys":          browser.many,
		"the keyboard":         browser.keyboard,
		"colors":               browser.colors,
		"a narrow window":      browser.narrow,
		"on paper":             browser.paper,
		"without JavaScript":   browser.withoutJavaScript,
	} {
		t.Run(name, func(t *testing.T) { test(browser{t, started.open}) })
	}
}

// counts presses every count of the head, and finds as many keys.
func (b browser) counts() {
	sweep, rows := contract(100)
	p := b.tab(1280, high)
	p.visit(sweep, rows, "")
	for i, tally := range sweep.Policies {
		line := fmt.Sprintf("#policies tbody tr:nth-child(%d)", i+1)
		want := []string{string(tally.Policy), string(tally.Mode), number(tally.Delete), number(tally.Deactivate), number(tally.Refused), number(tally.Warn), number(tally.Wait)}
		wantEqual(b.t, "counts of "+string(tally.Policy), want,
			look[[]string](p, `[...document.querySelectorAll("`+line+` :is(th code, td)")].map((cell) => cell.textContent)`))
		for due, n := range map[string]int{"delete": tally.Delete, "deactivate": tally.Deactivate, "refused": tally.Refused, "warn": tally.Warn, "wait": tally.Wait} {
			if n == 0 {
				continue
			}
			p.click(line + ` a[href*="due=` + due + `"]`)
			p.settle()
			wantEqual(b.t, "keys behind the count", fmt.Sprintf("%d of %d keys", n, len(rows)), look[string](p, `document.querySelector("output").textContent`))
		}
	}
	wantEqual(b.t, "summary",
		fmt.Sprintf("Enforced: %d to deactivate and %d to warn of. Only reported: %d to delete. Refused by the guard: %d.",
			sweep.Policies[0].Deactivate+sweep.Policies[1].Deactivate, sweep.Policies[0].Warn, sweep.Policies[2].Delete,
			sweep.Policies[0].Refused+sweep.Policies[1].Refused+sweep.Policies[2].Refused),
		look[string](p, `document.querySelector("#summary").textContent`))
	wantEqual(b.t, "facts", "100 users and 300 keys read. Started 2026-11-23 02:00 UTC, id sweep-2026-11-23.", look[string](p, `document.querySelector("#facts").textContent`))
	wantEqual(b.t, "title", "Key sweep of 2026-11-23", look[string](p, "document.title"))
}

func number(n int) string { return fmt.Sprint(n) }

func (b browser) plots() {
	edges := []int{0, 29, 30, 89, 90, 179, 180, 364, 365, 729, 730, 4000}
	var rows []report.Row
	for i, days := range edges {
		rows = append(rows, report.Row{User: "alice@example.com", UserID: "1", Key: fmt.Sprint(i), Active: i%3 > 0, Created: ago(days)})
	}
	rows = append(rows, report.Row{User: "alice@example.com", UserID: "1", Key: "x"})
	step := func(policy guard.SweepPolicy, step guard.SweepStep, rule guard.Rule) {
		rows = append(rows, report.Row{
			User: "bob@example.com", UserID: "2", Key: fmt.Sprint(len(rows)), Active: true, Created: ago(4000),
			Policy: policy, Step: step, Mode: guard.Report, Rule: rule,
		})
	}
	step(guard.MaxAge, guard.StepWarn, "")
	step(guard.MaxAge, guard.StepWarn, "")
	step(guard.MaxAge, guard.StepDeactivate, guard.LastActiveKey)
	step(guard.DeleteAfterGrace, guard.StepDelete, "")
	p := b.tab(1280, high)
	p.visit(tallied(rows), rows, "")
	p.settle()

	texts := func(figure string) []string {
		return look[[]string](p, `[...document.querySelectorAll("#`+figure+` svg text")].map((text) => text.textContent)`)
	}
	wantEqual(b.t, "the plot of ages", []string{
		"active", "inactive",
		"under 30 d", "1", "1", "30–89 d", "1", "1", "90–179 d", "2", "0", "180–364 d", "1", "1", "1–2 years", "1", "1", "over 2 years", "6", "0", "unknown", "0", "1",
	}, texts("ages"))
	wantEqual(b.t, "the plot of work", []string{
		"keys", "max_age", "Refused", "1", "Warn", "2", "inactive_user", "nothing", "0", "delete_after_grace", "Delete", "1",
	}, texts("work"))
	wantEqual(b.t, "what a screen reader says of the plot of work",
		[]string{"img", "What is due", "By max_age: Refused: 1 key. Warn: 2 keys. By inactive_user: nothing: 0 keys. By delete_after_grace: Delete: 1 key."},
		look[[]string](p, `((plot) => [plot.getAttribute("role"), ...["title", "desc"].map((name) => plot.querySelector(name).textContent)])(
			document.querySelector("#work svg"))`))
	wantEqual(b.t, "how long the bars are, to the first", []float64{1, 2, 1},
		look[[]float64](p, `[...document.querySelectorAll("#work svg > rect")].map((bar, i, bars) => bar.width.baseVal.value / bars[0].width.baseVal.value)`))
}

func (b browser) due() {
	row := report.Row{
		User: "alice@example.com", UserID: "dc1231d9", UserInactive: true, Key: "4fec9c05b7f6db9c1b5f", Active: true, Created: ago(800), Legacy: true,
		Policy: guard.MaxAge, Step: guard.StepDeactivate, Mode: guard.Enforce, Rule: guard.LastActiveKey, Message: "It is the last.", Remedy: "Make another.",
	}
	warn := row
	warn.Step, warn.Rule, warn.Message, warn.Remedy, warn.Due, warn.Legacy, warn.UserInactive = guard.StepWarn, "", "", "", ago(-14), false, false
	off := report.Row{User: "0f1e", UserID: "0f1e", Key: "b7a7f761815e89d6aa9c", InactiveSince: ago(1500)}
	unknown := report.Row{User: "bob@example.com", UserID: "2", Key: "2178bf21a7bea99aa9c6"}
	p := b.tab(1280, high)
	for name, tt := range map[string]struct {
		row  report.Row
		want []string
	}{
		"refused": {row, []string{
			"", "alice@example.com | cannot log in dc1231d9", "4fec9c05b7f6db9c1b5f | legacy", "Active", "2024-09-14 | 800 d",
			"Refused to deactivate: last_active_key | max_age · enforce | It is the last. | Make another.",
		}},
		"a warning": {warn, []string{
			"", "alice@example.com | dc1231d9", "4fec9c05b7f6db9c1b5f", "Active", "2024-09-14 | 800 d",
			"Warn · deactivate from 2026-12-07 | max_age · enforce",
		}},
		"no e-mail address": {off, []string{"", "0f1e", "b7a7f761815e89d6aa9c", "Inactive | since 2022-10-15, 1,500 d", "unknown", ""}},
		"nothing is known":  {unknown, []string{"", "bob@example.com | 2", "2178bf21a7bea99aa9c6", "Inactive | since when is unknown", "unknown", ""}},
	} {
		p.visit(tallied([]report.Row{tt.row}), []report.Row{tt.row}, "")
		wantEqual(b.t, name, tt.want, look[[]string](p, `[...document.querySelectorAll("#keys td")].map((cell) =>
			[...cell.querySelectorAll("div")].map((line) => line.textContent.trim()).filter(Boolean).join(" | "))`))
		const remedy = `document.querySelector("#keys tbody").innerText.includes("Make another.")`
		wantEqual(b.t, name+": whether the remedy can be seen at first", false, look[bool](p, remedy))
		p.click("#keys td.user")
		wantEqual(b.t, name+": whether the remedy can be seen in an open row", tt.row.Remedy != "", look[bool](p, remedy))
	}
}

func (b browser) stopped() {
	sweep, rows := contract(20)
	p := b.tab(1280, high)
	p.visit(sweep, rows, "")
	wantEqual(b.t, "that nothing stopped", false, look[bool](p, `document.querySelector("#stopped").checkVisibility()`))

	sweep.Stopped = &guard.SweepStop{Brake: guard.ShrunkReading, Message: "Half of the users are gone.", Remedy: "Look whether that is so."}
	p.visit(sweep, rows, "")
	wantEqual(b.t, "why it stopped", []string{"Stopped before anything was done: shrunk_reading", "Half of the users are gone.", "Look whether that is so."},
		look[[]string](p, `[...document.querySelector("#stopped").children].map((line) => line.innerText)`))
	if got := look[string](p, `document.querySelector("#summary").textContent`); strings.Contains(got, "Enforced") {
		b.t.Errorf("a sweep that stopped says %q", got)
	}
}

func (b browser) wouldStop() {
	sweep, rows := contract(20)
	p := b.tab(1280, high)
	const seen = `document.querySelector("#would-stop").checkVisibility()`
	p.visit(sweep, rows, "")
	wantEqual(b.t, "that nothing would stop", false, look[bool](p, seen))

	sweep.WouldStop = &guard.SweepStop{Brake: guard.TooManyDue, Message: "Half of the keys are due.", Remedy: "Exempt who is to be left alone."}
	p.visit(sweep, rows, "")
	wantEqual(b.t, "why it would stop",
		[]string{"If every policy were enforced, the sweep would stop: blast_radius", "Half of the keys are due.", "Exempt who is to be left alone."},
		look[[]string](p, `[...document.querySelector("#would-stop").children].map((line) => line.innerText)`))
	wantEqual(b.t, "that nothing stopped", false, look[bool](p, `document.querySelector("#stopped").checkVisibility()`))

	p.do(chromedp.EmulateViewport(320, 844))
	sweep.WouldStop.Message = strings.Repeat("0123456789abcdef", 6)
	p.visit(sweep, rows, "")
	wantEqual(b.t, "width in a narrow window", 320, look[int](p, "document.scrollingElement.scrollWidth"))

	// What did stop it has to be seen to first.
	sweep.Stopped = &guard.SweepStop{Brake: guard.ShrunkReading, Message: "Half of the users are gone.", Remedy: "Look whether that is so."}
	p.visit(sweep, rows, "")
	wantEqual(b.t, "that a sweep that stopped would stop", false, look[bool](p, seen))
}

func (b browser) noKeys() {
	p := b.tab(1280, high)
	p.visit(tallied(nil), nil, "")
	wantEqual(b.t, "text", "No keys were read.", look[string](p, `document.querySelector("#none").innerText`))
	wantEqual(b.t, "count", "0 of 0 keys", look[string](p, `document.querySelector("output").textContent`))
	wantEqual(b.t, "summary", "Nothing is to be done.", look[string](p, `document.querySelector("#summary").textContent`))
	wantEqual(b.t, "plots", false, look[bool](p, `document.querySelector("#plots").checkVisibility()`))
	p.do(chromedp.Focus(chromedp.CSS("input")), chromedp.KeyEvent("x"+kb.Enter))
	wantEqual(b.t, "address after Enter", "#q=x", look[string](p, "location.hash"))
}

func (b browser) hostile() {
	const breaks, loads, mixes = `</script><script>document.title = "run"</script>`, `<img src=x onerror='document.title = "run"'>`, "<!--<script>\u2028\x00\xff\u202e"
	hostile := breaks + loads + mixes
	row := report.Row{
		User: hostile, UserID: hostile + " id", Key: hostile, Active: true, Created: ago(10), Policy: guard.SweepPolicy(hostile),
		Step: guard.StepDelete, Mode: guard.SweepMode(hostile), Rule: guard.Rule(hostile), Message: hostile, Remedy: hostile,
	}
	sweep := tallied(nil)
	sweep.ID, sweep.Report = hostile, "javascript:document.title='run'"
	sweep.Stopped = &guard.SweepStop{Brake: guard.Brake(hostile), Message: hostile, Remedy: hostile}
	sweep.Policies = []guard.SweepTally{{Policy: guard.SweepPolicy(hostile), Mode: guard.SweepMode(hostile), Refused: 1}}
	p := b.tab(1280, high)
	p.visit(sweep, []report.Row{row}, "")
	p.click("#keys td.due")
	p.click("#policies a")
	p.settle()
	wantEqual(b.t, "title", "Key sweep of 2026-11-23", look[string](p, "document.title"))
	wantEqual(b.t, "elements that the data made", 0, look[int](p, `document.querySelectorAll("img, script:not(#report):not(:last-of-type)").length`))
	shown := strings.ToValidUTF8(hostile, "\ufffd")
	wantEqual(b.t, "what is shown", []string{shown, shown + " id", shown, shown, shown, shown}, look[[]string](p, `
		[".user div", ".user div + div", ".key code", ".due div:nth-child(3)", "#facts code", "#stopped p"].map((at) => document.querySelector(at).textContent.replace(/ $/, ""))`))
}

func wantEqual[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
