package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// begin puts into the record what is planned.
func (r *run) begin() {
	rec := r.Record
	rec.StartedAt = time.Now()
	rec.Replicas, rec.MaxSurge, rec.MaxUnavailable = r.Plan.Replicas, r.Plan.MaxSurge, r.Plan.MaxUnavailable
	rec.Removal = r.Removals.String()
	rec.Tolerance, rec.Confidence, rec.Rate, rec.Seed = r.Tolerance, r.Confidence, r.Rate, r.Seed
	if rec.ShareGate = "enforce"; r.ReportShare {
		rec.ShareGate = "report"
	}
	for _, stage := range r.plan.Stages {
		rec.NotReached = append(rec.NotReached, stage.Target)
	}
}

// prepare brings stable to its capacity if it does not serve yet, and finds the
// balancer's address. With a live stable it writes nothing.
func (r *run) prepare(ctx context.Context) error {
	if len(r.plan.Problems) > 0 {
		return &Setback{Reason: ReasonInput, Message: strings.Join(r.plan.Problems, "; ")}
	}
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return err
	}
	r.now = counts{state.Stable.Replicas, state.Canary.Replicas}
	r.original = counts{r.Plan.Replicas, 0}
	if r.now.stable == 0 {
		if err := r.deployStable(ctx); err != nil {
			return err
		}
	}
	if r.now != r.original {
		return &Setback{Reason: ReasonPreflight, Message: fmt.Sprintf(
			"deployment %q has %d and %q %d replicas where the rollout begins with %d and %d",
			r.name(probe.Stable), r.now.stable, r.name(probe.Canary), r.now.canary, r.original.stable, r.original.canary)}
	}
	if _, err := r.await(ctx, r.matches); err != nil {
		return err
	}
	return r.findAddress(ctx)
}

// deployStable is the seed's first step: the old version goes live.
func (r *run) deployStable(ctx context.Context) error {
	r.Journal.Stage("deploy stable")
	if err := r.freeze(ctx); err != nil {
		return err
	}
	for _, part := range []Part{Surroundings, StableDeployment} {
		if err := r.Cluster.Apply(ctx, part); err != nil {
			return err
		}
	}
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return err
	}
	r.now.stable = state.Stable.Replicas
	return r.write(ctx, counts{r.Plan.Replicas, r.now.canary})
}

// findAddress waits until the balancer has an address.
func (r *run) findAddress(ctx context.Context) error {
	if r.Address != "" {
		r.Record.Addresses = []string{r.Address}
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, r.MoveTimeout)
	defer cancel()
	_, err := r.follow(limited, func(s State) (bool, error) { return len(s.Addresses) > 0, nil })
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &Setback{Reason: ReasonDeadline, Message: fmt.Sprintf(
			"service %q got no load balancer address within %s (move-timeout)", r.Record.Service, r.MoveTimeout)}
	}
	return err
}

// introduce applies what the canary needs, and the canary itself without pods.
func (r *run) introduce(ctx context.Context) error {
	if err := r.remember(ctx, PhaseStages); err != nil {
		return err
	}
	r.touched, r.introduced = true, true
	if err := r.freeze(ctx); err != nil {
		return err
	}
	for _, part := range []Part{Surroundings, CanaryDeployment} {
		if err := r.Cluster.Apply(ctx, part); err != nil {
			return err
		}
	}
	_, err := r.await(ctx, r.matches)
	return err
}

// finish ends a rollout whose stages all passed.
func (r *run) finish(ctx context.Context) error {
	if r.memory.Passed < 100 {
		return r.remember(ctx, PhaseHeld)
	}
	if err := inTurn(ctx, r.bake, r.end, r.scaleAgain); err != nil {
		return err
	}
	return r.remember(ctx, PhasePromoted)
}

// end decides what becomes of stable's Deployment.
func (r *run) end(ctx context.Context) error {
	switch r.Finish {
	case Delete:
		r.Log.InfoContext(ctx, "deleting the old deployment", "deployment", r.name(probe.Stable))
		return r.Cluster.Delete(ctx, probe.Stable)
	case Adopt:
		return r.adopt(ctx)
	case Handover:
		return r.handover(ctx)
	case Keep:
	}
	return nil
}

// adopt gives stable's Deployment, which has no pods now, the new template, and
// moves the pods from the copy to it as in any other move.
func (r *run) adopt(ctx context.Context) error {
	r.Journal.Stage("adopt")
	if err := r.remember(ctx, PhaseAdopting); err != nil {
		return err
	}
	r.adopting = true
	if err := r.Cluster.Apply(ctx, StableDeployment); err != nil {
		return err
	}
	if err := r.move(ctx, counts{stable: r.Plan.Replicas}); err != nil {
		return err
	}
	return r.Cluster.Delete(ctx, probe.Canary)
}

// handover lets stable's Deployment take over the pods as they run.
func (r *run) handover(ctx context.Context) error {
	r.Journal.Stage("handover")
	if err := r.remember(ctx, PhaseHandingOver); err != nil {
		return err
	}
	r.adopting = true
	if err := r.Heir.Handover(ctx, r.Plan.Replicas); err != nil {
		return err
	}
	r.now = counts{stable: r.Plan.Replicas}
	_, err := r.await(ctx, r.matches)
	return err
}

// look keeps the record in step with the cluster.
func (r *run) look(s State) {
	rec := r.Record
	rec.Stable.Replicas, rec.Stable.Ready = s.Stable.Replicas, s.Stable.Serving
	rec.Canary.Replicas, rec.Canary.Ready = s.Canary.Replicas, s.Canary.Serving
	if r.Address == "" && len(s.Addresses) > 0 {
		rec.Addresses = s.Addresses
	}
}

// name is the Deployment of a side.
func (r *run) name(side probe.Version) string {
	if side == probe.Canary {
		return r.Record.Canary.Deployment
	}
	return r.Record.Stable.Deployment
}
