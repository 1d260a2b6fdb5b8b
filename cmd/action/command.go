package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/org/l4-canary/internal/ci"
	"github.com/org/l4-canary/internal/config"
)

// Command is the program as a value: everything it takes from the process and
// everything it gives back.
type Command struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Environ        []string
	Dir            string // relative paths start here
	Contained      bool   // in a container, where 127.0.0.1 is nobody else

	veil *veil // over all that is written, from Run on
}

// Run carries out one command line. Without a command it is the action's: what
// the input "command" says.
func (c *Command) Run(ctx context.Context, args []string) ExitCode {
	code := ExitOK
	c.veil = &veil{}
	c.Stdout, c.Stderr = veiled{c.Stdout, c.veil}, veiled{c.Stderr, c.veil}
	root := &cobra.Command{
		Use:           "l4-canary",
		Short:         "Staged releases of TCP and UDP services by pod counts, judged by the observed split",
		SilenceErrors: true, SilenceUsage: true,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.action(ctx, cmd, &code)
		},
	}
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: %s --help lists those that there are", err, cmd.CommandPath())
	})
	root.SetIn(c.Stdin)
	root.SetOut(c.Stdout)
	root.SetErr(c.Stderr)
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		c.inputs(ctx, &code, config.CommandRun, "Carry the whole staged rollout out", c.run),
		c.inputs(ctx, &code, config.CommandPlan, "Print the stage table; with --replicas alone it needs no cluster", c.plan),
		c.inputs(ctx, &code, config.CommandRollback, "Bring back the state before the rollout, from any machine", c.rollback),
		c.inputs(ctx, &code, config.CommandStatus, "Tell where a rollout stands and who holds it", c.status),
		c.inputs(ctx, &code, config.CommandDoctor, "Look at a live Service and say what a rollout of it could do", c.doctor),
		c.inputs(ctx, &code, config.CommandSample, "Measure the split of any endpoint", c.sample),
		c.reportCommand(&code), c.versionCommand(),
	)
	root.AddCommand(c.proberCommand(ctx, &code))
	post := c.inputs(ctx, &code, config.CommandPost, "Roll back what a cancelled step of a CI run left: the action's post step", c.post)
	post.Hidden = true // a runner calls it
	root.AddCommand(post)
	if err := root.ExecuteContext(ctx); err != nil {
		c.tell("l4-canary: %v", err)
		if code == ExitOK { // no command was reached
			code = exitOf(err)
		}
	}
	return code
}

// noCommand refuses a word that is none of the commands.
func noCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, cmd := range root.Commands() {
		if !cmd.Hidden && cmd.Name() != "help" {
			names = append(names, cmd.Name())
		}
	}
	return fmt.Errorf("unknown command %q: allowed are %s", args[0], strings.Join(names, ", "))
}

// noWords refuses words beside the flags.
func noWords(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q stands beside the flags of %s, which takes nothing else", args[0], cmd.CommandPath())
}

// action runs the command that the action's inputs ask for, if there are any.
func (c *Command) action(ctx context.Context, cmd *cobra.Command, code *ExitCode) error {
	if !c.inAction() {
		return cmd.Help()
	}
	name, err := config.ActionCommand(c.Getenv)
	if err != nil {
		return usage(err)
	}
	do := map[string]body{
		config.CommandRun: c.run, config.CommandPlan: c.plan, config.CommandRollback: c.rollback, config.CommandStatus: c.status, config.CommandDoctor: c.doctor,
	}[name]
	return c.withInputs(ctx, code, name, nil, do)
}

// inAction reports whether inputs came as the runner passes them.
func (c *Command) inAction() bool {
	for _, entry := range c.Environ {
		if strings.HasPrefix(entry, "INPUT_") {
			return true
		}
	}
	return false
}

// body is a command once its inputs are known.
type body func(ctx context.Context, values config.Values, warnings []string) (ExitCode, error)

// inputs is a command whose flags are the rows of the table.
func (c *Command) inputs(ctx context.Context, code *ExitCode, name, short string, do body) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, Args: noWords}
	for _, input := range config.ForCommand(name) {
		help := strings.ReplaceAll(input.Help, "`", "") // pflag takes what they quote for the flag's type
		if input.Default != "" {
			help += " (default " + input.Default + ")"
		}
		cmd.Flags().String(input.Name, "", help)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		flags := map[string]string{}
		cmd.Flags().Visit(func(f *pflag.Flag) { flags[f.Name] = f.Value.String() })
		return c.withInputs(ctx, code, name, flags, do)
	}
	return cmd
}

// withInputs finds the inputs and runs the body.
func (c *Command) withInputs(ctx context.Context, code *ExitCode, name string, flags map[string]string, do body) error {
	values, warnings, err := config.Load(name, flags, c.Getenv, c.Environ)
	if err != nil {
		return usage(err)
	}
	c.mask(proxyPasswords(c.Getenv))
	*code, err = do(ctx, values, warnings)
	return err
}

// tell writes a line for people, or several. If even that fails there is nobody to tell.
func (c *Command) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(ci.SafeWriter{W: c.Stderr}, format+"\n", args...)
}

// text and json are stdout for people and for programs: what others said cannot act in the job
// log that it mostly is.
func (c *Command) text() io.Writer { return ci.SafeWriter{W: c.Stdout} }
func (c *Command) json() io.Writer { return ci.SafeWriter{W: c.Stdout, JSON: true} }
