package manifest

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// group is the API group of an object, empty for the core.
func group(o Object) string {
	gv, err := schema.ParseGroupVersion(o.GetAPIVersion())
	if err != nil {
		return ""
	}
	return gv.Group
}

// isWorkload reports whether an object makes pods or is one.
func isWorkload(o Object) bool {
	switch group(o) {
	case "", "apps", "extensions", "batch":
	default:
		return false
	}
	switch o.GetKind() {
	case kindDeployment, "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod", "Job", "CronJob":
		return true
	}
	return false
}

// isClusterScoped reports whether objects of a well-known kind live outside
// namespaces.
func isClusterScoped(o Object) bool {
	switch o.GetKind() {
	case "Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "PersistentVolume",
		"StorageClass", "PriorityClass", "RuntimeClass", "IngressClass", "APIService", "Node", "CSIDriver", "VolumeAttributesClass",
		"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
		"PodSecurityPolicy":
		return true
	}
	return false
}

// order is the sequence in which objects can be created: what others refer to comes
// first.
func order() []string {
	return []string{
		"Namespace", "PriorityClass", "RuntimeClass", "ResourceQuota", "LimitRange", "NetworkPolicy", "PodDisruptionBudget",
		"CustomResourceDefinition", "ServiceAccount", "Secret", "ConfigMap",
		"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
		"StorageClass", "PersistentVolume", "PersistentVolumeClaim",
		"Endpoints", "EndpointSlice", "Service",
	}
}

// rank is an object's position in order; kinds it does not list come last.
func rank(o Object) int {
	kinds := order()
	if i := slices.Index(kinds, o.GetKind()); i >= 0 {
		return i
	}
	return len(kinds)
}
