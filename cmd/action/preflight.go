package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/rollout"
)

// forbiddenError is a rollout that the credentials do not allow.
type forbiddenError struct{ error }

func (f forbiddenError) Unwrap() error { return f.error }

// preflight checks everything that can be checked before the first write. What does
// not stop the rollout goes into the record. The error names everything that does.
func (p *prepared) preflight(ctx context.Context, o config.Rollout) error {
	facts := p.facts(o)
	if err := p.survey(ctx, &facts); err != nil {
		return err
	}
	p.plan = rollout.NewPlan(p.options.Plan)
	p.forecast = p.options.Forecast(p.plan, facts.PodStart())
	facts.Estimate = p.forecast.Total().Time
	findings := facts.Check()
	if p.options.Mode != rollout.Bootstrap && p.resume == nil {
		for _, problem := range p.plan.Problems {
			findings = append(findings, preflight.Finding{Level: preflight.Error, Message: problem})
		}
	}
	p.findings = findings
	for _, finding := range slices.Concat(findings.Of(preflight.Notice), findings.Of(preflight.Warning)) {
		p.note(finding.String())
	}
	if wrong := findings.Of(preflight.Error); len(wrong) > 0 {
		if len(facts.Denied) == len(wrong) || len(wrong) == 1 && len(facts.Denied) > 0 {
			return forbiddenError{wrong}
		}
		return refusal{wrong}
	}
	return nil
}

// refusal is a rollout that the preflight refuses.
type refusal struct{ preflight.Findings }

// facts are those that are known already.
func (p *prepared) facts(o config.Rollout) preflight.Facts {
	how := p.options.Removals
	facts := preflight.Facts{
		Namespace: p.record.Namespace, Version: p.live.Version, Address: o.Address, Service: p.service, Live: p.live.Service, Roles: p.roles,
		Replicas: p.options.Plan.Replicas, MaxSurge: p.options.Plan.MaxSurge, MaxUnavailable: p.options.Plan.MaxUnavailable,
		Parks: how.Stable != rollout.Terminate || how.Canary != rollout.Terminate,
		Bake:  p.options.Bake, Warmable: how.Stable == rollout.Park,
		Drain: p.options.Drain, Timeout: p.options.Timeout, Resuming: p.resume != nil,
		TokenExpires: p.TokenExpires, Now: time.Now(),
	}
	for _, label := range []string{p.target.StableParkLabel, p.target.CanaryParkLabel} {
		if label != "" {
			facts.ParkLabels = append(facts.ParkLabels, label)
		}
	}
	return facts
}

// survey asks the cluster for the others.
func (p *prepared) survey(ctx context.Context, facts *preflight.Facts) error {
	namespace, how := p.record.Namespace, p.options.Removals
	if err := p.client.Survey(ctx, namespace, facts); err != nil {
		return err
	}
	if err := p.client.Try(ctx, p.target, facts); err != nil {
		return err
	}
	single := p.options.Mode == rollout.Single
	rights := p.client.Rights(p.target, kube.Use{
		Creates: single || p.roles.Fresh || p.roles.Mode == manifest.Bootstrap || p.roles.Canary.Live == nil,
		Deletes: single || p.options.Finish == rollout.Delete,
		Parks:   facts.Parks || p.options.KeepFailed,
		Orphans: how.Stable == rollout.ParkByRelease || how.Canary == rollout.ParkByRelease,
	})
	var err error
	facts.Denied, err = p.client.Denied(ctx, namespace, rights)
	return err
}

// explain adds to an API server's refusal everything else that the credentials lack,
// and to its silence the reason that can be seen from here.
func (c *Command) explain(ctx context.Context, p *prepared, err error) error {
	switch {
	case kube.Unreachable(err) && c.Contained && p.Loopback():
		return fmt.Errorf("%w\n  hint: %s is this container itself; run the binary on the runner, or use the cluster's address", err, p.Config.Host)
	case !kube.Forbidden(err):
		return err
	}
	denied, failed := p.client.Denied(ctx, p.record.Namespace, p.client.Rights(kube.Target{}, kube.Use{}))
	if failed != nil || len(denied) == 0 {
		return err
	}
	return forbiddenError{fmt.Errorf("%w\n%w", err, preflight.Facts{Namespace: p.record.Namespace, Denied: denied}.Rights())}
}
