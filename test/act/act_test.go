//go:build e2e

// Package act runs workflows: a round trip of the container action, and the examples as
// they are copied, by act, with a Docker engine of the test's own, against a lab. What the
// examples for other systems would have these run, it runs itself.
package act

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/test/executable"
	"github.com/org/l4-canary/test/harness"
)

// jobs is the image that jobs run in: a shell, and what the examples' scripts call.
const jobs = "local/jobs"

// rig is a cluster, an engine with the images, and the action as act is to find it.
type rig struct {
	lab    *harness.Lab
	engine *harness.Engine
	action string // folder of action.yml, with the workflows that others call
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{lab: harness.NewLab(t, "act", "act-test"), engine: harness.Docker(t)}
	r.action = r.engine.BuildContext(t)
	called := filepath.Join(r.action, ".github/workflows")
	require.NoError(t, os.MkdirAll(called, 0o755))
	copyFile(t, filepath.Join(harness.Root(t), ".github/workflows/promote.yml"), filepath.Join(called, "promote.yml"))
	r.engine.Import(t, jobTools(t), jobs, "ENV PATH=/bin")
	r.engine.Do(t, "build", "--tag", program, r.action)
	return r
}

// jobTools is a root file system with a shell, and what scripts call.
func jobTools(t *testing.T) string {
	t.Helper()
	dir := harness.Userland(t)
	for _, name := range []string{"bash", "jq", "curl"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		copyFile(t, path, filepath.Join(dir, "bin", name))
		libraries, err := exec.CommandContext(t.Context(), "ldd", path).Output()
		require.NoError(t, err)
		for field := range strings.FieldsSeq(string(libraries)) {
			if filepath.IsAbs(field) {
				copyFile(t, field, filepath.Join(dir, field))
			}
		}
	}
	return dir
}

// copyFile copies a program or a text, and makes the folder that it lies in.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	require.NoError(t, executable.Write(to, string(data)))
}

// repository is one with a workflow and manifests, in a namespace of its own.
type repository struct {
	*rig
	dir, namespace, workflow string
	registry                 string // of its images
	event                    string // its payload; empty: there is none
	secrets                  map[string]string
}

// repository makes one.
func (r *rig) repository(t *testing.T, namespace, workflow string, edits ...string) *repository {
	t.Helper()
	kubeconfig, err := os.ReadFile(r.lab.Kubeconfig)
	require.NoError(t, err)
	repo := &repository{rig: r, dir: t.TempDir(), namespace: namespace, registry: "ghcr.io/acme/", secrets: map[string]string{
		"KUBECONFIG": base64.StdEncoding.EncodeToString(kubeconfig),
	}}
	repo.copy(t, workflow, edits...)
	ns := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	_, err = r.lab.CoreV1().Namespaces().Create(t.Context(), &ns, metav1.CreateOptions{})
	require.NoError(t, err)
	return repo
}

// copy makes a workflow the one that runs, edited as whoever copies it would.
func (r *repository) copy(t *testing.T, workflow string, edits ...string) {
	t.Helper()
	text, err := os.ReadFile(workflow)
	require.NoError(t, err)
	edited := strings.NewReplacer(edits...).Replace(string(text))
	require.True(t, len(edits) == 0 || edited != string(text))
	folder := ".github/workflows"
	switch filepath.Base(filepath.Dir(workflow)) {
	case "gitea":
		folder = ".gitea/workflows"
	case "gitlab", "jenkins", "tekton":
		folder = "."
	}
	r.workflow = filepath.Join(folder, filepath.Base(workflow))
	require.NoError(t, os.MkdirAll(filepath.Join(r.dir, folder), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, r.workflow), []byte(edited), 0o644))
}

// service adds the manifests of one in a folder, with so many pods.
func (r *repository) service(t *testing.T, name, folder string, pods int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(harness.Root(t), "testdata/manifests/single/lobby.yaml"))
	require.NoError(t, err)
	text := strings.NewReplacer("registry.example/lobby:1.0.0", r.registry+name+":0", "lobby", name, "replicas: 3", fmt.Sprint("replicas: ", pods)).
		Replace(string(data))
	file := filepath.Join(r.dir, folder, "app.yaml")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

// live adds one that serves already, with pods of the version 0.
func (r *repository) live(t *testing.T, name, folder string, pods int) {
	t.Helper()
	r.service(t, name, folder, pods)
	r.lab.Do(t, "kubectl", "--", "-n", r.namespace, "apply", "-f", filepath.Join(r.dir, folder, "app.yaml"))
	r.lab.Do(t, "kubectl", "--", "-n", r.namespace, "rollout", "status", "deployment/"+name, "--timeout", "2m")
}

// commit makes one and returns its hash.
func (r *repository) commit(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(r.dir, ".git")); err != nil {
		r.git(t, "init", "--quiet", "--initial-branch", "main")
		r.git(t, "remote", "add", "origin", "https://github.com/acme/lobby")
	}
	r.git(t, "add", "--all")
	r.git(t, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--allow-empty", "--message", "next")
	return r.git(t, "rev-parse", "HEAD")
}

func (r *repository) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
	return strings.TrimSpace(string(out))
}

// act runs the workflow on an event, and says whether it succeeded.
func (r *repository) act(t *testing.T, event string, args ...string) (log, bool) {
	t.Helper()
	home := t.TempDir()
	var secrets strings.Builder
	for name, value := range r.secrets {
		fmt.Fprintf(&secrets, "%s=%s\n", name, value)
	}
	for name, text := range map[string]string{".actrc": "", "secrets": secrets.String(), "event.json": r.event} {
		require.NoError(t, os.WriteFile(filepath.Join(home, name), []byte(text), 0o600))
	}
	all := []string{
		event, "--json", "--bind", "--pull=false", "--no-cache-server", "--rm", "--container-daemon-socket", "-",
		"--workflows", r.workflow, "--secret-file", filepath.Join(home, "secrets"), "--local-repository", "org/l4-canary@v1=" + r.action,
		"--platform", "ubuntu-24.04=" + jobs, "--platform", "ubuntu-latest=" + jobs,
	}
	if r.event != "" {
		all = append(all, "--eventpath", filepath.Join(home, "event.json"))
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(harness.Root(t), "bin/act"), append(all, args...)...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), append(r.engine.Env(), "HOME="+home, "XDG_CACHE_HOME="+home, "XDG_CONFIG_HOME="+home)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	said := readLog(t, &out)
	t.Logf("act %s of %s: %v\n%s", event, r.workflow, err, said)
	return said, err == nil
}

// serving are the pods that serve, by the tag of their image.
func (r *repository) serving(t *testing.T, service string) map[string]int {
	t.Helper()
	deployments, err := r.lab.AppsV1().Deployments(r.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	found := map[string]int{}
	for _, d := range deployments.Items {
		if image, tag := version(d); strings.HasSuffix(image, "/"+service) && d.Status.ReadyReplicas > 0 {
			found[tag] += int(d.Status.ReadyReplicas)
		}
	}
	return found
}

// version is the image of a Deployment's pods, and its tag.
func version(d appsv1.Deployment) (image, tag string) {
	image, tag, _ = strings.Cut(d.Spec.Template.Spec.Containers[0].Image, ":")
	return image, tag
}
