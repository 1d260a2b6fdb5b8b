package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// result is how a target went.
type result struct {
	target
	took        time.Duration
	executions  int
	interesting int // inputs that reached new code, and were not known
	failed      bool
}

// guided is how packages of the program are built to show where their code goes: what
// go test -fuzz does to all there are, of which there are a thousand that nobody here wrote.
const guided = "/...=-d=libfuzzer"

// fuzzAll runs all targets, one after another.
func fuzzAll(ctx context.Context, o options, targets []target, stderr io.Writer) ([]result, error) {
	work, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(work) }() // nothing of it is needed
	cache, err := goCommand(ctx, o.root, "env", "GOCACHE")
	if err != nil {
		return nil, err
	}
	module, err := goCommand(ctx, o.root, "list", "-m")
	if err != nil {
		return nil, err
	}
	known := filepath.Join(cache, "fuzz", module) // where go test keeps what it found
	var results []result
	binary, built := filepath.Join(work, "target.test"), ""
	for i, t := range targets {
		if built != t.dir { // a package is built once
			_, _ = fmt.Fprintf(stderr, "building %s\n", t.dir)
			if _, err = goCommand(ctx, o.root, "test", "-c", "-gcflags="+module+guided, "-o", binary, "./"+t.dir); err != nil {
				return nil, err
			}
			built = t.dir
		}
		_, _ = fmt.Fprintf(stderr, "%d of %d: %s, %s\n", i+1, len(targets), t.name, o.each)
		r, err := fuzz(ctx, binary, filepath.Join(o.root, t.dir), filepath.Join(known, t.dir), t, o.each, stderr)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// goCommand runs the go command, and gives what it printed, of one line.
func goCommand(ctx context.Context, root string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = root
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), complaints.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// fuzz runs one target. Its own failure is a result.
func fuzz(ctx context.Context, binary, dir, known string, t target, each string, stderr io.Writer) (result, error) {
	command := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.fuzztime="+each,
		"-test.fuzzcachedir="+known, "-test.timeout=0", "-test.paniconexit0")
	command.Dir = dir // where testdata is looked for, and put
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	began := time.Now()
	out, err := command.CombinedOutput()
	r := result{target: t, took: time.Since(began), failed: err != nil && !expired(out)}
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return r, fmt.Errorf("starting %s: %w", t.name, err)
	}
	if r.failed {
		_, _ = fmt.Fprintf(stderr, "%s", out)
		return r, nil
	}
	r.executions, r.interesting, err = count(out)
	return r, err
}

// expired reports whether a target failed for no input, but because its time was over while
// one was being tried: testing tells that as a failure now and then.
func expired(out []byte) bool {
	_, why, found := bytes.Cut(out, []byte("\n--- FAIL: "))
	lines := strings.Split(string(why), "\n")
	return found && len(lines) > 1 && lines[1] == "    context deadline exceeded" && !bytes.Contains(why, []byte("Failing input"))
}

// told is how testing says how far it is.
var told = regexp.MustCompile(`execs: (\d+) \(\d+/sec\)(?:, new interesting: (\d+))?`)

// count reads the last of what testing said.
func count(out []byte) (executions, interesting int, _ error) {
	all := told.FindAllSubmatch(out, -1)
	if len(all) == 0 {
		return 0, 0, fmt.Errorf("reading what the target did: %q", out)
	}
	last := all[len(all)-1]
	executions, err := strconv.Atoi(string(last[1]))
	if err == nil && len(last[2]) > 0 {
		interesting, err = strconv.Atoi(string(last[2]))
	}
	return executions, interesting, err
}

// failures counts them.
func failures(results []result) int {
	failed := 0
	for _, r := range results {
		if r.failed {
			failed++
		}
	}
	return failed
}
