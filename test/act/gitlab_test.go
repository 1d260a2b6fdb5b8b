//go:build e2e

package act

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// gitlab: the canary's job, the same cancelled, then both jobs to the end and the message,
// and the way back. Each job has the variables of its pipeline and a workspace that
// artifacts of the job before lie in.
func gitlab(t *testing.T, r *rig, workflow string) {
	t.Helper()
	p := &pipeline{repository: r.repository(t, "gitlab", workflow, "L4_CANARY_NAMESPACE: game", "L4_CANARY_NAMESPACE: gitlab")}
	p.registry = "registry.example.com/acme/"
	p.live(t, "lobby", "k8s", 10)
	p.sha = p.commit(t)
	old, part, all := map[string]int{"0": 10}, map[string]int{"0": 9, p.sha: 3}, map[string]int{p.sha: 10}

	requireSections(t, p.script(t, "canary", 0))
	p.after(t, "canary", "success")
	held := p.variables(t, p.job(t, "canary").Artifacts.Reports["dotenv"])
	require.Equal(t, "held", held["outcome"])
	require.Equal(t, "25", held["stage"])
	require.Equal(t, part, p.serving(t, "lobby"), "what follows a job that succeeded takes nothing back")
	p.requireReports(t, "canary", "### ⏸️ Held")
	p.after(t, "canary", "canceled")
	require.Equal(t, old, p.serving(t, "lobby"))

	p.script(t, "canary", 0)
	requireSections(t, p.script(t, "full", 0))
	require.Equal(t, all, p.serving(t, "lobby"))
	p.requireReports(t, "full", "### ✅ Promoted")
	require.Contains(t, p.script(t, "message", 0), "the rollout is promoted (PASS), 100.00 % observed\n")
	p.script(t, "rollback", 0)
	require.Equal(t, old, p.serving(t, "lobby"))

	p.replace(t, "registry.example.com/acme/lobby:", "registry.example.com/acme/lobby=registry.example.com/missing/lobby:")
	p.script(t, "canary", 1)
	require.JSONEq(t, `{"exit_codes": [1]}`, string(p.job(t, "canary").AllowFailure), "which makes a warning of it")
	require.Equal(t, "rolled-back", p.variables(t, p.job(t, "canary").Artifacts.Reports["dotenv"])["outcome"])
	require.NotEmpty(t, p.failures(t, p.job(t, "canary").Artifacts.Reports["junit"]))
	require.Equal(t, old, p.serving(t, "lobby"))
}

// pipeline is one of a commit.
type pipeline struct {
	*repository
	sha string
}

// task is a job of the example, as far as it has to be carried out.
type task struct {
	Extends   string            `json:"extends"`
	Variables map[string]string `json:"variables"`
	Script    []string          `json:"script"`
	After     []string          `json:"after_script"`
	Image     struct {
		Name       string   `json:"name"`
		Entrypoint []string `json:"entrypoint"`
	} `json:"image"`
	AllowFailure json.RawMessage `json:"allow_failure"`
	Needs        []struct {
		Job string `json:"job"`
	} `json:"needs"`
	Artifacts struct {
		Paths   []string          `json:"paths"`
		Reports map[string]string `json:"reports"`
	} `json:"artifacts"`
}

// job is one of them with what it extends: maps are merged, lists replaced.
// https://docs.gitlab.com/ci/yaml/#extends
func (p *pipeline) job(t *testing.T, name string) task {
	t.Helper()
	var all map[string]json.RawMessage
	require.NoError(t, yaml.Unmarshal([]byte(p.read(t, p.workflow)), &all))
	require.Contains(t, all, name)
	var own, whole task
	require.NoError(t, json.Unmarshal(all[name], &own))
	if own.Extends != "" {
		require.NoError(t, json.Unmarshal(all[own.Extends], &whole))
	}
	require.NoError(t, json.Unmarshal(all[name], &whole))
	return whole
}

// kubeconfig is where the runner puts a variable of type "file".
const kubeconfig = workspace + ".tmp/KUBECONFIG"

// environment is what a job has.
// https://docs.gitlab.com/ci/variables/predefined_variables/
func (p *pipeline) environment(t *testing.T, name string) map[string]string {
	t.Helper()
	job := p.job(t, name)
	env := map[string]string{
		"CI": "true", "GITLAB_CI": "true", "CI_API_V4_URL": "https://gitlab.example.com/api/v4", "CI_PROJECT_ID": "7", "CI_PROJECT_DIR": workspace, "CI_PIPELINE_ID": "70",
		"CI_JOB_NAME": name, "CI_JOB_URL": "https://gitlab.example.com/acme/lobby/-/jobs/700", "CI_COMMIT_SHA": p.sha, "KUBECONFIG": kubeconfig,
	}
	maps.Copy(env, hurry)
	for _, need := range job.Needs {
		maps.Copy(env, p.variables(t, p.job(t, need.Job).Artifacts.Reports["dotenv"]))
	}
	for key, value := range job.Variables {
		env[key] = os.Expand(value, func(name string) string { return env[name] })
	}
	return env
}

// script carries a job out, which has to end with this status.
func (p *pipeline) script(t *testing.T, name string, status int) string {
	t.Helper()
	job := p.job(t, name)
	if job.Image.Name != "" {
		require.Equal(t, program, job.Image.Name)
		require.Equal(t, []string{""}, job.Image.Entrypoint, "GitLab's runner needs a shell of it")
	}
	said, got := p.lines(t, p.environment(t, name), job.Script)
	require.Equal(t, status, got)
	return said
}

// after carries out what follows a job that ended so, in a shell of its own.
func (p *pipeline) after(t *testing.T, name, ended string) {
	t.Helper()
	env := p.environment(t, name)
	env["CI_JOB_STATUS"] = ended
	_, status := p.lines(t, env, p.job(t, name).After)
	require.Zero(t, status)
}

// lines are run by the image's shell, up to the first that fails.
func (p *pipeline) lines(t *testing.T, env map[string]string, lines []string) (output string, status int) {
	t.Helper()
	require.NotEmpty(t, lines)
	return p.container(t, env, map[string]string{p.lab.Kubeconfig: kubeconfig + ":ro"}, "sh", "-ec", strings.Join(lines, "\n"))
}

// requireReports: the artifacts of a job are there, and every stage of it is a test.
func (p *pipeline) requireReports(t *testing.T, name, headline string) {
	t.Helper()
	artifacts := p.job(t, name).Artifacts
	for _, path := range artifacts.Paths {
		require.NotEmpty(t, p.read(t, path), path)
	}
	require.Contains(t, p.read(t, "report.md"), headline)
	require.Empty(t, p.failures(t, artifacts.Reports["junit"]))
}

// requireSections: each section that begins ends, one within another, and none has the
// name of another. https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
func requireSections(t *testing.T, said string) {
	t.Helper()
	var open []string
	seen := map[string]bool{}
	for _, mark := range regexp.MustCompile(`section_(start|end):\d{10}:(\w+)\r\x1b\[0K`).FindAllStringSubmatch(said, -1) {
		if mark[1] == "start" {
			require.False(t, seen[mark[2]], mark[2])
			seen[mark[2]], open = true, append(open, mark[2])
			continue
		}
		require.NotEmpty(t, open)
		require.Equal(t, open[len(open)-1], mark[2])
		open = open[:len(open)-1]
	}
	require.Empty(t, open)
	require.NotEmpty(t, seen)
}
