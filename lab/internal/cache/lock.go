package cache

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/org/l4-canary/lab/internal/lock"
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
	if locked, err := lock.Try(file, path); !locked {
		return nil, err
	}
	return file, nil
}
