package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/org/l4-canary/internal/ci"
	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/rollout"
)

// run carries the whole rollout out.
func (c *Command) run(ctx context.Context, values config.Values, warnings []string) (ExitCode, error) {
	options, err := config.ParseRun(values)
	err = checkImage(options.Rollout, c.checkProbe(options.Probe, room(options.Rollout, err)))
	err = c.checkFiles(&options.Faces, c.checkMetrics(options.Prometheus, err))
	j := c.newJournal(ctx, options.Faces, warnings)
	defer j.lastWords(ctx)
	if err != nil {
		return j.refused(&rollout.Record{}, usage(err))
	}
	p, err := c.prepare(ctx, options.Rollout, j.log.Info)
	j.comment.at(p.connection)
	if err != nil {
		return j.refused(p.record, err)
	}
	done, code, err := c.early(ctx, p, options, j)
	if done {
		return code, err
	}
	if err = p.client.EnsureNamespace(ctx, p.target); err != nil {
		return j.refused(p.record, err)
	}
	lease, held, err := p.client.Acquire(ctx, p.record.Namespace, p.record.Service, c.holder(), kube.Acquisition{Alive: alive})
	if err != nil {
		return j.refused(p.record, err)
	}
	if !bytes.Equal(lease.State(), p.memory) {
		j.release(ctx, lease, true)
		return j.refused(p.record, usage(errors.New("another rollout of this Service has just been here: run again")))
	}
	if p.other != nil {
		if p, code, err = c.undoOther(ctx, held, p, lease, options, j); p == nil {
			return code, err
		}
	}
	return c.rollOut(held, p, lease, j)
}

// undoOther rolls back the unfinished rollout of another release, and prepares this one
// anew. It is nil where the run ends with that.
func (c *Command) undoOther(ctx, held context.Context, p *prepared, lease *kube.Lease, options config.Run, j *journal) (*prepared, ExitCode, error) {
	err := c.undo(held, p.client, lease, p.record, p.other, undoing(options.Rollout, p.other), j)
	if err != nil || p.record.Outcome != rollout.RolledBack {
		j.leave(ctx, lease, p.record, true)
		j.finish(ctx, p.record, exitOfOutcome(p.record))
		return nil, exitOfOutcome(p.record), err
	}
	next, err := c.prepareAnew(held, lease, options)
	if err != nil {
		j.release(ctx, lease, false)
		code, refused := j.refused(next.record, err)
		return nil, code, refused
	}
	// Only now can be seen what stands against this one.
	done, code, err := c.early(ctx, next, options, j)
	if done {
		j.release(ctx, lease, false)
		return nil, code, err
	}
	return next, code, nil
}

// early ends a run that has nothing to do, or must not begin.
func (c *Command) early(ctx context.Context, p *prepared, options config.Run, j *journal) (bool, ExitCode, error) {
	for _, notice := range p.record.Notices {
		j.log.InfoContext(ctx, "manifests", "notice", notice)
	}
	if unfinished := p.resume != nil || p.other != nil; unfinished && options.OnExisting == "refuse" {
		code, err := j.refused(p.record, usage(errors.New("an unfinished rollout of this Service is there, and input \"on-existing\" is refuse: roll it back, or go on with it")))
		return true, code, err
	}
	if p.other != nil {
		return false, ExitOK, nil
	}
	unchanged, err := p.unchanged(ctx)
	if unchanged {
		j.warn("giving the lease back", p.client.Tidy(ctx, p.record.Namespace, p.record.Service, c.holder(), kube.Acquisition{Alive: alive}))
		return true, j.nothingToDo(ctx, p.record, p.leftAlone(ctx)), nil
	}
	if err == nil {
		err = c.explain(ctx, p, j.preflight(ctx, p, options.Rollout))
	}
	if err != nil {
		code, refused := j.refused(p.record, err)
		return true, code, refused
	}
	return false, ExitOK, nil
}

// preflight says what it finds as it goes.
func (j *journal) preflight(ctx context.Context, p *prepared, o config.Rollout) error {
	err := p.preflight(ctx, o)
	for _, finding := range p.findings.Of(preflight.Notice) {
		j.log.InfoContext(ctx, "preflight", "notice", finding.String())
	}
	for _, finding := range p.findings.Of(preflight.Warning) {
		j.platform.Annotate(ci.Annotation{Level: ci.Warning, Message: finding.String()})
	}
	return err
}

// prepareAnew looks again after the rollout of another release was rolled back.
func (c *Command) prepareAnew(ctx context.Context, lease *kube.Lease, options config.Run) (*prepared, error) {
	if err := lease.Forget(ctx); err != nil {
		return &prepared{record: &rollout.Record{}}, err
	}
	p, err := c.prepare(ctx, options.Rollout, func(string, ...any) {})
	p.note("an unfinished rollout of another release, or one that was being rolled back, was rolled back first")
	return p, err
}

