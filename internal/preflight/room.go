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
			if fit := fits(left, one); fit < extra {
				findings = append(findings, Finding{Error,
					fmt.Sprintf("ResourceQuota %q has room for %d more pods (%s: %s of %s used, %s a pod), and the rollout needs %d: %d to surge, %d while they terminate",
						quota.Name, fit, name, used(quota, name), hard.String(), one.String(), extra, f.MaxSurge, extra-f.MaxSurge),
					"raise the quota, or lower max-surge"})
			}
		}
	}
	return findings
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
	kind, request := strings.CutPrefix(string(name), "requests.")
	limit := false
	if !request {
		kind, limit = strings.CutPrefix(string(name), "limits.")
	}
	switch {
	case name == corev1.ResourcePods, name == "count/pods":
		return *resource.NewQuantity(1, resource.DecimalSI)
	case name == corev1.ResourceCPU, name == corev1.ResourceMemory:
		kind = string(name)
	case !request && !limit:
		return resource.Quantity{}
	}
	sum := resource.Quantity{}
	for _, container := range spec.Containers {
		sum.Add(f.asked(container, corev1.ResourceName(kind), limit))
	}
	return sum
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
	for _, item := range f.containerLimits() {
		defaults := item.DefaultRequest
		if limit {
			defaults = item.Default
		}
		if amount, ok := defaults[name]; ok {
			return amount
		}
	}
	return resource.Quantity{}
}

// containerLimits are what LimitRanges say of containers.
func (f Facts) containerLimits() []corev1.LimitRangeItem {
	var items []corev1.LimitRangeItem
	for i := range f.Limits {
		for _, item := range f.Limits[i].Spec.Limits {
			if item.Type == corev1.LimitTypeContainer {
				items = append(items, item)
			}
		}
	}
	return items
}

// limits are containers that the namespace's LimitRange would not let in.
func (f Facts) limits() Findings {
	if f.Resuming {
		return nil
	}
	role := f.Roles.Canary
	if f.Roles.Mode == manifest.Bootstrap {
		role = f.Roles.Stable
	}
	spec, ok := podSpec(role)
	if !ok {
		return nil
	}
	var findings Findings
	for _, item := range f.containerLimits() {
		for _, container := range spec.Containers {
			for _, name := range slices.Sorted(maps.Keys(item.Max)) {
				allowed, asked := item.Max[name], f.asked(container, name, true)
				if asked.Cmp(allowed) > 0 {
					findings = append(findings, Finding{Level: Error, Message: fmt.Sprintf(
						"Deployment %q: container %q asks for %s of %s, and a LimitRange of the namespace allows at most %s",
						role.Name, container.Name, asked.String(), name, allowed.String())})
				}
			}
			for _, name := range slices.Sorted(maps.Keys(item.Min)) {
				least, asked := item.Min[name], f.asked(container, name, false)
				if !asked.IsZero() && asked.Cmp(least) < 0 {
					findings = append(findings, Finding{Level: Error, Message: fmt.Sprintf(
						"Deployment %q: container %q asks for %s of %s, and a LimitRange of the namespace wants at least %s",
						role.Name, container.Name, asked.String(), name, least.String())})
				}
			}
		}
	}
	return findings
}

// used is how much of a quota is taken, as text.
func used(quota *corev1.ResourceQuota, name corev1.ResourceName) string {
	amount := quota.Status.Used[name]
	return amount.String()
}
