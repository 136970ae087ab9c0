package report_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/report"
)

// shownKeys are the keys whose rows are in the page, from top to bottom.
const shownKeys = `[...document.querySelectorAll("#keys td.key code")].map((code) => code.textContent)`

// high is the height in pixels of a window that has room for all rows of a small contract.
const high = 6000

// keysOf returns the ids of the keys.
func keysOf(rows []report.Row) []string {
	ids := []string{}
	for _, row := range rows {
		ids = append(ids, row.Key)
	}
	return ids
}

// dueOf is what the page says is due: the step, or that the guard refuses it.
func dueOf(row report.Row) string {
	if row.Rule != "" {
		return "refused"
	}
	return string(row.Step)
}

func orders() map[string]func(a, b report.Row) int {
	weights := []string{"delete", "deactivate", "refused", "warn", "wait", ""}
	return map[string]func(a, b report.Row) int{
		"user": func(a, b report.Row) int { return cmp.Compare(strings.ToLower(a.User), strings.ToLower(b.User)) },
		"key":  func(a, b report.Row) int { return cmp.Compare(a.Key, b.Key) },
		"state": func(a, b report.Row) int {
			switch {
			case a.Active == b.Active:
				return a.InactiveSince.Compare(b.InactiveSince)
			case a.Active:
				return -1
			default:
				return 1
			}
		},
		"created": func(a, b report.Row) int { return a.Created.Compare(b.Created) },
		"due": func(a, b report.Row) int {
			return cmp.Compare(slices.Index(weights, dueOf(a)), slices.Index(weights, dueOf(b)))
		},
	}
}

// sorted returns the ids of the keys in the order of the column; among equals the oldest come first.
func sorted(rows []report.Row, column string, down bool) []string {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b report.Row) int {
		order := orders()[column](a, b)
		if down {
			order = -order
		}
		return cmp.Or(order, a.Created.Compare(b.Created))
	})
	return keysOf(rows)
}

func (b browser) sorting() {
	sweep, rows := contract(30)
	for i := range rows[:9] { // The same in all that is sorted by: they stay in the order in which they were read.
		rows[i] = report.Row{User: "same@example.com", UserID: rows[i].UserID, Key: rows[i].Key, Active: true, Created: ago(50)}
	}
	p := b.tab(1280, high)
	p.visit(sweep, rows, "")
	wantEqual(b.t, "at first", sorted(rows, "due", false), look[[]string](p, shownKeys))
	for column := range orders() {
		other := "user"
		if column == other {
			other = "due"
		}
		p.visit(sweep, rows, "#sort=-"+other)
		for _, down := range []bool{false, true, false} {
			p.click(`th[data-sort="` + column + `"] button`)
			wantEqual(b.t, fmt.Sprintf("by %s, down %t", column, down), sorted(rows, column, down), look[[]string](p, shownKeys))
			want := map[string]string{"user": "none", "key": "none", "state": "none", "created": "none", "due": "none"}
			want[column] = map[bool]string{true: "descending", false: "ascending"}[down]
			wantEqual(b.t, "what a screen reader says of the order", want, look[map[string]string](p,
				`Object.fromEntries([...document.querySelectorAll("th[data-sort]")].map((th) => [th.dataset.sort, th.ariaSort]))`))
		}
	}
	p.visit(sweep, rows, "")
	p.do(chromedp.Focus(chromedp.CSS(`th[data-sort="created"] button`)), chromedp.KeyEvent(kb.Enter))
	wantEqual(b.t, "by the keyboard", sorted(rows, "created", false), look[[]string](p, shownKeys))
}

