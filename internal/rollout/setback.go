package rollout

import "fmt"

// Setback is why a rollout cannot go on: something the cluster, the balancer or
// the canary did, not a fault of the tool. It ends in a rollback, or in an abort
// if nothing was changed yet.
type Setback struct {
	Reason   Reason
	Message  string // one sentence, with the figures or the kubelet's words
	Troubles []Trouble

	// Prober is set where what samples failed, and not what is sampled: it says nothing
	// of either version, and no stage passes by it.
	Prober bool
}

// Error makes a Setback travel as an error between the engine's functions.
func (s *Setback) Error() string { return s.Message }

// DriftError is a Deployment that somebody else scaled, or changed otherwise,
// meanwhile.
type DriftError struct {
	Deployment string
	Want, Have int    // replicas
	Author     string // from managedFields, may be empty
	Change     string // where the replicas are what they were: as in "was changed by …"
}

// Error names the Deployment, the change and the author.
func (e *DriftError) Error() string {
	if e.Change != "" {
		return fmt.Sprintf("deployment %q %s while it was rolled out", e.Deployment, e.Change)
	}
	by := ""
	if e.Author != "" {
		by = " by " + e.Author
	}
	return fmt.Sprintf("deployment %q was scaled to %d%s while the rollout held it at %d", e.Deployment, e.Have, by, e.Want)
}
