//go:build e2e

package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/test/harness"
)

// What every rollout of the drill is: two pods, none of which may be missing.
const (
	capacity = 2
	oldImage = "registry.example/lobby:1.0.0"
	newImage = "registry.example/lobby:1.1.0"
)

// mode is a way to roll out.
type mode struct {
	kind           string
	manifests      string // folder in the checkout
	finish         string
	stable, canary string // Deployments
	single         bool   // stable's Deployment ends up with the new version
	wholly         bool   // every kill point is tried with both ways to go from there
}

// modes are all ways of which a kill could be told from another: how pods leave,
// and what becomes of the Deployments.
func modes() []mode {
	return []mode{
		{"adopt", "testdata/manifests/single", "adopt", "lobby", "lobby-canary", true, true},
		{"pair", "test/drill/testdata/pair", "keep", "lobby-blue", "lobby-green", false, true},
		{"handover", "testdata/manifests/single", "handover", "lobby", "lobby-canary", true, true},
		{"adopt-released", "testdata/manifests/single-equal", "adopt", "lobby", "lobby-canary", true, false},
	}
}

// write puts the manifests of the new version, or of the old one, into a folder.
func (m mode) write(t *testing.T, fresh bool) string {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(harness.Root(t), m.manifests, "*.yaml"))
	require.NoError(t, err)
	for _, file := range files {
		if !m.single && !fresh && strings.Contains(file, m.canary) {
			continue
		}
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		text := strings.Replace(string(data), "replicas: 3", fmt.Sprintf("replicas: %d", capacity), 1)
		if m.single && fresh {
			text = strings.Replace(text, oldImage, newImage, 1)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(text), 0o600))
	}
	return dir
}

// deploy makes the first version live, as anybody would have.
func (m mode) deploy(t *testing.T, l *harness.Lab, namespace string) *appsv1.Deployment {
	t.Helper()
	_, err := l.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, l.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), namespace, metav1.DeleteOptions{}))
	})
	files, err := filepath.Glob(filepath.Join(m.write(t, false), "*.yaml"))
	require.NoError(t, err)
	var live *appsv1.Deployment
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for text := range strings.SplitSeq(string(data), "\n---\n") {
			if strings.Contains(text, "kind: Service") {
				var service corev1.Service
				require.NoError(t, yaml.UnmarshalStrict([]byte(text), &service))
				_, err = l.CoreV1().Services(namespace).Create(t.Context(), &service, metav1.CreateOptions{})
			} else {
				var deployment appsv1.Deployment
				require.NoError(t, yaml.UnmarshalStrict([]byte(text), &deployment))
				live, err = l.AppsV1().Deployments(namespace).Create(t.Context(), &deployment, metav1.CreateOptions{})
			}
			require.NoError(t, err)
		}
	}
	return live
}

// drain is what pods get to leave at least.
const drain = "1s"

// arguments are the program's for a rollout.
func (m mode) arguments(kubeconfig, namespace, manifests string) []string {
	return []string{
		"run", "--kubeconfig", kubeconfig, "--manifests", manifests, "--namespace", namespace, "--service", "lobby",
		"--stable-pattern", `^1\.0\.0 `, "--canary-pattern", `^1\.1\.0 `, "--finish", m.finish,
		"--steps", "50,100", "--max-surge", "1", "--max-unavailable", "0",
		"--settle", "0s", "--drain", drain, "--rate", "200", "--tolerance", "20", "--max-probes", "20000",
	}
}

// rollback are the program's for the way back.
func rollback(kubeconfig, namespace string) []string {
	return []string{"rollback", "--kubeconfig", kubeconfig, "--namespace", namespace, "--service", "lobby", "--drain", drain}
}

// left is what a namespace holds in the end.
type left struct {
	stable, canary *appsv1.Deployment // nil: there is none
	pods           []corev1.Pod       // non-terminating
	phase, holder  string             // of the Lease; phase is empty without one
}

// look reads what is left.
func (m mode) look(t *testing.T, l *harness.Lab, namespace string) left {
	t.Helper()
	var found left
	for name, into := range map[string]**appsv1.Deployment{m.stable: &found.stable, m.canary: &found.canary} {
		d, err := l.AppsV1().Deployments(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			require.NoError(t, err)
			*into = d
		}
	}
	pods, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp == nil {
			found.pods = append(found.pods, pod)
		}
	}
	lease, err := l.CoordinationV1().Leases(namespace).Get(t.Context(), "l4-canary-lobby", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return found
	}
	require.NoError(t, err)
	state := struct{ Phase string }{"none"}
	if text, ok := lease.Annotations["l4-canary.io/state"]; ok {
		require.NoError(t, json.Unmarshal([]byte(text), &state))
	}
	found.phase = state.Phase
	if lease.Spec.HolderIdentity != nil {
		found.holder = *lease.Spec.HolderIdentity
	}
	return found
}

// promoted says what is wrong with the end of a rollout that went well.
func (m mode) promoted(found left) []string {
	problems := found.common(newImage)
	if found.phase != "promoted" || found.holder != "" {
		problems = append(problems, fmt.Sprintf("the Lease says %q, held by %q", found.phase, found.holder))
	}
	stable, canary := 0, capacity
	if m.single {
		stable, canary = capacity, -1
		if found.stable != nil && found.stable.Spec.Template.Spec.Containers[0].Image != newImage {
			problems = append(problems, "the template has the old image")
		}
	}
	return append(problems, found.counts(stable, canary)...)
}

// restored says what is wrong with the end of a rollback.
func (m mode) restored(found left, original *appsv1.Deployment) []string {
	problems := found.common(oldImage)
	if found.phase != "" {
		problems = append(problems, fmt.Sprintf("a Lease is left, saying %q", found.phase))
	}
	canary := 0
	if m.single || found.canary == nil {
		canary = -1
	}
	problems = append(problems, found.counts(capacity, canary)...)
	if found.stable == nil {
		return problems
	}
	have, err := json.Marshal(found.stable.Spec.Template)
	if err != nil {
		return append(problems, err.Error())
	}
	want, err := json.Marshal(original.Spec.Template)
	if err != nil {
		return append(problems, err.Error())
	}
	if string(have) != string(want) {
		problems = append(problems, fmt.Sprintf("the template is %s and was %s", have, want))
	}
	return problems
}

// counts compares the Deployments' replicas; -1 is none.
func (f left) counts(stable, canary int) []string {
	have := [2]int{-1, -1}
	for i, d := range []*appsv1.Deployment{f.stable, f.canary} {
		if d != nil {
			have[i] = int(*d.Spec.Replicas)
		}
	}
	if want := [2]int{stable, canary}; have != want {
		return []string{fmt.Sprintf("replicas of stable and canary are %v, not %v", have, want)}
	}
	return nil
}

// common is what holds for every end: so many ready pods of one image, none parked.
func (f left) common(image string) []string {
	var problems []string
	if len(f.pods) != capacity {
		problems = append(problems, fmt.Sprintf("there are %d pods, not %d", len(f.pods), capacity))
	}
	for _, pod := range f.pods {
		parked, ready := harness.Parked(&pod), harness.Ready(&pod)
		if parked || !ready || pod.Spec.Containers[0].Image != image {
			problems = append(problems, fmt.Sprintf("pod %s: parked %t, ready %t, image %s", pod.Name, parked, ready, pod.Spec.Containers[0].Image))
		}
	}
	return problems
}
