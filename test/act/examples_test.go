//go:build e2e

package act

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// TestAct: first the round trip, by which the image is built, and then the examples, side
// by side. Of an example nothing is edited but its namespace, and pauses of minutes.
func TestAct(t *testing.T) {
	r := newRig(t)
	if !t.Run("round-trip", func(t *testing.T) { roundTrip(t, r) }) {
		return
	}
	for name, follow := range map[string]func(*testing.T, *rig, string){
		"promote": promote, "staged": staged, "superseding": superseding, "nightly": nightly,
		"preview": preview, "monorepo": monorepo, "clusters": clusters, "chat": chat,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			follow(t, r, filepath.Join(harness.Root(t), "examples/github", name+".yml"))
		})
	}
	for name, follow := range map[string]func(*testing.T, *rig, string){
		"gitea/deploy.yml": gitea, "gitlab/gitlab-ci.yml": gitlab, "jenkins/Jenkinsfile": jenkins, "tekton/task.yaml": tekton,
	} {
		t.Run(filepath.Dir(name), func(t *testing.T) {
			t.Parallel()
			follow(t, r, filepath.Join(harness.Root(t), "examples", name))
		})
	}
}

// roundTrip asserts all that a workflow can see of a rollout.
func roundTrip(t *testing.T, r *rig) {
	t.Helper()
	repo := r.repository(t, "round-trip", "testdata/round-trip.yml", "NAMESPACE", "round-trip")
	repo.live(t, "lobby", "k8s", 4)
	sha := repo.commit(t)
	said, ok := repo.act(t, "push")
	require.True(t, ok)
	outputs := said.outputs("canary")
	for name, value := range map[string]string{
		"outcome": "promoted", "reason": "PASS", "stage": "100", "observed-weight": "100.00", "expected-weight": "100.00",
		"stable-replicas": "4", "canary-replicas": "0", "report-json": "report.json", "report-markdown": "",
	} {
		require.Equal(t, value, outputs[name], "%s of %v", name, outputs)
	}
	require.Contains(t, said.summary("canary"), "### ✅ Promoted")
	require.Contains(t, said.written("canary"), "nothing to finish", "the post step")
	require.NotContains(t, said.String(), repo.secrets["KUBECONFIG"])
	require.Equal(t, map[string]int{sha: 4}, repo.serving(t, "lobby"))
	require.FileExists(t, filepath.Join(repo.dir, "report.json"))
}

// promote: held, approved (act asks nobody), and on to 100 % in the called workflow's
// third job.
func promote(t *testing.T, r *rig, workflow string) {
	t.Helper()
	heldThenPromoted(t, r, workflow, "promote", 4, "25")
}

// staged is the same with jobs of one's own.
func staged(t *testing.T, r *rig, workflow string) {
	t.Helper()
	heldThenPromoted(t, r, workflow, "staged", 10, "10")
}

// heldThenPromoted: one job holds the rollout at a weight, another goes on with it, and none
// goes back.
func heldThenPromoted(t *testing.T, r *rig, workflow, namespace string, pods int, at string) {
	t.Helper()
	repo := r.repository(t, namespace, workflow, "namespace: game", "namespace: "+namespace)
	repo.live(t, "lobby", "k8s", pods)
	sha := repo.commit(t)
	said, ok := repo.act(t, "push")
	require.True(t, ok)
	require.Equal(t, "held", said.outputs("canary")["outcome"])
	require.Equal(t, at, said.outputs("canary")["stage"])
	require.Equal(t, "promoted", said.outputs("full")["outcome"])
	require.Empty(t, said.results()["back"])
	require.Equal(t, map[string]int{sha: pods}, repo.serving(t, "lobby"))
}

// superseding: a first version, a second one, and the way back by hand.
func superseding(t *testing.T, r *rig, workflow string) {
	t.Helper()
	repo := r.repository(t, "superseding", workflow, "namespace: game", "namespace: superseding")
	repo.service(t, "lobby", "k8s", 4)
	first := repo.commit(t)
	said, ok := repo.act(t, "push")
	require.True(t, ok)
	require.Equal(t, "promoted", said.outputs("canary")["outcome"])
	require.Equal(t, map[string]int{first: 4}, repo.serving(t, "lobby"))

	second := repo.commit(t)
	said, ok = repo.act(t, "push")
	require.True(t, ok)
	require.Equal(t, "promoted", said.outputs("canary")["outcome"])
	require.Equal(t, map[string]int{second: 4}, repo.serving(t, "lobby"))

	repo.copy(t, filepath.Join(filepath.Dir(workflow), "rollback.yml"), "namespace: game", "namespace: superseding")
	said, ok = repo.act(t, "workflow_dispatch", "--input", "service=lobby")
	require.True(t, ok)
	require.Equal(t, "rolled-back", said.outputs("rollback")["outcome"])
	require.Equal(t, map[string]int{first: 4}, repo.serving(t, "lobby"))
}

