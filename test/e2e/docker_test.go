//go:build e2e

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/runner"
)

// containerAction builds the image as a runner would, with the legacy builder and bases
// made here, and runs it against the cluster with everything a runner gives: once to its
// end, and once as a job that is cancelled.
func containerAction(t *testing.T, l *lab) {
	t.Helper()
	e := startDocker(t)
	t.Log(e.docker(t, "build", "--network", "none", "--build-arg", "BUILD_IMAGE=local/go", "--build-arg", "BASE_IMAGE=local/busybox",
		"-t", "l4-canary:e2e", buildContext(t, e.docker)))
	t.Run("to its end", func(t *testing.T) { containerPromotes(t, l, e) })
	t.Run("cancelled", func(t *testing.T) { containerCancelled(t, l, e) })
}

// actionStep is the seed's rollout as a step of a job, in a namespace of its own.
func actionStep(t *testing.T, l *lab, e *engine, namespace string) *runner.Step {
	t.Helper()
	l.namespace(t, namespace)
	r := runner.New(t, "docker", "-H", e.socket())
	r.Env = e.env()
	r.Socket = e.dir + "/s.sock"
	r.Network = "host" // this engine has no bridges
	for _, entry := range step {
		name, value, _ := strings.Cut(entry, "=")
		r.Job[name] = value
	}
	kubeconfig, err := os.ReadFile(l.kubeconfig)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(r.Workspace(), "kubeconfig"), kubeconfig, 0o600))
	require.NoError(t, os.CopyFS(filepath.Join(r.Workspace(), "k8s"), os.DirFS(filepath.Join(root, "testdata/manifests/seed"))))
	return &runner.Step{
		Runner: r, Action: runner.ReadAction(t, filepath.Join(root, "action.yml")), Image: "l4-canary:e2e", Name: "__org_l4-canary",
		With: map[string]string{
			"kubeconfig": filepath.Join(r.Workspace(), "kubeconfig"), "manifests": "k8s/", "namespace": namespace, "stable": "old-nginx",
			"stable-pattern": "(?m)^old$", "canary-pattern": "(?m)^new$", "max-surge": "4", "steps": "50,80,100",
			"rate": "200", "settle": "2s", "drain": "5s", "report-json": "report.json",
		},
	}
}

// containerPromotes is a rollout that nobody disturbs; its post step has nothing to do.
func containerPromotes(t *testing.T, l *lab, e *engine) {
	t.Helper()
	s := actionStep(t, l, e, "action")
	result := s.Run(t)
	require.Zero(t, result.Exit)
	t.Logf("outputs: %v\nsummary:\n%s", result.Outputs, result.Summary)
	for name, value := range map[string]string{
		"outcome": "promoted", "reason": "PASS", "stage": "100", "observed-weight": "100.00", "expected-weight": "100.00",
		"stable-replicas": "0", "canary-replicas": "1", "report-json": "report.json", "report-markdown": "",
	} {
		require.Contains(t, result.Outputs, name)
		require.Equal(t, value, result.Outputs[name], name)
	}
	require.True(t, strings.HasPrefix(result.Summary, "### ✅ Promoted"), result.Summary)
	l.learn(readReport(t, filepath.Join(s.Runner.Workspace(), "report.json")))
	require.Equal(t, 1, l.replicas(t, "action", "new-nginx"))
	require.Equal(t, 0, l.replicas(t, "action", "old-nginx"))

	post := s.Post(t)
	require.Zero(t, post.Exit)
	require.Contains(t, post.Log, `nothing to finish because="the rollout of Service \"nginx\" is promoted"`)
}

// containerCancelled: the first signal is enough, the report is there, and the post step
// puts the old version back.
func containerCancelled(t *testing.T, l *lab, e *engine) {
	t.Helper()
	s := actionStep(t, l, e, "action-cancelled")
	s.With["steps"] = "50:5m,80,100" // in its pause nothing moves by itself
	c := s.Start(t)
	require.Eventually(t, func() bool {
		return l.replicas(t, "action-cancelled", "new-nginx") == 1 && l.replicas(t, "action-cancelled", "old-nginx") == 1
	}, soon, 50*time.Millisecond)
	result := c.Cancel(t)
	require.Equal(t, []string{"interrupt"}, result.Signals, "the container had ended before it would have got another")
	require.Equal(t, 130, result.Exit)
	require.Equal(t, "interrupted", result.Outputs["outcome"])
	require.Equal(t, "CANCELLED", result.Outputs["reason"])
	require.NotEmpty(t, result.Summary)
	l.learn(readReport(t, filepath.Join(s.Runner.Workspace(), "report.json")))

	post := s.Post(t)
	require.Zero(t, post.Exit)
	require.Equal(t, 1, l.replicas(t, "action-cancelled", "old-nginx"))
	require.LessOrEqual(t, l.replicas(t, "action-cancelled", "new-nginx"), 0, "at zero pods, or gone")
	again := s.Post(t)
	require.Zero(t, again.Exit)
	require.Contains(t, again.Log, "nothing to finish")
}

