package preflight

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// limits are pods that the namespace's LimitRange would not let in.
func (f Facts) limits() Findings {
	role := f.newcomer()
	spec, ok := podSpec(role)
	if !ok || f.Resuming {
		return nil
	}
	var findings Findings
	for _, item := range f.limitsOf(corev1.LimitTypeContainer) {
		for _, container := range spec.Containers {
			who := fmt.Sprintf("Deployment %q: container %q asks", role.Name, container.Name)
			findings = append(findings, within(who, item, func(name corev1.ResourceName, limit bool) resource.Quantity {
				return f.asked(container, name, limit)
			})...)
		}
	}
	for _, item := range f.limitsOf(corev1.LimitTypePod) {
		who := fmt.Sprintf("Deployment %q: the containers of a pod ask together", role.Name)
		findings = append(findings, within(who, item, func(name corev1.ResourceName, limit bool) resource.Quantity {
			return f.sum(spec, name, limit)
		})...)
	}
	return findings
}

// within says what is outside of one item of a LimitRange: limits above its most,
// requests below its least.
func within(who string, item corev1.LimitRangeItem, asked func(name corev1.ResourceName, limit bool) resource.Quantity) Findings {
	var findings Findings
	for _, name := range slices.Sorted(maps.Keys(item.Max)) {
		if most, limit := item.Max[name], asked(name, true); limit.Cmp(most) > 0 {
			findings = append(findings, Finding{Error,
				fmt.Sprintf("%s for %s of %s, and a LimitRange of the namespace allows at most %s", who, limit.String(), name, most.String()),
				fmt.Sprintf("lower resources.limits.%s, or raise the LimitRange", name)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(item.Min)) {
		if least, request := item.Min[name], asked(name, false); !request.IsZero() && request.Cmp(least) < 0 {
			findings = append(findings, Finding{Error,
				fmt.Sprintf("%s for %s of %s, and a LimitRange of the namespace wants at least %s", who, request.String(), name, least.String()),
				fmt.Sprintf("raise resources.requests.%s, or lower the LimitRange", name)})
		}
	}
	return findings
}

// limitsOf are what LimitRanges say of containers, or of pods.
func (f Facts) limitsOf(kind corev1.LimitType) []corev1.LimitRangeItem {
	var items []corev1.LimitRangeItem
	for i := range f.Limits {
		for _, item := range f.Limits[i].Spec.Limits {
			if item.Type == kind {
				items = append(items, item)
			}
		}
	}
	return items
}
