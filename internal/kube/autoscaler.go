package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
)

// PausedAnnotation is on an autoscaler that is paused: the merge patch that ends the
// pause, so that anybody can send it. Its values are those of before the pause.
const PausedAnnotation = "l4-canary.io/paused"

// unpausing is such a patch. It removes the annotation that it stands in.
type unpausing struct {
	Metadata struct {
		Annotations     map[string]*string `json:"annotations"`
		ResourceVersion string             `json:"resourceVersion,omitempty"`
	} `json:"metadata"`
	Spec *scalerSpec `json:"spec,omitempty"`
}

// scalerSpec is what a pause changes. null removes a field.
type scalerSpec struct {
	Min      *int32                                         `json:"minReplicas"`
	Max      int32                                          `json:"maxReplicas"`
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
}

// Pause implements rollout.Autoscalers.
func (c *Cluster) Pause(ctx context.Context, most int) ([]string, error) {
	return c.patchScalers(ctx, func(s *autoscalingv2.HorizontalPodAutoscaler) (any, error) { return pausing(s, most) })
}

// pausing is the patch that pauses an autoscaler, nil if it is paused as it is to be.
// Scaling is disabled in both directions, and the bounds, which hold even so, leave
// room for every count of the rollout. At 0 replicas an autoscaler is off by itself
// as long as its minimum is not 0,
// https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/controller/podautoscaler/horizontal.go#L831-L841
func pausing(s *autoscalingv2.HorizontalPodAutoscaler, most int) (any, error) {
	noted := s.Annotations[PausedAnnotation]
	if noted != "" && disabled(s) && least(s) == 1 && int(s.Spec.MaxReplicas) >= most {
		return nil, nil //nolint:nilnil // there is nothing to do
	}
	if noted == "" {
		undo := unpausing{Spec: &scalerSpec{s.Spec.MinReplicas, s.Spec.MaxReplicas, s.Spec.Behavior}}
		undo.Metadata.Annotations = map[string]*string{PausedAnnotation: nil}
		text, err := json.Marshal(undo)
		if err != nil {
			return nil, fmt.Errorf("writing down what horizontalpodautoscaler %q says: %w", s.Name, err)
		}
		noted = string(text)
	}
	off := map[string]any{"selectPolicy": autoscalingv2.DisabledPolicySelect}
	return map[string]any{
		"metadata": map[string]any{"resourceVersion": s.ResourceVersion, "annotations": map[string]any{PausedAnnotation: noted}},
		"spec": map[string]any{
			"minReplicas": 1, "maxReplicas": max(int(s.Spec.MaxReplicas), most),
			"behavior": map[string]any{"scaleUp": off, "scaleDown": off},
		},
	}, nil
}

// Resume implements rollout.Autoscalers.
func (c *Cluster) Resume(ctx context.Context) error {
	_, err := c.patchScalers(ctx, resuming)
	return err
}

// resuming is the patch that ends the pause of an autoscaler, nil if it is not paused.
// If somebody has enabled scaling meanwhile, what they wrote stays.
func resuming(s *autoscalingv2.HorizontalPodAutoscaler) (any, error) {
	noted, paused := s.Annotations[PausedAnnotation]
	if !paused {
		return nil, nil //nolint:nilnil // there is nothing to do
	}
	var undo unpausing
	err := json.Unmarshal([]byte(noted), &undo)
	if err == nil && undo.Spec == nil {
		err = errors.New("it says nothing of before the pause")
	}
	if err != nil {
		return nil, fmt.Errorf("reading annotation %q of horizontalpodautoscaler %q: %w", PausedAnnotation, s.Name, err)
	}
	if !disabled(s) {
		undo.Spec = nil
	}
	undo.Metadata.Annotations = map[string]*string{PausedAnnotation: nil}
	undo.Metadata.ResourceVersion = s.ResourceVersion
	return undo, nil
}

// patchScalers sends a merge patch to each autoscaler of either side that needs one,
// and names them all. Their status is written every few seconds, so a conflict is
// read again.
func (c *Cluster) patchScalers(ctx context.Context, patch func(*autoscalingv2.HorizontalPodAutoscaler) (any, error)) ([]string, error) {
	var names []string
	err := retry.OnError(conflictBackoff, apierrors.IsConflict, func() error {
		scalers, err := c.scalers(ctx, c.Namespace, c.Stable, c.Canary)
		if err != nil {
			return err
		}
		names = nil
		for i := range scalers {
			names = append(names, scalers[i].Name)
			change, err := patch(&scalers[i])
			if err != nil {
				return err
			}
			if err = c.patchScaler(ctx, scalers[i].Name, change); err != nil {
				return err
			}
		}
		return nil
	})
	return names, err
}

// patchScaler sends one merge patch, unless it is nil. An autoscaler that is gone
// needs none any more.
func (c *Cluster) patchScaler(ctx context.Context, name string, change any) error {
	if change == nil {
		return nil
	}
	patch, err := json.Marshal(change)
	if err != nil {
		return err
	}
	options := metav1.PatchOptions{FieldManager: FieldManager}
	_, err = c.Typed.AutoscalingV2().HorizontalPodAutoscalers(c.Namespace).Patch(ctx, name, types.MergePatchType, patch, options)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("patching horizontalpodautoscaler %q: %w", name, err)
	}
	return nil
}

// Paused are the autoscalers of some Deployments that a rollout has paused.
func (c *Client) Paused(ctx context.Context, namespace string, deployments ...string) ([]string, error) {
	scalers, err := c.scalers(ctx, namespace, deployments...)
	var names []string
	for i := range scalers {
		if scalers[i].Annotations[PausedAnnotation] != "" {
			names = append(names, scalers[i].Name)
		}
	}
	return names, err
}

// scalers are the autoscalers of some Deployments.
func (c *Client) scalers(ctx context.Context, namespace string, deployments ...string) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
	list, err := c.Typed.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing horizontalpodautoscalers in namespace %q: %w", namespace, err)
	}
	return slices.DeleteFunc(list.Items, func(s autoscalingv2.HorizontalPodAutoscaler) bool {
		target := s.Spec.ScaleTargetRef
		return target.Kind != "Deployment" || !slices.Contains(deployments, target.Name)
	}), nil
}

// disabled reports whether an autoscaler scales in no direction.
func disabled(s *autoscalingv2.HorizontalPodAutoscaler) bool {
	b := s.Spec.Behavior
	return b != nil && off(b.ScaleUp) && off(b.ScaleDown)
}

func off(rules *autoscalingv2.HPAScalingRules) bool {
	return rules != nil && rules.SelectPolicy != nil && *rules.SelectPolicy == autoscalingv2.DisabledPolicySelect
}

// least is spec.minReplicas, which defaults to 1.
func least(s *autoscalingv2.HorizontalPodAutoscaler) int32 {
	if s.Spec.MinReplicas == nil {
		return 1
	}
	return *s.Spec.MinReplicas
}
