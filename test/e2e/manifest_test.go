//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// settings is a ConfigMap that the lobby reads.
const settings = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: before}
`

// applied: a Deployment that kubectl has applied for years is rolled out. Counts are
// what they are, whatever the manifests say; what they drop is gone; and what stable
// uses is named before it is changed.
func applied(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "applied"
	l.namespace(t, namespace)
	args := single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "50,100")
	container := "image: registry.example/lobby:1.0.0"
	uses := container + "\n        envFrom: [{configMapRef: {name: settings}}]"
	edit(t, args[1], container, uses+"\n        env: [{name: DELAY, value: 1ms}]")
	edit(t, args[1], "kind: Service\nmetadata:\n", "kind: Service\nmetadata:\n  annotations: {example.com/team: red}\n")
	config := filepath.Join(args[1], "settings.yaml")
	require.NoError(t, os.WriteFile(config, []byte(settings), 0o600))
	l.kubectl(t, "-n", namespace, "apply", "-f", args[1])
	l.kubectl(t, "-n", namespace, "scale", "deployment/lobby", "--replicas=2")
	l.serve(t, namespace, "lobby")

	edit(t, args[1], "\n        env: [{name: DELAY, value: 1ms}]", "")
	edit(t, args[1], "  annotations: {example.com/team: red}\n", "")
	require.NoError(t, os.WriteFile(config, []byte(strings.Replace(settings, "before", "after", 1)), 0o600))
	plan := l.command(t, append([]string{"plan"}, args...)...)
	require.Equal(t, 0, plan.exit)
	reaches := `ConfigMap "settings" reaches stable now; rollback does not undo it`
	requireNamedFirst(t, plan.stderr, reaches, "the manifests say 3 replicas and 2 serve")

	users := l.use(t, namespace, 5)
	res := l.run(t, args...)
	require.Equal(t, "promoted", res.report.Outcome)
	requireNamedFirst(t, strings.Join(res.report.Notices, "\n"), reaches, "the manifests say 3 replicas and 2 serve")
	requireNamedFirst(t, res.stdout, reaches, "the manifests say 3 replicas and 2 serve")
	users.RequireNoneLost(t)
	require.Equal(t, 2, l.replicas(t, namespace, "lobby"))
	l.requireOurs(t, namespace)

	// The next release drops what the last one applied.
	next := single(t, namespace, "single", 3, "1.1.0", "1.2.0", "--steps", "100")
	require.Equal(t, "promoted", l.run(t, next...).report.Outcome)
	d, err := l.AppsV1().Deployments(namespace).Get(t.Context(), "lobby", metav1.GetOptions{})
	require.NoError(t, err)
	require.Empty(t, d.Spec.Template.Spec.Containers[0].EnvFrom)
	for _, move := range movesOf(l.watched(t, namespace).history(), "lobby", "lobby-canary")[2:] {
		require.NotContains(t, move, "3", "R is 2, and S is 1")
	}
}

// requireNamedFirst: text says the one before the other.
func requireNamedFirst(t *testing.T, text, first, then string) {
	t.Helper()
	text = strings.ReplaceAll(text, `\"`, `"`)
	require.Contains(t, text, first)
	require.Contains(t, text, then)
	require.Less(t, strings.Index(text, first), strings.Index(text, then))
}

// requireOurs: what kubectl applied is the program's now, and gone where the manifests
// do not say it any more.
func (l *lab) requireOurs(t *testing.T, namespace string) {
	t.Helper()
	d, err := l.AppsV1().Deployments(namespace).Get(t.Context(), "lobby", metav1.GetOptions{})
	require.NoError(t, err)
	require.Empty(t, d.Spec.Template.Spec.Containers[0].Env, "the variable was dropped")
	require.NotEmpty(t, d.Spec.Template.Spec.Containers[0].EnvFrom)
	service, err := l.CoreV1().Services(namespace).Get(t.Context(), "lobby", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotContains(t, service.Annotations, "example.com/team")
	config, err := l.CoreV1().ConfigMaps(namespace).Get(t.Context(), "settings", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "after", config.Data["greeting"])
	for _, object := range []metav1.Object{d, service, config} {
		for _, entry := range object.GetManagedFields() {
			require.NotEqual(t, "kubectl-client-side-apply", entry.Manager, object.GetName())
		}
	}
}
