package report_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/report"
	"keyreeve/pkg/tooltest"
)

// browser is a browser in the hands of one test.
type browser struct {
	t    *testing.T
	open func() (context.Context, context.CancelFunc) // a tab
}

// startBrowser starts a browser that runs until the end of the test.
func startBrowser(t *testing.T) browser {
	t.Helper()
	installed := func(name string) bool {
		_, err := exec.LookPath(name)
		return err == nil
	}
	if !slices.ContainsFunc([]string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}, installed) {
		tooltest.GiveUp(t, "NOT TESTED IN A BROWSER: neither Chromium nor Chrome is installed.")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	first, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	mustNot(t, chromedp.Do(first))
	return browser{t, func() (context.Context, context.CancelFunc) { return chromedp.NewContext(first) }}
}

// patience is the longest that anything may take in a browser. It ends a test that waits for what does not come.
const patience = time.Minute

// tab is where a page is looked at. Whatever the page asks of any server or writes to the console fails the test.
type tab struct {
	t *testing.T
	// do and read do something in the tab, and return when it is done.
	do   func(...chromedp.Action[chromedp.Void])
	read func(chromedp.Action[[]byte]) []byte

	mu      sync.Mutex
	asked   []string
	console []string
}

// tab opens an empty tab with a window of so many pixels.
func (b browser) tab(width, height int64) *tab {
	b.t.Helper()
	t := b.t
	ctx, end := b.open()
	p := &tab{t: t}
	t.Cleanup(func() {
		p.quiet()
		end()
	})
	p.do = func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		within, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		mustNot(t, chromedp.Do(within, actions...))
	}
	p.read = func(action chromedp.Action[[]byte]) []byte {
		t.Helper()
		within, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		data, err := chromedp.Run(within, action)
		mustNot(t, err)
		return data
	}
	mustNot(t, chromedp.Listen(ctx, p.hear)) // opens the tab
	p.do(command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}), command(runtime.Enable, cdp.Empty{}))
	p.do(chromedp.EmulateViewport(width, height))
	return p
}

// command is an action of the browser's own protocol.
func command[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, command, params)
		return chromedp.Void{}, err
	}
}

// hear notes what a page asks for and what it writes to the console.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, e.Request.URL)
	case *log.EventEntryAdded:
		p.console = append(p.console, e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		p.console = append(p.console, "console."+string(e.Type))
	case *runtime.EventExceptionThrown:
		p.console = append(p.console, e.ExceptionDetails.Text)
	}
}

// quiet fails the test where a page asked for anything, or wrote to the console.
func (p *tab) quiet() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) > 0 {
		p.t.Errorf("the page asked for %q", p.asked)
	}
	if len(p.console) > 0 {
		p.t.Errorf("the console has %q", p.console)
	}
}

// visit opens the page of that report. The fragment is empty or begins with #.
func (p *tab) visit(sweep guard.Sweep, rows []report.Row, fragment string) {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "report.html")
	file, err := os.Create(path)
	mustNot(p.t, err)
	mustNot(p.t, report.WriteHTML(file, sweep, stream(rows)))
	mustNot(p.t, file.Close())
	address := "file://" + path
	p.do(chromedp.Navigate(address + fragment))

	p.mu.Lock()
	defer p.mu.Unlock()
	page := slices.Index(p.asked, address)
	if page < 0 {
		p.t.Fatalf("the browser asked for %q and not for the page", p.asked)
	}
	p.asked = slices.Delete(p.asked, page, page+1)
}

// look returns the value of an expression in the page; of a promise, what becomes of it.
func look[T any](p *tab, javascript string) (value T) {
	p.t.Helper()
	mustNot(p.t, json.Unmarshal(p.read(chromedp.Evaluate[[]byte](javascript, chromedp.EvalAwaitPromise)), &value))
	return value
}

// prefer has the browser ask for light or dark pages.
func (p *tab) prefer(scheme string) {
	p.t.Helper()
	p.do(command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}))
}

// print has the page look as on paper.
func (p *tab) print() {
	p.t.Helper()
	p.do(command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}))
}

// click does what a mouse does in the middle of an element.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// run runs a script in the page.
func (p *tab) run(javascript string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](javascript))
}

// settle waits until the page has answered to what was done to it: two frames later.
func (p *tab) settle() {
	p.t.Helper()
	look[bool](p, "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
}
