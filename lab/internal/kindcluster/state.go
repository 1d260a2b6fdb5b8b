package kindcluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/process"
)

// layout is where the files of one lab lie.
type layout struct{ dir string }

func (l layout) state() string             { return filepath.Join(l.dir, "lab.json") }
func (l layout) config() string            { return filepath.Join(l.dir, "config") }
func (l layout) registries() string        { return filepath.Join(l.dir, "registries") }
func (l layout) mirror() string            { return filepath.Join(l.registries(), "_default", "hosts.toml") }
func (l layout) audit() string             { return filepath.Join(l.dir, "audit") }
func (l layout) auditLog() string          { return filepath.Join(l.audit(), "audit.log") }
func (l layout) logs() string              { return filepath.Join(l.dir, "log") }
func (l layout) log(process string) string { return filepath.Join(l.logs(), process+".log") }

func (l layout) kubeconfig(user cluster.User) string {
	return filepath.Join(l.dir, string(user)+".kubeconfig")
}

// state is what is remembered of a lab.
type state struct {
	Options   cluster.Options  `json:"options"`
	Index     int              `json:"index"`
	Complete  bool             `json:"complete"` // Up came to its end
	Registry  string           `json:"registry"`
	Pools     []netip.Prefix   `json:"pools"`
	Processes []process.Record `json:"processes"`
}

func (s state) alive() bool {
	return s.Complete && !slices.ContainsFunc(s.Processes, func(r process.Record) bool { return !r.Running() })
}

func (p *Provider) at(name string) layout { return layout{filepath.Join(p.StateRoot, name)} }

// load reads a lab's state; cluster.ErrNotFound if there is none.
func (p *Provider) load(name string) (state, error) {
	data, err := os.ReadFile(p.at(name).state())
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, cluster.NotFound(name)
	}
	var s state
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return state{}, fmt.Errorf("reading the state of lab %q: %w", name, err)
	}
	return s, nil
}

// save writes a lab's state, whole or not at all.
func (p *Provider) save(s state) error {
	path := p.at(s.Options.Name).state()
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	return os.Rename(path+".new", path)
}

// forget removes a lab's folder, and the root if it was the last.
func (p *Provider) forget(name string) error {
	if err := os.RemoveAll(p.at(name).dir); err != nil {
		return fmt.Errorf("removing the files of lab %q: %w", name, err)
	}
	_ = os.Remove(p.StateRoot) // stays unless it is empty
	return nil
}

// freeIndex is the lowest index that no lab has.
func (p *Provider) freeIndex() (int, error) {
	entries, err := os.ReadDir(p.StateRoot)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("listing labs: %w", err)
	}
	taken := map[int]bool{}
	for _, entry := range entries {
		s, err := p.load(entry.Name())
		if errors.Is(err, cluster.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, err
		}
		taken[s.Index] = true
	}
	index := 0
	for taken[index] {
		index++
	}
	return index, nil
}
