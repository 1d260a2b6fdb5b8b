package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// countProblems says what is wrong unless there are exactly two sides.
func (s Selection) countProblems(sides []Role, stable, canary string) Problems {
	if len(sides) == 2 {
		return nil
	}
	service := s.Service
	problem := Problem{Place: service.Place}
	switch len(sides) {
	case 0:
		problem.Message = fmt.Sprintf("%s selects no Deployment (selector %s)", service.Title(), labelText(Selector(service)))
	case 1:
		if name := cmp.Or(stable, canary); name != "" && name != sides[0].Name {
			problem.Message = fmt.Sprintf("%s selects Deployment %q, and not %q", service.Title(), sides[0].Name, name)
			break
		}
		problem.Message = fmt.Sprintf("%s selects only Deployment %q: a canary needs the old version's Deployment and the new one's", service.Title(), sides[0].Name)
		problem.Hint = "add the other version's Deployment to the manifests"
	default:
		problem.Message = fmt.Sprintf("%s selects %d Deployments: %s; a canary is two", service.Title(), len(sides), names(sides))
		problem.Hint = "scale those that are not part of this rollout to 0 and leave them out of the manifests"
	}
	problems := Problems{problem}
	for _, skipped := range s.Skipped {
		if name := skipped.GetName(); skipped.GetKind() == kindDeployment && (len(sides) < 2 || name == stable || name == canary) {
			problems = append(problems, Problem{Place: skipped.Place,
				Message: fmt.Sprintf("%s is not behind %s: its pod template has labels %s, the selector wants %s",
					skipped.Title(), service.Title(), labelText(TemplateLabels(skipped)), labelText(Selector(service)))})
		}
	}
	return problems
}

// wantsPair reports whether the inputs name a Deployment that must be another one
// than the only one behind the Service.
func (s Selection) wantsPair(only Role, stable, canary string) bool {
	for _, name := range []string{stable, canary} {
		if name != "" && name != only.Name {
			return true
		}
	}
	named := stable != "" || canary != ""
	return named && slices.ContainsFunc(s.Skipped, func(o Object) bool { return o.GetKind() == kindDeployment })
}

// byName decides by the names given and reports whether sides must be swapped for
// the first to be stable. serving says that both serve, else neither does.
func (s Selection) byName(sides []Role, stable, canary string, serving bool) (bool, Problems) {
	state := "neither serves"
	if serving {
		state = "both serve"
	}
	if stable == "" && canary == "" {
		return false, Problems{{Place: s.Service.Place,
			Message: fmt.Sprintf("which of the Deployments %s is stable? %s, so it cannot be seen", names(sides), state),
			Hint:    fmt.Sprintf("write the old version's name in input \"stable\", such as stable: %s", sides[0].Name)}}
	}
	var problems Problems
	for _, given := range [][2]string{{"stable", stable}, {"canary", canary}} {
		input, name := given[0], given[1]
		if name != "" && name != sides[0].Name && name != sides[1].Name {
			problems = append(problems, Problem{
				Message: fmt.Sprintf("input %q: Deployment %q is not behind %s; candidates are %s", input, name, s.Service.Title(), names(sides))})
		}
	}
	if len(problems) > 0 {
		return false, problems
	}
	if stable != "" {
		return stable == sides[1].Name, nil
	}
	return canary == sides[0].Name, nil
}

// ignoredNames are notices about names that say otherwise than what serves.
func (r Roles) ignoredNames(stable, canary string) []string {
	if (stable == "" || stable == r.Stable.Name) && (canary == "" || canary == r.Canary.Name) {
		return nil
	}
	return []string{fmt.Sprintf("Deployment %q serves and %q does not, so %q is stable; the inputs stable and canary decide only when neither or both serve",
		r.Stable.Name, r.Canary.Name, r.Stable.Name)}
}

// problems are roles that cannot be played.
func (r Roles) problems() Problems {
	var problems Problems
	if r.Canary.Manifest == nil {
		problems = append(problems, Problem{
			Message: fmt.Sprintf("Deployment %q would be the canary, but it is in no manifest", r.Canary.Name),
			Hint:    "add its manifest, or name the Deployments the other way round in the inputs stable and canary"})
	}
	if r.Fresh && r.Stable.Manifest == nil {
		problems = append(problems, Problem{
			Message: fmt.Sprintf("Deployment %q would be stable, but it does not serve and is in no manifest", r.Stable.Name)})
	}
	return problems
}

// names lists the sides as in "a" and "b".
func names(sides []Role) string {
	var quoted []string
	for _, side := range sides {
		quoted = append(quoted, fmt.Sprintf("%q", side.Name))
	}
	return conjoin(quoted)
}

func conjoin(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
