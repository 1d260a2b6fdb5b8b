package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/report"
	"github.com/org/l4-canary/internal/rollout"
)

// errPlan says that the plan, which has been printed, must not be carried out.
var errPlan = errors.New("the plan cannot be carried out")

// plan prints the stage table: pure arithmetic, or with a look at the cluster
// and a server-side dry run.
func (c *Command) plan(ctx context.Context, values config.Values, warnings []string) (ExitCode, error) {
	options, err := config.ParsePlan(values)
	if err != nil {
		return ExitUsage, usage(err)
	}
	log := newLogger(c.Stderr, slog.LevelInfo)
	for _, warning := range warnings {
		log.WarnContext(ctx, "inputs", "warning", warning)
	}
	var plan rollout.Plan
	if options.Offline() {
		plan = rollout.NewPlan(planOptions(options.Rollout, options.Replicas.Value))
	} else if plan, err = c.planOnCluster(ctx, options.Rollout, log); err != nil {
		return exitOf(err), err
	}
	write := report.PlanTable
	if options.Output == "json" {
		write = report.PlanJSON
	}
	if err := write(c.Stdout, plan); err != nil {
		return ExitUsage, err
	}
	if len(plan.Problems) > 0 {
		return ExitUsage, usage(errPlan)
	}
	return ExitOK, nil
}

// planOnCluster plans with the live capacity and has the API server check what
// would be applied, without keeping it.
func (c *Command) planOnCluster(ctx context.Context, o config.Rollout, log *slog.Logger) (rollout.Plan, error) {
	p, err := c.prepare(ctx, o, log.Info)
	for _, notice := range p.record.Notices {
		log.InfoContext(ctx, "manifests", "notice", notice)
	}
	if err != nil {
		return rollout.Plan{}, err
	}
	plan := rollout.NewPlan(p.options.Plan)
	for _, problem := range p.client.DryRun(ctx, p.target) {
		plan.Problems = append(plan.Problems, problem.Error())
	}
	c.tell("service %s/%s: %s is stable, %s the canary", p.record.Namespace, p.record.Service, p.target.Stable, p.target.Canary)
	return plan, nil
}