func (b browser) filters() {
	sweep, rows := contract(30)
	person := rows[20]
	p, linked := b.tab(1280, high), b.tab(1280, high)
	for name, tt := range map[string]struct {
		fields map[string]string
		fits   func(report.Row) bool
		hash   string
	}{
		"all":           {map[string]string{}, func(report.Row) bool { return true }, ""},
		"a user":        {map[string]string{"q": "ALICE"}, func(r report.Row) bool { return strings.HasPrefix(r.User, "alice") }, "#q=ALICE"},
		"spaces around": {map[string]string{"q": "  alice "}, func(r report.Row) bool { return strings.HasPrefix(r.User, "alice") }, "#q=++alice+"},
		"a user's id":   {map[string]string{"q": person.UserID}, func(r report.Row) bool { return r.UserID == person.UserID }, "#q=" + person.UserID},
		"a key":         {map[string]string{"q": person.Key}, func(r report.Row) bool { return r.Key == person.Key }, "#q=" + person.Key},
		"not across":    {map[string]string{"q": "com" + person.UserID}, func(report.Row) bool { return false }, "#q=com" + person.UserID},
		"nobody":        {map[string]string{"q": "nobody & nothing=#"}, func(report.Row) bool { return false }, "#q=nobody+%26+nothing%3D%23"},
		"active":        {map[string]string{"state": "active"}, func(r report.Row) bool { return r.Active }, "#state=active"},
		"inactive":      {map[string]string{"state": "inactive"}, func(r report.Row) bool { return !r.Active }, "#state=inactive"},
		"anything due":  {map[string]string{"due": "any"}, func(r report.Row) bool { return r.Step != "" }, "#due=any"},
		"nothing due":   {map[string]string{"due": "nothing"}, func(r report.Row) bool { return r.Step == "" }, "#due=nothing"},
		"to deactivate": {map[string]string{"due": "deactivate"}, func(r report.Row) bool { return dueOf(r) == "deactivate" }, "#due=deactivate"},
		"to delete":     {map[string]string{"due": "delete"}, func(r report.Row) bool { return dueOf(r) == "delete" }, "#due=delete"},
		"to warn of":    {map[string]string{"due": "warn"}, func(r report.Row) bool { return dueOf(r) == "warn" }, "#due=warn"},
		"to wait":       {map[string]string{"due": "wait"}, func(r report.Row) bool { return dueOf(r) == "wait" }, "#due=wait"},
		"refused":       {map[string]string{"due": "refused"}, func(r report.Row) bool { return dueOf(r) == "refused" }, "#due=refused"},
		"by a policy":   {map[string]string{"policy": "max_age"}, func(r report.Row) bool { return r.Policy == guard.MaxAge }, "#policy=max_age"},
		"of all together": {
			map[string]string{"q": "e", "state": "active", "due": "any", "policy": "max_age"},
			func(r report.Row) bool {
				return strings.Contains(r.User+r.UserID+r.Key, "e") && r.Active && r.Policy == guard.MaxAge
			},
			"#q=e&state=active&due=any&policy=max_age",
		},
	} {
		p.visit(sweep, rows, "")
		for field, value := range tt.fields {
			p.run(fmt.Sprintf(`{
				const field = document.forms[0][%q];
				field.value = %q;
				field.dispatchEvent(new Event("input", { bubbles: true }));
			}`, field, value))
		}
		fitting := slices.DeleteFunc(slices.Clone(rows), func(r report.Row) bool { return !tt.fits(r) })
		if none := name == "nobody" || name == "not across"; none != (len(fitting) == 0) {
			b.t.Fatalf("%s: %d keys of this contract are like that: the case proves nothing", name, len(fitting))
		}
		want := sorted(fitting, "due", false)
		wantEqual(b.t, name, want, look[[]string](p, shownKeys))
		wantEqual(b.t, name+": count", fmt.Sprintf("%d of %d keys", len(want), len(rows)), look[string](p, `document.querySelector("output").textContent`))
		wantEqual(b.t, name+": whether it says that there are none", len(want) == 0, look[bool](p, `document.querySelector("#none").checkVisibility()`))
		wantEqual(b.t, name+": address", tt.hash, look[string](p, "location.hash"))

		p.click(`th[data-sort="user"] button`)
		p.click(`th[data-sort="user"] button`)
		linked.visit(sweep, rows, look[string](p, "location.hash"))
		wantEqual(b.t, name+", behind the link", sorted(fitting, "user", true), look[[]string](linked, shownKeys))
		fields := map[string]string{"q": "", "state": "", "due": "", "policy": ""}
		maps.Copy(fields, tt.fields)
		wantEqual(b.t, name+", behind the link: form", fields, look[map[string]string](linked, `Object.fromEntries(new FormData(document.forms[0]))`))
	}
}

func (b browser) hostileAddress() {
	sweep, rows := contract(10)
	p := b.tab(1280, high)
	p.visit(sweep, rows, "")
	for _, fragment := range []string{
		"#sort=__proto__", "#sort=constructor", "#sort=-", "#state=%3Cimg%20src%3Dx%3E&due=toString&policy=nobody's", "#%", "#=&&=", "#keys",
	} {
		p.visit(sweep, rows, fragment)
		wantEqual(b.t, "keys at "+fragment, sorted(rows, "due", false), look[[]string](p, shownKeys))
		wantEqual(b.t, "choices at "+fragment, []int{0, 0, 0}, look[[]int](p, `[...document.querySelectorAll("select")].map((choice) => choice.selectedIndex)`))
	}
	p.visit(sweep, rows, "#q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&sort=user")
	wantEqual(b.t, "what is looked for", "<img src=x onerror=alert(1)>", look[string](p, `document.querySelector("input").value`))
	p.click("#none a")
	p.settle()
	wantEqual(b.t, "all of them again", sorted(rows, "due", false), look[[]string](p, shownKeys))
}

