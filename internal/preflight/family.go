package preflight

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/org/l4-canary/internal/manifest"
)

// families: a pod without an address of a family that the Service has would leave the
// flows of that family to the others, and the split of each would be another one.
func (f Facts) families() Findings {
	wanted := manifest.Families(f.Service)
	if f.Live != nil && len(wanted) == 0 {
		for _, family := range f.Live.Spec.IPFamilies {
			wanted = append(wanted, string(family))
		}
	}
	var findings Findings
	for _, family := range wanted {
		var without []string
		for i := range f.Pods {
			if pod := &f.Pods[i]; serves(pod) && !hasFamily(pod, family) {
				without = append(without, fmt.Sprintf("%q", pod.Name))
			}
		}
		if len(without) > 0 {
			findings = append(findings, Finding{Error,
				fmt.Sprintf("%s has family %s, and these pods have no address of it: %s", f.Service.Title(), family, strings.Join(without, ", ")),
				"restart pods that are older than the second family (kubectl rollout restart), or leave that family out of the Service"})
		}
	}
	return findings
}

// serves reports whether a pod has addresses and stays.
func serves(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning && len(pod.Status.PodIPs) > 0
}

func hasFamily(pod *corev1.Pod, family string) bool {
	return slices.ContainsFunc(pod.Status.PodIPs, func(ip corev1.PodIP) bool {
		return strings.Contains(ip.IP, ":") == (family == string(corev1.IPv6Protocol))
	})
}
