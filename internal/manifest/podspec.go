package manifest

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// PodSpec is what a Deployment's pods are made from, typed.
func PodSpec(o Object) (corev1.PodSpec, error) {
	content, _ := field(o.Object, "spec", "template", "spec").(map[string]any)
	var spec corev1.PodSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &spec); err != nil {
		return spec, fmt.Errorf("reading the pod template of %s: %w", o.Title(), err)
	}
	return spec, nil
}

// PodSelector is a Deployment's own selector.
func PodSelector(o Object) (*metav1.LabelSelector, error) {
	content, _ := field(o.Object, "spec", "selector").(map[string]any)
	var selector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &selector); err != nil {
		return nil, err
	}
	return &selector, nil
}

// HasReplicas reports whether a Deployment's manifest says how many pods it wants.
func HasReplicas(o Object) bool { return field(o.Object, "spec", "replicas") != nil }

// ConfigMaps are the names of those that a Deployment's pods read, sorted.
func ConfigMaps(o Object) []string { return namesOf(o, "ConfigMap") }

// Secrets are the names of those that a Deployment's pods read, sorted.
func Secrets(o Object) []string { return namesOf(o, "Secret") }

// namesOf are the objects of a kind that a Deployment's pods read, sorted.
func namesOf(o Object, kind string) []string {
	var names []string
	visit(o, func(found, name string) {
		if found == kind {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// visit tells of every ConfigMap and Secret that a pod template names.
func visit(o Object, found func(kind, name string)) {
	spec, err := PodSpec(o)
	if err != nil {
		return
	}
	for _, secret := range spec.ImagePullSecrets {
		found("Secret", secret.Name)
	}
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		visitEnvironment(container, found)
	}
	for _, volume := range spec.Volumes {
		if volume.ConfigMap != nil {
			found("ConfigMap", volume.ConfigMap.Name)
		}
		if volume.Secret != nil {
			found("Secret", volume.Secret.SecretName)
		}
		if volume.Projected != nil {
			visitProjected(*volume.Projected, found)
		}
	}
}

func visitProjected(projected corev1.ProjectedVolumeSource, found func(kind, name string)) {
	for _, source := range projected.Sources {
		if source.ConfigMap != nil {
			found("ConfigMap", source.ConfigMap.Name)
		}
		if source.Secret != nil {
			found("Secret", source.Secret.Name)
		}
	}
}

func visitEnvironment(container corev1.Container, found func(kind, name string)) {
	for _, from := range container.EnvFrom {
		if from.ConfigMapRef != nil {
			found("ConfigMap", from.ConfigMapRef.Name)
		}
		if from.SecretRef != nil {
			found("Secret", from.SecretRef.Name)
		}
	}
	for _, variable := range container.Env {
		if variable.ValueFrom == nil {
			continue
		}
		if ref := variable.ValueFrom.ConfigMapKeyRef; ref != nil {
			found("ConfigMap", ref.Name)
		}
		if ref := variable.ValueFrom.SecretKeyRef; ref != nil {
			found("Secret", ref.Name)
		}
	}
}
