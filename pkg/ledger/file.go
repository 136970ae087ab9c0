package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"keyreeve/pkg/guard"
)

// pollInterval is how often a call looks whether another process has let go of the file.
const pollInterval = 5 * time.Millisecond

// sharedFile is a bbolt file that is opened for one use at a time, because an open one is locked against all others.
type sharedFile struct {
	path string
	// turn holds one token; whoever of this process has it may open the file.
	turn chan struct{}
}

// openShared makes sure that there is a file at path. Whether it is sound shows when it is used.
func openShared(path string) (*sharedFile, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, unusable(fmt.Errorf("create %s: %w", path, err))
		}
	}
	return &sharedFile{path: path, turn: make(chan struct{}, 1)}, nil
}

// create puts an empty bbolt file at path, unless another process does so first. The file is made under another name
// and linked once it is whole: a crash or a full disk leaves nothing at path.
func create(path string) error {
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	if err := draft.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(draft.Name(), 0o600, nil)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// use calls fn with the open database, which no other process or goroutine has open meanwhile. It waits for that no
// longer than ctx and [patience] allow.
func (s *sharedFile) use(ctx context.Context, fn func(*bbolt.DB) error) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-waiting.Done():
		return busy(context.Cause(waiting))
	}
	for waiting.Err() == nil {
		err := s.try(fn)
		if !errors.Is(err, berrors.ErrTimeout) {
			return asGuardError(err)
		}
		select {
		case <-time.After(pollInterval):
		case <-waiting.Done():
		}
	}
	return busy(context.Cause(waiting))
}

// try is one attempt at use. It returns ErrTimeout at once, without having called fn, where another has the file open.
//
// A damaged bbolt file makes the library panic, or touch mapped memory that the file does not reach; both end as
// an error here.
func (s *sharedFile) try(fn func(*bbolt.DB) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var file *os.File
	defer func() {
		if cause := recover(); cause != nil {
			// The database may hold locks of its own, so that closing it could hang; nor is there one if opening panicked.
			err = errors.Join(fmt.Errorf("panic in bbolt: %v", cause), unlock(file), file.Close())
		}
	}()
	db, err := bbolt.Open(s.path, 0o600, &bbolt.Options{
		// Less than bbolt's own polling interval: one look at the lock and no waiting, because its wait ignores ctx.
		Timeout: time.Nanosecond,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			// A ledger that has vanished must not be replaced by an empty one: it would have forgotten who left.
			opened, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
			file = opened
			return opened, err
		},
	})
	if err != nil {
		return err
	}
	err = fn(db)
	return errors.Join(err, db.Close())
}

// asGuardError leaves a *guard.Error as it is and blames everything else on the file.
func asGuardError(err error) error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*guard.Error](err); ok {
		return known
	}
	return unusable(err)
}

func unusable(err error) *guard.Error {
	return &guard.Error{
		Kind:    guard.Unavailable,
		Message: "The ledger's file cannot be used.",
		Remedy:  "See in the log what is wrong with it, and check that KEYREEVE_LEDGER names a ledger file that may be written.",
		Err:     err,
	}
}

func busy(err error) *guard.Error {
	return &guard.Error{
		Kind:    guard.Unavailable,
		Message: "The ledger could not be had in time.",
		Remedy:  "Try again; if it stays so, look for a process that keeps the ledger's file open.",
		Err:     err,
	}
}