// engine is a Docker engine of the test's own.
type engine struct{ dir string }

func (e *engine) socket() string { return "unix://" + e.dir + "/s.sock" }

// env is the client's environment.
func (e *engine) env() []string {
	return []string{"DOCKER_BUILDKIT=0", "DOCKER_CONFIG=" + e.dir}
}

// docker runs the client and returns what it prints.
func (e *engine) docker(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", append([]string{"-H", e.socket()}, args...)...)
	cmd.Env = append(os.Environ(), e.env()...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "docker %v\n%s", args, out)
	return string(out)
}

// startDocker starts an engine that touches nothing of the machine's network.
func startDocker(t *testing.T) *engine {
	t.Helper()
	_, err := exec.LookPath("dockerd")
	require.NoError(t, err, "the container action is tested with a Docker engine: apt-get install docker.io busybox-static")
	//nolint:usetesting // t.TempDir's path is too long for a socket
	dir, err := os.MkdirTemp("", "docker")
	require.NoError(t, err)
	t.Cleanup(func() { removeEngine(t, dir) })
	e := &engine{dir}
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	daemon := exec.CommandContext(context.WithoutCancel(t.Context()), "dockerd", "--data-root", dir+"/data", "--exec-root", dir+"/exec", "-H", e.socket(),
		"--pidfile", dir+"/pid", "--iptables=false", "--ip6tables=false", "--bridge=none")
	daemon.Stdout, daemon.Stderr = log, log
	require.NoError(t, daemon.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = daemon.Wait() // it ends by a signal
	}()
	t.Cleanup(func() {
		require.NoError(t, daemon.Process.Signal(syscall.SIGTERM))
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("dockerd did not end")
			require.NoError(t, daemon.Process.Kill())
		}
		require.NoError(t, log.Close())
	})
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return exec.CommandContext(ctx, "docker", "-H", e.socket(), "version").Run() == nil
	}, time.Minute, 200*time.Millisecond, "dockerd does not answer: see %s", log.Name())
	return e
}

// removeEngine removes an engine's folder, and first what it leaves mounted in
// there: the namespace of --network host.
func removeEngine(t *testing.T, dir string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts)) {
		if point := strings.Fields(line)[1]; strings.HasPrefix(point, dir+"/") {
			require.NoError(t, syscall.Unmount(point, 0), point)
		}
	}
	require.NoError(t, os.RemoveAll(dir))
}

// buildContext makes the two bases, a Go toolchain and a shell, and copies the
// checkout with its dependencies vendored, so that the build needs no network. The
// toolchain comes with what it has compiled before, which a runner would have to wait
// for.
func buildContext(t *testing.T, docker func(*testing.T, ...string) string) string {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	require.NoError(t, err, "the bases are made from a static busybox: apt-get install busybox-static")
	base := t.TempDir()
	shell(t, base, `mkdir -p bin tmp etc && cp "$1" bin/busybox && for tool in sh env tail mv rm tar cat ls ln; do ln bin/busybox bin/$tool; done`, busybox)
	importImage(t, docker, base, "local/busybox")
	context := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "Dockerfile", ".dockerignore"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(context, name), data, 0o644))
	}
	for _, dir := range []string{"cmd", "internal"} {
		require.NoError(t, os.CopyFS(filepath.Join(context, dir), os.DirFS(filepath.Join(root, dir))))
	}
	shell(t, context, "go mod vendor")
	compiled := filepath.Join(cacheDir(t), "container-action")
	shell(t, context, `CGO_ENABLED=0 GOCACHE="$1" go build -trimpath -o /dev/null ./cmd/action`, compiled)
	shell(t, base, `mkdir -p usr/local && cp -a "$1" usr/local/go && cp -a "$2" compiled`, strings.TrimSpace(shell(t, root, "go env GOROOT")), compiled)
	importImage(t, docker, base, "local/go", "ENV PATH=/usr/local/go/bin:/bin", "ENV GOTOOLCHAIN=local", "ENV HOME=/tmp", "ENV GOCACHE=/compiled")
	return context
}

// cacheDir is where the lab keeps what is slow to make, outside the tree.
func cacheDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("L4_LAB_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	require.NoError(t, err)
	return filepath.Join(dir, "l4-canary")
}

// importImage makes an image of a folder.
func importImage(t *testing.T, docker func(*testing.T, ...string) string, dir, name string, changes ...string) {
	t.Helper()
	tarball := filepath.Join(t.TempDir(), "image.tar")
	shell(t, dir, `tar cf "$1" .`, tarball)
	args := []string{"import"}
	for _, change := range changes {
		args = append(args, "-c", change)
	}
	docker(t, append(args, tarball, name)...)
	require.NoError(t, os.Remove(tarball))
}

// shell runs a line of shell in a folder; its arguments are $1 and on.
func shell(t *testing.T, dir, line string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-ec", line, "sh"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", line, out)
	return string(out)
}
