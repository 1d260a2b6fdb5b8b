package rollout

import (
	"context"
	"errors"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// Removal is how the pods of one side leave.
type Removal string

// The three ways of the contract. Parked pods get no new flows and keep the
// established ones; what a terminating pod does with them is its own affair.
const (
	Park          Removal = "park"
	ParkByRelease Removal = "park by release"
	Terminate     Removal = "terminate"
)

// Removals are the ways of both sides.
type Removals struct{ Stable, Canary Removal }

// Of picks one side's.
func (r Removals) Of(side probe.Version) Removal {
	if side == probe.Canary {
		return r.Canary
	}
	return r.Stable
}

// String is what the report shows: one word where both sides leave alike.
func (r Removals) String() string {
	if r.Stable == r.Canary {
		return string(r.Stable)
	}
	return string(r.Stable) + " (stable), " + string(r.Canary) + " (canary)"
}

// RemovalFacts are what decides how the pods of one side can leave.
type RemovalFacts struct {
	UDP      bool // a port of the Service is UDP
	Local    bool // externalTrafficPolicy: Local
	Replaced bool // something else than kube-proxy does its work, such as Cilium
	Parkable bool // there is a label whose removal takes a pod out of the Service
	Releases bool // the Deployment's own selector needs that label too
}

// Choose picks the way, and says why if pods terminate though they might park.
//
// kube-proxy leaves the established TCP flows of a pod that is no endpoint any
// more alone, but drops the conntrack entries of its UDP sessions; those of a pod
// that terminates while it is ready it keeps,
// https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/proxy/conntrack/cleanup.go
func (f RemovalFacts) Choose() (how Removal, because string) {
	switch {
	case !f.Parkable:
		return Terminate, "no label takes them out of the Service"
	case f.UDP:
		return Terminate, "the Service has UDP ports, and UDP sessions would end when a pod is parked"
	case f.Local:
		return Terminate, "externalTrafficPolicy is Local, and a node must not lose its last pod"
	case f.Replaced:
		return Terminate, "the cluster does without kube-proxy, and what does its work ends the flows of pods that are parked"
	}
	return f.park(), ""
}

// park is the way to park, whatever speaks against it.
func (f RemovalFacts) park() Removal {
	if f.Releases {
		return ParkByRelease
	}
	return Park
}

// Force picks the way that an input asks for.
func (f RemovalFacts) Force(park bool) Removal {
	if park && f.Parkable {
		return f.park()
	}
	return Terminate
}

// way is how the pods of one side leave now. After a handover the ReplicaSet of a
// Deployment is that of the copy, which keeps what the Deployment's own would let go.
func (r *run) way(ctx context.Context, side probe.Version) (Removal, error) {
	how := r.Removals.Of(side)
	if how != ParkByRelease {
		return how, nil
	}
	state, err := r.Cluster.Next(ctx, 0)
	if err == nil && state.side(side).Keeps {
		how = Park
		now := r.Removals
		if side == probe.Stable {
			now.Stable = how
		} else {
			now.Canary = how
		}
		r.Record.Removal = now.String()
	}
	return how, err
}

// remove takes pods of one side out of the Service, gives their flows time to
// end, and scales the side down.
func (r *run) remove(ctx context.Context, side probe.Version, to counts) error {
	leaving := r.now.of(side) - to.of(side)
	how, err := r.way(ctx, side)
	if err != nil {
		return err
	}
	switch how {
	case Park:
		return r.removeParked(ctx, side, leaving, to)
	case ParkByRelease:
		return r.removeReleased(ctx, side, leaving, to)
	case Terminate:
	}
	if err = r.write(ctx, to); err != nil {
		return err
	}
	if _, err = r.await(ctx, r.matches); err != nil {
		return err
	}
	return r.drainTerminating(ctx)
}

// removeParked parks the pods that leave, and lets the scale-down take them:
// their deletion cost makes them the first to go among ready pods. Unready pods
// go before all others, so the scale-down waits until there are none, and a
// parked pod that survived it all the same is put back,
// https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/controller/controller_utils.go#L780
func (r *run) removeParked(ctx context.Context, side probe.Version, leaving int, to counts) error {
	if err := r.park(ctx, side, leaving); err != nil {
		return err
	}
	if err := r.drainParked(ctx, side, leaving); err != nil {
		return err
	}
	if _, err := r.await(ctx, r.matches); err != nil {
		return err
	}
	r.parked = counts{}
	if err := r.write(ctx, to); err != nil {
		return err
	}
	survived := func(s State) bool { return s.side(side).settled(to.of(side)) && s.side(side).Parked > 0 }
	state, err := r.await(ctx, func(s State) bool { return r.matches(s) || survived(s) })
	if err != nil || !survived(state) {
		return err
	}
	if err = r.Parking.Unpark(ctx, side); err != nil {
		return err
	}
	_, err = r.await(ctx, r.matches)
	return err
}

// removeReleased is for a Deployment whose selector equals the Service's: a pod
// that no Service selects belongs to no ReplicaSet either. It makes replacements
// for those it let go; they are not ready yet, so the scale-down that follows at
// once takes them first.
func (r *run) removeReleased(ctx context.Context, side probe.Version, leaving int, to counts) error {
	r.Log.InfoContext(ctx, "parking", "deployment", r.name(side), "pods", leaving)
	r.touched = true
	if err := r.Parking.Park(ctx, side, leaving); err != nil {
		return err
	}
	if _, err := r.await(ctx, func(s State) bool { return s.side(side).Released >= leaving }); err != nil {
		return err
	}
	if err := r.write(ctx, to); err != nil {
		return err
	}
	if _, err := r.await(ctx, r.matches); err != nil {
		return err
	}
	if err := r.rest(ctx, r.parkedFor(), func(State) bool { return false }); err != nil {
		return err
	}
	if err := r.Parking.Discard(ctx, side); err != nil {
		return err
	}
	_, err := r.await(ctx, func(s State) bool { return s.side(side).Released == 0 && r.matches(s) })
	return err
}

// park takes pods of one side out of the Service and waits until they are. A
// parked pod that somebody deletes comes back unparked: it is parked too, once it
// serves.
func (r *run) park(ctx context.Context, side probe.Version, leaving int) error {
	r.touched = true
	r.parked = counts{stable: leaving}
	if side == probe.Canary {
		r.parked = counts{canary: leaving}
	}
	for {
		// Never while a replacement is not ready: another pod would have to go.
		state, err := r.await(ctx, func(s State) bool {
			p := s.side(side)
			return r.matches(s) || p.whole(r.now.of(side)) && p.Parked < leaving
		})
		if err != nil || r.matches(state) {
			return err
		}
		r.Log.InfoContext(ctx, "parking", "deployment", r.name(side), "pods", leaving)
		if err := r.Parking.Park(ctx, side, leaving); err != nil {
			return err
		}
	}
}

// forgetting is how long a parked pod lives at least, whatever Drain says: kube-proxy
// writes its rules up to a second after the EndpointSlices have changed
// (minSyncPeriod), and a pod that is gone before that takes new flows with it.
const forgetting = 3 * time.Second

// parkedFor is how long a pod stays parked.
func (o Options) parkedFor() time.Duration { return max(o.Drain, forgetting) }

// drainParked gives the flows of parked pods Drain to end.
func (r *run) drainParked(ctx context.Context, side probe.Version, leaving int) error {
	end := time.Now().Add(r.parkedFor())
	for {
		err := r.rest(ctx, time.Until(end), func(s State) bool { return !r.matches(s) })
		if !errors.Is(err, errMoved) {
			return err
		}
		if err = r.park(ctx, side, leaving); err != nil {
			return err
		}
	}
}

// drainTerminating gives pods that were told to end time to do so, at most Drain.
func (r *run) drainTerminating(ctx context.Context) error {
	err := r.rest(ctx, r.Drain, func(s State) bool { return s.Stable.Terminating+s.Canary.Terminating == 0 })
	if errors.Is(err, errMoved) {
		return nil // they are gone
	}
	if err == nil && r.Drain > 0 {
		r.Log.InfoContext(ctx, "pods are still terminating", "drain", r.Drain)
	}
	return err
}

// rest lingers, which counts as drain.
func (r *run) rest(ctx context.Context, duration time.Duration, moved func(State) bool) error {
	began := time.Now()
	defer func() { r.drained += time.Since(began) }()
	return r.linger(ctx, duration, moved)
}

// linger lets time pass. It returns errMoved as soon as the state is what moved says,
// and a Setback on drift and on pods beyond help.
func (r *run) linger(ctx context.Context, duration time.Duration, moved func(State) bool) error {
	limited, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	_, err := r.follow(limited, func(s State) (bool, error) {
		if moved(s) {
			return false, errMoved
		}
		return false, r.hopeless(s)
	})
	if limited.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}
