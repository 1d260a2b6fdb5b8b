package manifest

import (
	"maps"
	"slices"
)

// ParkLabel is the label without which a pod of the Deployment is behind the Service
// no longer. releases says that the Deployment's own selector needs it too: then its
// ReplicaSet lets go of a pod that loses it. It is empty if the Service selects
// nothing.
func ParkLabel(service, deployment Object) (label string, releases bool) {
	keys := slices.Sorted(maps.Keys(Selector(service)))
	if len(keys) == 0 {
		return "", false
	}
	own := selectorKeys(deployment)
	for _, key := range keys {
		if !own[key] {
			return key, false
		}
	}
	return keys[0], true
}

// selectorKeys are the labels that a Deployment's selector looks at.
func selectorKeys(deployment Object) map[string]bool {
	keys := map[string]bool{}
	for key := range stringMap(field(deployment.Object, "spec", "selector", "matchLabels")) {
		keys[key] = true
	}
	expressions, _ := field(deployment.Object, "spec", "selector", "matchExpressions").([]any)
	for _, item := range expressions {
		if expression, ok := item.(map[string]any); ok {
			keys[text(expression, "key")] = true
		}
	}
	return keys
}
