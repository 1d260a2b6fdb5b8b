package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/org/l4-canary/lab/internal/address"
	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/lock"
	"github.com/org/l4-canary/lab/internal/network"
	"github.com/org/l4-canary/lab/internal/process"
)

// State is what is remembered of a lab, in lab.json.
type State struct {
	Options    cluster.Options  `json:"options"`
	Index      int              `json:"index"`
	Complete   bool             `json:"complete"`             // Up came to its end
	Node       string           `json:"node"`                 // path of the Kubernetes binary
	HashPolicy []string         `json:"hashPolicy,omitempty"` // the machine's, before the first lab with two nodes
	Processes  []process.Record `json:"processes"`
}

func (s State) plan() (address.Plan, error) {
	return address.New(s.Index, s.Options.Nodes, s.Options.DualStack)
}

func (s State) topology() (network.Topology, error) {
	plan, err := s.plan()
	return network.Topology{Name: s.Options.Name, Index: s.Index, Plan: plan}, err
}

func (s State) alive() bool {
	return s.Complete && !slices.ContainsFunc(s.Processes, func(r process.Record) bool { return !r.Running() })
}

func (p *Provider) at(name string) layout {
	return layout{dir: filepath.Join(p.StateRoot, name), name: name}
}

// load reads a lab's state; cluster.ErrNotFound if there is none.
func (p *Provider) load(name string) (State, error) {
	data, err := os.ReadFile(p.at(name).state())
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, cluster.NotFound(name)
	}
	if err != nil {
		return State{}, fmt.Errorf("reading the state of lab %q: %w", name, err)
	}
	var state State
	if err := json.Unmarshal(data, &state); err != nil {
		return State{}, fmt.Errorf("reading the state of lab %q: %w", name, err)
	}
	return state, nil
}

// save writes a lab's state, whole or not at all.
func (p *Provider) save(state State) error {
	path := p.at(state.Options.Name).state()
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	return os.Rename(path+".new", path)
}

// all loads the states of all labs.
func (p *Provider) all() ([]State, error) {
	entries, err := os.ReadDir(p.StateRoot)
	if err != nil {
		return nil, fmt.Errorf("listing labs: %w", err)
	}
	var states []State
	for _, entry := range entries {
		state, err := p.load(entry.Name())
		if errors.Is(err, cluster.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		states = append(states, state)
	}
	return states, nil
}

// freeIndex is the lowest index that no lab has.
func freeIndex(labs []State) int {
	index := 0
	for slices.ContainsFunc(labs, func(s State) bool { return s.Index == index }) {
		index++
	}
	return index
}

// lock makes the state's root and takes its lock: labs come and go one by one.
// The lock goes with the process, however that ends.
func (p *Provider) lock(ctx context.Context) (unlock func(), err error) {
	for {
		file, err := p.tryLock()
		if err != nil {
			return nil, fmt.Errorf("locking %q: %w", p.StateRoot, err)
		}
		if file != nil {
			return func() {
				_ = os.Remove(p.StateRoot) // stays unless it is empty
				_ = file.Close()
			}, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another lab command: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tryLock returns nil if another process has the lock, or has just removed what
// we opened.
func (p *Provider) tryLock() (*os.File, error) {
	if err := os.MkdirAll(p.StateRoot, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.Open(p.StateRoot)
	if err != nil {
		return nil, err
	}
	if locked, err := lock.Try(dir, p.StateRoot); !locked {
		return nil, err
	}
	return dir, nil
}
