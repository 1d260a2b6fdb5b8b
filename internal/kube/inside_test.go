package kube

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
)

// TestWhetherWeAreInside: a pod of this very cluster, or a machine that is one of its
// nodes.
func TestWhetherWeAreInside(t *testing.T) {
	t.Parallel()
	running := pod("a", "old", func(p *corev1.Pod) {
		p.Status.PodIP, p.Status.PodIPs = "10.244.0.9", []corev1.PodIP{{IP: "10.244.0.9"}, {IP: "fd00::9"}}
		p.Status.HostIP, p.Status.HostIPs = "192.168.7.2", []corev1.HostIP{{IP: "192.168.7.2"}}
	})
	root := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kube-root-ca.crt", Namespace: namespace}, Data: map[string]string{"ca.crt": "ours\n"}}
	at := func(addresses ...string) Surroundings {
		var here Surroundings
		for _, a := range addresses {
			here.Addresses = append(here.Addresses, netip.MustParseAddr(a))
		}
		return here
	}
	within := func(authority string) Surroundings {
		return Surroundings{APIServer: "10.96.0.1", Authority: []byte(authority), Addresses: at("10.244.3.3").Addresses}
	}
	for name, row := range map[string]struct {
		host, ca string
		here     Surroundings
		inside   bool
	}{
		"a runner elsewhere":                {"https://api.example:6443", "ours", at("203.0.113.5"), false},
		"a node":                            {"https://api.example:6443", "ours", at("203.0.113.5", "192.168.7.2"), true},
		"the pod itself":                    {"https://api.example:6443", "ours", at("fd00::9"), true},
		"a pod, by the kubeconfig":          {"https://api.example:6443", "ours", within("ours"), true},
		"a pod, by what the namespace says": {"https://api.example:6443", "a public one", within("ours\n\n"), true},
		"a pod of another cluster":          {"https://api.example:6443", "ours", within("theirs"), false},
		"a pod that uses its own account":   {"https://10.96.0.1:443", "", within(""), true},
		"a pod that shows nothing":          {"https://api.example:6443", "ours", within(""), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := &Client{
				Typed:  fake.NewClientset(running.DeepCopy(), root.DeepCopy()),
				config: &rest.Config{Host: row.host, TLSClientConfig: rest.TLSClientConfig{CAData: []byte(row.ca)}},
			}
			require.Equal(t, row.inside, client.Inside(t.Context(), namespace, row.here))
		})
	}
	require.False(t, (&Client{Typed: fake.NewClientset()}).Inside(t.Context(), namespace, within("ours")), "without a connection nothing is known")
}
