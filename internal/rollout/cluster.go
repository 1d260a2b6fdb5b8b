package rollout

import (
	"context"

	"github.com/org/l4-canary/internal/probe"
)

// Part is something of the manifests that the engine asks to have applied.
type Part string

// The parts, in the order in which a first rollout applies them. Deployments
// are created without pods: counts move only through Scale.
const (
	Surroundings     Part = "surroundings" // the Service and everything but the two Deployments and their autoscalers
	StableDeployment Part = "stable"
	CanaryDeployment Part = "canary"
	OriginalStable   Part = "original" // stable as it was before the rollout

	AutoscalerManifests Part = "autoscalers" // of both Deployments, when the rollout has ended
)

// Cluster is the engine's hand on one Service and the two Deployments behind
// it. Errors of every method are the API server's, wrapped with what was tried.
type Cluster interface {
	// Apply creates the part, or updates it without changing pod counts.
	Apply(ctx context.Context, part Part) error

	// Scale sets the replicas of one side, Stable or Canary, from what they
	// were to what they shall be. It fails with a *DriftError, and changes
	// nothing, if they are no longer what they were.
	Scale(ctx context.Context, side probe.Version, from, to int) error

	// Next returns the latest state that is newer than the revision, waiting
	// for it if need be; revision 0 asks for the present one. It never returns
	// a state from before the last successful write, its own or Parking's.
	Next(ctx context.Context, after uint64) (State, error)

	// Delete removes one side's Deployment and waits for nothing.
	Delete(ctx context.Context, side probe.Version) error
}

// Parking takes pods out of every Service that selects them and leaves them
// running, so that established flows go on while new ones go elsewhere. Errors
// are the API server's, wrapped with what was tried.
type Parking interface {
	// Park takes as many more serving pods of one side out of the Service as it
	// takes for n to be out. Pods whose ReplicaSet lets go of them are Released
	// once it has; all others are Parked and the first to go when their
	// Deployment is scaled down.
	Park(ctx context.Context, side probe.Version, n int) error

	// Unpark puts every parked pod of one side back.
	Unpark(ctx context.Context, side probe.Version) error

	// Discard deletes the released pods of one side.
	Discard(ctx context.Context, side probe.Version) error
}

// Successor lets stable's Deployment take over the pods of the canary's.
type Successor interface {
	// Handover makes stable's Deployment, with so many replicas, the owner of the
	// canary's pods, without restarting one; the canary's Deployment is no more.
	Handover(ctx context.Context, replicas int) error
}

// State is what the cluster says of the rollout at one moment.
type State struct {
	Revision  uint64 // grows with every change, from 1
	Stable    Pods
	Canary    Pods
	Addresses []string   // the balancer's, literal or names, empty while it has none
	Endpoints []Endpoint // ready ones, of both sides and all families
	Local     bool       // externalTrafficPolicy: Local
	Members   []Member   // pods of both sides, the terminating and the released included
	Troubles  []Trouble  // of pods that do not serve
	Smoke     []SmokePod // in no Service, and of neither side
}

// Pods are the pods of one side.
type Pods struct {
	Exists      bool   // the Deployment is there
	Replicas    int    // spec.replicas
	Author      string // who set them last, from managedFields
	Foreign     int    // changes of the Deployment since this process first saw it that are not its own
	Change      string // the last of them, as in "was changed by …"
	Current     bool   // status has caught up with the spec
	Pods        int    // non-terminating, parked ones included
	Parked      int    // of them, those that were taken out of the Service
	Released    int    // taken out and let go by their ReplicaSet: not among Pods
	Keeps       bool   // their ReplicaSet keeps those that are parked, whatever the Deployment selects
	Terminating int
	Available   int // ready, including readiness gates, for minReadySeconds
	Serving     int // ready in every EndpointSlice family of the Service
	Restarts    int // of the containers of non-terminating pods, summed
}

// at reports whether exactly n pods exist and are available, and all but the
// parked ones serve.
func (p Pods) at(n, parked int) bool {
	return p.settled(n) && p.Available == n && p.Parked == parked && p.Serving == n-parked
}

// settled reports whether exactly n pods exist, whatever they do.
func (p Pods) settled(n int) bool {
	return p.Replicas == n && p.Pods == n && (p.Current || !p.Exists && n == 0)
}

// whole reports whether exactly n pods exist and every one that is not parked
// serves.
func (p Pods) whole(n int) bool {
	return p.settled(n) && p.Available == n && p.Serving+p.Parked == n
}

// Member is one pod.
type Member struct {
	Pod     string
	Side    probe.Version // Stable or Canary
	Parked  bool          // taken out of the Service by our hand, and not yet told to end
	Leaving bool          // parked or terminating
	Ready   bool
}

// SmokePod is a single pod of the new version that is asked before the rollout.
type SmokePod struct {
	Pod     string
	Ready   bool
	Trouble *Trouble // nil if it has none
}

// Endpoint is one ready endpoint of the Service.
type Endpoint struct {
	Side   probe.Version // Stable or Canary
	Node   string
	Family string // "IPv4" or "IPv6"; a pod of both is two endpoints
}

// side picks the pods of one side.
func (s State) side(side probe.Version) Pods {
	if side == probe.Canary {
		return s.Canary
	}
	return s.Stable
}
