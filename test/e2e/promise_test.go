//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// releasing is how long a park by release may have more pods than R+S: until its
// ReplicaSet has been told to shrink.
const releasing = 5 * time.Second

// memory is what a rollout keeps in its Lease.
type memory struct {
	Release, Mode, Phase, Stable, Canary string
	Replicas, MaxSurge, MaxUnavailable   int
	Passed                               float64
}

// scene is everything there is at one instant.
type scene struct {
	deployments map[string]*appsv1.Deployment
	sets        map[types.UID]*appsv1.ReplicaSet
	pods        map[string]*corev1.Pod
	images      map[string]string // of pods, also of those that are gone and still endpoints
	slices      map[string]*discoveryv1.EndpointSlice
	memory      memory
	armed       bool   // a rollout has begun
	image       string // of its canary
	allowed     meddling

	began      time.Time
	excess     time.Time // since when there are more pods than R+S by release; zero if there are not
	longest    time.Duration
	mostPods   int
	leastReady int
	mostShare  float64
	last       string
	lines      []string
	broken     []string
}

func newScene() *scene {
	return &scene{
		deployments: map[string]*appsv1.Deployment{}, sets: map[types.UID]*appsv1.ReplicaSet{},
		pods: map[string]*corev1.Pod{}, images: map[string]string{}, slices: map[string]*discoveryv1.EndpointSlice{}, leastReady: -1,
	}
}

// see takes one change in.
func (s *scene) see(it instant) {
	if s.began.IsZero() {
		s.began = it.seen
	}
	switch o := it.object.(type) {
	case *appsv1.Deployment:
		s.judgeWrite(it, s.deployments[o.Name], o)
		put(s.deployments, o.Name, o, it.gone)
		if !it.gone && o.Name == s.memory.Canary {
			s.image = o.Spec.Template.Spec.Containers[0].Image
		}
	case *appsv1.ReplicaSet:
		put(s.sets, o.UID, o, it.gone)
	case *corev1.Pod:
		put(s.pods, o.Name, o, it.gone)
		s.images[o.Name] = o.Spec.Containers[0].Image
	case *discoveryv1.EndpointSlice:
		put(s.slices, o.Name, o, it.gone)
	case *coordinationv1.Lease:
		s.recall(it, o)
	}
}

func put[K comparable, V any](all map[K]V, key K, value V, gone bool) {
	all[key] = value
	if gone {
		delete(all, key)
	}
}

// recall reads what the rollout has written down. What it forgets holds on.
func (s *scene) recall(it instant, lease *coordinationv1.Lease) {
	state, ok := lease.Annotations["l4-canary.io/state"]
	if !ok || it.gone {
		return
	}
	was := s.memory
	s.memory = memory{}
	if err := json.Unmarshal([]byte(state), &s.memory); err != nil {
		s.broke(it, "the Lease cannot be read: %v", err)
	}
	s.armed = s.memory.Replicas > 0 // else no rollout has written it
	if was.Release != s.memory.Release {
		s.image = "" // until its Deployment is applied
	}
}

// allow sets what the test itself has done by now.
func (s *scene) allow(all []meddling, now time.Time) {
	for _, m := range all {
		if !m.from.After(now) {
			s.allowed = m
		}
	}
}

// judge holds one instant against the promises: pods <= R+S, ready in the Service >=
// R-U and never 0 in any family, the canary's share never above what it was or is to
// be.
func (s *scene) judge(it instant, planned map[float64]float64) {
	if !s.armed {
		return
	}
	owned, released := s.count()
	m := s.memory
	most, least := m.Replicas+m.MaxSurge+s.allowed.pods, max(m.Replicas-m.MaxUnavailable-s.allowed.ready, 1)
	s.mostPods = max(s.mostPods, owned+released)
	if owned > most {
		s.broke(it, "%d pods where at most %d are allowed", owned, most)
	}
	s.release(it, owned+released > most)
	line := fmt.Sprintf("pods %d, released %d", owned, released)
	limit := min(bound(planned, m.Passed)+float64(s.allowed.share), 100)
	for _, family := range slices.Sorted(maps.Keys(s.families())) {
		ready, canaries := s.ready(family)
		if s.leastReady < 0 || ready < s.leastReady {
			s.leastReady = ready
		}
		if ready < least {
			s.broke(it, "%d ready in the Service (%s) where at least %d are to be", ready, family, least)
		}
		share := 0.0
		if ready > 0 {
			share = 100 * float64(canaries) / float64(ready)
		}
		s.mostShare = max(s.mostShare, share)
		if share > limit+0.01 {
			s.broke(it, "%.2f %% of the Service (%s) are canaries where at most %.2f %% are to be", share, family, limit)
		}
		line += fmt.Sprintf(", %s ready %d with %d canaries (at most %.1f %%)", family, ready, canaries, limit)
	}
	s.note(it, line+", "+m.Phase)
}

