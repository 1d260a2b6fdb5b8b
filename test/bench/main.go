//go:build linux

// Command bench measures how fast samples are taken, and what one costs.
//
//	go run ./test/bench            the tables on stdout, progress on stderr
//	go run ./test/bench -update    the tables into docs/speed.md
//
// What is measured is the whole way of a sample as a stage takes it: the sampler, the
// probe, the classification, the judge, with all gates on. It runs in a process of its
// own, towards a server in another one on the same machine. wrk, ab and fortio ask the
// same server the same over HTTP, with a connection for each request. All of them take
// turns, round after round, so that whatever else the machine does meets each of them.
//
// The server closes first, in one packet with its answer, so that TIME_WAIT stays on its
// side and no client, whichever it is, runs out of source ports. Each run has an address
// of its own on loopback.
//
// The exit status is 1 if a sample is lost, if a request of another tool fails, or if a
// tool is missing. How fast it goes is for the reader to judge: it is the machine's doing
// as well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/org/l4-canary/test/page"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	page.Options
	rounds  int
	seconds int // of one run
	seed    uint64
	fortio  string // path of the program
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{Options: page.Options{Page: "docs/speed.md"}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 7, "rounds, an odd number: figures are medians over them")
	flags.IntVar(&o.seconds, "seconds", 2, "of one run")
	flags.Uint64Var(&o.seed, "seed", 1, "of the schedules")
	flags.StringVar(&o.fortio, "fortio", "bin/fortio", "the program")
	if err := o.Parse(flags, args, "turns"); err != nil {
		return o, err
	}
	if o.rounds < 1 || o.rounds%2 == 0 || o.seconds < 1 {
		return o, errors.New("-rounds is an odd number, and -seconds one from 1")
	}
	return o, nil
}

// run is the command, and what it starts itself as: the server, and what is measured.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "serve" {
		return serve(ctx, stdin, stdout)
	}
	if len(args) > 0 && args[0] == "sample" {
		return sampleCommand(ctx, args[1:], stdout)
	}
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	began := time.Now()
	b, err := measureAll(ctx, o, stderr)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stderr, "%d rounds in %s\n", o.rounds, time.Since(began).Round(time.Second))
	return o.Put(stdout, measuredMark, b.tables())
}
