package preflight

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/org/l4-canary/internal/manifest"
)

// scaler is something that sets the replicas of one side by itself.
type scaler struct {
	name   string
	target string // Deployment
	keda   bool   // it belongs to KEDA, which would set it back
	live   bool
}

// String is the scaler as a message names it.
func (s scaler) String() string {
	if s.keda {
		return "KEDA's ScaledObject " + s.name
	}
	return "HorizontalPodAutoscaler " + s.name
}

// scalers are those of either side, live ones before those that only the manifests
// hold.
func (f Facts) scalers() []scaler {
	var found []scaler
	add := func(s scaler) {
		known := func(other scaler) bool { return other.String() == s.String() && other.target == s.target }
		if slices.Contains(f.sides(), s.target) && !slices.ContainsFunc(found, known) {
			found = append(found, s)
		}
	}
	for i := range f.Scalers {
		live := &f.Scalers[i]
		if live.Spec.ScaleTargetRef.Kind != "Deployment" {
			continue
		}
		s := scaler{name: live.Name, target: live.Spec.ScaleTargetRef.Name, live: true}
		for _, owner := range live.OwnerReferences {
			if owner.Kind == "ScaledObject" {
				s.name, s.keda = owner.Name, true
			}
		}
		add(s)
	}
	for _, object := range f.Others {
		if object.GetAnnotations()[kedaPaused] == "true" {
			continue
		}
		add(scaler{name: object.GetName(), target: manifest.Scaled(object), keda: manifest.IsScaledObject(object)})
	}
	return found
}

// Autoscaled reports whether there is an autoscaler that can be paused.
func (f Facts) Autoscaled() bool {
	return slices.ContainsFunc(f.scalers(), func(s scaler) bool { return !s.keda })
}

// autoscaled: two writers of one count would fight.
func (f Facts) autoscaled() Findings {
	var findings Findings
	scaled := map[string]bool{}
	for _, s := range f.scalers() {
		scaled[s.target] = scaled[s.target] || !s.keda
		findings = append(findings, f.judgeScaler(s))
	}
	stable, canary := f.Roles.Stable.Name, f.Roles.Canary.Name
	if f.Pauses && f.Roles.Mode == manifest.Pair && scaled[stable] && !scaled[canary] {
		findings = append(findings, Finding{Error,
			fmt.Sprintf("Deployment %q has an autoscaler and Deployment %q has none: after the rollout nothing would scale the pods that serve", stable, canary),
			fmt.Sprintf("add a HorizontalPodAutoscaler for %q to the manifests; it takes effect when the rollout has ended", canary)})
	}
	return findings
}

// judgeScaler says what one autoscaler means for the rollout. KEDA owns its
// autoscaler and writes to it, so only KEDA itself can pause it: told to, it deletes
// the autoscaler until it goes on,
// https://github.com/kedacore/keda/blob/main/controllers/keda/scaledobject_controller.go (reconcileScaledObject)
func (f Facts) judgeScaler(s scaler) Finding {
	fight := fmt.Sprintf("%s scales Deployment %q: it would change the counts that are the weights", s, s.target)
	counts := s.target == f.Roles.Stable.Name && f.countsCopy()
	switch {
	case s.keda:
		return Finding{Error, fight, fmt.Sprintf(
			"kubectl annotate scaledobject %[1]s %[2]s=true, and afterwards %[2]s-; where the manifests hold it, it needs the annotation there", s.name, kedaPaused)}
	case !f.Pauses && counts:
		return Finding{Error, fight + fmt.Sprintf(", and its selector counts the pods of %q too", f.Roles.Canary.Name), pauseHint}
	case !f.Pauses:
		return Finding{Error, fight, pauseHint}
	case !s.live:
		return Finding{Level: Notice, Message: fmt.Sprintf("%s of Deployment %q is applied when the rollout has ended", s, s.target)}
	}
	message := fmt.Sprintf("%s of Deployment %q is paused while the rollout lasts: no load changes the number of pods", s, s.target)
	switch {
	case counts:
		message += fmt.Sprintf("; that it counts the pods of %q too has no effect meanwhile", f.Roles.Canary.Name)
	case f.Deletes && s.target == f.Roles.Stable.Name:
		message += "; it stays when the Deployment is deleted (finish: delete)"
	}
	return Finding{Level: Notice, Message: message}
}

// kedaPaused is the annotation by which KEDA lets the counts alone.
const kedaPaused = "autoscaling.keda.sh/paused"

const pauseHint = `set input "hpa" to pause: it cannot scale then until the rollout has ended, and gets back what it says now`

// countsCopy reports whether stable's selector, by which an autoscaler finds pods,
// matches those of its copy.
func (f Facts) countsCopy() bool {
	stable := f.deployment(f.Roles.Stable.Name)
	if f.Roles.Mode != manifest.Single || stable == nil {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(stable.Spec.Selector)
	return err == nil && selector.Matches(labels.Set(f.Roles.Canary.Labels()))
}
