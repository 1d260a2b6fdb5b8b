package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/inside"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// fromCluster is the value of input "probe-from" for flows that a pod makes.
const fromCluster = "cluster"

// repositoryOfImages is where releases of the program are.
const repositoryOfImages = "ghcr.io/org/l4-canary"

// proberName is the command that a prober's pod runs.
const proberName = "prober"

// proberImage is the image that makes flows inside the cluster; empty where this build
// is no release, so that there is none.
func proberImage(given string) string {
	if given == "" && version != "dev" {
		return repositoryOfImages + ":" + version
	}
	return given
}

// checkImage adds to the problems of the inputs that nobody knows the prober's image.
func checkImage(o config.Rollout, err error) error {
	return amend(err, "probe-image", func() config.Problems {
		if o.ProbeFrom != fromCluster || proberImage(o.ProbeImage) != "" {
			return nil
		}
		return config.Problems{{
			Input: "probe-image", Allowed: "missing: this l4-canary is no release, so there is no image of it: name one that holds this very build",
		}}
	})
}

// insideProber has a pod of the cluster make the flows of each window.
type insideProber struct {
	cluster *kube.Cluster
	plan    inside.Plan
	image   string
	startIn time.Duration
	log     *slog.Logger
}

var _ rollout.Prober = (*insideProber)(nil)

// inside is a prober in the cluster, slower than the rate by a factor.
func (p *prepared) inside(cluster *kube.Cluster, log *slog.Logger, slower float64) *insideProber {
	plan := p.windows
	plan.Rate /= slower
	for _, port := range p.options.Ports {
		plan.Asked = append(plan.Asked, port.String())
	}
	return &insideProber{cluster, plan, p.image, p.options.MoveTimeout, log}
}

// Sampler implements rollout.Prober.
func (p *insideProber) Sampler(ctx context.Context, aim rollout.Aim) (rollout.Flows, error) {
	plan := p.plan
	plan.Addresses, plan.Seed, plan.Known, plan.Listen = aim.Addresses, aim.Seed, aim.Known, aim.Listen
	data, err := plan.Encode()
	if err != nil {
		return nil, fmt.Errorf("planning a window: %w", err)
	}
	pod, err := p.cluster.Probe(ctx, kube.ProberOptions{Image: p.image, Args: []string{proberName}, Plan: data, StartIn: p.startIn})
	if err != nil {
		return nil, err
	}
	stream, err := inside.Follow(proberLog{pod, p.log}, &plan)
	if err != nil {
		proberLog{pod, p.log}.Close(ctx)
		return nil, err
	}
	return insideFlows{stream}, nil
}

// proberLog ends a pod, and says so if it cannot.
type proberLog struct {
	*kube.ProberPod
	log *slog.Logger
}

// Close implements inside.Log.
func (l proberLog) Close(ctx context.Context) {
	if err := l.ProberPod.Close(ctx); err != nil {
		l.log.WarnContext(ctx, "the prober in the cluster stays for some minutes", "error", err)
	}
}

// insideFlows are made by a pod.
type insideFlows struct{ *inside.Stream }

// Err implements rollout.Flows: whatever the pod failed in, nobody was measured by it.
func (f insideFlows) Err() error {
	err := f.Stream.Err()
	if _, ok := errors.AsType[*rollout.Setback](err); ok || err == nil {
		return err
	}
	return &rollout.Setback{Reason: rollout.ReasonInvalidLocal, Prober: true, Message: "the prober in the cluster failed: " + err.Error()}
}

// proberCommand is what a prober's pod runs. It is not for people.
func (c *Command) proberCommand(ctx context.Context, code *ExitCode) *cobra.Command {
	file := kube.PlanFile
	cmd := &cobra.Command{
		Use: proberName, Short: "Make the flows of a window, in a pod of the cluster", Args: cobra.NoArgs, Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			*code = ExitUsage
			data, err := c.read(file)
			if err == nil {
				err = inside.Serve(ctx, data, version, c.Stdout)
			}
			if err == nil {
				*code = ExitOK
			}
			return err
		},
	}
	cmd.Flags().StringVar(&file, "plan", file, "file that holds the plan")
	return cmd
}

// locate finds out where flows will begin.
func (p *prepared) locate(ctx context.Context, here kube.Surroundings, o config.Rollout) {
	p.image = proberImage(o.ProbeImage)
	p.record.ProbeFrom = o.ProbeFrom
	p.record.Inside = o.ProbeFrom == fromCluster || p.client.Inside(ctx, p.record.Namespace, here)
}

// mounted is where a pod finds the certificates of its own cluster,
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
const mounted = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"

// surroundings is what can be seen of where this process runs.
func (c *Command) surroundings() kube.Surroundings {
	here := kube.Surroundings{APIServer: c.Getenv("KUBERNETES_SERVICE_HOST"), Addresses: probe.LocalAddresses()}
	if here.APIServer != "" {
		here.Authority, _ = os.ReadFile(mounted) // a pod may have none
	}
	return here
}
