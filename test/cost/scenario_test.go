//go:build e2e

package cost

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/test/harness"
)

// scenario is one rollout, and the same by hand.
type scenario struct {
	mark    string // in the page
	asked   Asked
	args    []string // of the program, beside cluster, namespace and reports
	script  string
	prepare func(t *testing.T, l *harness.Lab, namespace string) // what is there before either begins
	stages  int                                                  // that are sampled, the baseline among them
	ports   int                                                  // of the Service, all of which the script asks
}

// scenarios are what is measured. The seed is rolled out with the inputs of the demo, ten
// pods with what is the default, but for the surge, which is what the script takes. The
// rate is another: the script asks as fast as it can, and the program is not to be held
// back below that.
func scenarios() []scenario {
	return []scenario{
		{
			mark: "seed", script: "seed.sh", stages: 4, ports: 1,
			asked: Asked{Settle: 2 * time.Second, Drain: 5 * time.Second},
			args: []string{
				"--manifests", "testdata/manifests/seed", "--stable", "old-nginx", "--stable-pattern", `(?m)^old$`, "--canary-pattern", `(?m)^new$`,
				"--max-surge", "4", "--steps", "50,80,100", "--rate", "1000", "--settle", "2s", "--drain", "5s",
			},
			prepare: func(*testing.T, *harness.Lab, string) {},
		},
		{
			mark: "lobby", script: "lobby.sh", stages: 5, ports: 2,
			asked: Asked{Settle: 5 * time.Second, Drain: 30 * time.Second},
			args: []string{
				"--manifests", "testdata/manifests/lobby", "--stable-pattern", `^1\.8\.2 (?P<pod>\S+)`, "--canary-pattern", `^1\.9\.0 (?P<pod>\S+)`,
				"--max-surge", "5", "--steps", "10,25,50,100", "--rate", "1000",
			},
			prepare: serveLobby,
		},
	}
}

// serveLobby has ten pods of the old version serve.
func serveLobby(t *testing.T, l *harness.Lab, namespace string) {
	t.Helper()
	for _, name := range []string{"lobby-blue.yaml", "service.yaml"} {
		l.Do(t, "kubectl", "--", "-n", namespace, "apply", "-f", filepath.Join(harness.Root(t), "testdata/manifests/lobby", name))
	}
	harness.Serve(t, l, namespace)
}

// pull has the lab's node pull every image once: the first way would pay for it otherwise.
func pull(t *testing.T, l *harness.Lab) {
	t.Helper()
	kubectl := func(args ...string) { l.Do(t, append([]string{"kubectl", "--", "-n", "pull"}, args...)...) }
	kubectl("create", "namespace", "pull")
	for name, image := range map[string]string{
		"old": "registry.cn-hangzhou.aliyuncs.com/xianlu/old-nginx", "new": "registry.cn-hangzhou.aliyuncs.com/xianlu/new-nginx",
		"blue": "registry.example/lobby-blue:1.8.2", "green": "registry.example/lobby-green:1.9.0",
	} {
		kubectl("run", name, "--image", image)
	}
	kubectl("wait", "pod", "--all", "--for", "condition=Ready", "--timeout", "2m")
	kubectl("delete", "namespace", "pull")
}

// place is a namespace in which one run is made. Its pods are gone before the next begins.
func place(t *testing.T, l *harness.Lab, s scenario, namespace string, use func()) {
	t.Helper()
	l.Do(t, "kubectl", "--", "create", "namespace", namespace)
	s.prepare(t, l, namespace)
	use()
	l.Do(t, "kubectl", "--", "delete", "namespace", namespace, "--wait=false")
	require.Eventually(t, func() bool {
		pods, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
		return err == nil && len(pods.Items) == 0
	}, 2*time.Minute, 100*time.Millisecond, "pods are still there")
}
