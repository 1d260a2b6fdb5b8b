package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/inside"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// everything is a pattern that any answer matches, even an empty one.
const everything = "^"

// prober makes samplers that share one sweep of source ports.
type prober struct{ options probe.Options }

func (p *prepared) newProber(o config.Rollout) error {
	stable, canary := pattern(o.StablePattern), pattern(o.CanaryPattern)
	if p.options.Learn && p.resume == nil {
		stable = everything // which is so while flows are opened that are to be held; the engine knows better later
	}
	if p.roles.Mode == manifest.Bootstrap {
		// There is one version: whatever either pattern knows is it.
		stable, canary = strings.Join(slices.DeleteFunc([]string{stable, canary}, func(s string) bool { return s == "" }), "|"), ""
	}
	classifier, err := probe.NewClassifier(stable, canary)
	if err != nil {
		return usage(err)
	}
	if p.options.Learn && p.resume != nil && len(p.resume.Lessons) == 1 {
		classifier = p.resume.Lessons[0].Classifier
	}
	p.windows = inside.Plan{Spec: p.spec, Available: p.ports, Rate: o.Rate, Close: probe.Close(o.Close), Stable: stable, Canary: canary}
	p.prober = &prober{probe.Options{
		Ports: p.options.Ports, Classifier: classifier, Rate: o.Rate, Cursor: probe.NewCursor(p.options.Seed),
		Close: probe.Close(o.Close), Warn: func(warning string) { p.note("warning: " + warning) },
	}}
	return nil
}

// quietProber makes a tenth of the flows: for the time after a verdict.
type quietProber struct{ *prober }

// Sampler implements rollout.Prober.
func (p quietProber) Sampler(ctx context.Context, aim rollout.Aim) (rollout.Flows, error) {
	return p.slower().Sampler(ctx, aim)
}

// slower is the prober as it is now, at the lower rate; its sweep of source ports stays
// the same one.
func (p quietProber) slower() *prober {
	slower := *p.prober
	slower.options.Rate /= rollout.QuietPart
	return &slower
}

// Sampler implements rollout.Prober.
func (p *prober) Sampler(ctx context.Context, aim rollout.Aim) (rollout.Flows, error) {
	options, err := p.towards(ctx, aim.Addresses)
	if err != nil {
		return nil, err
	}
	options.Seed = aim.Seed
	sampler, err := probe.NewSampler(options)
	if err != nil {
		return nil, fmt.Errorf("sampling %s: %w", strings.Join(aim.Addresses, ", "), err)
	}
	return ownFlows{sampler}, nil
}

// ownFlows are made by this process, and end when they are told to.
type ownFlows struct{ *probe.Sampler }

// Err implements rollout.Flows.
func (ownFlows) Err() error { return nil }

// towards are the options of flows to these addresses.
func (p *prober) towards(ctx context.Context, addresses []string) (probe.Options, error) {
	options := p.options
	for _, address := range addresses {
		literal, err := probe.Resolve(ctx, address)
		if err != nil {
			return options, err
		}
		options.Addresses = append(options.Addresses, literal...)
	}
	return options, nil
}
