//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// refused runs what must not begin, and then reads in the audit log that the
// program wrote nothing.
func refused(t *testing.T, l *lab) {
	t.Helper()
	l.namespace(t, "refused")
	seed := "testdata/manifests/seed"
	clusterIP := seedWithService(t, "type: LoadBalancer", "type: ClusterIP")
	mismatch := seedWithService(t, "app: nginx\n  sessionAffinity", "app: apache\n  sessionAffinity")
	rows := []struct {
		name string
		args []string
		exit int
		says string
	}{
		{"service without a balancer", []string{"--manifests", clusterIP}, 2, "LoadBalancer"},
		{"selector that matches nothing", []string{"--manifests", mismatch}, 2, "apache"},
		{"one pod cannot be 10 %", []string{"--manifests", seed, "--steps", "10,100"}, 2, "max-weight-error"},
		{"nothing may surge", []string{"--manifests", seed, "--max-surge", "0"}, 2, "max-surge"},
		{"unknown service", []string{"--manifests", seed, "--service", "apache"}, 2, "apache"},
		{"unknown stable", []string{"--manifests", seed, "--stable", "older-nginx"}, 2, "older-nginx"},
		{"nobody named stable", []string{"--manifests", seed, "--stable", ""}, 2, "stable"},
		{"as the page prints it", []string{"--manifests", "testdata/manifests/seed-as-printed"}, 2, "apiVersion"},
		{"unknown context", []string{"--manifests", seed, "--context", "elsewhere"}, 2, "elsewhere"},
	}
	began := time.Now()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			res := l.run(t, append(seedArgs("refused", seed), row.args...)...)
			require.Equal(t, row.exit, res.exit)
			require.Contains(t, res.stdout+res.stderr, row.says)
			require.Equal(t, "refused", res.report.Outcome)
		})
	}
	t.Run("restricted user", func(t *testing.T) {
		restricted := *l
		restricted.kubeconfig = strings.TrimSpace(l.lab(t, "kubeconfig", "--user", "restricted"))
		res := restricted.run(t, seedArgs("refused", seed)...)
		require.Equal(t, 3, res.exit)
		require.Equal(t, "FORBIDDEN", res.report.Reason)
	})
	t.Run("cluster that is not there", func(t *testing.T) {
		data, err := os.ReadFile(l.kubeconfig)
		require.NoError(t, err)
		nowhere := *l
		nowhere.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
		text := replaceLine(string(data), "server:", "server: https://127.0.0.1:1")
		require.NoError(t, os.WriteFile(nowhere.kubeconfig, []byte(text), 0o600))
		res := nowhere.run(t, seedArgs("refused", seed)...)
		require.Equal(t, 3, res.exit)
		require.Equal(t, "UNREACHABLE", res.report.Reason)
	})
	l.requireUntouched(t, began)
}

// requireUntouched: since that time the program has asked, and written nothing.
func (l *lab) requireUntouched(t *testing.T, since time.Time) {
	t.Helper()
	asked := l.audited(t, since)
	require.NotEmpty(t, asked.all, "the audit log has no request of the program: it proves nothing")
	require.Empty(t, asked.writes)
}

// requireUntouchedIn: since that time nothing in a namespace was written, by any
// process of the program.
func (l *lab) requireUntouchedIn(t *testing.T, namespace string, since time.Time) {
	t.Helper()
	require.Empty(t, slices.DeleteFunc(l.audited(t, since).writes, func(request string) bool {
		return !strings.Contains(request, "/namespaces/"+namespace+"/")
	}))
}

// seedWithService is the seed's manifests with something replaced in the file of
// the Service.
func seedWithService(t *testing.T, old, new string) string {
	t.Helper()
	dir := seedWith(t, func(canary string) string { return canary + "\n" })
	path := filepath.Join(dir, "old-nginx.yaml")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(data), old)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o600))
	return dir
}

// replaceLine replaces the one line that holds the key, keeping its indentation.
func replaceLine(text, key, with string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if i := strings.Index(line, key); i >= 0 {
			line = line[:i] + with + "\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

// planAndSample: plan asks the API server without keeping anything, and sample
// prints the contract's JSON of a live address.
func planAndSample(t *testing.T, l *lab) {
	t.Helper()
	l.namespace(t, "plan")
	began := time.Now().Add(-time.Second)
	plan, err := l.output(t, append([]string{"plan", "--kubeconfig", l.kubeconfig, "--output", "json"}, planArgs()...)...)
	require.NoError(t, err)
	var planned struct {
		SchemaVersion, Replicas int
		Stages                  []stage
		Problems                []string
	}
	require.NoError(t, json.Unmarshal(plan, &planned))
	require.Equal(t, 1, planned.SchemaVersion)
	require.Equal(t, 1, planned.Replicas)
	require.Len(t, planned.Stages, 3)
	require.Empty(t, planned.Problems)
	asked := l.audited(t, began)
	require.NotEmpty(t, asked.dry, "plan was to ask the server")
	require.Empty(t, asked.writes)
	// The address of the rollout that "ten pods" left behind: all of it is 1.9.0.
	address := strings.TrimSpace(l.kubectl(t, "-n", "ten", "get", "service", "lobby", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"))
	sample, err := l.output(t, "sample", "--address", address, "--port", "7000", "--stable-pattern", `^1\.8\.2 `,
		"--canary-pattern", `^1\.9\.0 `, "--expected-weight", "100", "--rate", "200", "--output", "json")
	require.NoError(t, err)
	t.Log(string(sample))
	var measured map[string]any
	require.NoError(t, json.Unmarshal(sample, &measured))
	for _, key := range []string{
		"schemaVersion", "samples", "stable", "canary", "unknown", "errors", "notSent", "observed", "interval", "wilson",
		"expected", "verdict", "reason", "latency", "rate", "seed",
	} {
		require.Contains(t, measured, key)
	}
	require.Equal(t, "pass", measured["verdict"])
	require.InDelta(t, 100, measured["observed"], 0)
}

func planArgs() []string {
	return []string{
		"--manifests", "testdata/manifests/seed", "--namespace", "plan", "--stable", "old-nginx",
		"--stable-pattern", "old", "--canary-pattern", "new", "--max-surge", "4", "--steps", "50,80,100",
	}
}

// output runs the program and returns what it prints.
func (l *lab) output(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	out, err := command(t.Context(), args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Logf("%s", exit.Stderr)
	}
	return out, err
}
