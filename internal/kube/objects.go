package kube

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/org/l4-canary/internal/rollout"
)

// objects is what a rollout's memory holds of a Target: what cannot be read from
// the cluster once the rollout is under way.
type objects struct {
	Original        *unstructured.Unstructured `json:"original"`
	Canary          *unstructured.Unstructured `json:"canary"`
	Stable          *unstructured.Unstructured `json:"stable"`
	StableParkLabel string                     `json:"stableParkLabel"`
	CanaryParkLabel string                     `json:"canaryParkLabel"`
}

// Objects are for the memory of the rollout. A pair needs none of its manifests to
// be undone.
func (t Target) Objects() (json.RawMessage, error) {
	o := objects{StableParkLabel: t.StableParkLabel, CanaryParkLabel: t.CanaryParkLabel}
	if t.Original != nil {
		o.Original, o.Canary, o.Stable = t.Original, t.CanaryManifest, t.StableManifest
	}
	data, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("writing down what the rollout would bring back: %w", err)
	}
	return data, nil
}

// Recall fills in from the memory what was there before the rollout.
func (t *Target) Recall(data json.RawMessage) error {
	var o objects
	if err := json.Unmarshal(data, &o); err != nil {
		return fmt.Errorf("reading what the rollout would bring back: %w", err)
	}
	t.StableParkLabel, t.CanaryParkLabel = o.StableParkLabel, o.CanaryParkLabel
	if o.Original != nil {
		t.Original, t.CanaryManifest, t.StableManifest = o.Original, o.Canary, o.Stable
	}
	return nil
}

// Ledger keeps the memory of a rollout in its Lease.
type Ledger struct{ Lease *Lease }

// Remember implements rollout.Ledger.
func (l Ledger) Remember(ctx context.Context, m rollout.Memory) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("writing down the state of the rollout: %w", err)
	}
	return l.Lease.Write(ctx, data)
}
