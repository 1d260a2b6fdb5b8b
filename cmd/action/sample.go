package main

import (
	"context"
	"math/rand/v2"
	"regexp"
	"strings"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/report"
	"github.com/org/l4-canary/internal/rollout"
)

// sample measures any endpoint, without a cluster.
func (c *Command) sample(ctx context.Context, values config.Values, warnings []string) (ExitCode, error) {
	options, err := config.ParseSample(values)
	if err != nil {
		return ExitUsage, usage(err)
	}
	for _, warning := range warnings {
		c.tell("warning: %s", warning)
	}
	samplerOptions, judgeOptions, err := sampling(ctx, options)
	if err != nil {
		return ExitUsage, usage(err)
	}
	sampler, err := probe.NewSampler(samplerOptions)
	if err != nil {
		return ExitUsage, usage(err)
	}
	judge := rollout.NewJudge(judgeOptions)
	code := ExitOK
	if rollout.Sample(ctx, sampler.Flows(ctx), judge) != nil {
		code = ExitInterrupted
	}
	judge.Note(sampler.Stats())
	if warning := probe.Hurry(sampler.Cursor(), sampler.Stats().Rate, samplerOptions.Addresses); warning != "" {
		c.tell("warning: %s", warning)
	}
	measurement := judge.Measurements()[0]
	write := report.SampleTable
	if options.Output == "json" {
		write = report.SampleJSON
	}
	if err = write(c.Stdout, measurement); err != nil {
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

// sampling turns the inputs into what the sampler and the judge take.
func sampling(ctx context.Context, o config.Sample) (probe.Options, rollout.JudgeOptions, error) {
	port := probe.Port{Number: uint16(o.Port), Protocol: probe.Protocol(strings.ToUpper(o.Protocol))}
	var err error
	if port.Exchange, err = exchangeOf(o, port); err != nil {
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

// exchangeOf picks what a flow says: send and expect if given, else the probe.
func exchangeOf(o config.Sample, port probe.Port) (probe.Exchange, error) {
	if o.Send != nil || o.Expect != nil {
		return probe.NewScript(probe.Step{Send: o.Send, Expect: o.Expect}), nil
	}
	if o.Probe == "auto" {
		return probe.Auto("", "", port.Protocol, port.Number), nil
	}
	return probe.Preset(o.Probe)
}

// pattern is the text of an expression that may be absent.
func pattern(r *regexp.Regexp) string {
	if r == nil {
		return ""
	}
	return r.String()
}
