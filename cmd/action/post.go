package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/rollout"
)

// postName is the program's other name. A runner starts the post step of a container
// action with the inputs and the arguments of the step itself: only the name of the
// entry point tells them apart,
// https://github.com/actions/runner/blob/v2.329.0/src/Runner.Worker/Handlers/ContainerActionHandler.cs
const postName = "l4-canary-post"

// A cancelled job has five minutes for all its post steps, of which the stop of the
// run itself has taken ten seconds. What is not done by then stays safe, and undone.
const (
	finishIn   = 4 * time.Minute
	drainsIn   = 2 * time.Minute // of it; the rest is for pods to start
	leastDrain = 3 * time.Second // kube-proxy may take a second to follow
)

// errNoTime is why a post step gave up.
var errNoTime = fmt.Errorf("it was not done within %s, which is what a CI system leaves to a cancelled job", finishIn)

// post rolls back what this very step of this very run began and did not finish,
// because it was interrupted or killed. Whatever ended by itself is left alone.
func (c *Command) post(ctx context.Context, values config.Values, _ []string) (ExitCode, error) {
	options, err := config.ParsePost(values)
	j := c.newJournal(ctx, options.Faces, nil)
	defer j.lastWords(ctx)
	if err != nil {
		return j.nothingToFinish(ctx, "the inputs cannot be used, so no run began with them")
	}
	name, failed := config.ActionCommand(c.Getenv)
	if failed == nil && (name == config.CommandRun || name == config.CommandRollback) {
		j.comment.sweeps()
	}
	if failed != nil || name != config.CommandRun {
		return j.nothingToFinish(ctx, "only command run leaves something to finish")
	}
	me := c.holder()
	me.Step = cmp.Or(c.Getenv("L4_CANARY_STEP"), me.Step) // the host action's two steps have names of their own
	if me.Run == "" {
		return j.nothingToFinish(ctx, "this is no job of a CI run")
	}
	found, err := c.connect(options.Place, j.log.Info)
	if err != nil {
		return exitOf(err), err
	}
	j.comment.at(found)
	left, why, err := c.leftover(ctx, found, options, me)
	if err != nil {
		return exitOf(err), c.away(found, err)
	}
	if left == nil {
		return j.nothingToFinish(ctx, why)
	}
	return c.rollBackLeftover(ctx, found.client, left, me, options, j)
}

// nothingToFinish ends a post step that has nothing to do.
func (j *journal) nothingToFinish(ctx context.Context, why string) (ExitCode, error) {
	j.log.InfoContext(ctx, "nothing to finish", "because", why)
	return ExitOK, nil
}

// leftover is a rollout that was begun and not finished.
type leftover struct {
	namespace, service string
	state              []byte // as it was read
}

// leftover looks for what this step left, among all the rollouts of the namespace.
// Without any it says why.
func (c *Command) leftover(ctx context.Context, found connection, options config.Post, me kube.Holder) (*leftover, string, error) {
	namespace := c.namespaceOf(options, found.Namespace)
	services := []string{options.Service}
	if options.Service == "" {
		var err error
		if services, err = found.client.Leases(ctx, namespace); err != nil {
			return nil, "", err
		}
	}
	why := fmt.Sprintf("no rollout of this step is on record in namespace %q", namespace)
	for _, service := range services {
		lease, err := found.client.ReadLease(ctx, namespace, service)
		if err != nil {
			return nil, "", err
		}
		if lease == nil || !me.Same(lease.Holder) {
			continue
		}
		memory, err := rollout.ReadMemory(lease.State)
		if err != nil {
			return nil, "", usage(err)
		}
		switch {
		case memory == nil:
			why = fmt.Sprintf("the run of Service %q had not moved any pod", service)
		case !memory.Unfinished() || memory.Phase == rollout.PhaseHeld:
			why = fmt.Sprintf("the rollout of Service %q is %s", service, memory.Phase)
		case !lease.Held && !lease.Cut:
			why = fmt.Sprintf("the run of Service %q ended by itself, and left the rollout as it is", service)
		default:
			return &leftover{namespace, service, lease.State}, "", nil
		}
	}
	return nil, why, nil
}

// namespaceOf is where the run was: it goes by its manifests where no input says so.
func (c *Command) namespaceOf(options config.Post, connected string) string {
	set, _, err := manifest.Read(options.Manifests, manifest.Dir(c.Dir), c.Stdin)
	if err == nil {
		_, namespace, err := set.InNamespace(options.Namespace, connected)
		if err == nil {
			return namespace
		}
	}
	return cmp.Or(options.Namespace, connected)
}

// rollBackLeftover rolls back what was left, as the command rollback does.
func (c *Command) rollBackLeftover(ctx context.Context, client *kube.Client, left *leftover, me kube.Holder, options config.Post, j *journal) (ExitCode, error) {
	record := &rollout.Record{Namespace: left.namespace, Service: left.service}
	lease, held, err := client.Acquire(ctx, left.namespace, left.service, me, kube.Acquisition{Alive: alive})
	_, locked := errors.AsType[*kube.LockedError](err)
	_, superseded := errors.AsType[*kube.SupersededError](err)
	if locked || superseded {
		return j.nothingToFinish(ctx, err.Error())
	}
	if err != nil {
		return j.refused(record, err)
	}
	if !bytes.Equal(lease.State(), left.state) {
		j.release(ctx, lease, true)
		return j.nothingToFinish(ctx, "somebody else has just been at this rollout")
	}
	memory, err := rollout.ReadMemory(lease.State())
	if err != nil {
		j.release(ctx, lease, true)
		return j.refused(record, usage(err))
	}
	j.log.InfoContext(ctx, "the run of this step was stopped before it ended: rolling back", "service", left.service, "phase", memory.Phase, "passed", memory.Passed)
	limited, cancel := context.WithTimeoutCause(held, finishIn, errNoTime)
	defer cancel()
	moves := rollout.Options{
		Drain: cutDrain(drain(options.Drain, memory.PodTargets), memory), MoveTimeout: options.MoveTimeout, KeepFailed: options.KeepFailedPod,
	}
	err = c.undo(limited, client, lease, record, memory, moves, j)
	return j.undone(ctx, lease, record, err)
}

// cutDrain is what a batch of pods may drain so that all batches of a rollback fit:
// each replaces as many pods as may surge or be missing, and where stable's Deployment
// has the new template the pods move twice.
func cutDrain(drain time.Duration, memory *rollout.Memory) time.Duration {
	size := max(1, memory.MaxSurge+memory.MaxUnavailable)
	batches := 2 * max(1, (memory.Replicas+size-1)/size)
	return min(drain, max(leastDrain, drainsIn/time.Duration(batches)))
}
