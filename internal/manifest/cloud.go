package manifest

// podTargets are the annotations of a Service by which a balancer of a cloud sends
// flows to the pods themselves, with no node between:
// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/,
// https://imroc.cc/tke/en/networking/clb-to-pod-directly and
// https://www.alibabacloud.com/help/en/ack/ack-managed-and-ack-dedicated/user-guide/add-annotations-to-the-yaml-file-of-a-service-to-configure-clb-instances
var podTargets = map[string]string{
	"service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip",
	"service.beta.kubernetes.io/aws-load-balancer-type":            "nlb-ip",
	"service.cloud.tencent.com/direct-access":                      "true",
	"service.beta.kubernetes.io/backend-type":                      "eni",
}

// TargetsPods reports whether the Service's balancer sends flows to pods itself, as far
// as its annotations say.
func TargetsPods(service Object) bool {
	for name, value := range service.GetAnnotations() {
		if podTargets[name] == value && value != "" {
			return true
		}
	}
	return false
}
