package preflight

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/manifest"
)

// Mark says that a rollout of another Service works on one of the Deployments.
type Mark struct {
	Deployment     string
	Service, Lease string
	Holder         string // who is at work; empty: the rollout waits to be gone on with
}

func (f Facts) marks() Findings {
	var findings Findings
	for _, mark := range f.Marks {
		state := "remembers that it is unfinished"
		if mark.Holder != "" {
			state = "is held by " + mark.Holder
		}
		findings = append(findings, Finding{Error,
			fmt.Sprintf("Deployment %q is part of a rollout of Service %q: lease %q %s", mark.Deployment, mark.Service, mark.Lease, state),
			fmt.Sprintf("wait until it has ended, or: l4-canary rollback --namespace %s --service %s", f.Namespace, mark.Service)})
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
				fmt.Sprintf("Deployment %q is paused: its pods would not follow its template", name),
				fmt.Sprintf("kubectl -n %s rollout resume deployment/%s", f.Namespace, name)})
		}
	}
	stable := f.deployment(f.Roles.Stable.Name)
	if stable == nil || f.Resuming || f.Roles.Fresh || f.Roles.Mode == manifest.Bootstrap {
		return findings
	}
	if moving := movement(stable); moving != "" {
		return append(findings, Finding{Error,
			fmt.Sprintf("Deployment %q is in the middle of a rollout of its own: %s", stable.Name, moving),
			fmt.Sprintf("wait until it is through: kubectl -n %s rollout status deployment/%s", f.Namespace, stable.Name)})
	}
	if least := max(f.Replicas-f.MaxUnavailable, 1); int(stable.Status.ReadyReplicas) < min(least, count(stable)) {
		findings = append(findings, Finding{Error,
			fmt.Sprintf("Deployment %q has %d of %d pods ready, and the rollout promises at least %d", stable.Name, stable.Status.ReadyReplicas, count(stable), least),
			fmt.Sprintf("mend it first, or a rollout could not tell who broke what: kubectl -n %s get pods -l %s",
				f.Namespace, metav1.FormatLabelSelector(stable.Spec.Selector))})
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
