package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/org/l4-canary/internal/probe"
)

// What a parked pod carries.
const (
	// ParkedAnnotation holds what it takes to put the pod back, as JSON.
	ParkedAnnotation = "l4-canary.io/parked"

	// deletionCost makes a pod the first to go when its ReplicaSet shrinks,
	// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost
	deletionCost = corev1.PodDeletionCost
	parkedCost   = "-1000000"
)

// parking is the content of ParkedAnnotation.
type parking struct {
	Deployment string `json:"deployment"` // that the pod was of
	Label      string `json:"label"`      // that was removed
	Value      string `json:"value"`      // what it said
	Cost       string `json:"cost,omitempty"`
}

// parkingOf reads the annotation; the zero value is a pod that is not parked.
func parkingOf(pod *corev1.Pod) parking {
	note, marked := pod.Annotations[ParkedAnnotation]
	if !marked { // as most pods are: this is asked of each with every change
		return parking{}
	}
	var p parking
	if err := json.Unmarshal([]byte(note), &p); err != nil {
		return parking{}
	}
	return p
}

// isParked reports whether the pod is out of the Service by our hand.
func isParked(pod *corev1.Pod) bool { return parkingOf(pod).Deployment != "" }

// isReleased reports whether it belongs to no ReplicaSet for that reason.
func isReleased(pod *corev1.Pod) bool { return controller(pod) == "" && isParked(pod) }

// errFewPods says that fewer pods serve than are to be parked.
var errFewPods = errors.New("too few pods are ready")

// Park implements rollout.Parking.
func (c *Cluster) Park(ctx context.Context, side probe.Version, n int) error {
	pods, err := c.podsOf(side)
	if err != nil {
		return err
	}
	parked := 0
	var candidates []*corev1.Pod
	for _, pod := range pods {
		switch {
		case isParked(pod):
			parked++
		case ready(pod):
			candidates = append(candidates, pod)
		}
	}
	if len(candidates) < n-parked {
		return fmt.Errorf("parking %d pods of deployment %q: %w: %d", n-parked, c.name(side), errFewPods, len(candidates))
	}
	return abreast(ctx, leaving(candidates, n-parked), func(ctx context.Context, pod *corev1.Pod) error {
		metadata, err := c.parkedMetadata(pod, side)
		if err != nil {
			return err
		}
		return c.patchPod(ctx, "parking", pod, metadata)
	})
}

// abreast does something to many pods at a time. Pods that their ReplicaSet lets go
// have to be out before its replacements serve, which can take less than two seconds.
// The API server lets a hundred requests share a connection, watches included.
func abreast(ctx context.Context, pods []*corev1.Pod, do func(context.Context, *corev1.Pod) error) error {
	const atOnce = 64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, pod := range pods {
		group.Go(func() error { return do(ctx, pod) })
	}
	return group.Wait()
}

// parkedMetadata is what a pod's metadata becomes when it is parked. One that its
// ReplicaSet lets go for it belongs to the Lease from then on: it goes with the last word
// of the rollout, whatever becomes of this process.
func (c *Cluster) parkedMetadata(pod *corev1.Pod, side probe.Version) (map[string]any, error) {
	label := c.StableParkLabel
	if side == probe.Canary {
		label = c.CanaryParkLabel
	}
	note, err := json.Marshal(parking{c.name(side), label, pod.Labels[label], pod.Annotations[deletionCost]})
	if err != nil {
		return nil, fmt.Errorf("parking pod %q: %w", pod.Name, err)
	}
	metadata := map[string]any{
		"labels":      map[string]any{label: nil},
		"annotations": map[string]any{ParkedAnnotation: string(note), deletionCost: parkedCost},
	}
	if lease := c.held.Load(); lease != nil && c.letsGo(pod, label) {
		metadata["ownerReferences"] = append(slices.Clone(pod.OwnerReferences), lease.owner())
	}
	return metadata, nil
}

