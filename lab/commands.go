package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/native"
	"github.com/org/l4-canary/lab/internal/process"
)

func (a *app) build() *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Build what a lab is made of, so that up is quick",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			provider, err := a.cluster(cmd.Context())
			if err != nil {
				return err
			}
			return provider.Build(cmd.Context())
		},
	}
}

func (a *app) up() *cobra.Command {
	opts := cluster.Options{}
	mode := string(cluster.NFTables)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make the lab, or say that it is there",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Name, opts.ProxyMode = a.name, cluster.ProxyMode(mode)
			if opts.Program != "" {
				path, err := filepath.Abs(opts.Program)
				if err != nil {
					return usageError{err}
				}
				opts.Program = path
			}
			if err := opts.Validate(); err != nil {
				return usageError{err}
			}
			provider, err := a.cluster(cmd.Context())
			if err != nil {
				return err
			}
			return provider.Up(cmd.Context(), opts)
		},
	}
	cmd.Flags().IntVar(&opts.Nodes, "nodes", 1, "1 or 2")
	cmd.Flags().StringVar(&mode, "proxy-mode", mode, "how kube-proxy balances: nftables or iptables")
	cmd.Flags().BoolVar(&opts.DualStack, "dual-stack", false, "IPv6 beside IPv4")
	cmd.Flags().StringVar(&opts.Program, "program", "", "a static binary, which images of its name hold")
	return cmd
}

func (a *app) down() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Take the lab away, with everything it made",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			provider, err := a.cluster(cmd.Context())
			if err != nil {
				return err
			}
			return provider.Down(cmd.Context(), a.name)
		},
	}
}

// breaker is a provider whose labs can be broken, and mended again.
type breaker interface {
	Restart(ctx context.Context, name string, components []string) error
	Unplug(ctx context.Context, name string) error
	Plug(ctx context.Context, name string) error
}

var _ breaker = (*native.Provider)(nil)

func (a *app) restart() *cobra.Command {
	return &cobra.Command{
		Use:   "restart COMPONENT...",
		Short: "End components and start them again, such as kubelet-1 or kube-apiserver",
		Args:  usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.damage(cmd, func(b breaker) error { return b.Restart(cmd.Context(), a.name, args) })
		},
	}
}

func (a *app) unplug() *cobra.Command {
	return &cobra.Command{
		Use:   "unplug",
		Short: "Take the second node off the network, as if it had lost its power",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.damage(cmd, func(b breaker) error { return b.Unplug(cmd.Context(), a.name) })
		},
	}
}

func (a *app) plug() *cobra.Command {
	return &cobra.Command{
		Use:   "plug",
		Short: "Bring the second node back",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.damage(cmd, func(b breaker) error { return b.Plug(cmd.Context(), a.name) })
		},
	}
}

// damage does something to a lab that a lab of kind has no means for.
func (a *app) damage(cmd *cobra.Command, do func(breaker) error) error {
	provider, err := a.cluster(cmd.Context())
	if err != nil {
		return err
	}
	able, ok := provider.(breaker)
	if !ok {
		return usageError{errors.New("a lab of kind cannot do that: its nodes are containers, and docker has the means")}
	}
	err = do(able)
	if errors.Is(err, native.ErrCannot) {
		return usageError{err}
	}
	return err
}

func (a *app) status() *cobra.Command {
	output := "table"
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what runs, where, and how much memory it takes",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if formats := []string{"table", "json"}; !slices.Contains(formats, output) {
				return usageError{fmt.Errorf("--output %q: must be one of %q", output, formats)}
			}
			provider, err := a.cluster(cmd.Context())
			if err != nil {
				return err
			}
			status, err := provider.Status(cmd.Context(), a.name)
			if err != nil {
				return err
			}
			if output == "table" {
				return a.table(status)
			}
			encoder := json.NewEncoder(a.out)
			encoder.SetIndent("", "  ")
			return encoder.Encode(status)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "table or json")
	return cmd
}

