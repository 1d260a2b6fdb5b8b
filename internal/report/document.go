package report

import (
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// schemaVersion is of all three documents. It rises when a field changes its
// meaning or goes; new fields leave it.
const schemaVersion = 1

// planDocument is what `plan --output json` prints; docs/schema/plan.schema.json.
type planDocument struct {
	SchemaVersion  int            `json:"schemaVersion"`
	Replicas       int            `json:"replicas"`
	MaxSurge       int            `json:"maxSurge"`
	MaxUnavailable int            `json:"maxUnavailable"`
	Stages         []plannedStage `json:"stages"`
	Problems       []string       `json:"problems"`
	Forecast       planForecast   `json:"forecast"`
}

// planForecast is what a plan is likely to take.
type planForecast struct {
	Baseline estimate   `json:"baseline"`
	Stages   []estimate `json:"stages"` // as the plan's
	Total    estimate   `json:"total"`
}

// estimate holds flows and seconds.
type estimate struct {
	Probes     int      `json:"probes"`
	MaxProbes  int      `json:"maxProbes"`
	Seconds    *float64 `json:"seconds"`
	MaxSeconds *float64 `json:"maxSeconds"`
}

// plannedStage holds pods and percent.
type plannedStage struct {
	Target  *float64 `json:"target"`
	Stable  int      `json:"stable"`
	Canary  int      `json:"canary"`
	Planned *float64 `json:"planned"`
	Error   *float64 `json:"error"`
}

// sampleDocument is what `sample --output json` prints; docs/schema/sample.schema.json.
type sampleDocument struct {
	SchemaVersion int `json:"schemaVersion"`
	sampleFigures
}

// sampleFigures are counts of flows, shares in percent, times in milliseconds.
type sampleFigures struct {
	Samples int `json:"samples"`
	Stable  int `json:"stable"`
	Canary  int `json:"canary"`
	figures
}

// figures are those of a sample that a stage has under the same names.
type figures struct {
	Unknown  int              `json:"unknown"`
	Errors   errorFigures     `json:"errors"`
	NotSent  int              `json:"notSent"`
	Observed *float64         `json:"observed"`
	Interval *[2]float64      `json:"interval"`
	Wilson   *[2]float64      `json:"wilson"`
	Expected *float64         `json:"expected"`
	Verdict  *rollout.Verdict `json:"verdict"`
	Reason   *rollout.Reason  `json:"reason"`
	Latency  latencyFigures   `json:"latency"`
	Rate     *float64         `json:"rate"`
	Seed     uint64           `json:"seed"`
}

type errorFigures struct {
	Refused  int `json:"refused"`
	Reset    int `json:"reset"`
	Timeout  int `json:"timeout"`
	Protocol int `json:"protocol"`
	Local    int `json:"local"`
}

type latencyFigures struct {
	Stable *quantiles `json:"stable"`
	Canary *quantiles `json:"canary"`
}

type quantiles struct {
	P50 *float64 `json:"p50"`
	P95 *float64 `json:"p95"`
	P99 *float64 `json:"p99"`
}

// reportDocument is the JSON report; docs/schema/report.schema.json.
type reportDocument struct {
	SchemaVersion  int               `json:"schemaVersion"`
	Outcome        *rollout.Outcome  `json:"outcome"`
	Reason         *rollout.Reason   `json:"reason"`
	Message        string            `json:"message"`
	Namespace      string            `json:"namespace"`
	Service        string            `json:"service"`
	Mode           string            `json:"mode"`
	Release        string            `json:"release"`
	Replicas       int               `json:"replicas"`
	MaxSurge       int               `json:"maxSurge"`
	MaxUnavailable int               `json:"maxUnavailable"`
	Removal        string            `json:"removal"`
	StartedAt      *string           `json:"startedAt"`
	FinishedAt     *string           `json:"finishedAt"`
	Stages         []stageDocument   `json:"stages"`
	HeldFlows      *heldDocument     `json:"heldFlows"` // null without hold-open
	NotReached     []*float64        `json:"notReached"`
	Stable         sideDocument      `json:"stable"`
	Canary         sideDocument      `json:"canary"`
	Addresses      []string          `json:"addresses"`
	Tolerance      *float64          `json:"tolerance"`
	Confidence     *float64          `json:"confidence"`
	Rate           *float64          `json:"rate"`
	Seed           uint64            `json:"seed"`
	ProbeFrom      *string           `json:"probeFrom"` // runner, cluster
	Inside         bool              `json:"inside"`    // flows began inside the cluster: kube-proxy alone was measured
	ShareGate      *string           `json:"shareGate"`
	Learned        []learnedDocument `json:"learned"` // by port; empty where patterns tell the versions apart
	Troubles       []troubleDocument `json:"troubles"`
	Rollback       *rollbackDocument `json:"rollback"`
	KeptPod        *string           `json:"keptPod"`
	Notices        []string          `json:"notices"`
	Paused         []string          `json:"pausedAutoscalers"`
	Version        string            `json:"version"`
}

// stageDocument holds the plan's fields, then the figures of the port that
// decided. Both have a stable and a canary: here they are the plan's pods, and
// the flows are stableFlows and canaryFlows.
type stageDocument struct {
	Name string `json:"name"`
	plannedStage
	Port        *string `json:"port"`
	Samples     int     `json:"samples"`
	StableFlows int     `json:"stableFlows"`
	CanaryFlows int     `json:"canaryFlows"`
	figures             // verdict and reason are the stage's own

	NotMeasured        *string         `json:"notMeasured"` // why the port has no share
	Band               *[2]float64     `json:"band"`
	Detail             string          `json:"detail"`
	MoveSeconds        *float64        `json:"moveSeconds"`
	DrainSeconds       *float64        `json:"drainSeconds"` // of moveSeconds
	PropagationSeconds *float64        `json:"propagationSeconds"`
	SamplingSeconds    *float64        `json:"samplingSeconds"`
	Gates              []gateDocument  `json:"gates"`
	Ports              []portDocument  `json:"ports"`
	Queries            []queryDocument `json:"queries"`
	After              *afterDocument  `json:"after"` // null: nothing was sampled after the verdict
}

// afterDocument is what was sampled after a stage's verdict.
type afterDocument struct {
	Name    string         `json:"name"` // queries, pause, bake
	Seconds *float64       `json:"seconds"`
	Ports   []portDocument `json:"ports"`
}

// gateDocument is one judgement that a stage had to pass.
type gateDocument struct {
	Name    string          `json:"name"` // share, errors, latency, restarts, metrics, pods
	Port    *string         `json:"port"` // null where no port is concerned
	Verdict rollout.Verdict `json:"verdict"`
	Reason  rollout.Reason  `json:"reason"`
}

// portDocument is what sampling one port told.
type portDocument struct {
	Port string `json:"port"`
	sampleFigures
	NotMeasured *string           `json:"notMeasured"`
	Band        *[2]float64       `json:"band"`
	Addresses   []addressDocument `json:"addresses"`
	Pods        []podDocument     `json:"pods"`
	Evidence    *rollout.Evidence `json:"evidence"` // null where nobody judged
}

// learnedDocument says what tells the versions apart on a port, or why nothing does.
type learnedDocument struct {
	Port string  `json:"port"`
	By   *string `json:"by"`
	Why  *string `json:"why"`
}

type addressDocument struct {
	Address string `json:"address"`
	Stable  int    `json:"stable"`
	Canary  int    `json:"canary"`
	Unknown int    `json:"unknown"`
	Failed  int    `json:"failed"`
}

type podDocument struct {
	Pod     string        `json:"pod"`
	Version probe.Version `json:"version"`
	Flows   int           `json:"flows"`
}

type sideDocument struct {
	Deployment string   `json:"deployment"`
	Images     []string `json:"images"`
	Replicas   int      `json:"replicas"`
	Ready      int      `json:"ready"`
}

type troubleDocument struct {
	Pod      string         `json:"pod"`
	Side     probe.Version  `json:"side"`
	Reason   rollout.Reason `json:"reason"`
	Message  string         `json:"message"`
	Since    *string        `json:"since"`
	Restarts int            `json:"restarts"`
	Fatal    bool           `json:"fatal"`
}

type rollbackDocument struct {
	Seconds *float64 `json:"seconds"`
	Stable  int      `json:"stable"`
	Canary  int      `json:"canary"`
	Error   *string  `json:"error"`
}
