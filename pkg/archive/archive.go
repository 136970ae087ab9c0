// Package archive is where sweeps keep their reports, for people to read, and their plans, for an invocation that goes on
// where another one's time ran out. There are two: [S3] keeps them in a bucket, and [Folder] on the disk of a laptop. One
// contract test holds both.
//
// Names are paths with slashes, such as 2026-11-23/report.html. Contents are streamed: however long they are, they are
// never in memory as a whole.
package archive

import (
	"fmt"
	"io/fs"

	"keyreeve/pkg/guard"
)

// check refuses a name that is no plain path below the archive, with an error of kind [guard.Invalid].
func check(name string) error {
	if fs.ValidPath(name) && name != "." {
		return nil
	}
	return &guard.Error{
		Kind:    guard.Invalid,
		Message: "Nothing can be kept in the archive under this name.",
		Remedy:  "Name it by a path without a slash at either end, such as 2026-11-23/report.html.",
		Err:     fmt.Errorf("the name is %q", name),
	}
}

// missing is the error of a name under which nothing is kept.
func missing(cause error) error {
	return &guard.Error{
		Kind:    guard.NotFound,
		Message: "The archive has nothing under this name.",
		Remedy:  "It may have been removed: start another sweep.",
		Err:     cause,
	}
}
