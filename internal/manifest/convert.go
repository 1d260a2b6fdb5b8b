package manifest

import (
	"fmt"
	"maps"
	"math"
	"strings"
)

// legacy is what a removed API version filled in for a Deployment.
type legacy struct {
	fromLabels       bool // labels and selector came from the pod template
	history          int64
	progressDeadline int64
	bound            any // maxSurge and maxUnavailable
}

// legacyDefaults are those of extensions/v1beta1, apps/v1beta1 and apps/v1beta2, as in
//
//	https://github.com/kubernetes/kubernetes/blob/v1.15.0/pkg/apis/extensions/v1beta1/defaults.go
//	https://github.com/kubernetes/kubernetes/blob/v1.15.0/pkg/apis/apps/v1beta1/defaults.go
//	https://github.com/kubernetes/kubernetes/blob/v1.15.0/pkg/apis/apps/v1beta2/defaults.go
//
// The largest int32 means "no limit" there, and still does in apps/v1.
func legacyDefaults(apiVersion string) (legacy, bool) {
	switch apiVersion {
	case "extensions/v1beta1":
		return legacy{fromLabels: true, history: math.MaxInt32, progressDeadline: math.MaxInt32, bound: int64(1)}, true
	case "apps/v1beta1":
		return legacy{fromLabels: true, history: 2, progressDeadline: 600, bound: "25%"}, true
	case "apps/v1beta2":
		return legacy{history: 10, progressDeadline: 600, bound: "25%"}, true
	}
	return legacy{}, false
}

// modernise turns a Deployment of an API version that Kubernetes 1.16 removed into
// apps/v1 with its old defaults explicit. Any other object comes back as it is, without
// a notice.
func modernise(o Object) (Object, *Notice) {
	old := o.GetAPIVersion()
	defaults, removed := legacyDefaults(old)
	spec, _ := field(o.Object, "spec").(map[string]any)
	if !removed || o.GetKind() != kindDeployment || spec == nil {
		return o, nil
	}
	o = o.copied()
	filled := defaults.fill(o.Object)
	o.SetAPIVersion("apps/v1")
	if text(o.Object, "spec", "strategy", "type") == "RollingUpdate" {
		filled = append(filled, defaults.fillBounds(o.Object)...)
	}
	delete(o.Object, "status")
	message := fmt.Sprintf("%s: %s was removed in Kubernetes 1.16; read as apps/v1", o.Title(), old)
	spec, _ = field(o.Object, "spec").(map[string]any)
	if _, dropped := spec["rollbackTo"]; dropped {
		delete(spec, "rollbackTo")
		message += " without spec.rollbackTo"
	}
	if len(filled) > 0 {
		message += fmt.Sprintf(" with the defaults of %s: %s", old, strings.Join(filled, ", "))
	}
	return o, &Notice{Place: o.Place, Message: message}
}

// fill makes the defaults explicit that hold for every strategy, and says which.
func (l legacy) fill(content map[string]any) []string {
	var filled []string
	labels, _ := field(content, "spec", "template", "metadata", "labels").(map[string]any)
	if l.fromLabels && len(labels) > 0 {
		if own, _ := field(content, "metadata", "labels").(map[string]any); len(own) == 0 {
			set(content, maps.Clone(labels), "metadata", "labels")
			filled = append(filled, "metadata.labels as in the pod template")
		}
		if setDefault(content, map[string]any{"matchLabels": maps.Clone(labels)}, "spec", "selector") {
			filled = append(filled, "selector as the pod template's labels")
		}
	}
	for _, d := range []struct {
		name  string
		value any
		path  []string
	}{
		{"replicas", int64(1), []string{"spec", "replicas"}},
		{"strategy.type", "RollingUpdate", []string{"spec", "strategy", "type"}},
		{"revisionHistoryLimit", l.history, []string{"spec", "revisionHistoryLimit"}},
		{"progressDeadlineSeconds", l.progressDeadline, []string{"spec", "progressDeadlineSeconds"}},
	} {
		if setDefault(content, d.value, d.path...) {
			filled = append(filled, fmt.Sprintf("%s %v", d.name, d.value))
		}
	}
	return filled
}

// fillBounds makes the bounds of a rolling update explicit, and says which.
func (l legacy) fillBounds(content map[string]any) []string {
	var filled []string
	for _, name := range []string{"maxSurge", "maxUnavailable"} {
		if setDefault(content, l.bound, "spec", "strategy", "rollingUpdate", name) {
			filled = append(filled, fmt.Sprintf("%s %v", name, l.bound))
		}
	}
	return filled
}

// setDefault sets a field that is absent or null, and reports whether it did.
func setDefault(content map[string]any, value any, path ...string) bool {
	return field(content, path...) == nil && set(content, value, path...)
}

// set sets a field and makes the objects around it where they are absent or null. It
// reports false, and changes nothing, if one of them is something else.
func set(content map[string]any, value any, path ...string) bool {
	for _, name := range path[:len(path)-1] {
		inner, ok := content[name].(map[string]any)
		if !ok {
			if content[name] != nil {
				return false
			}
			inner = map[string]any{}
			content[name] = inner
		}
		content = inner
	}
	content[path[len(path)-1]] = value
	return true
}
