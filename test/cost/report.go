// Package cost measures what a whole rollout costs: its time, beside the least that it
// could take and beside the same by hand; its calls of the API; its memory. What it
// computes is here, and runs anywhere. What runs on a cluster has the build tag e2e.
package cost

import (
	"encoding/json"
	"fmt"
	"time"
)

// Report is what is read of a rollout's JSON report.
type Report struct {
	Outcome string
	Message string
	Removal string
	Rate    float64 // flows a second that were asked for, over all ports
	Stages  []Stage
}

// Stage is one of its stages.
type Stage struct {
	Name  string // as in "baseline", or the target as in "12.5"
	Ports []Port
}

// Port is how many flows to one port were judged.
type Port struct{ Samples int }

// ReadReport reads the report of a rollout that went well: another tells nothing of what
// one costs.
func ReadReport(data []byte) (Report, error) {
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("reading the report: %w", err)
	}
	if r.Outcome != "promoted" || r.Rate <= 0 || len(r.Stages) == 0 {
		return r, fmt.Errorf("the rollout ended as %q at %g flows a second: %s", r.Outcome, r.Rate, r.Message)
	}
	return r, nil
}

// Flows of a stage, over all ports.
func (s Stage) Flows() int {
	n := 0
	for _, port := range s.Ports {
		n += port.Samples
	}
	return n
}

// each is the flows to the port that had the most.
func (s Stage) each() int {
	most := 0
	for _, port := range s.Ports {
		most = max(most, port.Samples)
	}
	return most
}

// Each is how often every port has to be asked, stage by stage, for as many flows.
func (r Report) Each() []int {
	var flows []int
	for _, stage := range r.Stages {
		flows = append(flows, stage.each())
	}
	return flows
}

// stage is the one of a part of the log; the zero value if the part is none.
func (r Report) stage(part string) Stage {
	for _, s := range r.Stages {
		if part == s.Name || part == "stage "+s.Name+" %" {
			return s
		}
	}
	return Stage{}
}

// sampling is how long so many flows take at the rate.
func (r Report) sampling(flows int) time.Duration {
	return time.Duration(float64(flows) / r.Rate * float64(time.Second))
}
