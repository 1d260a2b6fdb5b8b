package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// TestCancelledBeforeItBegins: whatever the program waits for, a signal ends it as
// interrupted, not as a cluster that cannot be reached.
func TestCancelledBeforeItBegins(t *testing.T) {
	t.Parallel()
	for _, silent := range []string{"/version", "/api/v1/namespaces/web/services/nginx", "/apis/apps/v1/namespaces/web/deployments", "/apis/coordination.k8s.io/v1/namespaces/web/leases/l4-canary-nginx"} {
		for _, command := range []string{"run", "rollback"} {
			if command == "rollback" && filepath.Base(silent) != "l4-canary-nginx" {
				continue
			}
			t.Run(command+silent, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(t.Context())
				api := &apiServer{kind: "serving"}
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == silent {
						cancel()
						<-r.Context().Done() // it never answers
						return
					}
					r.Header.Set("Authorization", "Bearer "+secretToken) // client-go sends none without TLS
					api.ServeHTTP(w, r)
				}))
				t.Cleanup(server.Close)
				t.Cleanup(server.CloseClientConnections)
				dir := t.TempDir()
				kubeconfig := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: ci\nclusters: [{name: lab, cluster: {server: %q}}]\n"+
					"users: [{name: ci, user: {}}]\ncontexts: [{name: ci, context: {cluster: lab, user: ci, namespace: web}}]\n", server.URL)
				require.NoError(t, os.WriteFile(filepath.Join(dir, "cluster.yaml"), []byte(kubeconfig), 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "new.yaml"), []byte(`{"apiVersion":"apps/v1","kind":"Deployment",`+deployment("new-nginx", 10)[1:]), 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "service.yaml"), []byte(service()), 0o600))
				var stdout, stderr bytes.Buffer
				c := &Command{Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" }, Dir: dir}
				args := []string{command, "--kubeconfig", filepath.Join(dir, "cluster.yaml"), "--service", "nginx", "--outputs-file", "out.env"}
				if command == "run" {
					args = append(args, "--manifests", "service.yaml\nnew.yaml", "--stable-pattern", "old", "--canary-pattern", "new")
				}
				began := time.Now()
				code := c.Run(ctx, args)
				require.Equal(t, ExitInterrupted, code, "%s%s", stdout.String(), stderr.String())
				require.Less(t, time.Since(began), 4*time.Second)
				outputs, err := os.ReadFile(filepath.Join(dir, "out.env"))
				require.NoError(t, err)
				require.Contains(t, string(outputs), "outcome=interrupted\nreason=CANCELLED\n")
				require.Empty(t, api.written())
			})
		}
	}
}

// TestCutDrain: all batches of a rollback fit into what a CI system leaves.
func TestCutDrain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		drain           time.Duration
		replicas, surge int
		want            time.Duration
	}{
		{30 * time.Second, 3, 1, 20 * time.Second},
		{30 * time.Second, 10, 3, 15 * time.Second},
		{5 * time.Second, 10, 3, 5 * time.Second},
		{5 * time.Minute, 1, 1, time.Minute},
		{30 * time.Second, 100, 1, 3 * time.Second},
		{time.Second, 100, 1, time.Second},
	} {
		require.Equal(t, row.want, cutDrain(row.drain, &rollout.Memory{Replicas: row.replicas, MaxSurge: row.surge}), "%+v", row)
	}
}

// TestFinishedStages are those that the outputs can tell of.
func TestFinishedStages(t *testing.T) {
	t.Parallel()
	record := &rollout.Record{Stages: []rollout.StageRecord{{Verdict: rollout.Pass}, {Verdict: rollout.Inconclusive}, {Verdict: rollout.Inconclusive}}}
	of := func(outcome rollout.Outcome) (all []bool) {
		record.Outcome = outcome
		for i := range record.Stages {
			all = append(all, finished(record, i))
		}
		return all
	}
	require.Equal(t, []bool{true, true, true}, of(rollout.Held))
	require.Equal(t, []bool{true, true, false}, of(rollout.RolledBack))
}
