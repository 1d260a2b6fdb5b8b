package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/inside"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/spec"
)

// prepared is a rollout whose inputs, manifests and cluster have been looked at.
// Nothing has been written.
type prepared struct {
	connection
	live    *kube.Live
	service manifest.Object
	target  kube.Target
	roles   manifest.Roles
	options rollout.Options
	probes  spec.Probes
	spec    inside.Spec // that the probes were read from
	ports   []spec.Port // of the Service
	prober  *prober
	metrics metrics
	image   string          // of the prober, where a pod makes the flows
	windows inside.Plan     // what all windows have in common there
	memory  []byte          // of the Service's rollout as it was read; nil if there is none
	resume  *rollout.Memory // an unfinished rollout of this very release
	other   *rollout.Memory // an unfinished rollout of another one
	ended   *rollout.Memory // the last one, if it is finished
	record  *rollout.Record

	autoscaled bool // there are autoscalers to pause; known from preflight on

	findings preflight.Findings // from preflight on
	plan     rollout.Plan
	forecast rollout.Forecast
}

// prepare reads everything a rollout needs. Notices go into the record, which is
// worth a report even when an error comes back.
func (c *Command) prepare(ctx context.Context, o config.Rollout, say func(string, ...any)) (*prepared, error) {
	p := &prepared{record: &rollout.Record{Mode: string(rollout.Pair), Namespace: o.Namespace, Service: o.Service}}
	var err error
	if p.probes, p.spec, err = c.probesOf(o.Probe); err != nil {
		return p, usage(err)
	}
	if p.metrics, err = c.metrics(o.Prometheus); err != nil {
		return p, usage(err)
	}
	set, err := c.manifests(o, p.record)
	if err != nil {
		return p, usage(err)
	}
	found, err := c.connect(o.Place, say)
	if err != nil {
		return p, err
	}
	p.connection = found
	if set, p.record.Namespace, err = set.InNamespace(o.Namespace, found.Namespace); err != nil {
		return p, usage(err)
	}
	for _, other := range set.Others() {
		p.target.Surroundings = append(p.target.Surroundings, other.Unstructured)
	}
	selection, err := p.look(ctx, set, o.Service)
	if err != nil {
		return p, c.explain(ctx, p, err)
	}
	if err = p.recall(ctx, selection); err != nil || p.other != nil {
		return p, c.explain(ctx, p, err)
	}
	if p.resume == nil {
		if p.roles, err = manifest.AssignRoles(selection, p.live.Roles(), o.Stable, o.Canary); err != nil {
			return p, usage(err)
		}
	}
	for _, skipped := range selection.Skipped {
		p.record.Notices = append(p.record.Notices, skipped.Title()+" is not behind the Service and is left out")
	}
	p.locate(ctx, c.surroundings(), o)
	return p, p.complete(o, selection)
}

// manifests are those of the inputs, with their images in them. What is odd about them is
// noted.
func (c *Command) manifests(o config.Rollout, record *rollout.Record) (manifest.Set, error) {
	set, notices, err := manifest.Read(o.Manifests, manifest.Dir(c.Dir), c.Stdin)
	if err != nil {
		return set, err
	}
	if err = set.Substitute(o.Images); err != nil {
		return set, err
	}
	for _, notice := range notices {
		record.Notices = append(record.Notices, notice.String())
	}
	return set, nil
}

// connection is a cluster that was found.
type connection struct {
	*kube.Connection
	client *kube.Client
}

// connect finds the cluster.
func (c *Command) connect(o config.Place, say func(string, ...any)) (connection, error) {
	found, err := kube.Connect(kube.Login{
		Kubeconfig: o.Kubeconfig, Context: o.Context, Env: c.Getenv("KUBECONFIG"), Home: c.Getenv("HOME"),
		Server: o.Server, Authority: o.Authority, Token: o.Token,
	})
	if err != nil {
		return connection{}, usage(err)
	}
	c.mask(found.Secrets)
	say("cluster found", "kubeconfig", found.Source, "context", found.Context, "server", found.Server())
	client, err := kube.NewClient(found.Config, "l4-canary/"+version)
	if err != nil {
		return connection{}, usage(fmt.Errorf("%s cannot be used: %w", found.Source, err))
	}
	client.Say = say
	return connection{found, client}, nil
}

// recall looks for an unfinished rollout of the Service, and whether the manifests
// are the same release.
func (p *prepared) recall(ctx context.Context, selection manifest.Selection) error {
	lease, err := p.client.ReadLease(ctx, p.record.Namespace, p.record.Service)
	if err != nil || lease == nil {
		return err
	}
	p.memory = lease.State
	memory, err := rollout.ReadMemory(lease.State)
	if err != nil {
		return usage(err)
	}
	if !memory.Unfinished() {
		p.ended = memory
		return nil
	}
	roles, ok := manifest.RecallRoles(selection, p.live.Roles(), manifest.Mode(memory.Mode), memory.Stable, memory.Canary)
	if ok {
		release, err := manifest.Release(p.record.Namespace, p.record.Service, roles)
		if err != nil {
			return err
		}
		if release == memory.Release && !memory.Undoing {
			p.roles, p.resume = roles, memory
			return nil
		}
	}
	p.other = memory
	return nil
}

