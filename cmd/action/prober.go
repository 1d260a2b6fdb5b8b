package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/org/l4-canary/internal/ci"
	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/spec"
)

// probes reads how ports are asked. What came from the environment is starred out of
// the job log from here on.
func (c *Command) probes(input string) (spec.Probes, error) {
	probes, err := spec.Load(input, spec.Source{
		Getenv:   c.Getenv,
		ReadFile: func(name string) ([]byte, error) { return os.ReadFile(c.path(name)) },
	})
	platform := ci.New(ci.Options{Getenv: c.Getenv, Stdout: c.Stderr})
	for _, secret := range probes.Secrets {
		platform.Mask(secret)
	}
	return probes, err
}

// checkProbe adds to the problems of the inputs those of the probe.
func (c *Command) checkProbe(input string, err error) error {
	problems, ok := errors.AsType[config.Problems](err)
	known := slices.ContainsFunc(problems, func(p config.Problem) bool { return p.Input == "probe" })
	if known || err != nil && !ok {
		return err
	}
	_, wrong := c.probes(input)
	if wrong == nil {
		return err
	}
	for line := range strings.Lines(wrong.Error()) {
		problems = append(problems, config.Problem{Input: "probe", Allowed: strings.TrimSuffix(line, "\n")})
	}
	return problems
}

// choosePorts pairs the ports of the Service with their probes.
func (p *prepared) choosePorts() error {
	var ports []spec.Port
	for _, port := range manifest.ServicePorts(p.service) {
		ports = append(ports, spec.Port{
			Name: port.Name, AppProtocol: port.AppProtocol, Number: uint16(port.Number), Protocol: probe.Protocol(port.Protocol),
		})
	}
	asked, left, err := p.probes.Ports(ports)
	if err != nil {
		return fmt.Errorf("input \"probe\": %w", err)
	}
	for _, port := range left {
		p.note(fmt.Sprintf("port %s is not measured: its probe is none", port))
	}
	p.options.Ports = asked
	return nil
}

// prober makes samplers that share one sweep of source ports.
type prober struct {
	options probe.Options
	note    func(string) // of what a reader of the report should know
}

func (p *prepared) newProber(o config.Rollout) error {
	stable, canary := pattern(o.StablePattern), pattern(o.CanaryPattern)
	if p.roles.Mode == manifest.Bootstrap {
		// There is one version: whatever either pattern knows is it.
		stable, canary = strings.Join(slices.DeleteFunc([]string{stable, canary}, func(s string) bool { return s == "" }), "|"), ""
	}
	classifier, err := probe.NewClassifier(stable, canary)
	if err != nil {
		return usage(err)
	}
	p.prober = &prober{options: probe.Options{
		Ports: p.options.Ports, Classifier: classifier, Rate: o.Rate, Cursor: probe.NewCursor(p.options.Seed),
		Close: probe.Close(o.Close),
	}, note: p.note}
	return nil
}

// Sampler implements rollout.Prober.
func (p *prober) Sampler(ctx context.Context, addresses []string, seed uint64) (rollout.Flows, error) {
	options, err := p.towards(ctx, addresses)
	if err != nil {
		return nil, err
	}
	options.Seed = seed
	if warning := probe.Hurry(options.Cursor, options.Rate, options.Addresses); warning != "" {
		p.note("warning: " + warning)
	}
	sampler, err := probe.NewSampler(options)
	if err != nil {
		return nil, fmt.Errorf("sampling %s: %w", strings.Join(addresses, ", "), err)
	}
	return sampler, nil
}

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
