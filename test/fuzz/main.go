// Command fuzz runs every fuzz target of the program, one after another, and says how
// much each was tried.
//
//	go run ./test/fuzz                  the table on stdout, progress on stderr
//	go run ./test/fuzz -update          the table into docs/hostile.md
//	go run ./test/fuzz -time 1m -only Foreign
//
// The targets are found in the files of tests: whoever writes one has it run. What
// earlier runs found worth keeping lies in Go's build cache, and each run goes on from
// there; what once failed lies in testdata/fuzz beside the target, and every test run
// tries it again.
//
// The exit status is 1 if a target fails, after all of them have run.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/org/l4-canary/test/page"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// inAll is how long all targets take together, where nothing else is said.
const inAll = 10 * time.Minute

// options are the flags.
type options struct {
	page.Options
	each string // a duration, or a number of executions such as 1000x; empty: a part of inAll
	root string
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{Options: page.Options{Page: "docs/hostile.md"}}
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.each, "time", "", "how long each target runs, or how often, such as 1000x; empty: ten minutes shared by all")
	flags.StringVar(&o.root, "root", ".", "where the program's packages are looked for")
	if err := o.Parse(flags, args, "targets"); err != nil {
		return o, err
	}
	if o.each != "" && !amount.MatchString(o.each) {
		return o, fmt.Errorf("-time %s: allowed are a duration such as 30s, and a number of executions such as 1000x", o.each)
	}
	return o, nil
}

// amount is what go test takes for -fuzztime.
var amount = regexp.MustCompile(`^([0-9.]+(ms|s|m|h))+$|^[1-9][0-9]*x$`)

// run is the command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	targets, err := find(o.root, o.Only)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return fmt.Errorf("no fuzz target was found in %s", o.root)
	}
	if o.each == "" {
		o.each = (inAll / time.Duration(len(targets))).Round(time.Second).String()
	}
	results, err := fuzzAll(ctx, o, targets, stderr)
	if err != nil {
		return err
	}
	failed := failures(results)
	if failed > 0 {
		o.Update = false // the page keeps what is true of it
	}
	err = o.Put(stdout, measuredMark, table(results))
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d targets failed", failed, len(results))
	}
	return err
}
