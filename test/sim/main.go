// Command sim simulates stages behind balancers of every kind, with the tests that
// judge a live one, and says how often the verdict is right and what it costs.
//
//	go run ./test/sim            the tables on stdout, progress on stderr
//	go run ./test/sim -update    the tables into docs/verdict.md
//
// Two kinds of cells are simulated. Where a flow is an answer and nothing else, it
// is [stats.ShareTest] alone that decides, and beside what was simulated stand the
// exact figures, by dynamic programming, and those of a naive rule on the same
// answers. Where the judge's diagnosis matters (a balancer that sticks, hashes, or
// gives answers that nobody knows), [rollout.Judge] is shown the flows themselves.
//
// The same seed gives the same tables, whatever the number of cores. The exit
// status is 1 if a promise is broken: more false passes at the edge of the band
// than the confidence allows, or more false fails than 1 of 1000 at its centre,
// both beyond sampling error; a mean number of flows that is more than 15 % off
// the exact one; counts that do not go with the exact figures; a balancer that is
// not diagnosed.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/org/l4-canary/test/page"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	page.Options
	sizes size
	seed  uint64
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{Options: page.Options{Page: "docs/verdict.md"}}
	flags := flag.NewFlagSet("sim", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.sizes.shared, "stages", 20000, "stages a cell, where the share test alone decides")
	flags.IntVar(&o.sizes.judged, "judged", 5000, "stages a cell, where the judge sees flows")
	flags.Uint64Var(&o.seed, "seed", 1, "of all chance")
	if err := o.Parse(flags, args, "cells"); err != nil {
		return o, err
	}
	if o.sizes.shared < 1 || o.sizes.judged < 1 {
		return o, fmt.Errorf("-stages and -judged are numbers from 1")
	}
	return o, nil
}

// run is the command.
func run(args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	b := simulateAll(o, stderr)
	broken := b.broken()
	if o.Update && len(broken) > 0 { // the page keeps what is true of it
		return tell(broken, stderr)
	}
	if err := b.print(o, stdout); err != nil {
		return err
	}
	return tell(broken, stderr)
}

// tell names broken promises.
func tell(broken []string, stderr io.Writer) error {
	for _, promise := range broken {
		_, _ = fmt.Fprintln(stderr, promise)
	}
	if len(broken) > 0 {
		return fmt.Errorf("%d promises are broken", len(broken))
	}
	return nil
}
