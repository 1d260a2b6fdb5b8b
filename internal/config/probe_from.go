package config

import "fmt"

func (r *reader) probeFrom() string { return r.choice("probe-from", "runner", "cluster") }

// mostFromCluster is how many flows a second a pod can tell of: each is a line in its
// log, of which a node keeps some megabytes.
const mostFromCluster = 1000

// fromCluster checks what goes with a prober that is a pod.
func (r *reader) fromCluster(o Rollout) {
	if o.ProbeFrom != "cluster" {
		if o.ProbeImage != "" && r.sound("probe-from", "probe-image") {
			r.reject("probe-image", "it goes with probe-from: cluster")
		}
		return
	}
	if o.HoldOpen > 0 && r.sound("hold-open") {
		r.reject("hold-open", "it has to be 0 with probe-from: cluster: a pod that samples lives for one window, and held flows outlast them all")
	}
	if o.Rate > mostFromCluster && r.sound("rate") {
		r.reject("rate", fmt.Sprintf("flows per second, up to %d with probe-from: cluster", mostFromCluster))
	}
}