func (a *app) table(s cluster.Status) error {
	const mib = 1 << 20
	var text strings.Builder
	fmt.Fprintf(&text, "lab\t%s (%s, %s)\nrunning\t%t\nserver\t%s\nkubeconfig\t%s\n", s.Name, s.Provider, s.ProxyMode, s.Running, s.Server, s.Kubeconfig)
	fmt.Fprintf(&text, "restricted\t%s\naudit log\t%s\nlogs\t%s\nregistry\t%s\n", s.Restricted, s.AuditLog, s.Logs, s.Registry)
	fmt.Fprintf(&text, "addresses\t%v\nmemory\t%d MiB resident, %d MiB with shared pages counted once\n", s.Pools, s.RSS/mib, s.PSS/mib)
	text.WriteString("\nNODE\tADDRESS\tREADY\n")
	for _, node := range s.Nodes {
		fmt.Fprintf(&text, "%s\t%s\t%t\n", node.Name, node.Address, node.Ready)
	}
	text.WriteString("\nPROCESS\tPID\tRUNNING\tMIB\n")
	for _, p := range s.Processes {
		fmt.Fprintf(&text, "%s\t%d\t%t\t%d\n", p.Name, p.PID, p.Running, p.RSS/mib)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(w, text.String()); err != nil {
		return err
	}
	return w.Flush()
}

func (a *app) kubeconfig() *cobra.Command {
	user := string(cluster.Admin)
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of a kubeconfig",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			who, err := cluster.ParseUser(user)
			if err != nil {
				return usageError{err}
			}
			provider, err := a.cluster(cmd.Context())
			if err != nil {
				return err
			}
			path, err := provider.Kubeconfig(cmd.Context(), a.name, who)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, path)
			return err
		},
	}
	cmd.Flags().StringVar(&user, "user", user, "admin or restricted")
	return cmd
}

// kubectl runs the kubectl of the node binary; with kind, the one on PATH.
func (a *app) kubectl() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl -- ARGS...",
		Short: "Run kubectl as the admin",
		RunE: func(cmd *cobra.Command, args []string) error {
			provider, err := a.cluster(cmd.Context())
			if err != nil {
				return err
			}
			kubeconfig, err := provider.Kubeconfig(cmd.Context(), a.name, cluster.Admin)
			if err != nil {
				return err
			}
			argv := []string{"kubectl", "--kubeconfig", kubeconfig}
			if p, ok := provider.(*native.Provider); ok {
				binary, err := p.KubernetesBinary(a.name)
				if err != nil {
					return err
				}
				argv = []string{binary, "kubectl", "--kubeconfig", kubeconfig}
			}
			child := exec.CommandContext(cmd.Context(), argv[0], append(argv[1:], args...)...)
			child.Stdin, child.Stdout, child.Stderr = os.Stdin, a.out, a.err
			return child.Run()
		},
	}
}

func (a *app) logs() *cobra.Command {
	lines := 20
	cmd := &cobra.Command{
		Use:   "logs [COMPONENT...]",
		Short: "Print the end of the components' logs",
		RunE: func(cmd *cobra.Command, args []string) error {
			provider, err := a.cluster(cmd.Context())
			if err != nil {
				return err
			}
			status, err := provider.Status(cmd.Context(), a.name)
			if err != nil {
				return err
			}
			return a.printLogs(status, args, lines)
		},
	}
	cmd.Flags().IntVar(&lines, "lines", lines, "how many of each")
	return cmd
}

func (a *app) printLogs(status cluster.Status, wanted []string, lines int) error {
	var have []string
	for _, p := range status.Processes {
		if p.Log != "" {
			have = append(have, p.Name)
		}
	}
	for _, name := range wanted {
		if !slices.Contains(have, name) {
			return usageError{fmt.Errorf("component %q: must be one of %q", name, have)}
		}
	}
	if len(have) == 0 {
		return errors.New("this lab keeps no logs of its own")
	}
	for _, p := range status.Processes {
		if p.Log == "" || (len(wanted) > 0 && !slices.Contains(wanted, p.Name)) {
			continue
		}
		tail := process.Record{Log: p.Log}.Tail(lines)
		if _, err := fmt.Fprintf(a.out, "== %s\n%s\n", filepath.Clean(p.Log), tail); err != nil {
			return err
		}
	}
	return nil
}
