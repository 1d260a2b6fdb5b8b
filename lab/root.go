package main

import (
	"errors"
	"io"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/org/l4-canary/lab/internal/cluster"
)

// Exit statuses.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is an error in how the program was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitStatus(err error) int {
	var usage usageError
	var child *exec.ExitError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &child):
		return child.ExitCode() // kubectl's
	}
	return exitFailed
}

// app is what the commands share.
type app struct {
	getenv   func(string) string
	out, err io.Writer
	name     string // --name
	provider string // --provider
	source   string // --source
}

func newRoot(getenv func(string) string, out, err io.Writer) *cobra.Command {
	a := &app{getenv: getenv, out: out, err: err}
	root := &cobra.Command{
		Use:           "lab",
		Short:         "A real Kubernetes cluster on this machine, to try l4-canary on",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usageArgs(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(out)
	root.SetErr(err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&a.name, "name", cluster.DefaultName, "the lab's name; labs of different names run side by side")
	flags.StringVar(&a.provider, "provider", "", "auto, native or kind (default $LAB, or else auto)")
	flags.StringVar(&a.source, "source", "", "the checkout to build from (default $L4_LAB_SOURCE, or else the one around the working directory)")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(a.build(), a.up(), a.down(), a.status(), a.kubeconfig(), a.kubectl(), a.logs(),
		a.restart(), a.unplug(), a.plug(), a.registry(), a.balancer(), a.enter())
	return root
}

// usageArgs makes an error about arguments one of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
