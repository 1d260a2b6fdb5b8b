package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/rollout"
)

// rollback brings back the state before the rollout of a Service, whoever began
// it, wherever it stands.
func (c *Command) rollback(ctx context.Context, values config.Values, warnings []string) (ExitCode, error) {
	options, err := config.ParseRollback(values)
	err = c.checkFiles(&options.Faces, err)
	j := c.newJournal(ctx, options.Faces, warnings)
	defer j.lastWords(ctx)
	record := &rollout.Record{Namespace: options.Namespace, Service: options.Service}
	if err != nil {
		return j.refused(record, usage(err))
	}
	connected, found, memory, err := c.find(ctx, options.Place, record, j.log.Info)
	j.comment.at(connected)
	if err != nil {
		return j.refused(record, err)
	}
	client := connected.client
	if found != nil {
		j.comment.follow(found.Holder)
	}
	// A run that has the Lease, or had it when it was killed, and has moved nothing yet
	// shall not move anything either.
	if running := found != nil && found.Held; memory == nil && !running {
		return j.nothingToUndo(ctx, record), nil
	}
	lease, held, err := client.Acquire(ctx, record.Namespace, record.Service, c.holder(), kube.Acquisition{Seize: true, Alive: alive})
	if err != nil {
		return j.refused(record, err)
	}
	// Whoever held it until now may have come further.
	memory, err = rollout.ReadMemory(lease.State())
	if err != nil {
		j.release(ctx, lease, true)
		return j.refused(record, err)
	}
	if memory == nil { // it had moved nothing yet, or another rollback has just done it
		j.release(ctx, lease, false)
		return j.nothingToUndo(ctx, record), nil
	}
	moves := rollout.Options{Drain: drain(options.Drain, memory.PodTargets), MoveTimeout: options.MoveTimeout, KeepFailed: options.KeepFailedPod}
	err = c.undo(held, client, lease, record, memory, moves, j)
	return j.undone(ctx, lease, record, err)
}

// undone ends a rollback: nothing is left to remember when it is done.
func (j *journal) undone(ctx context.Context, lease *kube.Lease, record *rollout.Record, err error) (ExitCode, error) {
	code := exitOfOutcome(record)
	if record.Outcome == rollout.RolledBack {
		code = ExitOK
	}
	j.leave(ctx, lease, record, code != ExitOK)
	j.finish(ctx, record, code)
	return code, err
}

// nothingToUndo ends a rollback where no rollout is on record.
func (j *journal) nothingToUndo(ctx context.Context, record *rollout.Record) ExitCode {
	record.Outcome, record.Reason = rollout.NothingToDo, rollout.ReasonPass
	record.Message = fmt.Sprintf("no rollout%s is on record in namespace %q: there is nothing to roll back", of(record.Service), record.Namespace)
	record.StartedAt, record.FinishedAt = time.Now(), time.Now()
	j.finish(ctx, record, ExitOK)
	return ExitOK
}

// undo rolls back what the memory tells of.
func (c *Command) undo(ctx context.Context, client *kube.Client, lease *kube.Lease, record *rollout.Record,
	memory *rollout.Memory, options rollout.Options, j *journal,
) error {
	target := kube.Target{Namespace: record.Namespace, Service: record.Service, Stable: memory.Stable, Canary: memory.Canary}
	if err := target.Recall(memory.Objects); err != nil {
		return j.classify(record, usage(err))
	}
	cluster, stop, err := client.Watch(ctx, target)
	if err != nil {
		return j.classify(record, err)
	}
	defer stop()
	record.Mode, record.Release = string(memory.Mode), memory.Release
	record.Stable.Deployment, record.Canary.Deployment = memory.Stable, memory.Canary
	options.Plan = rollout.PlanOptions{Replicas: memory.Replicas, MaxSurge: memory.MaxSurge, MaxUnavailable: memory.MaxUnavailable}
	options.Mode, options.Finish, options.Removals = memory.Mode, memory.Finish, memory.Removals
	engine := j.engine(options, cluster, lease, record)
	engine.Memory = memory
	if memory.Autoscaled {
		engine.Autoscalers = cluster
	}
	err = engine.Restore(ctx)
	j.ended(ctx, record)
	return err
}

// find connects and reads the Service's Lease and what it remembers, nil if there is none.
func (c *Command) find(ctx context.Context, place config.Place, record *rollout.Record, say func(string, ...any),
) (found connection, lease *kube.LeaseRecord, memory *rollout.Memory, err error) {
	found, err = c.connect(place, say)
	if err != nil {
		return connection{}, nil, nil, err
	}
	defer func() { err = c.away(found, err) }()
	if record.Namespace == "" {
		record.Namespace = found.Namespace
	}
	if record.Service == "" {
		var services []string
		if services, err = found.client.Leases(ctx, record.Namespace); err != nil || len(services) == 0 {
			return found, nil, nil, err
		}
		if len(services) > 1 {
			return found, nil, nil, usage(fmt.Errorf("rollouts of %d Services are on record in namespace %q (%s): write one of them in input \"service\"",
				len(services), record.Namespace, strings.Join(services, ", ")))
		}
		record.Service = services[0]
	}
	lease, err = found.client.ReadLease(ctx, record.Namespace, record.Service)
	if err != nil || lease == nil {
		return found, nil, nil, err
	}
	memory, err = rollout.ReadMemory(lease.State)
	if err != nil {
		return found, nil, nil, usage(err)
	}
	return found, lease, memory, nil
}

// of names a Service where one is known.
func of(service string) string {
	if service == "" {
		return ""
	}
	return fmt.Sprintf(" of Service %q", service)
}
