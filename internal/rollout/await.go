package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// follow watches the cluster until done says so, or fails.
func (r *run) follow(ctx context.Context, done func(State) (bool, error)) (State, error) {
	return watch(ctx, r.Cluster, func(s State) (bool, error) {
		r.look(s)
		return done(s)
	})
}

// watch calls done with every new state until it says so, or fails.
func watch(ctx context.Context, cluster Cluster, done func(State) (bool, error)) (State, error) {
	var state State
	for {
		next, err := next(ctx, cluster, state)
		if err != nil {
			return state, err
		}
		state = next
		if ok, err := done(state); ok || err != nil {
			return state, err
		}
	}
}

// next is the next state of the cluster, or the same again after a while.
func next(ctx context.Context, cluster Cluster, now State) (State, error) {
	limited, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	state, err := cluster.Next(limited, now.Revision)
	if err != nil && limited.Err() != nil && ctx.Err() == nil && now.Revision > 0 {
		return now, nil
	}
	return state, err
}

// await watches until the state is reached. It gives up at once on drift and on
// pods that are beyond help, on trouble that has had its grace, and after MoveTimeout
// without any progress.
func (r *run) await(ctx context.Context, reached func(State) bool) (State, error) {
	waiting := newPatience()
	return r.awaitUnless(ctx, reached, func(s State) error {
		if err := r.hopeless(s); err != nil {
			return err
		}
		return r.overdue(ctx, s, waiting)
	})
}

// awaitUnless is await with another idea of when waiting is hopeless.
func (r *run) awaitUnless(ctx context.Context, reached func(State) bool, hopeless func(State) error) (State, error) {
	began := time.Now()
	limited, extend, stop := withIdleTimeout(ctx, r.MoveTimeout)
	defer stop()
	var last progress
	said, every := began, sayEvery // short waits are not worth a line
	state, err := r.follow(limited, func(s State) (bool, error) {
		if reached(s) {
			return true, nil
		}
		if p := progressOf(s); p != last {
			last = p
			extend()
			if time.Since(said) >= every {
				said, every = time.Now(), min(2*every, sayAtLeast)
				r.Log.InfoContext(ctx, "waiting for pods", "stable", describe(s.Stable, r.now.stable),
					"canary", describe(s.Canary, r.now.canary))
			}
		}
		return false, hopeless(s)
	})
	if err != nil && errors.Is(context.Cause(limited), errIdle) && ctx.Err() == nil {
		return state, r.stalled(state, time.Since(began))
	}
	return state, err
}

// The time between two lines about one wait grows from the first to the second: a thousand
// pods take a minute to come.
const (
	sayEvery   = time.Second
	sayAtLeast = 10 * time.Second
)

// progress is what must change for a move to be alive.
type progress struct{ stable, canary Pods }

func progressOf(s State) progress { return progress{s.Stable, s.Canary} }

// hopeless is the setback of a state from which waiting leads nowhere.
func (r *run) hopeless(s State) error {
	if err := r.drifted(s); err != nil {
		return err
	}
	for _, t := range s.Troubles {
		if t.Fatal {
			return &Setback{Reason: t.Reason, Message: r.accuse(t), Troubles: s.Troubles}
		}
	}
	return nil
}

// drifted is the setback of somebody else scaling or changing either side.
func (r *run) drifted(s State) error {
	for _, side := range bothSides() {
		pods, want := s.side(side), r.now.of(side)
		drift := &DriftError{Deployment: r.name(side), Want: want, Have: pods.Replicas, Author: pods.Author}
		switch {
		case pods.Foreign > r.condoned.of(side) && (pods.Replicas == want || !pods.Exists):
			drift.Change = pods.Change
		case pods.Replicas == want:
			continue
		}
		return &Setback{Reason: ReasonDrift, Message: drift.Error()}
	}
	return nil
}

// accuse says in one sentence what a pod says of itself.
func (r *run) accuse(t Trouble) string {
	if t.Pod == "" {
		return fmt.Sprintf("%s (%s): %s", r.name(t.Side), t.Side, t.Message)
	}
	return fmt.Sprintf("pod %s of %s (%s) does not serve: %s", t.Pod, r.name(t.Side), t.Side, t.Message)
}

// stalled is the setback of a move that stopped making progress; it names every
// side that is still waiting, and what its pods say.
func (r *run) stalled(s State, waited time.Duration) error {
	var laggards []string
	for _, side := range bothSides() {
		if pods, want := s.side(side), r.now.of(side); !pods.at(want, r.parked.of(side)) {
			laggards = append(laggards, fmt.Sprintf("%s has %s", r.name(side), describe(pods, want)))
		}
	}
	const mostNamed = 10 // of a thousand pods that wait, most wait for the same
	for _, t := range s.Troubles[:min(mostNamed, len(s.Troubles))] {
		laggards = append(laggards, fmt.Sprintf("%s: %s", cmp.Or(t.Pod, r.name(t.Side)), t.Message))
	}
	if more := len(s.Troubles) - mostNamed; more > 0 {
		laggards = append(laggards, fmt.Sprintf("and %d pods more", more))
	}
	return &Setback{
		Reason: ReasonDeadline, Troubles: s.Troubles,
		Message: fmt.Sprintf("no progress for %s (move-timeout), %s after the move began: %s",
			r.MoveTimeout, waited.Round(time.Second), strings.Join(laggards, "; ")),
	}
}

// describe is a side's state in a few words.
func describe(p Pods, want int) string {
	text := fmt.Sprintf("%d of %d available, %d in the service", p.Available, want, p.Serving)
	if p.Pods != want {
		text += fmt.Sprintf(", %d pods", p.Pods)
	}
	if p.Parked > 0 {
		text += fmt.Sprintf(", %d parked", p.Parked)
	}
	return text
}

// errIdle is the cause of a context that went without progress for too long.
var errIdle = errors.New("no progress")

// withIdleTimeout is a context that ends with errIdle unless extend is called at
// least every limit.
func withIdleTimeout(ctx context.Context, limit time.Duration) (limited context.Context, extend, stop func()) {
	limited, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(limit, func() { cancel(errIdle) })
	return limited, func() { timer.Reset(limit) }, func() { timer.Stop(); cancel(nil) }
}
