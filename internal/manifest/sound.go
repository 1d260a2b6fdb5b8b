package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// objectProblems are what makes an object unusable here, whatever a cluster would say
// of it.
func objectProblems(o Object) Problems {
	missing := ""
	switch {
	case text(o.Object, "apiVersion") == "":
		missing = "apiVersion"
	case text(o.Object, "kind") == "":
		missing = "kind"
	case text(o.Object, "metadata", "name") == "":
		missing = "metadata.name"
	}
	if missing != "" {
		problem := Problem{Place: o.Place, Message: missing + " is missing or not a text"}
		if text(o.Object, "metadata", "generateName") != "" {
			problem.Hint = "write metadata.name: a generated name would make a new object each time"
		}
		return Problems{problem}
	}
	problems := labelProblems(o)
	switch {
	case o.GetKind() == "Service" && group(o) == "":
		problems = append(problems, shapeProblems(o, "spec")...)
	case o.GetKind() == kindDeployment && isWorkload(o):
		if o.GetAPIVersion() != "apps/v1" {
			problems = append(problems, Problem{Place: o.Place,
				Message: fmt.Sprintf("%s: API version %q is unknown", o.Title(), o.GetAPIVersion()), Hint: "write apiVersion: apps/v1"})
			break
		}
		problems = append(problems, shapeProblems(o, "spec", "spec.selector", "spec.template", "spec.template.spec")...)
	}
	return problems
}

// shapeProblems are objects that must be there and are not.
func shapeProblems(o Object, paths ...string) Problems {
	for _, path := range paths {
		if inner, _ := field(o.Object, strings.Split(path, ".")...).(map[string]any); inner == nil {
			return Problems{{Place: o.Place, Message: fmt.Sprintf("%s: %s is missing or not an object", o.Title(), path)}}
		}
	}
	return nil
}

// labelProblems are labels that are not text: unquoted numbers and booleans, which no
// selector would match.
func labelProblems(o Object) Problems {
	paths := []string{"metadata.labels", "metadata.annotations"}
	if isWorkload(o) {
		paths = append(paths, "spec.template.metadata.labels", "spec.selector.matchLabels")
	}
	if o.GetKind() == "Service" && group(o) == "" {
		paths = append(paths, "spec.selector")
	}
	var problems Problems
	for _, path := range paths {
		labels, _ := field(o.Object, strings.Split(path, ".")...).(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(labels)) {
			if labels[name] == nil {
				problems = append(problems, Problem{Place: o.Place, Message: fmt.Sprintf("%s: %s has %s without a value", o.Title(), path, name),
					Hint: fmt.Sprintf("an empty one is written as a text: %s: \"\"", name)})
			} else if _, ok := labels[name].(string); !ok {
				problems = append(problems, Problem{Place: o.Place,
					Message: fmt.Sprintf("%s: %s has %s: %v, which is not a text", o.Title(), path, name, labels[name]),
					Hint:    fmt.Sprintf("put it in quotes: %s: \"%v\"", name, labels[name])})
			}
		}
	}
	return problems
}
