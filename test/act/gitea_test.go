//go:build e2e

package act

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/forge"
)

// instance is the one that the example's images lie on.
const instance = "gitea.example.com"

// gitea: a merge, whose pull request has to be asked for, and then the same workflow for
// pull requests, in a hurry, whose events have the number.
func gitea(t *testing.T, r *rig, workflow string) {
	t.Helper()
	repo := r.repository(t, "gitea", workflow, "namespace: game", "namespace: gitea")
	repo.registry = instance + "/acme/"
	repo.live(t, "lobby", "k8s", 2)
	merge := repo.commit(t)
	server := &forge.Gitea{Repository: "acme/lobby", Pulls: 8, Merged: map[string]int{merge: 7}}
	server.Start(t)
	// A job's token is a secret of two names:
	// https://github.com/go-gitea/gitea/blob/v1.27.3/models/secret/secret.go
	repo.secrets["GITHUB_TOKEN"], repo.secrets["GITEA_TOKEN"] = server.Token, server.Token
	runner := giteaRunner(t, server)

	origin := map[string]any{"id": 1, "full_name": "acme/lobby"}
	repo.event = payload(t, map[string]any{"ref": "refs/heads/main", "after": merge, "repository": origin})
	calls := repo.releases(t, server, merge, 7, "push", runner...)
	require.Equal(t, "GET /repos/acme/lobby/commits/"+merge+"/pull", calls[0])

	repo.copy(t, workflow, "namespace: game", "namespace: gitea\n          rate: 200\n          settle: 2s\n          drain: 2s", "push:\n    branches: [main]", "pull_request:")
	head := repo.commit(t)
	repo.event = payload(t, map[string]any{"action": "synchronized", "number": 8, "repository": origin, "pull_request": map[string]any{
		"number": 8, "state": "open", "base": map[string]any{"ref": "main", "repo": origin}, "head": map[string]any{"ref": "topic", "sha": head, "repo": origin},
	}})
	// https://github.com/go-gitea/gitea/blob/v1.27.3/services/actions/notifier_helper.go
	calls = repo.releases(t, server, head, 8, "pull_request", append(runner, "--env", "GITHUB_REF=refs/pull/8/head")...)
	require.Equal(t, "GET /repos/acme/lobby/issues/8/comments", calls[0])
}

// payload is an event, with what is read of it or what act needs:
// https://github.com/go-gitea/gitea/blob/v1.27.3/modules/structs/hook.go
func payload(t *testing.T, event map[string]any) string {
	t.Helper()
	data, err := json.Marshal(event)
	require.NoError(t, err)
	return string(data)
}

// giteaRunner is what Gitea's runner has otherwise than GitHub's, as arguments of act:
// https://gitea.com/gitea/runner/src/branch/main/internal/app/run/runner.go sets the
// variables that begin with GITEA, and act/runner/run_context.go there the others. The
// instance's name leads to this machine, whose network the containers are on.
func giteaRunner(t *testing.T, server *forge.Gitea) []string {
	t.Helper()
	hosts := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(hosts, []byte("127.0.0.1 localhost "+instance+"\n"), 0o644))
	url := strings.Replace(server.URL, "127.0.0.1", instance, 1)
	return []string{
		"--container-options", "--volume " + hosts + ":/etc/hosts:ro",
		"--env", "GITEA_ACTIONS=true", "--env", "GITEA_RUN_ID=5", "--env", "RUNNER_NAME=runner-1", "--env", "RUNNER_ENVIRONMENT=self-hosted",
		"--env", "GITHUB_SERVER_URL=" + url, "--env", "GITHUB_API_URL=" + url + "/api/v1",
	}
}

// releases has a commit promoted, and the report of it be the only new comment, on this
// pull request. What it returns are the calls.
func (r *repository) releases(t *testing.T, server *forge.Gitea, sha string, pull int, event string, args ...string) []string {
	t.Helper()
	before := server.Remarks()
	said, ok := r.act(t, event, args...)
	require.True(t, ok)
	require.Equal(t, "promoted", said.outputs("canary")["outcome"])
	require.Equal(t, "promoted", strings.TrimSpace(said.wrote("canary", "2")), "the step that tells the outcome")
	require.Contains(t, said.summary("canary"), "### ✅ Promoted")
	require.Equal(t, map[string]int{sha: 2}, r.serving(t, "lobby"))

	all := server.Remarks()
	require.Len(t, all, len(before)+1)
	require.Equal(t, before, all[:len(before)])
	made := all[len(before)]
	require.Equal(t, pull, made.Pull)
	require.Equal(t, forge.JobUser, made.Author)
	require.Contains(t, made.Body, "### ✅ Promoted")
	require.NotContains(t, made.Body, "l4-canary-writing", "nobody writes it any more")
	require.NotContains(t, made.Body, server.Token)
	calls := server.Calls()
	writes := slices.DeleteFunc(slices.Clone(calls), func(call string) bool { return strings.HasPrefix(call, "GET ") })
	require.GreaterOrEqual(t, len(writes), 2, "it is there while the rollout runs")
	require.Regexp(t, `^POST /repos/acme/lobby/issues/\d+/comments( PATCH /repos/acme/lobby/issues/comments/\d+)+$`, strings.Join(writes, " "))
	return calls
}
