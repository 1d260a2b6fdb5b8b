package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/manifest"
)

// Change is an object that applying the manifests would make or change.
type Change struct {
	Kind, Name string
	Fields     []string // that differ, such as "data.motd"; none: it is not there yet
}

// String is the object and what is different about it.
func (c Change) String() string {
	if len(c.Fields) == 0 {
		return fmt.Sprintf("%s %q (new)", c.Kind, c.Name)
	}
	return fmt.Sprintf("%s %q (%s)", c.Kind, c.Name, strings.Join(c.Fields, ", "))
}

// Reach names what takes effect on the stable pods the moment it is applied.
func (f Facts) Reach() Findings {
	var findings Findings
	for _, change := range f.Changes {
		serves := change.Kind == "Service" && change.Name == f.Service.GetName()
		if len(change.Fields) == 0 || !serves && !uses(f.Roles.Stable.Current(), change) {
			continue
		}
		findings = append(findings, Finding{Level: Notice, Message: fmt.Sprintf(
			"%s %q reaches stable now; rollback does not undo it: %s changes", change.Kind, change.Name, strings.Join(change.Fields, ", "))})
	}
	return findings
}

// uses reports whether a Deployment's pods read a ConfigMap or Secret.
func uses(deployment manifest.Object, change Change) bool {
	switch change.Kind {
	case "ConfigMap":
		return slices.Contains(manifest.ConfigMaps(deployment), change.Name)
	case "Secret":
		return slices.Contains(manifest.Secrets(deployment), change.Name)
	}
	return false
}

// balancing is what makes a Service unfit for a measured split.
func (f Facts) balancing() Findings {
	var findings Findings
	title := f.Service.Title()
	if manifest.PublishesUnready(f.Service) {
		findings = append(findings, Finding{Error,
			title + " has publishNotReadyAddresses: flows reach pods that are not ready, so no pod could come or leave unnoticed", "set publishNotReadyAddresses: false"})
	}
	if manifest.IsSticky(f.Service) && !f.ReportShare {
		findings = append(findings, Finding{Error,
			title + " has sessionAffinity ClientIP: one runner is one client, and always reaches the same pod, so its split cannot be seen", "set sessionAffinity: None, or share-gate: report to do without"})
	}
	if manifest.IsLocal(f.Service) {
		findings = append(findings, Finding{Warning,
			title + " has externalTrafficPolicy Local: each node's pods share that node's flows, so the split depends on where the pods run",
			"spread both versions evenly over the nodes, or set externalTrafficPolicy: Cluster"})
	}
	return findings
}

// serviceChange refuses changes of the live Service that move flows at once.
func (f Facts) serviceChange() Findings {
	if f.Live == nil || f.Resuming {
		return nil
	}
	var findings Findings
	if wanted := manifest.Selector(f.Service); !maps.Equal(wanted, f.Live.Spec.Selector) {
		findings = append(findings, Finding{Error,
			fmt.Sprintf("%s: the manifests change its selector from %s to %s, which would move all flows at once",
				f.Service.Title(), metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: f.Live.Spec.Selector}),
				metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: wanted})),
			"change it apart from a rollout"})
	}
	for _, port := range manifest.ServicePorts(f.Service) {
		for _, live := range f.Live.Spec.Ports {
			if int(live.Port) != port.Number || string(live.Protocol) != port.Protocol || live.TargetPort.String() == port.TargetPort {
				continue
			}
			findings = append(findings, Finding{Error,
				fmt.Sprintf("%s: the manifests change the targetPort of port %d/%s from %s to %s, which would move its flows at once",
					f.Service.Title(), port.Number, port.Protocol, live.TargetPort.String(), port.TargetPort),
				"give both versions the same container port, or change it apart from a rollout"})
		}
	}
	return findings
}

// strangers are pods behind the Service that the rollout could not count.
func (f Facts) strangers() Findings {
	owners := map[string]string{} // ReplicaSet → Deployment, "" without one
	for i := range f.ReplicaSets {
		owners[f.ReplicaSets[i].Name] = ""
		if owner := metav1.GetControllerOf(&f.ReplicaSets[i]); owner != nil {
			owners[f.ReplicaSets[i].Name] = owner.Name
		}
	}
	var findings Findings
	said := map[string]bool{}
	for i := range f.Pods {
		pod := &f.Pods[i]
		if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		whose := "no controller"
		if owner := metav1.GetControllerOf(pod); owner != nil {
			whose = owner.Kind + " " + owner.Name
			if deployment, ok := owners[owner.Name]; ok && owner.Kind == "ReplicaSet" {
				if slices.Contains(f.sides(), deployment) || deployment == "" && f.HandingOver {
					continue
				}
				if deployment != "" {
					whose = "Deployment " + deployment
				}
			}
		}
		if said[whose] {
			continue
		}
		said[whose] = true
		findings = append(findings, Finding{Error,
			fmt.Sprintf("pod %q of %s is behind %s too, and would take a share of its flows", pod.Name, whose, f.Service.Title()),
			fmt.Sprintf("scale it away, or give it labels that the selector %s does not match",
				metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: manifest.Selector(f.Service)}))})
	}
	return findings
}
