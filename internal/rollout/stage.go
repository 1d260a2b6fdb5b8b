package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// sampleBaseline judges the service before the rollout: a service that is broken
// already must not be blamed on the canary.
func (r *run) sampleBaseline(ctx context.Context) error {
	rec := r.open("baseline", PlannedStage{Stable: r.now.stable})
	r.listening = true
	defer func() { r.listening = false }()
	err := r.fail(ctx, rec, r.decide(ctx, rec, 0)) // without pods there is nothing to restart
	if setback, ok := errors.AsType[*Setback](err); ok && !setback.Prober {
		return &Setback{
			Reason: ReasonBaseline, Troubles: setback.Troubles,
			Message: "the service was not in order before the rollout began (not our change): " + setback.Message,
		}
	}
	return err
}

// stage moves the pods to one target, judges what the balancer then does, and
// pauses.
func (r *run) stage(ctx context.Context, planned PlannedStage) error {
	r.reached(planned.Target)
	rec := r.open(number(planned.Target), planned)
	if err := r.remember(ctx, PhaseStages); err != nil {
		return err
	}
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return err
	}
	began := time.Now()
	r.drained = 0
	err = r.arrange(ctx, planned)
	rec.Move, rec.Drain = time.Since(began), r.drained
	if err != nil {
		return r.fail(ctx, rec, err)
	}
	if err := r.decide(ctx, rec, state.Canary.Restarts); err != nil {
		return r.fail(ctx, rec, err)
	}
	rest := r.Pauses[planned.Target]
	if rest > 0 {
		r.Log.InfoContext(ctx, "pausing", "for", rest)
	}
	return r.fail(ctx, rec, r.pause(ctx, rec, "pause", state.Canary.Restarts, rest))
}

// open begins a stage's record.
func (r *run) open(name string, planned PlannedStage) *StageRecord {
	r.Journal.Stage(name)
	r.Record.Stages = append(r.Record.Stages, StageRecord{Name: name, PlannedStage: planned})
	r.Journal.Save(r.Record)
	return &r.Record.Stages[len(r.Record.Stages)-1]
}

// fail marks the stage as the one that failed, unless the run was only stopped.
func (r *run) fail(ctx context.Context, rec *StageRecord, err error) error {
	setback, ok := errors.AsType[*Setback](err)
	if !ok {
		return err
	}
	if rec.Verdict == "" || rec.Verdict == Pass || rec.Reason != setback.Reason {
		rec.Verdict, rec.Reason, rec.Detail = setback.verdict(), setback.Reason, setback.Message
	}
	r.Herald.Judged(ctx, *rec)
	return err
}

// verdict is that of a stage which ends so.
func (s *Setback) verdict() Verdict {
	if s.Prober || s.Reason == ReasonInvalidClassifier { // the only one that can come after the verdict
		return Invalid
	}
	return Fail
}

// decide has a stage's flows judged, and then its queries.
func (r *run) decide(ctx context.Context, rec *StageRecord, restarts int) error {
	err := r.judge(ctx, rec, restarts)
	if err == nil {
		err = r.consult(ctx, rec, restarts)
	}
	if err == nil {
		r.Herald.Judged(ctx, *rec)
	}
	return err
}

// judge samples the balancer until the stage is decided. As long as propagation
// may go on, a share between the last stage's and this one's is not there yet:
// the window begins again.
func (r *run) judge(ctx context.Context, rec *StageRecord, restarts int) error {
	matched := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, r.Propagation+r.StageTimeout, errStageTimeout)
	defer cancel()
	var judge *Judge
	for {
		state, err := r.settled(ctx, restarts)
		if err == nil {
			matched, err = r.learnNow(ctx, state, matched)
		}
		if errors.Is(context.Cause(ctx), errStageTimeout) {
			return &Setback{Reason: ReasonInconclusive, Message: fmt.Sprintf(
				"the pods were never in order for long enough to sample within propagation and stage-timeout (%s)", r.Propagation+r.StageTimeout)}
		}
		if err != nil {
			return err
		}
		propagation := time.Since(matched)
		judge = judge.next(r.judgeOptions(state))
		if err = r.window(ctx, rec, judge, state, restarts); errors.Is(err, errMoved) {
			r.Log.WarnContext(ctx, "pods changed under the sampling; the window begins again")
			continue
		}
		if err != nil {
			return err
		}
		rec.Propagation = &propagation
		if rec.Verdict != Pass && time.Since(matched) < r.Propagation && judge.Between(r.weight) {
			r.Log.InfoContext(ctx, "the balancer has not caught up yet; the window begins again", "detail", rec.Detail)
			rec.Verdict, rec.Reason, rec.Detail = "", "", ""
			continue
		}
		return r.judged(ctx, rec, judge)
	}
}

// judged draws the consequence of a stage's verdict.
func (r *run) judged(ctx context.Context, rec *StageRecord, judge *Judge) error {
	r.Journal.Save(r.Record)
	r.Log.InfoContext(ctx, "stage judged", "verdict", rec.Verdict, "reason", rec.Reason, "detail", rec.Detail)
	for _, m := range rec.Ports {
		for _, warning := range m.Evidence.odd() {
			r.Log.InfoContext(ctx, "odd, but it decides nothing", "port", m.Port, "what", warning)
		}
	}
	switch {
	case rec.Verdict == Pass:
	case r.GoOn && rec.Verdict == Inconclusive:
		r.Log.WarnContext(ctx, "the stage is undecided, and the run goes on (on-inconclusive)", "stage", rec.Name)
		r.note("went on from stage " + rec.Name + ", which is undecided (on-inconclusive): " + rec.Detail)
	default:
		return &Setback{Reason: rec.Reason, Message: rec.Detail}
	}
	r.weight, r.watcher, r.lately = *judge.options.Expected, judge.Watch(), judge.since(r.lately)
	if r.baseline == nil {
		r.baseline = judge.AsBaseline()
		r.memory.Baseline = r.baseline
	}
	return nil
}

// settled waits until the pods have been what the engine wrote for Settle.
func (r *run) settled(ctx context.Context, restarts int) (State, error) {
	for {
		state, err := r.arranged(ctx)
		if err != nil {
			return state, err
		}
		if err := r.watchPods(ctx, restarts, r.Settle); !errors.Is(err, errMoved) {
			return state, err
		}
	}
}

// judgeOptions are what this stage is judged by.
func (r *run) judgeOptions(state State) JudgeOptions {
	state.Addresses = r.addresses(state)
	// kube-proxy sends flows that begin inside to every pod, whatever the policy says of others:
	// https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/proxy/nftables/proxier.go#L1572
	state.Local = state.Local && !r.Record.Inside
	expected := state.ExpectedWeight()
	return JudgeOptions{
		Ports: r.Ports, Expected: &expected, Tolerance: r.Tolerance, Confidence: r.Confidence,
		MaxProbes: r.MaxProbes, MaxErrorRate: r.MaxErrors, MaxSlower: r.MaxSlower, Baseline: r.baseline, Lately: r.lately, Seed: r.Seed + r.windows + 1,
		StablePods: state.Stable.Serving, CanaryPods: state.Canary.Serving, Local: state.Local,
		ReportShare: r.ReportShare, Blind: r.blind(), Enough: r.enough(),
	}
}

var errStageTimeout = errors.New("the stage's time is up")
