package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is a way to make a lab.
type Kind string

// The kinds of providers. Auto is native where that can run, else kind.
const (
	Auto   Kind = "auto"
	Native Kind = "native"
	InKind Kind = "kind"
)

// Machine is what the choice of a provider depends on.
type Machine struct {
	OS     string // as in GOOS
	Root   bool
	Engine func() bool // whether Docker answers; asked only if it matters
}

// Choose returns the provider to take: what the flag says; or, where the flag is
// not given, what the environment variable LAB says; or what the machine can do.
func Choose(flag, env string, m Machine) (Kind, error) {
	source, value := "--provider", flag
	if value == "" {
		source, value = "LAB", env
	}
	if value == "" {
		value = string(Auto)
	}
	kinds := []Kind{Auto, Native, InKind}
	kind := Kind(value)
	if !slices.Contains(kinds, kind) {
		return "", fmt.Errorf("%s %q: must be one of %q", source, value, kinds)
	}
	obstacles := m.obstacles()
	switch {
	case kind == InKind:
		return InKind, nil
	case len(obstacles) == 0:
		return Native, nil
	case kind == Native:
		return "", fmt.Errorf("the native lab needs %s", strings.Join(obstacles, " and "))
	case m.Engine():
		return InKind, nil
	}
	return "", errors.New("no lab can run here: the native one needs " + strings.Join(obstacles, " and ") +
		", and no Docker answers that kind could use")
}

// obstacles lists what the native lab lacks.
func (m Machine) obstacles() []string {
	var lacks []string
	if m.OS != "linux" {
		lacks = append(lacks, "Linux")
	}
	if !m.Root {
		lacks = append(lacks, "root (try sudo)")
	}
	return lacks
}
