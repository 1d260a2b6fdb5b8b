package main

import (
	"log/slog"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/org/l4-canary/lab/internal/balancer"
	"github.com/org/l4-canary/lab/internal/process"
	"github.com/org/l4-canary/lab/internal/registry"
)

// The commands below are not for people: the lab runs them as its daemons.

func (a *app) registry() *cobra.Command {
	opts := registry.Options{Log: a.log()}
	cmd := &cobra.Command{
		Use:    "registry",
		Short:  "Serve images",
		Hidden: true,
		Args:   usageArgs(cobra.NoArgs),
		RunE:   func(cmd *cobra.Command, _ []string) error { return registry.Run(cmd.Context(), opts) },
	}
	cmd.Flags().StringVar(&opts.Listen, "listen", "", "host:port")
	cmd.Flags().StringVar(&opts.Workload, "workload", "", "path of the workload binary")
	cmd.Flags().StringVar(&opts.Program, "program", "", "path of another binary")
	return cmd
}

func (a *app) balancer() *cobra.Command {
	opts := balancer.Options{Log: a.log()}
	var pools []string
	cmd := &cobra.Command{
		Use:    "balancer",
		Short:  "Give addresses to LoadBalancer Services",
		Hidden: true,
		Args:   usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, pool := range pools {
				prefix, err := netip.ParsePrefix(pool)
				if err != nil {
					return usageError{err}
				}
				opts.Pools = append(opts.Pools, prefix)
			}
			return balancer.Run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.Kubeconfig, "kubeconfig", "", "path")
	cmd.Flags().StringArrayVar(&pools, "pool", nil, "range of addresses; may be repeated")
	return cmd
}

// enter becomes another program inside a node.
func (a *app) enter() *cobra.Command {
	var place process.Place
	cmd := &cobra.Command{
		Use:    "enter -- PROGRAM [ARGS...]",
		Short:  "Run a program inside a node",
		Hidden: true,
		Args:   usageArgs(cobra.MinimumNArgs(1)),
		RunE:   func(_ *cobra.Command, args []string) error { return place.Exec(args) },
	}
	cmd.Flags().StringVar(&place.NetNS, "netns", "", "file of the network namespace to enter")
	cmd.Flags().IntVar(&place.MountsOf, "mounts-of", 0, "process whose mount namespace to share")
	cmd.Flags().StringVar(&place.Keep, "keep", "", "make a mount namespace, in which this folder stays visible")
	cmd.Flags().StringVar(&place.CGroup, "cgroup", "", "control group to join")
	return cmd
}

// log is the log of a daemon, whose stderr is its log file.
func (a *app) log() *slog.Logger { return slog.New(slog.NewTextHandler(a.err, nil)) }
