package kube

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// smokeLabel is the only label of a smoke pod: nothing else selects it. Its value is
// the Service's name.
const smokeLabel = "l4-canary.io/smoke"

// smokeSeconds is how long a smoke pod runs at most, if whoever made it is killed.
const smokeSeconds = 15 * 60

// isSmoke reports whether a pod is the Service's smoke pod, and here to stay.
func isSmoke(pod *corev1.Pod, service *corev1.Service) bool {
	return service != nil && pod.Labels[smokeLabel] == service.Name && pod.DeletionTimestamp == nil
}

// smokePod is what one says of itself.
func smokePod(pod *corev1.Pod) rollout.SmokePod {
	s := rollout.SmokePod{Pod: pod.Name, Ready: ready(pod) && !finished(pod)}
	if t, ok := trouble(pod, probe.Canary); ok {
		s.Trouble = &t
	}
	return s
}

// errNoTemplate says that there is no manifest of a new version.
var errNoTemplate = errors.New("the manifests hold no Deployment of the new version")

// Smoke implements rollout.Smoker. The pod goes with the Lease.
func (c *Cluster) Smoke(ctx context.Context) (string, error) {
	pod, err := c.smokeOf()
	if err != nil {
		return "", fmt.Errorf("making a smoke pod of deployment %q: %w", c.Canary, err)
	}
	if lease := c.held.Load(); lease != nil {
		pod.OwnerReferences = []metav1.OwnerReference{lease.owner()}
	}
	made, err := c.Typed.CoreV1().Pods(c.Namespace).Create(ctx, pod, metav1.CreateOptions{FieldManager: FieldManager})
	if apierrors.IsForbidden(err) && overQuota(err.Error()) {
		return "", &rollout.Setback{Reason: rollout.ReasonQuota, Message: "no smoke pod can be made: " + err.Error()}
	}
	if err != nil {
		return "", fmt.Errorf("making a smoke pod of deployment %q: %w", c.Canary, err)
	}
	return made.Name, nil
}

// smokeOf is the pod that the canary's template describes, without its labels.
func (c *Cluster) smokeOf() (*corev1.Pod, error) {
	if c.CanaryManifest == nil {
		return nil, errNoTemplate
	}
	var d appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(c.CanaryManifest.Object, &d); err != nil {
		return nil, err
	}
	spec := d.Spec.Template.Spec
	spec.ActiveDeadlineSeconds = new(int64(smokeSeconds))
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: c.Canary + "-smoke-", Namespace: c.Namespace,
			Labels: map[string]string{smokeLabel: c.Service}, Annotations: d.Spec.Template.Annotations,
		},
		Spec: spec,
	}, nil
}

// Snuff implements rollout.Smoker. The pod has nothing to say good-bye to.
func (c *Cluster) Snuff(ctx context.Context) error {
	pods, err := c.Typed.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.SelectorFromSet(labels.Set{smokeLabel: c.Service}).String(),
	})
	if err != nil {
		return fmt.Errorf("listing smoke pods: %w", err)
	}
	for _, pod := range pods.Items {
		err := c.Typed.CoreV1().Pods(c.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting smoke pod %q: %w", pod.Name, err)
		}
	}
	return nil
}