// release keeps the time in which pods that were released stand beside those that
// replace them until the ReplicaSet shrinks.
func (s *scene) release(it instant, above bool) {
	switch {
	case above && s.excess.IsZero():
		s.excess = it.seen
	case above:
	case !s.excess.IsZero():
		s.longest, s.excess = max(s.longest, it.seen.Sub(s.excess)), time.Time{}
	}
	if above && it.seen.Sub(s.excess) > releasing {
		s.broke(it, "released pods and their replacements stand beside each other for %s", it.seen.Sub(s.excess))
	}
}

// bound is what the canary's share may be: planned for the stage that passed last, or
// for the next.
func bound(planned map[float64]float64, passed float64) float64 {
	limit, next := planned[passed], 101.0
	for target, weight := range planned {
		if target > passed && target < next {
			next = target
			limit = max(planned[passed], weight)
		}
	}
	if passed >= 100 {
		return 100
	}
	return limit
}

// count are the pods that are not terminating: those of ReplicaSets, and those that
// were released.
func (s *scene) count() (owned, released int) {
	for _, pod := range s.pods {
		owner := metav1.GetControllerOf(pod)
		switch {
		case pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded:
		case owner != nil && owner.Kind == "ReplicaSet":
			owned++
		case owner == nil && pod.Annotations["l4-canary.io/parked"] != "":
			released++
		}
	}
	return owned, released
}

// families are the address families in which the Service has endpoints.
func (s *scene) families() map[string]bool {
	families := map[string]bool{}
	for _, slice := range s.slices {
		families[string(slice.AddressType)] = true
	}
	return families
}

// ready are the pods that the Service has in one family, and those of the canary.
func (s *scene) ready(family string) (ready, canaries int) {
	names := map[string]bool{}
	for _, slice := range s.slices {
		for _, endpoint := range slice.Endpoints {
			if string(slice.AddressType) == family && endpoint.TargetRef != nil && (endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready) {
				names[endpoint.TargetRef.Name] = true
			}
		}
	}
	for name := range names {
		if s.image != "" && s.images[name] == s.image {
			canaries++
		}
	}
	return len(names), canaries
}

// judgeWrite holds a change of a Deployment against section 5 of the contract: a
// template that serves is never changed, and a count moves only through scale.
func (s *scene) judgeWrite(it instant, was, is *appsv1.Deployment) {
	if !s.armed || it.gone {
		return
	}
	if was == nil || was.UID != is.UID {
		if *is.Spec.Replicas > 0 && s.memory.Phase != "handing over" {
			s.broke(it, "Deployment %q is created with %d replicas", is.Name, *is.Spec.Replicas)
		}
		return
	}
	if *was.Spec.Replicas > 0 && !reflect.DeepEqual(was.Spec.Template, is.Spec.Template) {
		s.broke(it, "the template of Deployment %q changes while it has %d replicas", is.Name, *was.Spec.Replicas)
	}
	if *was.Spec.Replicas != *is.Spec.Replicas && !slices.Equal(applies(was), applies(is)) {
		s.broke(it, "an apply takes Deployment %q from %d to %d replicas", is.Name, *was.Spec.Replicas, *is.Spec.Replicas)
	}
}

// applies are when each manager last applied something. Who set the replicas cannot be
// read in managedFields: the scale subresource loses it now and then.
func applies(d *appsv1.Deployment) []string {
	var all []string
	for _, entry := range d.ManagedFields {
		if entry.Operation == metav1.ManagedFieldsOperationApply {
			all = append(all, entry.Manager+" "+entry.Time.String())
		}
	}
	return all
}

func (s *scene) broke(it instant, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if n := len(s.broken); n == 0 || !strings.HasSuffix(s.broken[n-1], line) {
		s.broken = append(s.broken, s.at(it)+line)
	}
	s.note(it, "BROKEN: "+line)
}

func (s *scene) note(it instant, line string) {
	if line != s.last {
		s.last = line
		s.lines = append(s.lines, s.at(it)+line)
	}
}

func (s *scene) at(it instant) string { return fmt.Sprintf("%6.2fs ", it.seen.Sub(s.began).Seconds()) }

func (s *scene) summary() string {
	return fmt.Sprintf("at most %d pods (R+S is %d), at least %d ready (R-U is %d), canaries at most %.1f %%, above R+S by release for at most %s",
		s.mostPods, s.memory.Replicas+s.memory.MaxSurge, s.leastReady, s.memory.Replicas-s.memory.MaxUnavailable, s.mostShare,
		s.longest.Round(time.Millisecond))
}

// movesOf are the values that the replicas of two Deployments took.
func movesOf(history []instant, stable, canary string) []string {
	replicas := map[string]int32{}
	var moves []string
	for _, it := range history {
		d, ok := it.object.(*appsv1.Deployment)
		if !ok || it.gone {
			continue
		}
		replicas[d.Name] = *d.Spec.Replicas
		if move := fmt.Sprintf("%d+%d", replicas[stable], replicas[canary]); len(moves) == 0 || moves[len(moves)-1] != move {
			moves = append(moves, move)
		}
	}
	return moves
}
