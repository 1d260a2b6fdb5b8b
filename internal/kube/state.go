package kube

import (
	"cmp"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// snapshot is what the caches hold at one moment.
type snapshot struct {
	service *corev1.Service
	stable  *appsv1.Deployment // nil if there is none
	canary  *appsv1.Deployment
	sets    []*appsv1.ReplicaSet
	pods    []*corev1.Pod
	slices  []*discoveryv1.EndpointSlice

	stableParkLabel, canaryParkLabel string
}

// compute makes the engine's view of a snapshot: a pure function.
func compute(s snapshot) rollout.State {
	state := rollout.State{Stable: deployed(s.stable), Canary: deployed(s.canary)}
	owners := map[string]probe.Version{} // pod name → side
	set := s.owners()
	for _, pod := range s.pods {
		owner := set[controller(pod)]
		switch {
		case isSmoke(pod, s.service):
			state.Smoke = append(state.Smoke, smokePod(pod))
		case isReleased(pod):
			released(&state, s, pod)
		case owner == "":
		case s.stable != nil && owner == s.stable.UID:
			owners[pod.Name] = probe.Stable
			count(&state, &state.Stable, pod, probe.Stable)
			state.Members = append(state.Members, member(pod, probe.Stable))
		case s.canary != nil && owner == s.canary.UID:
			owners[pod.Name] = probe.Canary
			count(&state, &state.Canary, pod, probe.Canary)
			state.Members = append(state.Members, member(pod, probe.Canary))
		}
	}
	state.Stable.Keeps = s.keeps(s.stable, s.stableParkLabel)
	state.Canary.Keeps = s.keeps(s.canary, s.canaryParkLabel)
	state.Troubles = append(state.Troubles, slices.Concat(shortage(s.stable, probe.Stable), shortage(s.canary, probe.Canary))...)
	slices.SortFunc(state.Troubles, worstFirst)
	if s.service != nil {
		state.Addresses = addresses(s.service)
		state.Local = s.service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
		serving(&state, s, owners)
	}
	return state
}

// deployed is what a Deployment says of itself.
func deployed(d *appsv1.Deployment) rollout.Pods {
	if d == nil {
		return rollout.Pods{}
	}
	return rollout.Pods{
		Exists:    true,
		Replicas:  replicas(d),
		Author:    author(d.ManagedFields),
		Current:   d.Status.ObservedGeneration >= d.Generation,
		Available: int(d.Status.AvailableReplicas),
	}
}

// replicas is spec.replicas, which defaults to 1.
func replicas(d *appsv1.Deployment) int {
	if d.Spec.Replicas == nil {
		return 1
	}
	return int(*d.Spec.Replicas)
}

// owners maps each ReplicaSet to the Deployment that controls it. Selectors would
// not do: that of a Deployment can match the pods of its own canary.
func (s snapshot) owners() map[types.UID]types.UID {
	owners := map[types.UID]types.UID{}
	for _, set := range s.sets {
		if ref := metav1.GetControllerOf(set); ref != nil {
			owners[set.UID] = ref.UID
		}
	}
	return owners
}

// keeps reports whether the pods of a Deployment stay with their ReplicaSets when
// they lose a label.
func (s snapshot) keeps(d *appsv1.Deployment, label string) bool {
	if d == nil || label == "" {
		return false
	}
	keeps := false
	for _, set := range s.sets {
		if controller(set) != d.UID || deref(set.Spec.Replicas) == 0 || set.Spec.Selector == nil {
			continue
		}
		if _, needs := set.Spec.Selector.MatchLabels[label]; needs || slices.ContainsFunc(set.Spec.Selector.MatchExpressions,
			func(e metav1.LabelSelectorRequirement) bool { return e.Key == label }) {
			return false
		}
		keeps = true
	}
	return keeps
}

// controller is the UID of what controls an object, empty if nothing does.
func controller(object metav1.Object) types.UID {
	if ref := metav1.GetControllerOf(object); ref != nil {
		return ref.UID
	}
	return ""
}

// count adds a pod to its side.
func count(state *rollout.State, pods *rollout.Pods, pod *corev1.Pod, side probe.Version) {
	if pod.DeletionTimestamp != nil {
		pods.Terminating++
		return
	}
	if finished(pod) {
		return // its ReplicaSet has replaced it already
	}
	pods.Pods++
	pods.Restarts += restarts(pod)
	if isParked(pod) {
		pods.Parked++
	}
	if t, ok := trouble(pod, side); ok {
		state.Troubles = append(state.Troubles, t)
	}
}

// released adds a pod that its ReplicaSet has let go to the side it was of.
func released(state *rollout.State, s snapshot, pod *corev1.Pod) {
	side, pods := probe.Stable, &state.Stable
	switch from := parkingOf(pod).Deployment; {
	case s.stable != nil && from == s.stable.Name:
	case s.canary != nil && from == s.canary.Name:
		side, pods = probe.Canary, &state.Canary
	default:
		return
	}
	state.Members = append(state.Members, member(pod, side))
	if pod.DeletionTimestamp == nil && !finished(pod) {
		pods.Released++
	}
}

// member is a pod by its name, and whether it is about to go.
func member(pod *corev1.Pod, side probe.Version) rollout.Member {
	parked, ends := isParked(pod), pod.DeletionTimestamp != nil
	return rollout.Member{Pod: pod.Name, Side: side, Parked: parked && !ends, Leaving: parked || ends, Ready: ready(pod)}
}

func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// serving counts the ready endpoints of both sides in every family of the
// Service; a side serves with as many pods as its poorest family has.
func serving(state *rollout.State, s snapshot, owners map[string]probe.Version) {
	for i, family := range s.service.Spec.IPFamilies {
		ready := map[string]string{} // pod name → node
		for _, slice := range s.slices {
			if string(slice.AddressType) != string(family) {
				continue
			}
			for _, e := range slice.Endpoints {
				if e.TargetRef != nil && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
					ready[e.TargetRef.Name] = deref(e.NodeName)
				}
			}
		}
		count := map[probe.Version]int{}
		for pod, node := range ready {
			if side, ok := owners[pod]; ok {
				count[side]++
				state.Endpoints = append(state.Endpoints, rollout.Endpoint{Side: side, Node: node, Family: string(family)})
			}
		}
		if i == 0 {
			state.Stable.Serving, state.Canary.Serving = count[probe.Stable], count[probe.Canary]
			continue
		}
		state.Stable.Serving = min(state.Stable.Serving, count[probe.Stable])
		state.Canary.Serving = min(state.Canary.Serving, count[probe.Canary])
	}
}

// addresses are what the balancer announces: literal addresses, or names.
func addresses(service *corev1.Service) []string {
	var found []string
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		if address := cmp.Or(ingress.IP, ingress.Hostname); address != "" {
			found = append(found, address)
		}
	}
	return found
}

// restarts sums the restarts of a pod's containers.
func restarts(pod *corev1.Pod) int {
	sum := 0
	for _, status := range pod.Status.ContainerStatuses {
		sum += int(status.RestartCount)
	}
	return sum
}

// author is who set spec.replicas last, as managedFields tell.
func author(entries []metav1.ManagedFieldsEntry) string {
	entry := latest(entries, func(e metav1.ManagedFieldsEntry) bool { return slices.Contains(specFields(e), "replicas") })
	if entry == nil {
		return ""
	}
	return fmt.Sprintf("%q", entry.Manager)
}

// worstFirst orders troubles: fatal ones first, then by pod, then by side.
func worstFirst(a, b rollout.Trouble) int {
	if a.Fatal != b.Fatal {
		if a.Fatal {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Side, b.Side))
}

// deref is what a pointer points to, the zero value if to nothing.
func deref[T any](p *T) (value T) {
	if p != nil {
		value = *p
	}
	return value
}
