package kube

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AllRights are those of every kind of rollout, preflight included: the Role of the
// README, with what it takes to probe from inside the cluster or without.
func (c *Client) AllRights(inside bool) []Right {
	rights := c.Rights(Target{}, Use{Creates: true, Deletes: true, Parks: true, Orphans: true, Pauses: true, Asks: true, Smokes: true, Inside: inside})
	for _, verb := range []string{"create", "patch"} {
		rights = append(rights, Right{verb, "", "services", ""}) // of the manifests
	}
	rights = append(rights, Right{"create", "events.k8s.io", "events", ""}) // of the Service; a rollout does without
	for group, resources := range map[string][]string{
		"": {"events", "resourcequotas", "limitranges"}, "autoscaling": {"horizontalpodautoscalers"},
		"policy": {"poddisruptionbudgets"}, "networking.k8s.io": {"networkpolicies"},
	} {
		for _, resource := range resources {
			rights = append(rights, Right{"list", group, resource, ""})
		}
	}
	return rights
}

// Role is a manifest that grants rights in a namespace.
func Role(namespace string, rights []Right) string {
	verbs := map[string][]string{}
	for _, right := range rights {
		resource := right.Resource
		if right.Subresource != "" {
			resource += "/" + right.Subresource
		}
		key := right.Group + " " + resource
		if !slices.Contains(verbs[key], right.Verb) {
			verbs[key] = append(verbs[key], right.Verb)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: l4-canary\n  namespace: %s\nrules:\n", namespace)
	for _, key := range slices.Sorted(maps.Keys(verbs)) {
		group, resource, _ := strings.Cut(key, " ")
		slices.Sort(verbs[key])
		fmt.Fprintf(&b, "  - {apiGroups: [%q], resources: [%s], verbs: [%s]}\n", group, resource, strings.Join(verbs[key], ", "))
	}
	return b.String()
}
