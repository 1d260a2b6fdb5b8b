package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// InNamespace finds the rollout's namespace and puts every object without one there.
// It is the input; else the one that Services and Deployments of the manifests name;
// else the fallback, the kubeconfig's. An object that names another namespace than the
// input does is a problem, and so are Services and Deployments in different ones. The
// error is [Problems].
func (s Set) InNamespace(input, fallback string) (Set, string, error) {
	namespace, problems := input, Problems(nil)
	if input != "" {
		problems = s.contradictions(input)
	} else {
		namespace, problems = s.ownNamespace(fallback)
	}
	if len(problems) > 0 {
		return Set{}, "", problems
	}
	result := Set{Objects: make([]Object, 0, len(s.Objects))}
	for _, object := range s.Objects {
		if object.GetNamespace() == "" && !isClusterScoped(object) {
			object = object.copied()
			object.SetNamespace(namespace)
		}
		result.Objects = append(result.Objects, object)
	}
	return result, namespace, nil
}

// contradictions are objects in another namespace than the input says.
func (s Set) contradictions(input string) Problems {
	var problems Problems
	for _, object := range s.Objects {
		if own := object.GetNamespace(); own != "" && own != input {
			problems = append(problems, Problem{Place: object.Place,
				Message: fmt.Sprintf("%s is in namespace %q, but input \"namespace\" says %q", object.Title(), own, input),
				Hint:    "take metadata.namespace out of the manifest, or leave the input out"})
		}
	}
	return problems
}

// ownNamespace is the only one that Services and Deployments name, or the fallback.
func (s Set) ownNamespace(fallback string) (string, Problems) {
	found := map[string]Place{}
	for _, object := range s.Objects {
		own := object.GetNamespace()
		if kind := object.GetKind(); own == "" || (kind != "Service" && kind != kindDeployment) {
			continue
		}
		if _, seen := found[own]; !seen {
			found[own] = object.Place
		}
	}
	all := slices.Sorted(maps.Keys(found))
	switch len(all) {
	case 0:
		return fallback, nil
	case 1:
		return all[0], nil
	}
	var words []string
	for _, own := range all {
		words = append(words, fmt.Sprintf("%q (%s)", own, found[own]))
	}
	return "", Problems{{Message: "Services and Deployments are in different namespaces: " + strings.Join(words, ", "),
		Hint: "a rollout has one namespace: leave the others' manifests out"}}
}
