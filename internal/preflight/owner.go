package preflight

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/org/l4-canary/internal/manifest"
)

// owners are tools that would put back what the rollout changes.
func (f Facts) owners() Findings {
	var findings Findings
	for _, name := range f.sides() {
		d := f.deployment(name)
		if d == nil {
			continue
		}
		if label, hint := f.flux(d); label != "" {
			findings = append(findings, Finding{Warning,
				fmt.Sprintf("Deployment %q is managed by Flux (label %s): it would set its replicas and template back", name, label), hint})
		}
		if isArgo(d) {
			findings = append(findings, Finding{Warning,
				fmt.Sprintf("Deployment %q is managed by Argo CD: it would set %s back", name, f.changed()),
				fmt.Sprintf("in the Application: spec.ignoreDifferences: [{group: apps, kind: Deployment, name: %s, jsonPointers: [%s]}] and spec.syncPolicy.syncOptions: [RespectIgnoreDifferences=true]",
					name, f.pointers())})
		}
	}
	return findings
}

// flux is the label by which one of Flux's controllers knows a Deployment, empty if it
// does not, and how to make it leave the rollout alone,
// https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
// https://fluxcd.io/flux/components/helm/helmreleases/#ignore-rules
func (f Facts) flux(d *appsv1.Deployment) (label, hint string) {
	for key := range d.Labels {
		switch group, _, _ := strings.Cut(key, "/"); group {
		case "kustomize.toolkit.fluxcd.io":
			return group, fmt.Sprintf("kubectl -n %s annotate deployment/%s kustomize.toolkit.fluxcd.io/reconcile=disabled", f.Namespace, d.Name)
		case "helm.toolkit.fluxcd.io":
			return group, fmt.Sprintf("in the HelmRelease: spec.driftDetection.ignore: [{paths: [%s], target: {kind: Deployment, name: %s}}]", f.pointers(), d.Name)
		}
	}
	return "", ""
}

func isArgo(d *appsv1.Deployment) bool {
	_, instance := d.Labels["argocd.argoproj.io/instance"]
	_, tracked := d.Annotations["argocd.argoproj.io/tracking-id"]
	return tracked || instance
}

// changed is what a rollout does to a Deployment that somebody else manages.
func (f Facts) changed() string {
	if f.Roles.Mode == manifest.Single {
		return "its replicas and template"
	}
	return "its replicas"
}

// pointers are the same as JSON pointers.
func (f Facts) pointers() string {
	pointers := []string{"/spec/replicas"}
	if f.Roles.Mode == manifest.Single {
		pointers = slices.Concat(pointers, []string{"/spec/template"})
	}
	return strings.Join(pointers, ", ")
}
