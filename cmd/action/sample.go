package main

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"regexp"
	"strings"

	"github.com/org/l4-canary/internal/ci"
	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/report"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/spec"
)

// sample measures any endpoint, without a cluster.
func (c *Command) sample(ctx context.Context, values config.Values, warnings []string) (ExitCode, error) {
	options, err := config.ParseSample(values)
	if err = c.checkProbe(options.Probe, err); err != nil {
		return ExitUsage, usage(err)
	}
	for _, warning := range warnings {
		c.tell("warning: %s", warning)
	}
	samplerOptions, judgeOptions, err := c.sampling(ctx, options)
	if err != nil {
		return ExitUsage, usage(err)
	}
	sampler, err := probe.NewSampler(samplerOptions)
	if err != nil {
		return ExitUsage, usage(err)
	}
	judge := rollout.NewJudge(judgeOptions)
	code := ExitOK
	if rollout.Sample(ctx, c.tellFailures(sampler.Flows(ctx)), judge) != nil {
		code = ExitInterrupted
	}
	judge.Note(sampler.Stats())
	if warning := probe.Hurry(sampler.Cursor(), sampler.Stats().Rate, samplerOptions.Addresses); warning != "" {
		c.tell("warning: %s", warning)
	}
	measurement := judge.Measurements()[0]
	write, to := report.SampleTable, c.text()
	if options.Output == "json" {
		write, to = report.SampleJSON, c.json()
	}
	if err = write(to, measurement); err != nil {
		return ExitFailed, err
	}
	if verdict, reason, detail, _ := judge.Verdict(); measurement.Expected != nil && code == ExitOK {
		c.tell("%s (%s): %s", verdict, reason, detail)
		if verdict != rollout.Pass {
			code = ExitFailed
		}
	}
	return code, nil
}

// tellFailures passes flows on, and says why the first of each kind failed.
func (c *Command) tellFailures(flows iter.Seq[probe.Flow]) iter.Seq[probe.Flow] {
	told := map[probe.Class]bool{probe.Answered: true}
	return func(yield func(probe.Flow) bool) {
		for flow := range flows {
			if !told[flow.Class] {
				told[flow.Class] = true
				c.tell("the first %s error: %s", flow.Class, ci.ForeignLine(flow.Err.Error()))
			}
			if !yield(flow) {
				return
			}
		}
	}
}

// sampling turns the inputs into what the sampler and the judge take.
func (c *Command) sampling(ctx context.Context, o config.Sample) (probe.Options, rollout.JudgeOptions, error) {
	port, err := c.portOf(o)
	if err != nil {
		return probe.Options{}, rollout.JudgeOptions{}, err
	}
	classifier, err := probe.NewClassifier(pattern(o.StablePattern), pattern(o.CanaryPattern))
	if err != nil {
		return probe.Options{}, rollout.JudgeOptions{}, err
	}
	addresses, err := probe.Resolve(ctx, o.Address)
	if err != nil {
		return probe.Options{}, rollout.JudgeOptions{}, err
	}
	seed := o.Seed.Value
	if !o.Seed.Set {
		seed = uint64(rand.Uint32())
	}
	judge := rollout.JudgeOptions{
		Ports: []probe.Port{port}, Seed: seed, MaxProbes: o.MaxProbes.Value, NoEarlyStop: o.Count.Set,
		Tolerance: rollout.Percent(o.Tolerance), Confidence: rollout.Percent(o.Confidence),
	}
	if o.ExpectedWeight.Set {
		expected := rollout.Percent(o.ExpectedWeight.Value)
		judge.Expected = &expected
	}
	return probe.Options{
		Ports: judge.Ports, Addresses: addresses, Classifier: classifier, Rate: o.Rate,
		Concurrency: o.Concurrency, Count: o.Count.Value, Timeout: o.Timeout, Seed: seed, Close: probe.Close(o.Close),
	}, judge, nil
}

// portOf is the port with its probe: send and expect if given, else what input "probe"
// says.
func (c *Command) portOf(o config.Sample) (probe.Port, error) {
	port := spec.Port{Number: uint16(o.Port), Protocol: probe.Protocol(strings.ToUpper(o.Protocol))}
	if o.Send == nil && o.Expect == nil {
		probes, err := c.probes(o.Probe)
		if err != nil {
			return probe.Port{}, err
		}
		asked, err := probes.Only(port)
		if err != nil {
			return asked, fmt.Errorf("input \"probe\": %w", err)
		}
		return asked, nil
	}
	if port.Protocol == "" {
		port.Protocol = probe.TCP
		if o.Probe == "udp" {
			port.Protocol = probe.UDP
		}
	}
	return probe.Port{
		Number: port.Number, Protocol: port.Protocol, Exchange: probe.NewScript(probe.Step{Send: o.Send, Expect: o.Expect}),
	}, nil
}

// pattern is the text of an expression that may be absent.
func pattern(r *regexp.Regexp) string {
	if r == nil {
		return ""
	}
	return r.String()
}