// look finds the Service, in the manifests or live, and what is behind it.
func (p *prepared) look(ctx context.Context, set manifest.Set, name string) (manifest.Selection, error) {
	service, err := set.Service(name)
	if name == "" && !set.HasService() {
		if name, err = p.client.OnlyBalancer(ctx, p.record.Namespace); err != nil {
			return manifest.Selection{}, fmt.Errorf("the manifests hold no Service: %w", err)
		}
		err = manifest.ErrNoService
	}
	if err != nil && (!errors.Is(err, manifest.ErrNoService) || name == "") {
		return manifest.Selection{}, usage(err)
	}
	inManifests := err == nil
	if inManifests {
		name = service.GetName()
	}
	p.record.Service = name
	if p.live, err = p.client.Look(ctx, p.record.Namespace, name); err != nil {
		return manifest.Selection{}, err
	}
	if !inManifests {
		found, ok := p.live.ServiceObject()
		if !ok {
			return manifest.Selection{}, usage(fmt.Errorf("service %q is neither in the manifests nor in namespace %q", name, p.record.Namespace))
		}
		service = found
	}
	p.service = service
	selection, err := set.Behind(service)
	if err != nil {
		return selection, usage(err)
	}
	return selection, nil
}

// complete checks the roles and fills in options, target and record.
func (p *prepared) complete(o config.Rollout, selection manifest.Selection) error {
	p.record.Notices = append(p.record.Notices, p.roles.Notices...)
	p.record.Mode = string(p.roles.Mode)
	release, err := manifest.Release(p.record.Namespace, p.record.Service, p.roles)
	if err != nil {
		return err
	}
	p.record.Release = release
	p.roles.Stamp(release, fmt.Sprintf("%08x", rand.Uint32()))
	stable, canary := p.roles.Stable, p.roles.Canary
	p.record.Stable = rollout.Side{Deployment: stable.Name, Images: manifest.Images(stable.Current())}
	p.record.Canary = rollout.Side{Deployment: canary.Name, Images: manifest.Images(canary.Object())}
	p.aim(selection)
	p.options = engineOptions(o, o.Replicas.Or(p.capacity()), manifest.TargetsPods(p.service))
	p.options.Mode = rollout.Mode(p.roles.Mode)
	if p.options.Finish, err = p.chooseFinish(o.Finish); err != nil {
		return usage(err)
	}
	p.chooseRemovals(o)
	p.measure()
	if p.resume != nil {
		p.options.Removals, p.options.Finish = p.resume.Removals, p.resume.Finish
		if err = p.target.Recall(p.resume.Objects); err != nil {
			return usage(err)
		}
	}
	if err = p.choosePorts(); err != nil {
		return usage(err)
	}
	return p.newProber(o)
}

// aim says what the rollout works on.
func (p *prepared) aim(selection manifest.Selection) {
	stable, canary := p.roles.Stable, p.roles.Canary
	p.target = kube.Target{
		Namespace: p.record.Namespace, Service: p.record.Service, Stable: stable.Name, Canary: canary.Name,
	}
	for _, other := range selection.Others {
		scaled := manifest.Scaled(other)
		if scaled != "" && (scaled == stable.Name || scaled == canary.Name) {
			p.target.Autoscalers = append(p.target.Autoscalers, other.Unstructured)
			continue
		}
		p.target.Surroundings = append(p.target.Surroundings, other.Unstructured)
	}
	if p.roles.Mode != manifest.Pair || p.roles.Fresh {
		p.target.StableManifest = stable.Manifest.Unstructured
	}
	if p.roles.Mode == manifest.Single && stable.Live != nil {
		p.target.Original = kube.Template(stable.Live.Object)
	}
	if canary.Manifest != nil {
		p.target.CanaryManifest = canary.Manifest.Unstructured
	}
}

// leftAlone are the objects beside the Deployments that are not what the manifests
// say. What cannot be tried is not known to be any.
func (p *prepared) leftAlone(ctx context.Context) []string {
	var facts preflight.Facts
	if err := p.client.Try(ctx, kube.Target{Namespace: p.record.Namespace, Surroundings: p.target.Surroundings}, &facts); err != nil {
		return nil
	}
	var titles []string
	for _, change := range facts.Changes {
		titles = append(titles, change.String())
	}
	return titles
}

// arrived reports whether the Deployment that serves is the one that the last rollout
// of a pair promoted. If it is not, the other one waits for its release, though both
// are what the manifests say: it was rolled back, or has never been rolled out.
func arrived(last *rollout.Memory, serving string) bool { return last != nil && last.Canary == serving }

// unchanged reports whether the manifests hold nothing new: the pods of every
// Deployment would stay as they are.
func (p *prepared) unchanged(ctx context.Context) (bool, error) {
	if p.roles.Mode == manifest.Bootstrap || p.roles.Fresh || p.resume != nil {
		return false, nil
	}
	deployments := []*manifest.Object{p.roles.Stable.Manifest}
	if p.roles.Mode == manifest.Pair {
		if !arrived(p.ended, p.roles.Stable.Name) {
			return false, nil
		}
		deployments = append(deployments, p.roles.Canary.Manifest)
	}
	for _, deployment := range deployments {
		if deployment == nil {
			return false, nil
		}
		same, err := p.client.Unchanged(ctx, p.record.Namespace, *deployment)
		if err != nil || !same {
			return false, err
		}
	}
	return true, nil
}
