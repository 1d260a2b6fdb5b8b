package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/org/l4-canary/internal/probe"
)

// KeptAnnotation is on a failing pod that was set aside, and says why, as JSON.
const KeptAnnotation = "l4-canary.io/kept"

// kept is the content of KeptAnnotation.
type kept struct {
	Because    string            `json:"because"`
	At         time.Time         `json:"at"`
	Deployment string            `json:"deployment"` // that the pod was of
	Labels     map[string]string `json:"labels"`     // that it had
}

// Keep implements rollout.Keeper. Every label goes: whatever selects pods would have
// a say in this one otherwise. Without its owner and without labels no controller
// counts it, none adopts it, and it does not go with its Deployment.
func (c *Cluster) Keep(ctx context.Context, side probe.Version, because string, silent bool) (string, error) {
	var name string
	// A pod whose status is being written may be about to serve: it is looked at again.
	err := retry.OnError(conflictBackoff, apierrors.IsConflict, func() error {
		if done, err := c.isKept(ctx, name); done || err != nil {
			return err
		}
		pods, err := c.podsOf(side)
		if apierrors.IsNotFound(err) {
			return nil // without a Deployment there are no pods
		}
		if err != nil {
			return err
		}
		pod := worst(pods, side, silent)
		if pod == nil {
			name = ""
			return nil
		}
		name = pod.Name
		note, err := json.Marshal(kept{because, time.Now().UTC().Truncate(time.Second), c.name(side), pod.Labels})
		if err != nil {
			return err
		}
		patched, err := c.mergePod(ctx, pod, map[string]any{
			"resourceVersion": pod.ResourceVersion, "labels": nil, "ownerReferences": nil,
			"annotations": map[string]any{KeptAnnotation: string(note)},
		})
		if err != nil {
			return err
		}
		c.wrotePod(patched)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("keeping pod %q: %w", name, err)
	}
	return name, nil
}

// isKept reports whether the pod of an earlier try was set aside, though nobody heard of
// it: another one would go as well.
func (c *Cluster) isKept(ctx context.Context, name string) (bool, error) {
	if name == "" {
		return false, nil
	}
	// Listed, which any rollout may do, where reading one takes another right.
	list, err := c.Typed.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list.Items, func(pod corev1.Pod) bool {
		return pod.Name == name && pod.Annotations[KeptAnnotation] != ""
	}), nil
}

// worst is the pod that is worth being looked at: none that is ready, and of the
// others first those that are beyond help, then those that say what is wrong, then,
// where a silent one counts, the oldest.
func worst(pods []*corev1.Pod, side probe.Version, silent bool) *corev1.Pod {
	rank := func(pod *corev1.Pod) int {
		t, says := trouble(pod, side)
		switch {
		case ready(pod) || isParked(pod) || !says && !silent:
			return 0
		case t.Fatal:
			return 3
		case says:
			return 2
		}
		return 1
	}
	sorted := slices.Clone(pods)
	slices.SortFunc(sorted, func(a, b *corev1.Pod) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	var found *corev1.Pod
	for _, pod := range sorted {
		if r := rank(pod); r > 0 && (found == nil || r > rank(found)) {
			found = pod
		}
	}
	return found
}
