package manifest

// Scaled is the Deployment whose replicas an object sets by itself: that of a
// HorizontalPodAutoscaler or of KEDA's ScaledObject. It is empty for all others.
func Scaled(o Object) string {
	target := text(o.Object, "spec", "scaleTargetRef", "kind")
	switch {
	case group(o) == "autoscaling" && o.GetKind() == "HorizontalPodAutoscaler":
	case IsScaledObject(o):
		if target == "" {
			target = kindDeployment
		}
	default:
		return ""
	}
	if target != kindDeployment {
		return ""
	}
	return text(o.Object, "spec", "scaleTargetRef", "name")
}

// IsScaledObject reports whether an object is KEDA's, which owns an autoscaler and
// would set it back.
func IsScaledObject(o Object) bool { return group(o) == "keda.sh" && o.GetKind() == "ScaledObject" }
