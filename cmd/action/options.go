package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/rollout"
)

// What "auto" stands for. A balancer of a cloud that sends flows to the pods itself has
// to register them, which takes minutes, and so does letting them go: an AWS target
// group gives flows five minutes to end.
const (
	autoPropagation, slowPropagation = 60 * time.Second, 6 * time.Minute
	autoDrain, slowDrain             = 30 * time.Second, 5 * time.Minute
)

// propagation is what the input says, or what suits the balancer.
func propagation(input config.Optional[time.Duration], podTargets bool) time.Duration {
	if podTargets {
		return input.Or(slowPropagation)
	}
	return input.Or(autoPropagation)
}

// drain is what the input says, or what suits the balancer.
func drain(input config.Optional[time.Duration], podTargets bool) time.Duration {
	if podTargets {
		return input.Or(slowDrain)
	}
	return input.Or(autoDrain)
}

// engineOptions maps the inputs to the engine's, for R pods that are the balancer's own
// targets, or stand behind nodes.
func engineOptions(o config.Rollout, replicas int, podTargets bool) rollout.Options {
	options := rollout.Options{
		Plan:   planOptions(o, replicas),
		Pauses: map[rollout.Percent]time.Duration{}, Rate: o.Rate, Seed: uint64(rand.Uint32()),
		Tolerance: rollout.Percent(o.Tolerance), Confidence: rollout.Percent(o.Confidence), MaxProbes: o.MaxProbes.Value,
		Settle: o.Settle, Propagation: propagation(o.Propagation, podTargets), Drain: drain(o.Drain, podTargets), PodTargets: podTargets,
		Bake: o.Bake, StageTimeout: o.StageTimeout, MoveTimeout: o.MoveTimeout, Timeout: o.Timeout,
		Until: rollout.Percent(o.Until), Address: o.Address, HoldOpen: o.HoldOpen,
		Learn: o.StablePattern == nil && o.CanaryPattern == nil, ReportShare: o.ShareGate == "report", Smoke: o.Smoke,
		Stay: o.OnFailure == "hold", KeepFailed: o.KeepFailedPod, GoOn: o.OnInconclusive == "continue",
	}
	for _, step := range o.Steps {
		options.Pauses[rollout.Percent(step.Weight)] = step.Pause
	}
	if o.MaxErrorRate.Set {
		limit := rollout.Percent(o.MaxErrorRate.Value)
		options.MaxErrors = &limit
	}
	if o.MaxSlower.Set {
		limit := rollout.Percent(o.MaxSlower.Value)
		options.MaxSlower = &limit
	}
	return options
}

// chooseFinish is what the input asks for, if it fits the mode.
func (p *prepared) chooseFinish(input string) (rollout.Finish, error) {
	allowed := []rollout.Finish{rollout.Keep, rollout.Delete}
	if p.roles.Mode == manifest.Single {
		allowed = []rollout.Finish{rollout.Adopt, rollout.Handover}
	}
	if input == "auto" {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, rollout.Finish(input)) && p.roles.Mode != manifest.Bootstrap {
		return "", fmt.Errorf("input %q: %q does not fit a rollout in mode %s: allowed are auto, %s and %s", "finish", input, p.roles.Mode, allowed[0], allowed[1])
	}
	return rollout.Finish(input), nil
}

// chooseRemovals decides how the pods of each side leave.
func (p *prepared) chooseRemovals(o config.Rollout) {
	choose := func(deployment manifest.Object) (rollout.Removal, string) {
		label, releases := manifest.ParkLabel(p.service, deployment)
		facts := rollout.RemovalFacts{
			UDP: manifest.HasUDP(p.service), Local: manifest.IsLocal(p.service), Replaced: p.live.ProxyReplaced,
			Parkable: label != "", Releases: releases,
		}
		how, because := facts.Choose()
		if o.Removal != "auto" {
			how, because = facts.Force(o.Removal == "park"), ""
		}
		if because != "" {
			p.note("pods leave by " + string(how) + ": " + because)
		}
		return how, label
	}
	p.options.Removals.Stable, p.target.StableParkLabel = choose(p.roles.Stable.Current())
	if p.roles.Mode != manifest.Bootstrap {
		p.options.Removals.Canary, p.target.CanaryParkLabel = choose(p.roles.Canary.Object())
	}
}

// note adds a notice to the record, once.
func (p *prepared) note(notice string) {
	if !slices.Contains(p.record.Notices, notice) {
		p.record.Notices = append(p.record.Notices, notice)
	}
}

// capacity is R where the input leaves it open: what stable has, or is to have.
func (p *prepared) capacity() int {
	if p.resume != nil {
		return p.resume.Replicas
	}
	if p.roles.Fresh {
		return manifest.Replicas(*p.roles.Stable.Manifest)
	}
	return p.roles.Stable.Live.Replicas
}

// planOptions are the bounds of a plan for R pods.
func planOptions(o config.Rollout, replicas int) rollout.PlanOptions {
	options := rollout.PlanOptions{
		Replicas: replicas, MaxSurge: o.MaxSurge.Resolve(replicas, true), MaxUnavailable: o.MaxUnavailable.Resolve(replicas, false),
		MaxWeightError: rollout.Percent(o.MaxWeightError),
	}
	for _, step := range o.Steps {
		options.Steps = append(options.Steps, rollout.Percent(step.Weight))
	}
	return options
}
