//go:build darwin || linux

package ledger

import (
	"os"
	"syscall"
)

// unlock lets go of bbolt's lock. Closing the file does not, as long as the file is mapped into memory.
func unlock(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }
