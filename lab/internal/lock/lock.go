// Package lock lets one process at a time have a file or a folder, which may be removed
// with the lock. A lock goes with its process, however that ends.
package lock

import (
	"errors"
	"os"
	"syscall"
)

// Try locks an open file that lies at a path. It closes the file and returns false if
// another process has the lock, or has just removed what was opened.
func Try(file *os.File, path string) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		ours, err1 := file.Stat()
		now, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(ours, now) {
			return true, nil
		}
	}
	_ = file.Close()
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		return false, err
	}
	return false, nil
}
