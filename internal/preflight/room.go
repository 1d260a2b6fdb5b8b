package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/org/l4-canary/internal/manifest"
)

// extra is how many pods there are at most beside the R of stable: the surge, and
// those of one batch that terminate, which a quota counts until they are gone.
func (f Facts) extra() int { return f.MaxSurge + max(f.MaxSurge+f.MaxUnavailable, 1) }

// quota is whether the namespace has room for the surge. Quotas with a scope apply to
// some pods only and are left to the API server.
func (f Facts) quota() Findings {
	if f.Resuming || f.Roles.Mode == manifest.Bootstrap {
		return nil
	}
	spec, ok := podSpec(f.Roles.Canary)
	if !ok {
		return nil
	}
	extra := f.extra()
	var findings Findings
	for i := range f.Quotas {
		quota := &f.Quotas[i]
		if len(quota.Spec.Scopes) > 0 || quota.Spec.ScopeSelector != nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(quota.Status.Hard)) {
			one := f.consumption(spec, name)
			if one.IsZero() {
				continue
			}
			hard, left := quota.Status.Hard[name], quota.Status.Hard[name].DeepCopy()
			left.Sub(quota.Status.Used[name])
			beside := ""
			if f.Prober != nil {
				left.Sub(f.consumption(*f.Prober, name))
				beside = " beside the prober's"
			}
			if fit := fits(left, one); fit < extra {
				findings = append(findings, Finding{Error,
					fmt.Sprintf("ResourceQuota %q has room for %d more pods%s (%s: %s of %s used, %s a pod), and the rollout needs %d: %d to surge, %d while they terminate",
						quota.Name, fit, beside, name, used(quota, name), hard.String(), one.String(), extra, f.MaxSurge, extra-f.MaxSurge),
					"raise the quota, or lower max-surge"})
			}
		}
	}
	return findings
}

// unmeasured are containers that a quota would not let in because they do not say what
// they take, https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/quota/v1/evaluator/core/pods.go#L112
func (f Facts) unmeasured() Findings {
	spec, ok := podSpec(f.newcomer())
	if !ok || f.Resuming || saysForAll(spec) {
		return nil
	}
	var findings Findings
	for i := range f.Quotas {
		quota := &f.Quotas[i]
		if len(quota.Spec.Scopes) > 0 || quota.Spec.ScopeSelector != nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(quota.Status.Hard)) {
			kind, limit, measured := measure(name)
			if !measured {
				continue
			}
			field := "requests"
			if limit {
				field = "limits"
			}
			for _, container := range containers(spec) {
				if amount := f.asked(container, kind, limit); amount.IsZero() {
					findings = append(findings, Finding{Error,
						fmt.Sprintf("ResourceQuota %q counts %s, and container %q of Deployment %q does not say how much it takes: its pods would be refused",
							quota.Name, name, container.Name, f.newcomer().Name),
						fmt.Sprintf("write resources.%s.%s for it, or give the namespace a LimitRange with defaults", field, kind)})
				}
			}
		}
	}
	return findings
}

// newcomer is the side whose pods are to come.
func (f Facts) newcomer() manifest.Role {
	if f.Roles.Mode == manifest.Bootstrap {
		return f.Roles.Stable
	}
	return f.Roles.Canary
}

// measure is what a quota's resource counts of a container: its request of a kind, or
// its limit. It is false for everything else.
func measure(name corev1.ResourceName) (kind corev1.ResourceName, limit, ok bool) {
	text, request := strings.CutPrefix(string(name), "requests.")
	if !request {
		text, limit = strings.CutPrefix(string(name), "limits.")
	}
	kind = corev1.ResourceName(text)
	return kind, limit, kind == corev1.ResourceCPU || kind == corev1.ResourceMemory
}

// podSpec is false for a template that cannot be read: the API server says what is
// wrong with it.
func podSpec(role manifest.Role) (corev1.PodSpec, bool) {
	spec, err := manifest.PodSpec(role.Object())
	return spec, err == nil
}

// fits is how often one goes into what is left.
func fits(left, one resource.Quantity) int {
	if left.Sign() <= 0 {
		return 0
	}
	return int(left.MilliValue() / max(one.MilliValue(), 1))
}

// consumption is how much of a quota's resource one pod takes.
func (f Facts) consumption(spec corev1.PodSpec, name corev1.ResourceName) resource.Quantity {
	if name == corev1.ResourcePods || name == "count/pods" {
		return *resource.NewQuantity(1, resource.DecimalSI)
	}
	kind, limit, measured := measure(name)
	if !measured {
		return resource.Quantity{}
	}
	return f.sum(spec, kind, limit)
}

// sum is the most that a pod asks for at once: its containers and the sidecars beside
// them together, or an init container and the sidecars before it. What the pod says for
// all of them goes before that,
// https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/component-helpers/resource/helpers.go (PodRequests)
func (f Facts) sum(spec corev1.PodSpec, kind corev1.ResourceName, limit bool) resource.Quantity {
	if amount, ok := whole(spec, limit)[kind]; ok {
		return amount
	}
	var together, most resource.Quantity
	for _, container := range spec.InitContainers {
		amount := f.asked(container, kind, limit)
		if sidecar := container.RestartPolicy; sidecar != nil && *sidecar == corev1.ContainerRestartPolicyAlways {
			together.Add(amount)
			continue
		}
		beside := together.DeepCopy()
		if beside.Add(amount); beside.Cmp(most) > 0 {
			most = beside
		}
	}
	for _, container := range spec.Containers {
		together.Add(f.asked(container, kind, limit))
	}
	if together.Cmp(most) > 0 {
		most = together
	}
	return most
}

// whole are the requests or the limits of a pod as one, where it says any.
func whole(spec corev1.PodSpec, limit bool) corev1.ResourceList {
	switch {
	case spec.Resources == nil:
		return nil
	case limit:
		return spec.Resources.Limits
	}
	return spec.Resources.Requests
}

// saysForAll reports whether a pod says what it takes as one: then a quota asks nothing of
// its containers. A cluster from before 1.34 may not know how, and refuses the pods itself.
func saysForAll(spec corev1.PodSpec) bool { return len(whole(spec, false))+len(whole(spec, true)) > 0 }

// containers are all that a quota and a LimitRange look at, each by itself.
func containers(spec corev1.PodSpec) []corev1.Container {
	return slices.Concat(spec.InitContainers, spec.Containers)
}

// asked is a container's request or limit, with the namespace's defaults.
func (f Facts) asked(container corev1.Container, name corev1.ResourceName, limit bool) resource.Quantity {
	limits, requests := container.Resources.Limits, container.Resources.Requests
	if amount, ok := requests[name]; ok && !limit {
		return amount
	}
	if amount, ok := limits[name]; ok {
		return amount // a limit without a request is the request as well
	}
	for i := range f.Limits {
		for _, item := range f.Limits[i].Spec.Limits {
			defaults := item.DefaultRequest
			if limit {
				defaults = item.Default
			}
			if amount, ok := defaults[name]; ok && item.Type == corev1.LimitTypeContainer {
				return amount
			}
		}
	}
	return resource.Quantity{}
}

// used is how much of a quota is taken, as text.
func used(quota *corev1.ResourceQuota, name corev1.ResourceName) string {
	amount := quota.Status.Used[name]
	return amount.String()
}
