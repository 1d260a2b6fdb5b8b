package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/report"
	"github.com/org/l4-canary/internal/rollout"
)

// listenFor is how long doctor listens to a Service, at its rate.
const (
	listenFor  = 3 * time.Second
	listenRate = 30
)

// doctor looks at a live Service and says what a rollout of it could do. It writes
// nothing.
func (c *Command) doctor(ctx context.Context, values config.Values, warnings []string) (ExitCode, error) {
	options, err := config.ParseDoctor(values)
	if err = c.checkMetrics(options.Prometheus, c.checkProbe(options.Probe, err)); err != nil {
		return ExitUsage, usage(err)
	}
	log := newLogger(c.Stderr, slog.LevelInfo)
	for _, warning := range warnings {
		log.WarnContext(ctx, "inputs", "warning", warning)
	}
	p, err := c.examine(ctx, options, log)
	if err != nil {
		return exitOf(err), err
	}
	facts := p.facts(options)
	if err = p.survey(ctx, &facts); err != nil {
		return exitOf(err), c.explain(ctx, p, err)
	}
	findings := slices.Concat(facts.Check(), p.tryQueries(ctx))
	d := p.diagnosis(options, facts, findings)
	if d.Ports, err = p.listen(ctx, facts); err != nil {
		log.WarnContext(ctx, "the service could not be asked", "error", err)
	}
	if err = report.DoctorText(c.text(), d); err != nil {
		return ExitUsage, err
	}
	if len(findings.Of(preflight.Error)) > 0 {
		return ExitUsage, usage(fmt.Errorf("a rollout of %s would be refused", p.service.Title()))
	}
	return ExitOK, nil
}

// diagnosis is what can be said of a Service before it is asked.
func (p *prepared) diagnosis(options config.Rollout, facts preflight.Facts, findings preflight.Findings) report.Diagnosis {
	d := report.Diagnosis{
		Namespace: p.record.Namespace, Service: p.record.Service, Addresses: p.addresses(), Version: p.live.Version,
		Mode: string(p.roles.Mode), Stable: p.record.Stable, Canary: p.record.Canary, Plan: p.options.Plan,
		Findings: findingsOf(findings), Denied: facts.Denied,
		Removals: p.options.Removals, Drain: p.options.Drain, Role: kube.Role(p.record.Namespace, p.client.AllRights(options.ProbeFrom == fromCluster)),
	}
	if p.live.ProxyUnknown && facts.Parks {
		d.Reasons = append(d.Reasons, "whether Cilium does kube-proxy's work may not be read (ConfigMap cilium-config in kube-system): where it does, set removal: terminate")
	}
	for _, notice := range p.record.Notices {
		if slices.Contains(p.roles.Notices, notice) {
			d.Findings = append(d.Findings, "notice: "+notice)
		} else {
			d.Reasons = append(d.Reasons, notice)
		}
	}
	return d
}

// examine is prepare for a Service of which only the cluster knows: what is live
// stands for the manifests.
func (c *Command) examine(ctx context.Context, o config.Rollout, log *slog.Logger) (*prepared, error) {
	p := &prepared{record: &rollout.Record{Namespace: o.Namespace, Service: o.Service}}
	var err error
	if p.probes, p.spec, err = c.probesOf(o.Probe); err != nil {
		return p, usage(err)
	}
	if p.metrics, err = c.metrics(o.Prometheus); err != nil {
		return p, usage(err)
	}
	if p.connection, err = c.connect(o.Place, log.Info); err != nil {
		return p, err
	}
	if p.record.Namespace == "" {
		p.record.Namespace = p.Namespace
	}
	if p.record.Service == "" {
		if p.record.Service, err = p.client.OnlyBalancer(ctx, p.record.Namespace); err != nil {
			return p, c.explain(ctx, p, err)
		}
	}
	if p.live, err = p.client.Look(ctx, p.record.Namespace, p.record.Service); err != nil {
		return p, c.explain(ctx, p, err)
	}
	service, ok := p.live.ServiceObject()
	if !ok {
		return p, usage(fmt.Errorf("there is no service %q in namespace %q", p.record.Service, p.record.Namespace))
	}
	p.service = service
	selection, err := p.standIn()
	if err != nil {
		return p, usage(err)
	}
	if p.roles, err = manifest.AssignRoles(selection, p.live.Roles(), o.Stable, o.Canary); err != nil {
		return p, usage(err)
	}
	return p, p.complete(o, selection)
}

// standIn takes the live Deployments behind the Service for the manifests, those that
// serve before those that do not.
func (p *prepared) standIn() (manifest.Selection, error) {
	var set manifest.Set
	for _, live := range p.live.Roles() {
		object := manifest.Object{Unstructured: kube.Template(live.Object)}
		if _, copied := object.GetLabels()[manifest.ReleaseLabel]; !copied && (live.Serves() || len(p.live.Deployments) <= 2) {
			set.Objects = append(set.Objects, manifest.WithReplicas(object, live.Replicas))
		}
	}
	return set.Behind(p.service)
}

// addresses are where the Service is to be asked.
func (p *prepared) addresses() []string {
	if p.options.Address != "" {
		return []string{p.options.Address}
	}
	var addresses []string
	for _, ingress := range p.live.Service.Status.LoadBalancer.Ingress {
		addresses = append(addresses, cmp.Or(ingress.IP, ingress.Hostname))
	}
	return addresses
}

// listen asks the Service for a few seconds.
func (p *prepared) listen(ctx context.Context, facts preflight.Facts) ([]report.Heard, error) {
	addresses := p.addresses()
	if len(addresses) == 0 {
		return nil, fmt.Errorf("service %q has no load balancer address", p.record.Service)
	}
	p.prober.options.Rate, p.prober.options.Count = listenRate, listenTo(p.options.Ports)
	flows, err := p.prober.Sampler(ctx, rollout.Aim{Addresses: addresses, Seed: uint64(rand.Uint32())})
	if err != nil {
		return nil, err
	}
	heard := make([]report.Heard, len(p.options.Ports))
	for i, port := range p.options.Ports {
		heard[i] = report.Heard{Port: port.String(), Pods: len(facts.Pods), Images: p.record.Stable.Images}
	}
	names := make([]string, 0, len(facts.Pods))
	for i := range facts.Pods {
		names = append(names, facts.Pods[i].Name)
	}
	for flow := range flows.Flows(ctx) {
		h := &heard[flow.Port]
		if flow.Class != probe.Answered {
			h.Failed++
			continue
		}
		h.Add(p.withoutSecrets(flow.Answer), names)
	}
	return heard, ctx.Err()
}

// listenTo is how many flows doctor asks for: what the ports allow in its time, and one
// each at least.
func listenTo(ports []probe.Port) int {
	flows := 0.0
	for _, rate := range probe.PortRates(listenRate, ports) {
		flows += rate * listenFor.Seconds()
	}
	return max(len(ports), int(flows))
}

// withoutSecrets is an answer without what the prober said and a server may repeat.
func (p *prepared) withoutSecrets(answer []byte) string {
	text := string(answer)
	for _, secret := range p.probes.Secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// findingsOf are findings as the report shows them.
func findingsOf(findings preflight.Findings) []string {
	var lines []string
	for _, f := range findings {
		lines = append(lines, string(f.Level)+": "+strings.ReplaceAll(f.String(), "\n", "\n  "))
	}
	return lines
}
