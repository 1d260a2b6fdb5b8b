package manifest

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Check is everything that can be seen to be wrong with a Service and its two roles
// before anything is written. address is the input: with one, the Service need not be a
// LoadBalancer.
func Check(service Object, roles Roles, address string) Problems {
	var problems Problems
	if !IsLoadBalancer(service) && address == "" {
		problems = append(problems, Problem{Place: service.Place,
			Message: fmt.Sprintf("%s is of type %s: there is no balancer whose split could be measured", service.Title(), serviceType(service)),
			Hint:    "write type: LoadBalancer, or give the address to sample in input \"address\""})
	}
	problems = append(problems, behindProblems(service, roles.Stable)...)
	if roles.Mode == Bootstrap {
		return problems
	}
	problems = append(problems, behindProblems(service, roles.Canary)...)
	problems = append(problems, selectorProblems(roles)...)
	return append(problems, portProblems(service, roles)...)
}

func serviceType(service Object) string {
	if kind := text(service.Object, "spec", "type"); kind != "" {
		return kind
	}
	return "ClusterIP"
}

// behindProblems says if the Service would not find the role's pods.
func behindProblems(service Object, role Role) Problems {
	if selects(Selector(service), role.Labels()) {
		return nil
	}
	return Problems{{Place: role.Current().Place,
		Message: fmt.Sprintf("Deployment %q is not behind %s: its pods have labels %s, the selector wants %s",
			role.Name, service.Title(), labelText(role.Labels()), labelText(Selector(service))),
		Hint: "give spec.template.metadata.labels all labels of the Service's selector"}}
}

// selectorProblems are selectors that miss their own pods or can match the other
// side's.
func selectorProblems(roles Roles) Problems {
	var problems Problems
	for _, pair := range [][2]Role{{roles.Stable, roles.Canary}, {roles.Canary, roles.Stable}} {
		own, other := pair[0], pair[1]
		object := own.Current()
		selector, err := podMatcher(object)
		switch {
		case err != nil:
			problems = append(problems, Problem{Place: object.Place, Message: fmt.Sprintf("Deployment %q: reading its selector: %v", own.Name, err)})
		case !selector.Matches(labels.Set(own.Labels())):
			problems = append(problems, Problem{Place: object.Place,
				Message: fmt.Sprintf("Deployment %q: its selector %s does not match its own pod template's labels %s", own.Name, selector, labelText(own.Labels())),
				Hint:    "write the same labels in spec.selector.matchLabels and spec.template.metadata.labels"})
		case roles.Mode == Pair && selector.Matches(labels.Set(other.Labels())):
			problems = append(problems, Problem{Place: object.Place,
				Message: fmt.Sprintf("Deployment %q: its selector %s also matches the pods of Deployment %q, which have labels %s",
					own.Name, selector, other.Name, labelText(other.Labels())),
				Hint: "add a label to both selectors and pod templates that differs between the two"})
		}
	}
	return problems
}

// podMatcher is a Deployment's own selector, ready to match.
func podMatcher(o Object) (labels.Selector, error) {
	selector, err := PodSelector(o)
	if err != nil {
		return nil, err
	}
	return metav1.LabelSelectorAsSelector(selector)
}
