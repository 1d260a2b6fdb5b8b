//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/executable"
)

// cancelledOnHost: the host action's two steps as a runner carries them out, the first one
// cancelled. What "go build" would make is the program that make has built.
func cancelledOnHost(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "cancelled-host"
	arguments, users := release(t, l, namespace)
	env := hostEnv(t, append(arguments, "--kubeconfig", l.kubeconfig, "--report-json", filepath.Join(t.TempDir(), "report.json")))
	r := l.begin(t, env["INPUT_REPORT_JSON"], hostStep(t, env, "run"))
	require.Eventually(t, func() bool { return l.replicas(t, namespace, "lobby") == 1 }, 2*time.Minute, 20*time.Millisecond)
	interrupt(t, r)
	outputs, err := os.ReadFile(env["GITHUB_OUTPUT"])
	require.NoError(t, err)
	require.Contains(t, string(outputs), "step=__org_l4-canary\n", "the step's name, for the other one")
	require.Regexp(t, `(?m)^outcome<<(\S+)\ninterrupted\n`, string(outputs))

	env["GITHUB_ACTION"] = "__org_l4-canary_after"
	post := func() string {
		t.Helper()
		out, err := hostStep(t, env, "post").CombinedOutput()
		t.Logf("post: %v\n%s", err, out)
		require.NoError(t, err)
		return string(out)
	}
	require.Contains(t, post(), "nothing to finish", "a step by another name")
	env["L4_CANARY_STEP"] = "__org_l4-canary"
	require.Contains(t, post(), "the run of this step was stopped before it ended")
	requireBack(t, l, namespace, users)
	require.Contains(t, post(), "nothing to finish")
}

// hostEnv is what a composite's step gets: its inputs by names without hyphens.
func hostEnv(t *testing.T, arguments []string) map[string]string {
	t.Helper()
	temp := t.TempDir()
	env := map[string]string{
		"RUNNER_TEMP": temp, "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(temp, "outputs"), "GITHUB_STEP_SUMMARY": filepath.Join(temp, "summary"),
		"INPUT_COMMAND": "run",
	}
	for _, entry := range step {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	for i := 0; i < len(arguments); i += 2 {
		env["INPUT_"+strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(arguments[i], "--"), "-", "_"))] = arguments[i+1]
	}
	tools := t.TempDir()
	compiler := "#!/bin/sh\nmkdir -p \"${5%/*}\" && cp " + filepath.Join(root, "bin/l4-canary") + " \"$5\"\n"
	require.NoError(t, executable.Write(filepath.Join(tools, "go"), compiler))
	env["PATH"] = tools + ":" + os.Getenv("PATH")
	return env
}

// hostStep is one of the action's steps. The process that is signalled is the program.
func hostStep(t *testing.T, env map[string]string, stage string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(root, "host", "l4-canary.sh"), stage)
	cmd.Dir = root
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}
