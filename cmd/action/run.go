package main

import (
	"context"
	"log/slog"

	"github.com/org/l4-canary/internal/ci"
	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/rollout"
)

// run carries the whole rollout out.
func (c *Command) run(ctx context.Context, values config.Values, warnings []string) (ExitCode, error) {
	platform := ci.New(ci.Options{Getenv: c.Getenv, Stdout: c.Stdout})
	level := slog.LevelInfo
	if c.Getenv("RUNNER_DEBUG") == "1" {
		level = slog.LevelDebug
	}
	log := newLogger(platform.Log(), level)
	for _, warning := range warnings {
		platform.Annotate(ci.Annotation{Level: ci.Warning, Message: warning})
	}
	options, err := config.ParseRun(values)
	j := &journal{platform: platform, log: log, options: options, path: c.path}
	if err != nil {
		return j.refused(&rollout.Record{}, usage(err))
	}
	p, err := c.prepare(ctx, options.Rollout, log.Info)
	if err != nil {
		return j.refused(p.record, err)
	}
	for _, notice := range p.record.Notices {
		log.InfoContext(ctx, "manifests", "notice", notice)
	}
	unchanged, err := p.unchanged(ctx)
	if err != nil {
		return j.refused(p.record, err)
	}
	if unchanged {
		return j.nothingToDo(ctx, p.record), nil
	}
	// The watches outlive a cancelled run: a rollback still needs them.
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	cluster, err := p.client.Watch(watching, p.target)
	if err != nil {
		return j.refused(p.record, err)
	}
	return c.rollOut(ctx, p, cluster, j)
}

// rollOut runs the engine and reports how it ended.
func (c *Command) rollOut(ctx context.Context, p *prepared, cluster *kube.Cluster, j *journal) (ExitCode, error) {
	j.logs = cluster
	engine := &rollout.Rollout{
		Options: p.options,
		Cluster: cluster, Parking: cluster, Heir: cluster, Prober: p.prober, Journal: j, Log: j.log, Record: p.record,
	}
	err := engine.Run(ctx)
	if kube.Forbidden(err) && p.record.Outcome == rollout.Refused {
		p.record.Reason = rollout.ReasonForbidden
	}
	j.finish(ctx, p.record)
	return exitOfOutcome(p.record), err
}
