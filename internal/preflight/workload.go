package preflight

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/manifest"
)

// Mark says that a rollout of another Service works on one of the Deployments.
type Mark struct{ Deployment, Lease, Holder string }

func (f Facts) marks() Findings {
	var findings Findings
	for _, mark := range f.Marks {
		findings = append(findings, Finding{Error,
			fmt.Sprintf("Deployment %q is part of another rollout: lease %q is held by %s", mark.Deployment, mark.Lease, mark.Holder),
			"wait for it, or roll it back"})
	}
	return findings
}

// immutable are selectors that an API server would refuse to change.
func (f Facts) immutable() Findings {
	if f.Resuming {
		return nil
	}
	var findings Findings
	for _, role := range []manifest.Role{f.Roles.Stable, f.Roles.Canary} {
		live := f.deployment(role.Name)
		if live == nil || role.Manifest == nil || live.Labels[manifest.ReleaseLabel] != "" {
			continue
		}
		wanted, err := manifest.PodSelector(*role.Manifest)
		if err != nil || apiequality.Semantic.DeepEqual(wanted, live.Spec.Selector) {
			continue // an unreadable one has been named already
		}
		findings = append(findings, Finding{Error,
			fmt.Sprintf("Deployment %q: the manifests change its selector from %s to %s, and a selector cannot be changed",
				role.Name, metav1.FormatLabelSelector(live.Spec.Selector), metav1.FormatLabelSelector(wanted)),
			"keep the selector, or give the Deployment another name"})
	}
	return findings
}

// steady: stable must be at rest and serve with what the bounds promise.
func (f Facts) steady() Findings {
	var findings Findings
	for _, name := range f.sides() {
		if d := f.deployment(name); d != nil && d.Spec.Paused {
			findings = append(findings, Finding{Error,
				fmt.Sprintf("Deployment %q is paused: its pods would not follow its template", name), fmt.Sprintf("kubectl rollout resume deployment/%s", name)})
		}
	}
	stable := f.deployment(f.Roles.Stable.Name)
	if stable == nil || f.Resuming || f.Roles.Fresh || f.Roles.Mode == manifest.Bootstrap {
		return findings
	}
	if moving := movement(stable); moving != "" {
		return append(findings, Finding{Error,
			fmt.Sprintf("Deployment %q is in the middle of a rollout of its own: %s", stable.Name, moving),
			fmt.Sprintf("wait: kubectl rollout status deployment/%s", stable.Name)})
	}
	if least := max(f.Replicas-f.MaxUnavailable, 1); int(stable.Status.ReadyReplicas) < min(least, count(stable)) {
		findings = append(findings, Finding{Error,
			fmt.Sprintf("Deployment %q has %d of %d pods ready, and the rollout promises at least %d", stable.Name, stable.Status.ReadyReplicas, count(stable), least),
			"mend it first: a rollout from a broken state could not tell who broke what"})
	}
	return findings
}

// movement says how a Deployment is not at rest, empty if it is.
func movement(d *appsv1.Deployment) string {
	switch wanted := count(d); {
	case d.Status.ObservedGeneration < d.Generation:
		return "its controller has not seen its latest change"
	case int(d.Status.UpdatedReplicas) < wanted:
		return fmt.Sprintf("%d of %d pods have its template", d.Status.UpdatedReplicas, wanted)
	case int(d.Status.Replicas) > int(d.Status.UpdatedReplicas):
		return fmt.Sprintf("%d old pods are still there", d.Status.Replicas-d.Status.UpdatedReplicas)
	}
	return ""
}

// count is spec.replicas.
func count(d *appsv1.Deployment) int {
	if d.Spec.Replicas == nil {
		return 1
	}
	return int(*d.Spec.Replicas)
}

// sizes are counts in manifests that are not what is there.
func (f Facts) sizes() Findings {
	if f.Resuming {
		return nil
	}
	var findings Findings
	for _, role := range []manifest.Role{f.Roles.Stable, f.Roles.Canary} {
		live := f.deployment(role.Name)
		if live == nil || role.Manifest == nil || !manifest.HasReplicas(*role.Manifest) || live.Labels[manifest.ReleaseLabel] != "" {
			continue
		}
		if wanted := manifest.Replicas(*role.Manifest); wanted != f.Replicas && role.Serves() {
			findings = append(findings, Finding{Level: Warning, Message: fmt.Sprintf(
				"Deployment %q: the manifests say %d replicas and %d serve; the rollout keeps %d: set input \"replicas\" to change it",
				role.Name, wanted, count(live), f.Replicas)})
		}
	}
	return findings
}

// owners are tools that would put back what the rollout changes.
func (f Facts) owners() Findings {
	var findings Findings
	for _, name := range f.sides() {
		d := f.deployment(name)
		if d == nil {
			continue
		}
		for key := range d.Labels {
			if group, _, _ := strings.Cut(key, "/"); group == "kustomize.toolkit.fluxcd.io" || group == "helm.toolkit.fluxcd.io" {
				findings = append(findings, Finding{Warning,
					fmt.Sprintf("Deployment %q is managed by Flux (label %s): it would set its replicas and template back", name, key),
					"annotate it: kustomize.toolkit.fluxcd.io/reconcile: disabled"})
				break
			}
		}
		_, instance := d.Labels["argocd.argoproj.io/instance"]
		if _, tracked := d.Annotations["argocd.argoproj.io/tracking-id"]; tracked || instance {
			findings = append(findings, Finding{Warning,
				fmt.Sprintf("Deployment %q is managed by Argo CD: it would set its replicas back", name),
				`in the Application: spec.ignoreDifferences: [{group: apps, kind: Deployment, name: ` + name +
					`, jsonPointers: [/spec/replicas]}] and spec.syncPolicy.syncOptions: [RespectIgnoreDifferences=true]`})
		}
	}
	return findings
}

// PodStart is how long the pods behind the Service took from their creation until they
// were ready, the median; 0 if none is.
func (f Facts) PodStart() time.Duration {
	var took []time.Duration
	for i := range f.Pods {
		pod := &f.Pods[i]
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				took = append(took, condition.LastTransitionTime.Sub(pod.CreationTimestamp.Time))
			}
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)/2]
}
