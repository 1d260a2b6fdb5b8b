package preflight

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/org/l4-canary/internal/manifest"
)

// disruption warns of a budget that guards only one of the versions: an eviction
// might then take the other one's pods, and with them the split.
func (f Facts) disruption() Findings {
	if f.Roles.Mode == manifest.Bootstrap {
		return nil
	}
	var findings Findings
	for i := range f.Budgets {
		selector, err := metav1.LabelSelectorAsSelector(f.Budgets[i].Spec.Selector)
		if err != nil {
			continue
		}
		stable := selector.Matches(labels.Set(f.Roles.Stable.Labels()))
		canary := selector.Matches(labels.Set(f.Roles.Canary.Labels()))
		if stable == canary {
			continue
		}
		covered, bare := f.Roles.Stable.Name, f.Roles.Canary.Name
		if canary {
			covered, bare = bare, covered
		}
		findings = append(findings, Finding{Warning,
			fmt.Sprintf("PodDisruptionBudget %q guards the pods of %q and not those of %q: a drained node may take those at once", f.Budgets[i].Name, covered, bare),
			"let it select by a label that the pods of both have"})
	}
	return findings
}

// network warns where parking would cut the flows that it is there to keep.
func (f Facts) network() Findings {
	if !f.Parks {
		return nil
	}
	var findings Findings
	for i := range f.Policies {
		policy := &f.Policies[i]
		selectors := []*metav1.LabelSelector{&policy.Spec.PodSelector}
		for _, rule := range policy.Spec.Ingress {
			for _, peer := range rule.From {
				selectors = append(selectors, peer.PodSelector)
			}
		}
		for _, rule := range policy.Spec.Egress {
			for _, peer := range rule.To {
				selectors = append(selectors, peer.PodSelector)
			}
		}
		if label := mentioned(selectors, f.ParkLabels); label != "" {
			findings = append(findings, Finding{Warning,
				fmt.Sprintf("NetworkPolicy %q selects pods by the label %q, which pods lose before they leave: their connections would be treated otherwise from then on", policy.Name, label),
				"set input \"removal\" to terminate, or let the policy select by another label"})
		}
	}
	return findings
}

// mentioned is the first of the labels that a selector asks for.
func mentioned(selectors []*metav1.LabelSelector, parkLabels []string) string {
	for _, selector := range selectors {
		if selector == nil {
			continue
		}
		for _, label := range parkLabels {
			_, matches := selector.MatchLabels[label]
			asks := func(r metav1.LabelSelectorRequirement) bool { return r.Key == label }
			if matches || slices.ContainsFunc(selector.MatchExpressions, asks) {
				return label
			}
		}
	}
	return ""
}

// grace warns where a pod that is terminated has no time to finish its sessions.
func (f Facts) grace() Findings {
	if f.Parks || f.Roles.Mode == manifest.Bootstrap {
		return nil
	}
	var short []string
	for _, role := range []manifest.Role{f.Roles.Stable, f.Roles.Canary} {
		spec, err := manifest.PodSpec(role.Current())
		if err != nil {
			continue
		}
		grace := int64(30) // the API server's default
		if spec.TerminationGracePeriodSeconds != nil {
			grace = *spec.TerminationGracePeriodSeconds
		}
		hooked := false
		for _, container := range spec.Containers {
			hooked = hooked || container.Lifecycle != nil && container.Lifecycle.PreStop != nil
		}
		switch {
		case float64(grace) < f.Drain.Seconds():
			short = append(short, fmt.Sprintf("%q has a grace period of %d s", role.Name, grace))
		case !hooked:
			short = append(short, fmt.Sprintf("%q has no preStop hook", role.Name))
		}
	}
	if len(short) == 0 {
		return nil
	}
	return Findings{{Warning,
		fmt.Sprintf("pods leave by termination, and may end before their sessions have had %s (input \"drain\"): Deployment %s", f.Drain, strings.Join(short, ", Deployment ")),
		fmt.Sprintf("add lifecycle.preStop: {sleep: {seconds: %d}} and a terminationGracePeriodSeconds above it", int(f.Drain.Seconds()))}}
}

// bakes refuses a bake that could keep nothing warm.
func (f Facts) bakes() Findings {
	switch {
	case f.Bake == 0 || f.Roles.Mode == manifest.Bootstrap:
		return nil
	case f.MaxSurge == 0:
		return Findings{{Error, `input "bake": max-surge is 0, so no old pod may stay beside the new ones`, "set max-surge to 1 or more"}}
	case !f.Warmable:
		return Findings{{Error,
			fmt.Sprintf(`input "bake": the pods of Deployment %q cannot be parked and come back, so none can be kept warm`, f.Roles.Stable.Name),
			"let the Service select by a label that the Deployment's selector does not ask for, and only TCP ports; or leave bake out"}}
	}
	return nil
}
