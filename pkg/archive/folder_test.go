package archive_test

import (
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/archive"
	"keyreeve/pkg/guard"
)

func TestFolder(t *testing.T) {
	t.Parallel()
	testArchive(t, func(t *testing.T) Archive {
		t.Helper()
		return archive.NewFolder(filepath.Join(t.TempDir(), "not", "there"))
	})
}

func TestFolderIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "reports")
	put(t, archive.NewFolder(folder), report, "x")
	got := map[string]fs.FileMode{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			got[strings.TrimPrefix(path, folder)] = info.Mode()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{"": fs.ModeDir | 0o700, "/2026-11-23": fs.ModeDir | 0o700, "/2026-11-23/report.html": 0o600}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func TestFolderKeepsNoDrafts(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	a := archive.NewFolder(folder)
	put(t, a, "taken", "x")
	for name, content := range map[string]io.ReadSeeker{
		"report":      breaking{strings.NewReader("new")}, // breaks off
		"taken/below": strings.NewReader("new"),           // a file is in the way
	} {
		wantKind(t, "Put", a.Put(t.Context(), name, html, content), guard.Unavailable)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 || left[0].Name() != "taken" {
		t.Errorf("left are %v (%v), want what was put before", left, err)
	}
}

func TestFolderIsNotLeft(t *testing.T) {
	t.Parallel()
	outside, folder := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "report.html"), []byte("private"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(folder, "2026-11-23")); err != nil {
		t.Fatal(err)
	}
	a := archive.NewFolder(folder)
	_, err := a.Get(t.Context(), report)
	wantKind(t, "Get", err, guard.Unavailable)
	wantKind(t, "Put", a.Put(t.Context(), report, html, strings.NewReader("new")), guard.Unavailable)
	wantKind(t, "Remove", a.Remove(t.Context(), report), guard.Unavailable)
	if got, err := os.ReadFile(filepath.Join(outside, "report.html")); err != nil || string(got) != "private" {
		t.Errorf("outside there is %q (%v)", got, err)
	}
}

func TestFolderThatIsNone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a := archive.NewFolder(file)
	_, err := a.Get(t.Context(), report)
	wantKind(t, "Get", err, guard.Unavailable)
	wantKind(t, "Put", a.Put(t.Context(), report, html, strings.NewReader("x")), guard.Unavailable)
	wantKind(t, "Remove", a.Remove(t.Context(), report), guard.Unavailable)
}

func TestFolderLinksOpen(t *testing.T) {
	t.Chdir(t.TempDir())
	const name = "2026-11-23/100 % #1?ä.html"
	for _, folder := range []string{filepath.Join(t.TempDir(), "Bob's reports, all # of them"), "beside us"} {
		a := archive.NewFolder(folder)
		put(t, a, name, "of "+folder)
		link, err := url.Parse(a.Link(name))
		if err != nil {
			t.Fatal(err)
		}
		if link.Scheme != "file" || link.Host != "" || link.RawQuery != "" || link.Fragment != "" {
			t.Errorf("the link is %s, want file:///…", link)
		}
		if got, err := os.ReadFile(filepath.FromSlash(link.Path)); err != nil || string(got) != "of "+folder {
			t.Errorf("%s leads to %q (%v)", link, got, err)
		}
	}
}