// many holds how many rows are in the page, wherever somebody is in a contract of 30,000 keys.
func (b browser) many() {
	sweep, rows := contract(10_000)
	p := b.tab(1280, 900)
	p.visit(sweep, rows, "")
	few := func(where string) {
		b.t.Helper()
		if n := look[int](p, `document.querySelectorAll("#keys tbody tr").length`); n < 10 || n > 60 {
			b.t.Errorf("%s: %d rows are in the page", where, n)
		}
	}
	few("at first")
	check := func(where, first string) {
		b.t.Helper()
		p.settle()
		few(where)
		// Looked at in the middle of the window, and just above its lower edge.
		wantEqual(b.t, where+": what is under the middle and the edge", []bool{true, true},
			look[[]bool](p, `[innerHeight / 2, innerHeight - 5].map((y) => !!document.elementFromPoint(innerWidth / 2, y).closest("#keys"))`))
		if got := look[string](p, `(() => {
			const below = document.querySelector("#keys thead").getBoundingClientRect().bottom;
			return [...document.querySelectorAll("#keys tbody tr")].find((row) => row.getBoundingClientRect().bottom > below + 1).querySelector(".key code").textContent;
		})()`); got != first {
			b.t.Errorf("%s: the first row that can be seen is of %s, want %s", where, got, first)
		}
	}
	want := sorted(rows, "due", false)
	p.run(`document.querySelector("#keys").scrollIntoView()`)
	check("at the top", want[0])
	for _, place := range []int{1, 100, 14_999, 29_000} {
		p.run(fmt.Sprintf(`{
			const body = document.querySelector("#keys tbody"), head = document.querySelector("#keys thead");
			const gone = body.getBoundingClientRect().top - head.getBoundingClientRect().bottom;
			scrollBy(0, gone + %d * body.firstChild.offsetHeight);
		}`, place))
		check(fmt.Sprintf("at %d", place), want[place])
	}
	p.click(`th[data-sort="user"] button`)
	check("after sorting", sorted(rows, "user", false)[0])
	p.run("scrollTo(0, 1e9)")
	p.settle()
	wantEqual(b.t, "the last row", sorted(rows, "user", false)[29_999], look[string](p, shownKeys+".at(-1)"))
	p.do(chromedp.Focus(chromedp.CSS("input")), chromedp.KeyEvent("zoe."))
	of := slices.DeleteFunc(rows, func(r report.Row) bool { return !strings.HasPrefix(r.User, "Zoe.") })
	check("after looking for somebody", sorted(of, "user", false)[0])
	wantEqual(b.t, "how many a screen reader counts, with the head", number(1+len(of)),
		look[string](p, `document.querySelector("#keys table").getAttribute("aria-rowcount")`))
}

func (b browser) keyboard() {
	sweep, rows := contract(500)
	p := b.tab(1280, 900)
	p.visit(sweep, rows, "#sort=user")
	want := sorted(rows, "user", false)
	at := func(what string, place int) {
		b.t.Helper()
		wantEqual(b.t, what, "Details of "+want[place], look[string](p, `document.activeElement.getAttribute("aria-label")`))
		wantEqual(b.t, what+": tab stops", 1, look[int](p, `document.querySelectorAll("#keys tbody [tabindex='0']").length`))
		wantEqual(b.t, what+": in sight", true, look[bool](p, `(() => {
			const row = document.activeElement.closest("tr").getBoundingClientRect();
			return row.top >= document.querySelector("#keys thead").getBoundingClientRect().bottom - 1 && row.bottom <= innerHeight;
		})()`))
	}
	p.do(chromedp.Focus(chromedp.CSS(`th[data-sort="due"] button`)), chromedp.KeyEvent(kb.Tab))
	at("Tab", 0)
	p.do(chromedp.KeyEvent(kb.ArrowDown + kb.ArrowDown + kb.ArrowDown + kb.ArrowUp))
	at("down, down, down, up", 2)
	p.do(chromedp.KeyEvent(kb.Enter))
	at("Enter", 2)
	wantEqual(b.t, "rows that are open", []string{want[2]},
		look[[]string](p, `[...document.querySelectorAll("#keys tr:has([aria-expanded=true]) .key code")].map((code) => code.textContent)`))
	p.do(chromedp.KeyEvent(kb.End))
	at("End", len(want)-1)
	p.do(chromedp.KeyEvent(kb.ArrowDown))
	at("down at the end", len(want)-1)
	p.do(chromedp.KeyEvent(kb.Home))
	at("Home", 0)
	p.do(chromedp.KeyEvent(kb.ArrowDown + kb.ArrowDown + kb.Enter))
	at("closed again", 2)
	wantEqual(b.t, "rows that are open", 0, look[int](p, `document.querySelectorAll("#keys [aria-expanded=true]").length`))
	p.do(chromedp.KeyEvent(kb.PageDown + kb.PageDown))
	place := look[int](p, `Number(document.activeElement.closest("tr").ariaRowIndex) - 2`)
	if place < 10 || place > 40 {
		b.t.Errorf("two pages down is row %d", place)
	}
	at("PageDown", place)
	p.run("scrollTo(0, 1e9)")
	p.settle()
	p.do(chromedp.KeyEvent(kb.ArrowDown))
	at("after scrolling away", place+1)
}