// rollOut runs the engine and reports how it ended.
func (c *Command) rollOut(ctx context.Context, p *prepared, lease *kube.Lease, j *journal) (ExitCode, error) {
	cluster, stop, err := p.client.Watch(ctx, p.target)
	if err != nil {
		j.release(ctx, lease, p.memory != nil)
		return j.refused(p.record, err)
	}
	defer stop()
	engine := j.engine(p.options, cluster, lease, p.record)
	engine.Prober, engine.Quiet, engine.Holder, engine.Memory = p.prober, quietProber{p.prober}, p.prober, p.resume
	if p.metrics.meter != nil {
		engine.Meter = p.metrics.meter
	}
	if p.record.ProbeFrom == fromCluster {
		engine.Prober, engine.Quiet = p.inside(cluster, j.log, 1), p.inside(cluster, j.log, rollout.QuietPart)
	}
	if p.autoscaled || p.resume != nil && p.resume.Autoscaled {
		engine.Autoscalers = cluster
	}
	if engine.Objects, err = p.target.Objects(); err != nil {
		j.release(ctx, lease, p.memory != nil)
		return j.refused(p.record, err)
	}
	err = engine.Run(ctx)
	if kube.Forbidden(err) && p.record.Outcome == rollout.Refused {
		p.record.Reason = rollout.ReasonForbidden
	}
	j.ended(ctx, p.record)
	j.leave(ctx, lease, p.record, remembered(p))
	j.finish(ctx, p.record, exitOfOutcome(p.record))
	return exitOfOutcome(p.record), err
}

// engine is a Rollout on a real cluster.
func (j *journal) engine(options rollout.Options, cluster *kube.Cluster, lease *kube.Lease, record *rollout.Record) *rollout.Rollout {
	j.logs, j.tell = cluster, cluster.Tell
	return &rollout.Rollout{
		Options: options, Cluster: cluster, Parking: cluster, Heir: cluster, Keeper: cluster,
		Asker: cluster, Smoker: cluster, Sweeper: cluster,
		Scout: cluster, Journal: j, Herald: j, Ledger: kube.Ledger{Lease: lease}, Log: j.log, Record: record,
		Passing: kube.Unreachable,
	}
}

// remembered reports whether the Lease stays as the record of the rollout.
func remembered(p *prepared) bool {
	switch p.record.Outcome {
	case rollout.Promoted:
		return p.options.Mode != rollout.Bootstrap && p.options.Finish != rollout.Delete
	case rollout.RolledBack:
		return false
	case rollout.Refused, rollout.Aborted:
		return p.memory != nil
	case rollout.Held, rollout.Interrupted, rollout.RollbackFailed, rollout.Stopped, rollout.NothingToDo:
	}
	return true
}

// leave gives the Lease back at the end of a run; one that remembers nothing is no
// record to keep. It says whether somebody told the run to stop: then a post step
// goes back.
func (j *journal) leave(ctx context.Context, lease *kube.Lease, record *rollout.Record, keep bool) {
	if record.Outcome == rollout.Interrupted {
		lease.Interrupted()
	}
	j.release(ctx, lease, keep && lease.Remembers())
}

// release gives the Lease back, even when the run was cancelled: then soon, before the
// process is killed.
func (j *journal) release(ctx context.Context, lease *kube.Lease, keep bool) {
	const patience, soon = 15 * time.Second, 2 * time.Second
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	hurry := context.AfterFunc(ctx, func() { time.AfterFunc(soon, cancel) })
	defer hurry()
	j.warn("releasing the lease", lease.Release(limited, keep))
}

// newJournal is a journal on this CI system.
func (c *Command) newJournal(ctx context.Context, faces config.Faces, warnings []string) *journal {
	platform := ci.New(ci.Options{Getenv: c.Getenv, Stdout: c.Stdout})
	for _, warning := range warnings {
		platform.Annotate(ci.Annotation{Level: ci.Warning, Message: warning})
	}
	c.mask([]string{c.githubToken(faces), c.Getenv("GITLAB_TOKEN")})
	return &journal{
		comment: c.newAnnouncer(ctx, faces), platform: platform, log: newLogger(platform.Log(), c.level()), options: faces, path: c.path,
		veil:      c.veil,
		cancelled: func() bool { return ctx.Err() != nil },
	}
}

// undoing are the bounds of the rollback of another release.
func undoing(o config.Rollout, other *rollout.Memory) rollout.Options {
	return rollout.Options{Drain: drain(o.Drain, other.PodTargets), MoveTimeout: o.MoveTimeout, KeepFailed: o.KeepFailedPod}
}

// level is how much the log says.
func (c *Command) level() slog.Level {
	if c.Getenv("RUNNER_DEBUG") == "1" {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
