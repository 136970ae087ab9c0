package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"keyreeve/pkg/guard"
)

// Folder keeps everything in files below one folder, which only their owner may read. It is safe for concurrent use, by
// several processes too.
type Folder struct{ path string }

// NewFolder returns the archive in the folder at path, which the first call makes if it is not there.
func NewFolder(path string) *Folder { return &Folder{path: path} }

// Put keeps the content, from its beginning, under the name, in place of what was there. Whoever reads meanwhile gets all
// of the one or all of the other. The second argument, the type of the content, is for archives that keep it.
func (f *Folder) Put(ctx context.Context, name, _ string, content io.ReadSeeker) error {
	return f.within(ctx, name, func(root *os.Root, file string) error {
		draft, err := f.draft(content)
		if err != nil {
			return err
		}
		defer func() { _ = root.Remove(draft) }() // there is none after the renaming
		if err := root.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		return root.Rename(draft, file)
	})
}

// draft puts the content into a file of its own, and returns the name of that.
func (f *Folder) draft(content io.ReadSeeker) (string, error) {
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	draft, err := os.CreateTemp(f.path, ".draft-*")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(draft, content)
	if err := errors.Join(err, draft.Close()); err != nil {
		return "", errors.Join(err, os.Remove(draft.Name()))
	}
	return filepath.Base(draft.Name()), nil
}

// Get opens what is kept under the name; the caller closes it. Where there is nothing the error is of kind [guard.NotFound].
func (f *Folder) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	var found *os.File
	err := f.within(ctx, name, func(root *os.Root, file string) (err error) {
		found, err = root.Open(file)
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Remove removes what is kept under the name. That there is nothing is no error.
func (f *Folder) Remove(ctx context.Context, name string) error {
	err := f.within(ctx, name, func(root *os.Root, file string) error { return root.Remove(file) })
	if guard.KindOf(err) == guard.NotFound {
		return nil
	}
	return err
}

// Link returns the address of what is kept under the name, for a browser on this machine.
func (f *Folder) Link(name string) string {
	folder := f.path
	if absolute, err := filepath.Abs(folder); err == nil {
		folder = absolute
	}
	address := path.Join(filepath.ToSlash(folder), name)
	if !strings.HasPrefix(address, "/") { // but with the letter of a drive
		address = "/" + address
	}
	return (&url.URL{Scheme: "file", Path: address}).String()
}

// within calls use with the folder, which nothing can leave, and with the name as a path of this operating system.
func (f *Folder) within(ctx context.Context, name string, use func(root *os.Root, file string) error) error {
	if err := check(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return unusable(err)
	}
	file, err := filepath.Localize(name)
	if err != nil {
		return unusable(err)
	}
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return unusable(err)
	}
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return unusable(err)
	}
	defer func() { _ = root.Close() }()
	err = use(root, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing(err)
	case err != nil:
		return unusable(err)
	}
	return nil
}

func unusable(cause error) error {
	return &guard.Error{
		Kind:    guard.Unavailable,
		Message: "The folder of the archive cannot be used.",
		Remedy:  "Check that the folder named by KEYREEVE_SWEEP_REPORTS can be written, and that there is room on its disk.",
		Err:     cause,
	}
}
