package kube

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/org/l4-canary/internal/manifest"
)

// Roles are the live Deployments as internal/manifest reads them.
func (l *Live) Roles() []manifest.Live {
	var all []manifest.Live
	for i := range l.Deployments {
		d := &l.Deployments[i]
		all = append(all, manifest.Live{
			Name: d.Name, Labels: d.Spec.Template.Labels, Replicas: replicas(d), Ready: int(d.Status.ReadyReplicas),
			Object: object(d, "apps/v1", "Deployment"),
		})
	}
	return all
}

// ServiceObject is the live Service; false if there is none.
func (l *Live) ServiceObject() (manifest.Object, bool) {
	if l.Service == nil {
		return manifest.Object{}, false
	}
	return object(l.Service, "v1", "Service"), true
}

// object is a typed object as a manifest; lists leave out what kind it is.
func object(typed any, apiVersion, kind string) manifest.Object {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil { // only types that are no Kubernetes objects fail
		panic(fmt.Sprintf("converting a %s: %v", kind, err))
	}
	content["apiVersion"], content["kind"] = apiVersion, kind
	return manifest.Object{Unstructured: &unstructured.Unstructured{Object: content}}
}

// Template is a live Deployment as a manifest that brings its pods and its
// metadata back, without what only an API server can say.
func Template(live manifest.Object) *unstructured.Unstructured {
	object := live.DeepCopy()
	delete(object.Object, "status")
	unstructured.RemoveNestedField(object.Object, "spec", "replicas")
	unstructured.RemoveNestedField(object.Object, "spec", "template", "metadata", "creationTimestamp")
	metadata := map[string]any{"name": object.GetName(), "namespace": object.GetNamespace()}
	for _, field := range []string{"labels", "annotations", "ownerReferences", "finalizers"} {
		if value, ok, _ := unstructured.NestedFieldCopy(object.Object, "metadata", field); ok {
			metadata[field] = value
		}
	}
	object.Object["metadata"] = metadata
	return object
}

// maxLog is how much of a pod's log is read, however long its lines are.
const maxLog = 64 << 10

// Logs are the last lines of a pod's log: of the container's previous life if it
// crashed, for the present one often has not said anything yet.
func (c *Cluster) Logs(ctx context.Context, pod string, lines int) (string, error) {
	tail, limit := int64(lines), int64(maxLog)
	var last error
	for _, previous := range []bool{true, false} {
		options := &corev1.PodLogOptions{TailLines: &tail, LimitBytes: &limit, Previous: previous}
		stream, err := c.Typed.CoreV1().Pods(c.Namespace).GetLogs(pod, options).Stream(ctx)
		if err != nil {
			last = err
			continue
		}
		text, err := io.ReadAll(io.LimitReader(stream, maxLog)) // whatever the API server makes of the limit
		stream.Close()
		if err == nil {
			return string(text), nil
		}
		last = err
	}
	return "", fmt.Errorf("reading the log of pod %q: %w", pod, last)
}
