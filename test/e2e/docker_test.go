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
)

// containerAction builds the image as a runner would, with the legacy builder
// and bases made here, and runs it with a runner's mounts against the cluster.
func containerAction(t *testing.T, l *lab) {
	t.Helper()
	docker := startDocker(t)
	t.Log(docker(t, "build", "--network", "none", "--build-arg", "BUILD_IMAGE=local/go", "--build-arg", "BASE_IMAGE=local/busybox",
		"-t", "l4-canary:e2e", buildContext(t, docker)))
	l.namespace(t, "action")
	work := t.TempDir()
	for _, dir := range []string{"workspace", "file_commands"} {
		require.NoError(t, os.Mkdir(filepath.Join(work, dir), 0o755))
	}
	kubeconfig, err := os.ReadFile(l.kubeconfig)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(work, "workspace", "kubeconfig"), kubeconfig, 0o600))
	require.NoError(t, os.CopyFS(filepath.Join(work, "workspace", "k8s"), os.DirFS(filepath.Join(root, "testdata/manifests/seed"))))
	for _, file := range []string{"output", "summary", "env", "path", "state"} {
		require.NoError(t, os.WriteFile(filepath.Join(work, "file_commands", file), nil, 0o644))
	}
	args := []string{
		"run", "--rm", "--network", "host", "--workdir", "/github/workspace",
		"-v", filepath.Join(work, "workspace") + ":/github/workspace", "-v", filepath.Join(work, "file_commands") + ":/github/file_commands",
		"-e", "GITHUB_ACTIONS=true", "-e", "CI=true", "-e", "GITHUB_WORKSPACE=/github/workspace",
		"-e", "GITHUB_OUTPUT=/github/file_commands/output", "-e", "GITHUB_STEP_SUMMARY=/github/file_commands/summary",
		"-e", "GITHUB_STATE=/github/file_commands/state", "-e", "GITHUB_RUN_ID=4711", "-e", "GITHUB_RUN_ATTEMPT=1", "-e", "GITHUB_JOB=deploy", "-e", "GITHUB_ACTION=__self",
	}
	for name, value := range map[string]string{
		"KUBECONFIG": "kubeconfig", "MANIFESTS": "k8s/", "NAMESPACE": "action", "STABLE": "old-nginx",
		"STABLE-PATTERN": "(?m)^old$", "CANARY-PATTERN": "(?m)^new$", "MAX-SURGE": "4", "STEPS": "50,80,100",
		"RATE": "200", "SETTLE": "2s", "DRAIN": "5s", "REPORT-JSON": "report.json", "CONTEXT": "",
	} {
		args = append(args, "-e", "INPUT_"+name+"="+value)
	}
	t.Log(docker(t, append(args, "l4-canary:e2e")...))
	output, err := os.ReadFile(filepath.Join(work, "file_commands", "output"))
	require.NoError(t, err)
	summary, err := os.ReadFile(filepath.Join(work, "file_commands", "summary"))
	require.NoError(t, err)
	t.Logf("GITHUB_OUTPUT:\n%s\nGITHUB_STEP_SUMMARY:\n%s", output, summary)
	for name, value := range map[string]string{
		"outcome": "promoted", "reason": "PASS", "stage": "100", "observed-weight": "100.00", "expected-weight": "100.00",
		"stable-replicas": "0", "canary-replicas": "1", "report-json": "report.json", "report-markdown": "",
	} {
		require.Regexp(t, "(?m)^"+name+"<<(\\S+)\n"+value+"\n", string(output)+"\n", name)
	}
	require.True(t, strings.HasPrefix(string(summary), "### ✅ Promoted"), string(summary))
	l.learn(readReport(t, filepath.Join(work, "workspace", "report.json")))
	require.Equal(t, 1, l.replicas(t, "action", "new-nginx"))
	require.Equal(t, 0, l.replicas(t, "action", "old-nginx"))

	post := docker(t, append(args, "--entrypoint", "/l4-canary-post", "l4-canary:e2e")...)
	t.Log(post)
	require.Contains(t, post, `nothing to finish because="the rollout of Service \"nginx\" is promoted"`)
}

// startDocker starts an engine that touches nothing of the machine's network,
// and returns its client.
func startDocker(t *testing.T) func(t *testing.T, args ...string) string {
	t.Helper()
	_, err := exec.LookPath("dockerd")
	require.NoError(t, err, "the container action is tested with a Docker engine: apt-get install docker.io busybox-static")
	//nolint:usetesting // t.TempDir's path is too long for a socket
	dir, err := os.MkdirTemp("", "docker")
	require.NoError(t, err)
	t.Cleanup(func() { removeEngine(t, dir) })
	socket := "unix://" + dir + "/s.sock"
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	daemon := exec.CommandContext(context.WithoutCancel(t.Context()), "dockerd", "--data-root", dir+"/data", "--exec-root", dir+"/exec", "-H", socket,
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
	docker := func(t *testing.T, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "docker", append([]string{"-H", socket}, args...)...)
		cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0", "DOCKER_CONFIG="+dir)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "docker %v\n%s", args, out)
		return string(out)
	}
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return exec.CommandContext(ctx, "docker", "-H", socket, "version").Run() == nil
	}, time.Minute, 200*time.Millisecond, "dockerd does not answer: see %s", log.Name())
	return docker
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
