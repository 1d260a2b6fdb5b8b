package rollout

import (
	"context"
	"encoding/json"
	"fmt"
)

// Memory is what it takes to go on with a rollout, or to undo it, from another
// process. It is written before each move.
type Memory struct {
	SchemaVersion  int    `json:"schemaVersion"`
	Release        string `json:"release"`
	Mode           Mode   `json:"mode"`
	Finish         Finish `json:"finish"`
	Stable         string `json:"stable"` // Deployments
	Canary         string `json:"canary"`
	Replicas       int    `json:"replicas"`
	MaxSurge       int    `json:"maxSurge"`
	MaxUnavailable int    `json:"maxUnavailable"`

	Removals   Removals        `json:"removals"`
	PodTargets bool            `json:"podTargets"`
	Baseline   *Baseline       `json:"baseline"`
	Passed     Percent         `json:"passed"` // the last target whose stage passed
	Phase      Phase           `json:"phase"`
	Lessons    []Lesson        `json:"lessons,omitempty"` // by port, where there are no patterns
	Objects    json.RawMessage `json:"objects"`           // the cluster's own: what to bring back

	Autoscaled bool `json:"autoscaled,omitempty"` // autoscalers are paused while it lasts
	Undoing    bool `json:"undoing,omitempty"`    // it is being rolled back, and no other way is left
}

// memoryVersion is the Memory that this program reads and writes.
const memoryVersion = 1

// Phase is how far a rollout has come.
type Phase string

// The phases, in the order in which a rollout goes through them. Rolling back is
// none: what there is to undo stays the same until it is done, so it is Undoing
// beside the phase.
const (
	PhaseStages      Phase = "stages"
	PhaseHeld        Phase = "held"
	PhaseBaking      Phase = "baking"
	PhaseAdopting    Phase = "adopting"
	PhaseHandingOver Phase = "handing over"
	PhasePromoted    Phase = "promoted"
)

// ReadMemory reads what a rollout remembers; nil data is nil.
func ReadMemory(data []byte) (*Memory, error) {
	if data == nil {
		return nil, nil //nolint:nilnil // there is nothing to remember
	}
	var m Memory
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("reading the state of the rollout: %w", err)
	}
	if m.SchemaVersion != memoryVersion {
		return nil, fmt.Errorf("reading the state of the rollout: its schemaVersion is %d, and this version of l4-canary reads %d", m.SchemaVersion, memoryVersion)
	}
	return &m, nil
}

// Unfinished reports whether the rollout wants to be gone on with, or undone to the
// end. One that was rolled back leaves no memory.
func (m *Memory) Unfinished() bool { return m != nil && (m.Phase != PhasePromoted || m.Undoing) }

// adopted reports whether stable's Deployment has, or may have, the new template.
func (m *Memory) adopted() bool {
	return m.Mode == Single && (m.Phase == PhaseAdopting || m.Phase == PhaseHandingOver || m.Phase == PhasePromoted)
}

// Ledger keeps the memory outside of the process.
type Ledger interface {
	// Remember replaces what is kept. Nothing may be moved after it failed.
	Remember(ctx context.Context, m Memory) error
}

// remember writes down how far the rollout has come.
func (r *run) remember(ctx context.Context, phase Phase) error {
	r.memory.Phase = phase
	if r.Ledger == nil {
		return nil
	}
	return r.Ledger.Remember(ctx, r.memory)
}

// recall is the memory that a run begins with: what was found, or a new one.
func (r *run) recall() Memory {
	if r.Memory != nil {
		m := *r.Memory
		m.Autoscaled = m.Autoscaled || r.Autoscalers != nil
		return m
	}
	return Memory{
		SchemaVersion: memoryVersion, Release: r.Record.Release, Mode: r.Mode, Finish: r.Finish,
		Stable: r.Record.Stable.Deployment, Canary: r.Record.Canary.Deployment,
		Replicas: r.Plan.Replicas, MaxSurge: r.Plan.MaxSurge, MaxUnavailable: r.Plan.MaxUnavailable,
		Removals: r.Removals, PodTargets: r.PodTargets, Objects: r.Objects, Autoscaled: r.Autoscalers != nil,
	}
}
