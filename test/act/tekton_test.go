//go:build e2e

package act

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/test/executable"
	"github.com/org/l4-canary/test/harness"
)

// tekton: the Task with the rights that its ServiceAccount has by the example's manifest,
// for a release that is good and for one that is not.
func tekton(t *testing.T, r *rig, workflow string) {
	t.Helper()
	p := &pod{repository: r.repository(t, "tekton", workflow), tekton: t.TempDir(), account: t.TempDir()}
	p.registry = "registry.example.com/acme/"
	p.live(t, "lobby", "k8s", 4)
	p.authorise(t)
	sha := p.commit(t)
	require.Zero(t, p.run(t, "registry.example.com/acme/lobby:"+sha))
	require.Equal(t, map[string]string{"outcome": "promoted", "reason": "PASS", "observed-weight": "100.00"}, p.results(t))
	require.Equal(t, map[string]int{sha: 4}, p.serving(t, "lobby"))
	require.Contains(t, p.read(t, "report.md"), "### ✅ Promoted")

	status := p.run(t, "registry.example.com/acme/lobby=registry.example.com/missing/lobby:"+sha)
	require.Equal(t, 1, status, "the Task fails as its first step did, with results")
	require.Equal(t, "rolled-back", p.results(t)["outcome"])
	require.Equal(t, "IMAGE", p.results(t)["reason"])
	require.Equal(t, map[string]int{sha: 4}, p.serving(t, "lobby"))
}

// pod is a Task's, which runs on this machine: one folder has what Tekton puts into its
// containers, another what Kubernetes does.
type pod struct {
	*repository
	tekton, account string
}

// taskSpec is what a Task says.
type taskSpec struct {
	Params  []struct{ Name, Default string }
	Results []struct{ Name string }
	Steps   []taskStep
}

type taskStep struct {
	Name, Image, WorkingDir, OnError, Script string
	Command, Args                            []string
	Env                                      []struct{ Name, Value string }
}

// task is the example with every variable replaced. What is given for a parameter comes
// before its default.
// https://tekton.dev/docs/pipelines/variables/#variables-available-in-a-task
func (p *pod) task(t *testing.T, given ...string) taskSpec {
	t.Helper()
	text, variables := p.read(t, p.workflow), append(given, "$(workspaces.source.path)", workspace)
	var task struct{ Spec taskSpec }
	require.NoError(t, yaml.Unmarshal([]byte(text), &task))
	for _, param := range task.Spec.Params {
		variables = append(variables, "$(params."+param.Name+")", param.Default)
	}
	for _, result := range task.Spec.Results {
		variables = append(variables, "$(results."+result.Name+".path)", "/tekton/results/"+result.Name)
	}
	for _, step := range task.Spec.Steps {
		variables = append(variables, "$(steps.step-"+step.Name+".exitCode.path)", exitCode(step))
	}
	task.Spec = taskSpec{}
	require.NoError(t, yaml.Unmarshal([]byte(strings.NewReplacer(variables...).Replace(text)), &task))
	return task.Spec
}

// exitCode is the file that says how a step ended.
func exitCode(step taskStep) string { return "/tekton/steps/step-" + step.Name + "/exitCode" }

// authorise gives the account its rights, and the pod the account.
func (p *pod) authorise(t *testing.T) {
	t.Helper()
	rights, err := os.ReadFile(filepath.Join(harness.Root(t), "examples/rbac.yaml"))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "rbac.yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(rights), "namespace: game", "namespace: "+p.namespace)), 0o600))
	p.lab.Do(t, "kubectl", "--", "apply", "-f", file)
	token := p.lab.Do(t, "kubectl", "--", "-n", p.namespace, "create", "token", "l4-canary", "--duration", "2h")
	for name, text := range map[string]string{"token": strings.TrimSpace(token), "ca.crt": string(p.lab.Config.CAData), "namespace": p.namespace} {
		require.NoError(t, os.WriteFile(filepath.Join(p.account, name), []byte(text), 0o600))
	}
}

// run carries the steps out and tells how the last one ended. One that fails is the last,
// unless its onError says otherwise.
// https://tekton.dev/docs/pipelines/tasks/#specifying-onerror-for-a-step
func (p *pod) run(t *testing.T, images string) (status int) {
	t.Helper()
	task := p.task(t, "$(params.namespace)", p.namespace, "$(params.images)", images)
	require.NoError(t, os.RemoveAll(filepath.Join(p.tekton, "results")))
	require.NoError(t, os.Mkdir(filepath.Join(p.tekton, "results"), 0o755))
	for _, step := range task.Steps {
		require.Equal(t, program, step.Image)
		require.Equal(t, workspace, step.WorkingDir)
		status = p.step(t, step)
		file := filepath.Join(p.tekton, strings.TrimPrefix(exitCode(step), "/tekton"))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(strconv.Itoa(status)), 0o644))
		if status != 0 && step.OnError != "continue" {
			break
		}
	}
	return status
}

// step is a container, which has a command or a script, and what every one of a pod has.
func (p *pod) step(t *testing.T, step taskStep) int {
	t.Helper()
	server, err := url.Parse(p.lab.Config.Host)
	require.NoError(t, err)
	env := map[string]string{"KUBERNETES_SERVICE_HOST": server.Hostname(), "KUBERNETES_SERVICE_PORT": server.Port()}
	maps.Copy(env, hurry) // as a TaskRun's podTemplate would
	for _, variable := range step.Env {
		env[variable.Name] = variable.Value
	}
	command := slices.Concat(step.Command, step.Args)
	if step.Script != "" {
		command = []string{"/tekton/script"}
		require.NoError(t, executable.Write(filepath.Join(p.tekton, "script"), step.Script))
	}
	mounts := map[string]string{p.tekton: "/tekton", p.account: "/var/run/secrets/kubernetes.io/serviceaccount:ro"}
	_, status := p.container(t, env, mounts, command...)
	return status
}

// results are what the Task has written, which share 4096 bytes.
// https://tekton.dev/docs/pipelines/tasks/#emitting-results
func (p *pod) results(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, result := range p.task(t).Results {
		data, err := os.ReadFile(filepath.Join(p.tekton, "results", result.Name))
		require.NoError(t, err)
		found[result.Name] = string(data)
	}
	require.Less(t, len(strings.Join(slices.Collect(maps.Values(found)), "")), 4096)
	return found
}
