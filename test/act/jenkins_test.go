//go:build e2e

package act

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// jenkins: a build, one that is aborted half way, and one whose rollout fails.
func jenkins(t *testing.T, r *rig, workflow string) {
	t.Helper()
	b := &build{repository: r.repository(t, "jenkins", workflow, "L4_CANARY_NAMESPACE = 'game'", "L4_CANARY_NAMESPACE = 'jenkins'")}
	b.registry = "registry.example.com/acme/"
	b.live(t, "lobby", "k8s", 4)
	b.sha = b.commit(t)
	rollout, goBack := b.literal(t, `returnStatus: true, script: '''(.+?)'''`), b.literal(t, `aborted \{.+?sh '''(.+?)'''`)
	_, status := finish(t, b.step(t, rollout))
	require.Zero(t, status)
	first := map[string]int{b.sha: 4}
	require.Equal(t, first, b.serving(t, "lobby"))
	require.Equal(t, "promoted", b.variables(t, "outputs.env")["outcome"])
	b.requirePublished(t)

	b.sha = b.commit(t)
	b.abort(t, b.step(t, rollout))
	require.Equal(t, "interrupted", b.variables(t, "outputs.env")["outcome"])
	_, status = finish(t, b.step(t, goBack))
	require.Zero(t, status)
	require.Equal(t, first, b.serving(t, "lobby"))

	b.replace(t, "registry.example.com/acme/lobby:", "registry.example.com/acme/lobby=registry.example.com/missing/lobby:")
	_, status = finish(t, b.step(t, rollout))
	require.Equal(t, 1, status, "which makes the build unstable")
	require.Equal(t, "rolled-back", b.variables(t, "outputs.env")["outcome"])
	require.NotEmpty(t, b.failures(t, "report.xml"))
	require.Equal(t, first, b.serving(t, "lobby"))
}

// build is one of a commit.
type build struct {
	*repository
	sha string
}

// literal is a text that the example gives to one of its steps.
func (b *build) literal(t *testing.T, step string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)" + step).FindStringSubmatch(b.read(t, b.workflow))
	require.Len(t, found, 2, step)
	return found[1]
}

// step is a shell on the agent, which has the program on its PATH, and the variables of the
// build, of "environment" and of the credential.
// https://www.jenkins.io/doc/pipeline/steps/workflow-durable-task-step/
func (b *build) step(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	bin := t.TempDir()
	copyFile(t, filepath.Join(harness.Root(t), "bin/l4-canary"), filepath.Join(bin, "l4-canary"))
	cmd := exec.CommandContext(t.Context(), "sh", "-xec", script)
	cmd.Dir = b.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + bin, "KUBECONFIG=" + b.lab.Kubeconfig,
		"JENKINS_URL=https://jenkins.example.com/", "JOB_NAME=lobby", "BUILD_NUMBER=7", "GIT_COMMIT=" + b.sha, "WORKSPACE=" + b.dir,
	}
	for name, value := range hurry {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	for _, variable := range regexp.MustCompile(`(?m)^ +(L4_CANARY_\w+) = ['"](.+)['"]$`).FindAllStringSubmatch(b.read(t, b.workflow), -1) {
		cmd.Env = append(cmd.Env, variable[1]+"="+strings.ReplaceAll(variable[2], "${env.GIT_COMMIT}", b.sha))
	}
	return cmd
}

// abort ends all of a step's processes once the canary serves. There are stages to come
// then, so the rollout is not through.
func (b *build) abort(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return b.serving(t, "lobby")[b.sha] > 0 }, 2*time.Minute, 50*time.Millisecond)
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM))
	signalled := time.Now()
	require.Error(t, cmd.Wait()) // when nobody has its output open any more
	t.Logf("aborted:\n%s", out.String())
	require.Less(t, time.Since(signalled), 5*time.Second)
}

// requirePublished: there is what the example archives, and its tests have passed.
func (b *build) requirePublished(t *testing.T) {
	t.Helper()
	for name := range strings.SplitSeq(b.literal(t, `archiveArtifacts artifacts: '(.+?)'`), ", ") {
		require.NotEmpty(t, b.read(t, name), name)
	}
	require.Empty(t, b.failures(t, b.literal(t, `junit testResults: '(.+?)'`)))
}
