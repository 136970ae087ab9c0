package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"keyreeve/pkg/guard"
)

// Archive is what every archive must do; testArchive says how.
type Archive interface {
	Put(ctx context.Context, name, contentType string, content io.ReadSeeker) error
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	Remove(ctx context.Context, name string) error
	Link(name string) string
}

const (
	report = "2026-11-23/report.html"
	html   = "text/html; charset=utf-8"
)

// testArchive is the contract of an archive, which open returns empty.
func testArchive(t *testing.T, open func(t *testing.T) Archive) {
	t.Helper()
	t.Run("what is put is what is got", func(t *testing.T) {
		a := open(t)
		for _, name := range []string{
			report, "2026-11-23/report.json", "plan", "a/b/c/d", "2026 11+23%2F&ä'(1)!@,;=$~[]/r.json", ".hidden", "a..b",
		} {
			put(t, a, name, "content of "+name)
		}
		for _, name := range []string{report, "2026 11+23%2F&ä'(1)!@,;=$~[]/r.json", ".hidden", "a..b", "a/b/c/d", "plan"} {
			wantContent(t, a, name, "content of "+name)
		}
	})
	t.Run("the last content counts", func(t *testing.T) {
		a := open(t)
		for _, content := range []string{"first", "second, and longer", "3rd", "", "5th"} {
			put(t, a, report, content)
			wantContent(t, a, report, content)
		}
	})
	t.Run("a content is put from its beginning", func(t *testing.T) {
		a := open(t)
		content := strings.NewReader("all of it")
		if _, err := content.Seek(4, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if err := a.Put(t.Context(), report, html, content); err != nil {
			t.Fatal(err)
		}
		wantContent(t, a, report, "all of it")
	})
	t.Run("a content that breaks off is not put", func(t *testing.T) {
		a := open(t)
		put(t, a, report, "old")
		wantKind(t, "Put", a.Put(t.Context(), report, html, breaking{strings.NewReader("new")}), guard.Unavailable)
		wantContent(t, a, report, "old")
	})
	t.Run("nothing", func(t *testing.T) {
		a := open(t)
		wantNone(t, a, report)
		if err := a.Remove(t.Context(), report); err != nil {
			t.Errorf("Remove: %v", err)
		}
	})
	t.Run("what is removed is gone", func(t *testing.T) {
		a := open(t)
		put(t, a, report, "x")
		put(t, a, "2026-11-23/report.json", "y")
		for range 2 {
			if err := a.Remove(t.Context(), report); err != nil {
				t.Errorf("Remove: %v", err)
			}
			wantNone(t, a, report)
			wantContent(t, a, "2026-11-23/report.json", "y")
		}
		put(t, a, report, "z")
		wantContent(t, a, report, "z")
	})
	t.Run("names that are none", func(t *testing.T) {
		a := open(t)
		for _, name := range []string{"", ".", "..", "/", "/etc/hosts", "../x", "a/../../x", "a/../x", "./x", "a//b", "a/", "\xff"} {
			_, err := a.Get(t.Context(), name)
			wantKind(t, "Get "+name, err, guard.Invalid)
			wantKind(t, "Put "+name, a.Put(t.Context(), name, html, strings.NewReader("x")), guard.Invalid)
			wantKind(t, "Remove "+name, a.Remove(t.Context(), name), guard.Invalid)
		}
	})
	t.Run("a cancelled call changes nothing", func(t *testing.T) {
		a := open(t)
		put(t, a, report, "old")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := a.Get(ctx, report)
		wantKind(t, "Get", err, guard.Unavailable)
		wantKind(t, "Put", a.Put(ctx, report, html, strings.NewReader("new")), guard.Unavailable)
		wantKind(t, "Remove", a.Remove(ctx, report), guard.Unavailable)
		wantContent(t, a, report, "old")
	})
	t.Run("contents are whole while others are put", func(t *testing.T) {
		a := open(t)
		const length = 64 << 10
		put(t, a, report, strings.Repeat("0", length))
		var busy sync.WaitGroup
		for _, letter := range []string{"1", "2", "3"} {
			content := strings.Repeat(letter, length)
			busy.Go(func() {
				for range 5 {
					if err := a.Put(t.Context(), report, html, strings.NewReader(content)); err != nil {
						t.Errorf("Put: %v", err)
					}
				}
			})
			busy.Go(func() {
				for range 5 {
					got, err := read(t.Context(), a, report)
					if err != nil || len(got) != length || strings.Trim(got, got[:1]) != "" {
						t.Errorf("got %d bytes and %v, want %d that are all the same", len(got), err, length)
					}
				}
			})
		}
		busy.Wait()
	})
}

// breaking is a content that cannot be read to its end.
type breaking struct{ io.ReadSeeker }

func (breaking) Read(p []byte) (int, error) { return copy(p, "ne"), iotest.ErrTimeout }

func put(t *testing.T, a Archive, name, content string) {
	t.Helper()
	if err := a.Put(t.Context(), name, html, strings.NewReader(content)); err != nil {
		t.Fatalf("Put %s: %v", name, err)
	}
}

func read(ctx context.Context, a Archive, name string) (string, error) {
	found, err := a.Get(ctx, name)
	if err != nil {
		return "", err
	}
	var content bytes.Buffer
	_, err = content.ReadFrom(found)
	return content.String(), errors.Join(err, found.Close())
}

func wantContent(t *testing.T, a Archive, name, want string) {
	t.Helper()
	if got, err := read(t.Context(), a, name); err != nil || got != want {
		t.Errorf("%s has %q (%v), want %q", name, got, err, want)
	}
}

func wantNone(t *testing.T, a Archive, name string) {
	t.Helper()
	_, err := a.Get(t.Context(), name)
	wantKind(t, "Get", err, guard.NotFound)
}

// wantKind wants an error of the kind, with words for people.
func wantKind(t *testing.T, call string, err error, want guard.Kind) {
	t.Helper()
	known, ok := errors.AsType[*guard.Error](err)
	if !ok || known.Kind != want || known.Message == "" || known.Remedy == "" {
		t.Errorf("%s: %v, want an error of kind %s", call, err, want)
	}
}