// nightly without the minutes that it waits; a second night without news.
func nightly(t *testing.T, r *rig, workflow string) {
	t.Helper()
	repo := r.repository(t, "nightly", workflow, "namespace: game", "namespace: nightly", "15m", "1s", "30m", "1s")
	repo.live(t, "lobby", "k8s", 10)
	sha := repo.commit(t)
	said, ok := repo.act(t, "schedule")
	require.True(t, ok)
	require.Equal(t, "promoted", said.outputs("canary")["outcome"])
	require.Equal(t, map[string]int{sha: 10}, repo.serving(t, "lobby"))
	said, ok = repo.act(t, "schedule")
	require.True(t, ok)
	require.Equal(t, "nothing-to-do", said.outputs("canary")["outcome"])
}

// preview of a pull request, and none of a fork's.
func preview(t *testing.T, r *rig, workflow string) {
	t.Helper()
	repo := r.repository(t, "preview-act", workflow, "namespace: preview", "namespace: preview-act")
	repo.secrets["PREVIEW_KUBECONFIG"] = repo.secrets["KUBECONFIG"]
	repo.live(t, "lobby", "k8s", 4)
	sha := repo.commit(t)
	event := func(from string) string {
		return fmt.Sprintf(`{"pull_request": {"number": 7, "head": {"sha": %q, "ref": "topic", "repo": {"full_name": %q}}, "base": {"ref": "main"}}}`, sha, from)
	}
	repo.event = event("somebody/lobby")
	said, ok := repo.act(t, "pull_request")
	require.True(t, ok)
	require.Empty(t, said.results())
	require.Equal(t, map[string]int{"0": 4}, repo.serving(t, "lobby"))

	repo.event = event("acme/lobby")
	said, ok = repo.act(t, "pull_request")
	require.True(t, ok)
	require.Equal(t, "promoted", said.outputs("preview")["outcome"])
	require.Equal(t, map[string]int{sha: 4}, repo.serving(t, "lobby"))
}

// monorepo: three services, each for itself.
func monorepo(t *testing.T, r *rig, workflow string) {
	t.Helper()
	repo := r.repository(t, "monorepo", workflow, "namespace: game", "namespace: monorepo", "\n            probe: udp", "\n            probe: tcp")
	for _, name := range []string{"lobby", "matchmaker", "relay"} {
		repo.live(t, name, "services/"+name+"/k8s", 4)
	}
	sha := repo.commit(t)
	_, ok := repo.act(t, "push")
	require.True(t, ok)
	for _, name := range []string{"lobby", "matchmaker", "relay"} {
		assert.Equal(t, map[string]int{sha: 4}, repo.serving(t, name), name)
	}
}

// clusters: both jobs meet the same cluster here, so the second finds the release live.
func clusters(t *testing.T, r *rig, workflow string) {
	t.Helper()
	repo := r.repository(t, "clusters", workflow, "namespace: game", "namespace: clusters")
	repo.live(t, "lobby", "k8s", 4)
	sha := repo.commit(t)
	said, ok := repo.act(t, "push")
	require.True(t, ok)
	require.Equal(t, "promoted", said.outputs("frankfurt")["outcome"])
	require.Equal(t, "nothing-to-do", said.outputs("virginia")["outcome"])
	require.Equal(t, map[string]int{sha: 4}, repo.serving(t, "lobby"))
}

// chat: an image that cannot be had, and the message that says so.
func chat(t *testing.T, r *rig, workflow string) {
	t.Helper()
	messages := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is missing is missed below
		messages <- string(body)
	}))
	defer server.Close()
	repo := r.repository(t, "chat", workflow, "namespace: game", "namespace: chat", "ghcr.io/acme/lobby:", "ghcr.io/acme/lobby=ghcr.io/missing/lobby:")
	repo.secrets["CHAT_WEBHOOK"] = server.URL
	repo.live(t, "lobby", "k8s", 4)
	repo.commit(t)
	said, ok := repo.act(t, "push")
	require.False(t, ok, "a release that is rolled back fails its job")
	require.Equal(t, "rolled-back", said.outputs("canary")["outcome"])
	require.Contains(t, <-messages, "lobby: rolled-back (")
	require.Equal(t, map[string]int{"0": 4}, repo.serving(t, "lobby"))
}
