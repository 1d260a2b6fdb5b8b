package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Store is a cache's folder.
type Store struct {
	Dir      string
	Progress io.Writer     // a line when a build begins, ends, and every Interval
	Interval time.Duration // 15 s if zero
}

// Build returns the path of the binary, built if it is not there yet. If another
// process builds it, Build waits for that.
func (s Store) Build(ctx context.Context, b Binary) (string, error) {
	version, err := goVersion(ctx, b.Dir)
	if err != nil {
		return "", err
	}
	key, err := b.Key(version)
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.Dir, b.Name+"-"+key, b.Name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("making the cache: %w", err)
	}
	unlock, err := s.lock(ctx, filepath.Dir(path)+".lock", b)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil // built while we waited
	}
	return path, s.compile(ctx, b, path)
}

// compile builds next to path and renames, so that path is never half a binary.
func (s Store) compile(ctx context.Context, b Binary, path string) error {
	started := time.Now()
	stop := s.report(fmt.Sprintf("building %s, %s", b.Title, b.Expect), started)
	defer stop()
	temporary := path + ".new"
	defer os.Remove(temporary)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", b.LDFlags, "-o", temporary, ".")
	cmd.Dir = b.Dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOWORK=off")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// An interrupt reaches the compilers too, which go build waits for.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("building %s in %q: %w\n%s", b.Title, b.Dir, err, tail(out.String(), 20))
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("keeping %s: %w", b.Title, err)
	}
	fmt.Fprintf(s.Progress, "built %s in %s\n", b.Title, time.Since(started).Round(100*time.Millisecond))
	return nil
}

// report writes what goes on now and at every interval until it is stopped.
func (s Store) report(what string, started time.Time) (stop func()) {
	interval := s.Interval
	if interval == 0 {
		interval = 15 * time.Second
	}
	fmt.Fprintln(s.Progress, what+" …")
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				fmt.Fprintf(s.Progress, "%s … %s\n", what, time.Since(started).Round(time.Second))
			}
		}
	}()
	return func() { close(done); <-ended }
}

// lock takes the lock of a build; it goes with the process, however that ends.
func (s Store) lock(ctx context.Context, path string, b Binary) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the cache: %w", err)
	}
	started := time.Now()
	var stop func()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			file.Close()
			return nil, fmt.Errorf("locking the cache: %w", err)
		}
		if stop == nil {
			stop = s.report(fmt.Sprintf("waiting for another build of %s", b.Title), started)
			defer stop()
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("waiting for another build of %s: %w", b.Title, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	return func() { file.Close() }, nil
}

// goVersion is that of the toolchain that builds in dir, which go.mod may choose.
func goVersion(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOARCH")
	cmd.Dir = dir
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("finding the Go toolchain: no go on PATH; the lab is built from source (https://go.dev/dl)")
	}
	if err != nil {
		return "", fmt.Errorf("asking for the Go version in %q: %w", dir, err)
	}
	return strings.Join(strings.Fields(string(out)), " "), nil
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
