package manifest

import (
	"slices"
	"strings"
)

// WithReplicas is a copy of a Deployment with spec.replicas set.
func WithReplicas(o Object, replicas int) Object {
	result := o.copied()
	set(result.Object, int64(replicas), "spec", "replicas")
	return result
}

// Replicas is spec.replicas of a Deployment; 1 where it is absent, as the API server
// reads it.
func Replicas(o Object) int {
	if value := field(o.Object, "spec", "replicas"); value != nil {
		return number(value)
	}
	return 1
}

// Images are the images of a Deployment's containers, init containers first, each
// once.
func Images(o Object) []string {
	var images []string
	for _, container := range containers(o, "initContainers", "containers") {
		if image, _ := container["image"].(string); image != "" && !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	return images
}

// Floating reports whether an image's name says nothing of its version: its tag is
// latest, or there is neither tag nor digest.
func Floating(image string) bool {
	name := image[strings.LastIndexByte(image, '/')+1:]
	if strings.Contains(image, "@") {
		return false
	}
	_, tag, tagged := strings.Cut(name, ":")
	return !tagged || tag == "latest"
}

// containers are the containers of a workload's pod template, from the given lists.
func containers(o Object, lists ...string) []map[string]any {
	var found []map[string]any
	for _, list := range lists {
		items, _ := field(o.Object, "spec", "template", "spec", list).([]any)
		for _, item := range items {
			if container, ok := item.(map[string]any); ok {
				found = append(found, container)
			}
		}
	}
	return found
}

// TemplateLabels are the labels of the pods a workload makes; for a Pod its own.
func TemplateLabels(o Object) map[string]string {
	if o.GetKind() == "Pod" {
		return o.GetLabels()
	}
	path := []string{"spec", "template", "metadata", "labels"}
	if o.GetKind() == "CronJob" {
		path = slices.Concat([]string{"spec", "jobTemplate"}, path)
	}
	return stringMap(field(o.Object, path...))
}

// field is the value at a path, nil where there is none.
func field(content map[string]any, path ...string) any {
	var value any = content
	for _, key := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[key]
	}
	return value
}

// text is the string at a path, empty where there is none.
func text(content map[string]any, path ...string) string {
	s, _ := field(content, path...).(string)
	return s
}

// stringMap are the entries of a map that are strings.
func stringMap(value any) map[string]string {
	entries, _ := value.(map[string]any)
	if entries == nil {
		return nil
	}
	result := make(map[string]string, len(entries))
	for key, entry := range entries {
		if s, ok := entry.(string); ok {
			result[key] = s
		}
	}
	return result
}
