package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/org/l4-canary/lab/internal/cache"
	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/kindcluster"
	"github.com/org/l4-canary/lab/internal/native"
)

// cluster returns the provider to work with.
func (a *app) cluster(ctx context.Context) (cluster.Provider, error) {
	if err := cluster.ValidateName(a.name); err != nil {
		return nil, usageError{err}
	}
	machine := cluster.Machine{
		OS:     runtime.GOOS,
		Root:   os.Geteuid() == 0,
		Engine: func() bool { return engineAnswers(ctx) },
	}
	kind, err := cluster.Choose(a.provider, a.getenv("LAB"), machine)
	if err != nil {
		return nil, usageError{err}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	dir, err := cache.Dir(a.getenv)
	if err != nil {
		return nil, err
	}
	store := cache.Store{Dir: dir, Progress: a.out}
	if kind == cluster.InKind {
		return &kindcluster.Provider{
			StateRoot: filepath.Join(dir, "kind"), // kind needs no root, so neither must its state
			Source:    a.sources,
			Store:     store,
			Self:      self,
			Out:       a.out,
			Grant:     native.GrantRestricted,
		}, nil
	}
	return &native.Provider{
		StateRoot: native.DefaultStateRoot,
		Source:    a.sources,
		Store:     store,
		Self:      self,
		Out:       a.out,
	}, nil
}

// sources is the checkout to build from.
func (a *app) sources() (string, error) {
	dir := a.source
	if dir == "" {
		dir = a.getenv("L4_LAB_SOURCE")
	}
	if dir == "" {
		var err error
		if dir, err = os.Getwd(); err != nil {
			return "", fmt.Errorf("finding the sources of the lab: %w", err)
		}
	}
	return cache.Root(dir)
}

// engineAnswers tells whether a container engine is there that kind can use.
func engineAnswers(ctx context.Context) bool {
	return exec.CommandContext(ctx, "docker", "info").Run() == nil
}
