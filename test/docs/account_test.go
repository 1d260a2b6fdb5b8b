//go:build e2e

package docs

import (
	"context"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/org/l4-canary/test/harness"
)

// hurry are inputs that only save time, and a budget with which a sound split is never
// inconclusive. A block's own flags go before them.
var hurry = []string{
	"L4_CANARY_RATE=200", "L4_CANARY_SETTLE=2s", "L4_CANARY_DRAIN=2s", "L4_CANARY_MAX_PROBES=20000",
}

// onCluster is a scene whose kubectl is the administrator's.
func onCluster(t *testing.T, l *harness.Lab) *scene {
	t.Helper()
	s := newScene(t)
	s.program(t, "kubectl", filepath.Join(s.root, "bin/lab"), "kubectl", "--name", l.Name, "--")
	s.env = append(s.env, hurry...)
	return s
}

// repository puts the README's manifests into the scene: a Service and its Deployment.
func (s *scene) repository(t *testing.T, replicas string) {
	t.Helper()
	s.file(t, "testdata/manifests/single/lobby.yaml", "k8s/lobby.yaml",
		"registry.example/lobby:1.0.0", "ghcr.io/acme/lobby:1.0.0", "replicas: 3", "replicas: "+replicas)
}

// release is what the README's workflow does for a commit.
func (s *scene) release(t *testing.T, version, more string) string {
	t.Helper()
	return s.bash(t, 0, "l4-canary run --manifests k8s/ --images ghcr.io/acme/lobby:"+version+more)
}

// user is an administrator with a checkout, about to let a repository deploy.
func user(t *testing.T, l *harness.Lab) *scene {
	t.Helper()
	s := onCluster(t, l)
	s.secrets(t)
	s.repository(t, "1")
	s.file(t, "examples/rbac.yaml", "examples/rbac.yaml")
	s.file(t, "examples/rbac.yaml", "rbac.yaml")
	s.bash(t, 0, "kubectl create namespace game")
	return s
}

// account: the secret that a block stores is all that a job needs. It is the account's,
// and finds the namespace; and with it nothing of a rollout is refused.
func account(t *testing.T, s *scene, b Block) {
	t.Helper()
	s.bash(t, 0, "kubectl delete --ignore-not-found -f examples/rbac.yaml")
	s.bash(t, 0, b.Script)
	secret := s.secret(t, "KUBECONFIG")
	text, err := base64.StdEncoding.DecodeString(secret)
	require.NoError(t, err)
	config, err := clientcmd.NewClientConfigFromBytes(text)
	require.NoError(t, err)
	namespace, _, err := config.Namespace()
	require.NoError(t, err)
	require.Equal(t, "game", namespace, "the workflow names none")
	to, err := config.ClientConfig()
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(to)
	require.NoError(t, err)
	who, err := client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Equal(t, "system:serviceaccount:game:l4-canary", who.Status.UserInfo.Username)

	s.env = append(s.env, "L4_CANARY_KUBECONFIG="+secret) // the last one counts
	plan := s.bash(t, 0, "l4-canary plan --manifests k8s/")
	require.NotContains(t, plan, "not checked")
}

// examined: doctor, with the account's rights, at what the README's workflow has deployed.
func examined(t *testing.T, s *scene, b Block) {
	t.Helper()
	require.Contains(t, s.release(t, "1.0.0", ""), "outcome=promoted")
	said := s.bash(t, 0, b.Script)
	require.Contains(t, said, "uses: org/l4-canary@v1")
	require.Contains(t, said, "kind: Role")
	require.Contains(t, said, "the credentials used now have all rights that a rollout needs")
}

// takenBack: a release is promoted; status says so, and rollback brings the one before
// back.
func takenBack(t *testing.T, s *scene, b Block) {
	t.Helper()
	image := func() string {
		return s.bash(t, 0, `kubectl -n game get deployment lobby -o jsonpath='{.spec.template.spec.containers[0].image}'`)
	}
	require.Contains(t, s.release(t, "1.1.0", ""), "outcome=promoted")
	require.Equal(t, "ghcr.io/acme/lobby:1.1.0", image())
	said := s.bash(t, 0, b.Script)
	require.Regexp(t, `phase +promoted`, said)
	require.Contains(t, said, "outcome=rolled-back")
	require.Equal(t, "ghcr.io/acme/lobby:1.0.0", image())
}

// server is the machine that k3s runs on: its kubeconfig is where k3s writes it, and
// nothing else of the machine's settings is there.
func server(t *testing.T, l *harness.Lab) *scene {
	t.Helper()
	s := newScene(t)
	s.lab = l
	s.secrets(t)
	data, err := os.ReadFile(l.Kubeconfig)
	require.NoError(t, err)
	config, err := clientcmd.Load(data)
	require.NoError(t, err)
	for _, cluster := range config.Clusters {
		_, port, found := strings.Cut(strings.TrimPrefix(cluster.Server, "https://"), ":")
		require.True(t, found)
		cluster.Server = "https://127.0.0.1:" + port
	}
	data, err = clientcmd.Write(*config)
	require.NoError(t, err)
	s.write(t, "k3s.yaml", string(data))
	s.inside = []string{
		"unshare", "--mount", "sh", "-ec",
		`mount -t tmpfs tmpfs /etc; mkdir -p /etc/rancher/k3s; cp k3s.yaml /etc/rancher/k3s; exec "$@"`, "sh",
	}
	return s
}

// reached: what the block stores leads to the same cluster by the server's name, and lets
// the administrator in.
func reached(t *testing.T, s *scene, b Block) {
	t.Helper()
	s.bash(t, 0, b.Script)
	text, err := base64.StdEncoding.DecodeString(s.secret(t, "KUBECONFIG"))
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(s.read(t, "k3s.yaml"), "127.0.0.1", "k3s.example.com"), string(text))
	config, err := clientcmd.RESTConfigFromKubeConfig(text)
	require.NoError(t, err)
	require.Regexp(t, `^https://k3s\.example\.com:\d+$`, config.Host)
	// Of that name there is neither an address nor a certificate.
	to := strings.TrimPrefix(s.lab.Config.Host, "https://")
	config.ServerName, _, err = net.SplitHostPort(to)
	require.NoError(t, err)
	config.Dial = func(ctx context.Context, protocol, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, protocol, to)
	}
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	_, err = client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
}
