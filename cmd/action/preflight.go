package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/probe"
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
	if p.options.Mode == rollout.Bootstrap { // the baseline is all there is
		p.plan.Stages = nil
	}
	p.forecast = p.options.Forecast(p.plan, facts.PodStart())
	facts.Estimate = p.forecast.Total().Time
	if long := p.options.LongestSampling(p.plan); long > p.options.StageTimeout && p.options.StageTimeout > 0 {
		p.note(fmt.Sprintf("warning: at the rate of its slowest port a stage takes about %s of sampling, and stage-timeout is %s: it would end inconclusive",
			long.Round(time.Second), p.options.StageTimeout))
	}
	findings := slices.Concat(facts.Check(), p.tryQueries(ctx))
	if p.options.Mode != rollout.Bootstrap && p.resume == nil {
		for _, problem := range slices.Concat(p.plan.Problems, p.beyond()) {
			findings = append(findings, preflight.Finding{Level: preflight.Error, Message: problem})
		}
	}
	p.findings = findings
	for _, finding := range slices.Concat(findings.Of(preflight.Notice), findings.Of(preflight.Warning)) {
		p.note(finding.String())
	}
	p.first(facts.Reach())
	if wrong := findings.Of(preflight.Error); len(wrong) > 0 {
		if len(wrong) == len(facts.Rights()) {
			return forbiddenError{wrong}
		}
		return refusal{wrong}
	}
	return nil
}

// beyond says if the rollout would stop before its first stage.
func (p *prepared) beyond() []string {
	if len(p.plan.Stages) == 0 || p.options.Until == 0 || p.plan.Stages[0].Target <= p.options.Until {
		return nil
	}
	return []string{fmt.Sprintf("input \"until\": %s lies below the first stage: what the pods can give begins with %s", p.options.Until, p.plan.Stages[0].Target)}
}

// first puts what cannot be undone before all other notices.
func (p *prepared) first(findings preflight.Findings) {
	var notices []string
	for _, finding := range findings {
		notices = append(notices, finding.String())
	}
	others := slices.DeleteFunc(p.record.Notices, func(notice string) bool { return slices.Contains(notices, notice) })
	p.record.Notices = slices.Concat(notices, others)
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
		Drain: p.options.Drain, Timeout: p.options.Timeout, Resuming: p.resume != nil, HandingOver: p.resume != nil && p.resume.Phase == rollout.PhaseHandingOver,
		Pauses: o.HPA == "pause" || p.resume != nil && p.resume.Autoscaled, Deletes: p.options.Finish == rollout.Delete,
		TokenExpires: p.TokenExpires, Now: time.Now(), ReportShare: p.options.ReportShare,
	}
	if p.record.ProbeFrom == fromCluster {
		facts.Prober = kube.ProberPodSpec()
	}
	for _, scaler := range p.target.Autoscalers {
		facts.Others = append(facts.Others, manifest.Object{Unstructured: scaler})
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
	p.autoscaled = facts.Pauses && (facts.Autoscaled() || slices.Contains(facts.Unread, "horizontalpodautoscalers"))
	single := p.options.Mode == rollout.Single
	rights := p.client.Rights(p.target, kube.Use{
		Creates: single || p.roles.Fresh || p.roles.Mode == manifest.Bootstrap || p.roles.Canary.Live == nil,
		Deletes: single || p.options.Finish == rollout.Delete,
		Parks:   facts.Parks || p.options.KeepFailed,
		Orphans: how.Stable == rollout.ParkByRelease || how.Canary == rollout.ParkByRelease,
		Pauses:  p.autoscaled,
		Asks:    p.asks(),
		Smokes:  p.options.Smoke && p.options.Mode != rollout.Bootstrap,
		Inside:  p.record.ProbeFrom == fromCluster,
	})
	var err error
	if facts.Denied, err = p.client.Denied(ctx, namespace, rights); err != nil {
		return err
	}
	facts.DeniedCluster, err = p.client.Denied(ctx, "", p.client.ClusterRights(p.target))
	return err
}

// asks reports whether pods are asked through the API server.
func (p *prepared) asks() bool {
	tcp := slices.ContainsFunc(p.options.Ports, func(port probe.Port) bool { return port.Protocol == probe.TCP })
	learns := p.options.Learn && (p.resume == nil || len(p.resume.Lessons) == 0)
	return tcp && (learns || p.options.Smoke) && p.options.Mode != rollout.Bootstrap
}

// away adds to an API server's silence the reason that can be seen from here.
func (c *Command) away(found connection, err error) error {
	if found.Connection == nil || !c.Contained || !errors.Is(err, syscall.ECONNREFUSED) || !found.Loopback() {
		return err
	}
	return fmt.Errorf("%w\n  hint: %s is this container itself, and not the runner: use the host action, or run the binary on the runner, or use an address of the cluster that containers reach", err, found.Server())
}

// explain adds to an API server's refusal everything else that the credentials lack,
// and to its silence the reason that can be seen from here.
func (c *Command) explain(ctx context.Context, p *prepared, err error) error {
	if !kube.Forbidden(err) {
		return c.away(p.connection, err)
	}
	// How the rollout would go is not known yet: what any could need counts.
	facts := preflight.Facts{Namespace: p.record.Namespace}
	rights := p.client.Rights(p.target, kube.Use{Creates: true, Deletes: true, Parks: true, Orphans: true, Asks: p.options.Learn, Inside: p.record.ProbeFrom == fromCluster})
	var failed error
	if facts.Denied, failed = p.client.Denied(ctx, p.record.Namespace, rights); failed != nil {
		return err
	}
	if facts.DeniedCluster, failed = p.client.Denied(ctx, "", p.client.ClusterRights(p.target)); failed != nil || len(facts.Rights()) == 0 {
		return err
	}
	return forbiddenError{fmt.Errorf("%w\n%w", err, facts.Rights())}
}