// letsGo reports whether a pod's ReplicaSet will let it go without the label.
func (c *Cluster) letsGo(pod *corev1.Pod, label string) bool {
	sets, err := c.sets.List(labels.Everything())
	i := slices.IndexFunc(sets, func(s *appsv1.ReplicaSet) bool { return s.UID == controller(pod) })
	if err != nil || i < 0 {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(sets[i].Spec.Selector)
	rest := maps.Clone(pod.Labels)
	delete(rest, label)
	return err == nil && !selector.Matches(labels.Set(rest))
}

// Unpark implements rollout.Parking.
func (c *Cluster) Unpark(ctx context.Context, side probe.Version) error {
	pods, err := c.podsOf(side)
	if err != nil {
		return err
	}
	pods = slices.DeleteFunc(pods, func(pod *corev1.Pod) bool { return !isParked(pod) })
	return abreast(ctx, pods, func(ctx context.Context, pod *corev1.Pod) error {
		p := parkingOf(pod)
		var cost any // null removes it
		if p.Cost != "" {
			cost = p.Cost
		}
		metadata := map[string]any{
			"labels":      map[string]any{p.Label: p.Value},
			"annotations": map[string]any{ParkedAnnotation: nil, deletionCost: cost},
		}
		if owners := slices.DeleteFunc(slices.Clone(pod.OwnerReferences), isLease); len(owners) < len(pod.OwnerReferences) {
			metadata["ownerReferences"] = owners
		}
		return c.patchPod(ctx, "putting back", pod, metadata)
	})
}

// Discard implements rollout.Parking.
func (c *Cluster) Discard(ctx context.Context, side probe.Version) error {
	pods, err := c.pods.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	pods = slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool {
		return !isReleased(pod) || parkingOf(pod).Deployment != c.name(side)
	})
	return abreast(ctx, pods, func(ctx context.Context, pod *corev1.Pod) error {
		options := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}
		err := c.Typed.CoreV1().Pods(c.Namespace).Delete(ctx, pod.Name, options)
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting released pod %q: %w", pod.Name, err)
		}
		return nil
	})
}

// patchPod merges metadata into the very pod that was seen, not another of the
// same name. A pod that is gone needs nothing any more.
func (c *Cluster) patchPod(ctx context.Context, what string, pod *corev1.Pod, metadata map[string]any) error {
	patched, err := c.mergePod(ctx, pod, metadata)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s pod %q: %w", what, pod.Name, err)
	}
	c.wrotePod(patched)
	return nil
}

// wrotePod remembers our own patch of a pod.
func (c *Cluster) wrotePod(pod *corev1.Pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.patched[pod.UID] = pod.ResourceVersion
}

// mergePod sends such a patch, with what dryRun says.
func (c *Cluster) mergePod(ctx context.Context, pod *corev1.Pod, metadata map[string]any, dryRun ...string) (*corev1.Pod, error) {
	metadata["uid"] = pod.UID
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: FieldManager, DryRun: dryRun}
	return c.Typed.CoreV1().Pods(c.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch, options)
}

// seen reports whether the cache holds our own last patch of the pod.
func (c *Cluster) seen(pod *corev1.Pod) bool {
	c.mu.Lock()
	version, patched := c.patched[pod.UID]
	c.mu.Unlock()
	if !patched {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(pod.ResourceVersion, version)
	return err != nil || order >= 0
}

// podsOf are the live pods of one side's Deployment, from the cache.
func (c *Cluster) podsOf(side probe.Version) ([]*corev1.Pod, error) {
	d, err := c.deployments.Get(c.name(side))
	if err != nil {
		return nil, fmt.Errorf("reading deployment %q: %w", c.name(side), err)
	}
	sets, err := c.sets.List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("listing replicasets: %w", err)
	}
	pods, err := c.pods.List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	owners := snapshot{sets: sets}.owners()
	return slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool {
		return owners[controller(p)] != d.UID || p.DeletionTimestamp != nil || finished(p)
	}), nil
}

// leaving picks n pods: one after another from the node that has most, so that
// no node loses its last while another has two; the youngest first, which have
// the fewest old flows.
func leaving(pods []*corev1.Pod, n int) []*corev1.Pod {
	nodes := map[string][]*corev1.Pod{}
	for _, pod := range pods {
		nodes[pod.Spec.NodeName] = append(nodes[pod.Spec.NodeName], pod)
	}
	var queues [][]*corev1.Pod
	for _, queue := range nodes {
		slices.SortFunc(queue, func(a, b *corev1.Pod) int {
			return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
		})
		queues = append(queues, queue)
	}
	var picked []*corev1.Pod
	for range n {
		slices.SortFunc(queues, func(a, b []*corev1.Pod) int {
			return cmp.Or(len(b)-len(a), cmp.Compare(a[0].Spec.NodeName, b[0].Spec.NodeName))
		})
		picked = append(picked, queues[0][0])
		queues[0] = queues[0][1:]
		queues = slices.DeleteFunc(queues, func(q []*corev1.Pod) bool { return len(q) == 0 })
	}
	return picked
}

// ready reports whether the pod says that it serves.
func ready(pod *corev1.Pod) bool {
	c := condition(pod, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}
