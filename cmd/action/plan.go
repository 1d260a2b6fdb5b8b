package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/report"
	"github.com/org/l4-canary/internal/rollout"
)

// errPlan says that the plan, which has been printed, must not be carried out.
var errPlan = errors.New("the plan cannot be carried out")

// plan prints the stage table: pure arithmetic, or with a look at the cluster
// and a server-side dry run.
func (c *Command) plan(ctx context.Context, values config.Values, warnings []string) (ExitCode, error) {
	options, err := config.ParsePlan(values)
	err = checkImage(options.Rollout, c.checkProbe(options.Probe, room(options.Rollout, err)))
	if err = c.checkMetrics(options.Prometheus, err); err != nil {
		return ExitUsage, usage(err)
	}
	log := newLogger(c.Stderr, slog.LevelInfo)
	for _, warning := range warnings {
		log.WarnContext(ctx, "inputs", "warning", warning)
	}
	var plan rollout.Plan
	var forecast rollout.Forecast
	if options.Offline() {
		bounds := engineOptions(options.Rollout, options.Replicas.Value, false)
		plan = rollout.NewPlan(bounds.Plan)
		forecast = bounds.Forecast(plan, 0)
	} else if plan, forecast, err = c.planOnCluster(ctx, options.Rollout, log); err != nil {
		return exitOf(err), err
	}
	write, to := report.PlanTable, c.text()
	if options.Output == "json" {
		write, to = report.PlanJSON, c.json()
	}
	if err := write(to, plan, forecast); err != nil {
		return ExitUsage, err
	}
	if len(plan.Problems) > 0 {
		return ExitUsage, usage(errPlan)
	}
	return ExitOK, nil
}

// planOnCluster plans with the live capacity, after everything that a run would
// check before its first write.
func (c *Command) planOnCluster(ctx context.Context, o config.Rollout, log *slog.Logger) (rollout.Plan, rollout.Forecast, error) {
	p, err := c.prepare(ctx, o, log.Info)
	if err == nil && p.other != nil {
		err = usage(errors.New("an unfinished rollout of another release is there: a run would roll it back before it plans this one"))
	}
	if err == nil {
		err = c.explain(ctx, p, p.preflight(ctx, o))
	}
	warnings := p.findings.Of(preflight.Warning)
	for _, notice := range p.record.Notices {
		if slices.ContainsFunc(warnings, func(f preflight.Finding) bool { return f.String() == notice }) {
			log.WarnContext(ctx, "preflight", "says", notice)
			continue
		}
		log.InfoContext(ctx, "preflight", "notice", notice)
	}
	refused, unfit := errors.AsType[refusal](err)
	if err != nil && !unfit {
		return rollout.Plan{}, rollout.Forecast{}, err
	}
	if unfit {
		p.plan.Problems = nil
		for _, finding := range refused.Findings {
			p.plan.Problems = append(p.plan.Problems, finding.String())
		}
	}
	c.tell("%s", p.sides())
	if same, err := p.unchanged(ctx); err == nil && same {
		c.tell("the pods are what the manifests say already: a run would have nothing to do")
	}
	return p.plan, p.forecast, nil
}

// sides says which Deployment is which.
func (p *prepared) sides() string {
	service := p.record.Namespace + "/" + p.record.Service
	if p.options.Mode == rollout.Bootstrap {
		return fmt.Sprintf("service %s: nothing serves yet, %s is deployed at full size", service, p.target.Stable)
	}
	return fmt.Sprintf("service %s: %s is stable, %s the canary", service, p.target.Stable, p.target.Canary)
}
