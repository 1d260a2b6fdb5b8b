package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const lockSuffix = ".lock"

// lock takes the lock of a folder of the cache; it goes with the process, however
// that ends.
func (s Store) lock(ctx context.Context, dir string, b Binary) (unlock func(), err error) {
	started := time.Now()
	var stop func()
	for {
		file, err := tryLock(dir)
		if err != nil {
			return nil, fmt.Errorf("locking the cache: %w", err)
		}
		if file != nil {
			return func() { _ = file.Close() }, nil
		}
		if stop == nil {
			stop = s.report(fmt.Sprintf("waiting for another build of %s", b.Title), started)
			defer stop()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another build of %s: %w", b.Title, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// tryLock locks the file beside dir. It returns nil if another process has the
// lock, or has just removed what we opened.
func tryLock(dir string) (*os.File, error) {
	path := dir + lockSuffix
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		ours, err1 := file.Stat()
		now, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(ours, now) {
			return file, nil
		}
	}
	_ = file.Close()
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, err
	}
	return nil, nil
}
