package preflight

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// limits are pods that a LimitRange would not let in.
func (f Facts) limits() Findings {
	role := f.newcomer()
	spec, ok := podSpec(role)
	if !ok || f.Resuming {
		return nil
	}
	var findings Findings
	for i := range f.Limits {
		for _, item := range f.Limits[i].Spec.Limits {
			findings = append(findings, f.bounded(role.Name, spec, bounds{name: f.Limits[i].Name, item: item})...)
		}
	}
	return findings
}

// bounded holds the pods of a Deployment against one item of a LimitRange.
func (f Facts) bounded(deployment string, spec corev1.PodSpec, b bounds) Findings {
	switch b.item.Type {
	case corev1.LimitTypePod:
		b.who = fmt.Sprintf("Deployment %q: the containers of a pod ask together", deployment)
		b.asked = func(name corev1.ResourceName, limit bool) resource.Quantity { return f.sum(spec, name, limit) }
		return b.findings()
	case corev1.LimitTypePersistentVolumeClaim:
		return nil
	case corev1.LimitTypeContainer:
	}
	var findings Findings
	for _, container := range containers(spec) {
		b.who = fmt.Sprintf("Deployment %q: container %q asks", deployment, container.Name)
		b.asked = func(name corev1.ResourceName, limit bool) resource.Quantity { return f.asked(container, name, limit) }
		findings = append(findings, b.findings()...)
	}
	return findings
}

// bounds are one item of a LimitRange, and what it is held against.
type bounds struct {
	name  string
	item  corev1.LimitRangeItem
	who   string
	asked func(name corev1.ResourceName, limit bool) resource.Quantity
}

// findings are limits above its most and requests below its least.
func (b bounds) findings() Findings {
	var findings Findings
	for _, name := range slices.Sorted(maps.Keys(b.item.Max)) {
		if most, limit := b.item.Max[name], b.asked(name, true); limit.Cmp(most) > 0 {
			findings = append(findings, Finding{Error,
				fmt.Sprintf("%s for %s of %s, and LimitRange %q allows at most %s", b.who, limit.String(), name, b.name, most.String()),
				fmt.Sprintf("lower resources.limits.%s, or raise the LimitRange", name)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.item.Min)) {
		if least, request := b.item.Min[name], b.asked(name, false); !request.IsZero() && request.Cmp(least) < 0 {
			findings = append(findings, Finding{Error,
				fmt.Sprintf("%s for %s of %s, and LimitRange %q wants at least %s", b.who, request.String(), name, b.name, least.String()),
				fmt.Sprintf("raise resources.requests.%s, or lower the LimitRange", name)})
		}
	}
	return findings
}
