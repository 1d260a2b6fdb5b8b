//go:build linux

// Command start measures how long the program takes from its start until its first
// request reaches an API server, beside a Node.js that has nothing to do, and how large a
// release is.
//
// The server is this process: it answers every request with 403, so that a run ends with
// its first question. Both programs take turns. The tables go to stdout, or with -update
// into docs/speed.md.
package main

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/org/l4-canary/test/page"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
}

// run measures and prints.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("start", flag.ContinueOnError)
	program := flags.String("program", "bin/l4-canary", "the program")
	dist := flags.String("dist", "dist", "folder with a release's archives")
	rounds := flags.Int("rounds", 20, "turns of each program")
	o := page.Options{Page: "docs/speed.md"}
	flags.BoolVar(&o.Update, "update", false, "write the tables into docs/speed.md")
	if err := flags.Parse(args); err != nil {
		return err
	}
	found, err := measure(ctx, *program, *rounds)
	if err != nil {
		return err
	}
	sizes, err := archives(*dist)
	if err != nil {
		return err
	}
	return o.Put(stdout, "start", found.table()+"\n"+sizes)
}

// starts are how long each start took, by round.
type starts struct{ program, node []time.Duration }

// measure has the two take turns.
func measure(ctx context.Context, program string, rounds int) (starts, error) {
	asked := make(chan time.Time, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case asked <- time.Now():
		default: // only the first one counts
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	dir, err := os.MkdirTemp("", "start")
	if err != nil {
		return starts{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is in the temporary folder
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, kubeconfigOf(server), 0o600); err != nil {
		return starts{}, err
	}
	var found starts
	for range rounds {
		took, err := untilAsked(ctx, asked, program, "run", "--kubeconfig", kubeconfig, "--namespace", "seed", "--manifests", "testdata/manifests/seed")
		if err != nil {
			return starts{}, err
		}
		found.program = append(found.program, took)
		began := time.Now()
		if err := exec.CommandContext(ctx, "node", "-e", "").Run(); err != nil {
			return starts{}, fmt.Errorf("node: %w", err)
		}
		found.node = append(found.node, time.Since(began))
	}
	return found, nil
}

// kubeconfigOf is one with a token, as most have.
func kubeconfigOf(server *httptest.Server) []byte {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "Config", "current-context": "c",
"clusters": [{"name": "c", "cluster": {"server": %q, "certificate-authority-data": %q}}],
"users": [{"name": "u", "user": {"token": "t"}}],
"contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}`, server.URL, base64.StdEncoding.EncodeToString(authority))
}

// untilAsked starts a program and waits for its first request, and then for its end.
func untilAsked(ctx context.Context, asked <-chan time.Time, program string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	err := cmd.Run()
	select {
	case at := <-asked:
		return at.Sub(began), nil // that it was refused is what this is about
	default:
		return 0, errors.Join(fmt.Errorf("%s asked nothing: %s", program, said.String()), err)
	}
}

// table shows the medians and their ratio.
func (s starts) table() string {
	var t page.Table
	t.Head(1, "start of", "median", "least", "greatest", "× node")
	ratio := float64(median(s.program)) / float64(median(s.node))
	t.Row("`l4-canary run`, until its first request has arrived", ms(median(s.program)), ms(slices.Min(s.program)), ms(slices.Max(s.program)), fmt.Sprintf("%.2f", ratio))
	t.Row("`node -e \"\"`, until it has ended", ms(median(s.node)), ms(slices.Min(s.node)), ms(slices.Max(s.node)), "1.00")
	return t.String()
}

// median is the middle of at least one.
func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

// archives shows the sizes of what a release offers.
func archives(dir string) (string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.tar.gz"))
	if err != nil {
		return "", err
	}
	if len(paths) == 0 {
		return "", fmt.Errorf("%s has no archive: make archives", dir)
	}
	var t page.Table
	t.Head(1, "archive, compressed", "MB")
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		t.Row("`"+filepath.Base(path)+"`", fmt.Sprintf("%.1f", float64(info.Size())/1e6))
	}
	return t.String(), nil
}
