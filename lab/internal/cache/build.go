package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	unlock, err := s.lock(ctx, filepath.Dir(path), b)
	if err != nil {
		return "", err
	}
	defer unlock()
	now := time.Now()
	err = os.Chtimes(path, now, now) // Prune goes by the last use
	if errors.Is(err, fs.ErrNotExist) {
		err = s.compile(ctx, b, path)
	}
	return path, err
}

// compile builds next to path and renames, so that path is never half a binary.
func (s Store) compile(ctx context.Context, b Binary, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the cache: %w", err)
	}
	started := time.Now()
	stop := s.report(fmt.Sprintf("building %s, %s", b.Title, b.Expect), started)
	defer stop()
	temporary := path + ".new"
	defer func() { _ = os.Remove(temporary) }() // there only after an error
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
	s.say("built %s in %s", b.Title, time.Since(started).Round(100*time.Millisecond))
	return nil
}

// say writes a line of progress. Nothing is spoilt if nobody reads it.
func (s Store) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Progress, format+"\n", args...)
}

// report writes what goes on now and at every interval until it is stopped.
func (s Store) report(what string, started time.Time) (stop func()) {
	interval := s.Interval
	if interval == 0 {
		interval = 15 * time.Second
	}
	s.say("%s …", what)
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
				s.say("%s … %s", what, time.Since(started).Round(time.Second))
			}
		}
	}()
	return func() { close(done); <-ended }
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
