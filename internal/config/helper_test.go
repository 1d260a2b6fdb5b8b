package config_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
)

// env is an environment that a test holds in its hand.
type env map[string]string

func (e env) get(name string) string { return e[name] }

func (e env) list() []string {
	var entries []string
	for name, value := range e {
		entries = append(entries, name+"="+value)
	}
	return entries
}

// load reads the inputs of a command that were given as flags.
func load(t *testing.T, command string, flags map[string]string) config.Values {
	t.Helper()
	values, warnings, err := config.Load(command, flags, env{}.get, nil)
	require.NoError(t, err)
	require.Empty(t, warnings)
	return values
}

// with is the least that a command needs, and more.
func with(least, more map[string]string) map[string]string {
	flags := maps.Clone(least)
	maps.Copy(flags, more)
	return flags
}

func leastRun() map[string]string {
	return map[string]string{"manifests": "k8s/", "stable-pattern": "old", "canary-pattern": "new"}
}

func leastPlan() map[string]string { return map[string]string{"replicas": "10"} }

func leastSample() map[string]string {
	return map[string]string{"address": "192.0.2.7", "port": "80"}
}
