//go:build e2e

package harness

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Address waits for the balancer's address of the Service called lobby, and returns it
// with the first port.
func Address(t *testing.T, c kubernetes.Interface, namespace string) string {
	t.Helper()
	var address string
	await(t, "the balancer gives no address", func() bool {
		service, err := c.CoreV1().Services(namespace).Get(t.Context(), "lobby", metav1.GetOptions{})
		require.NoError(t, err)
		if given := service.Status.LoadBalancer.Ingress; len(given) > 0 {
			address = net.JoinHostPort(given[0].IP, fmt.Sprint(service.Spec.Ports[0].Port))
		}
		return address != ""
	})
	return address
}

// Serve waits until what was done by hand in a namespace has come through to the users
// of its Service: kube-proxy lags behind the EndpointSlices, for a pod that has come as
// for one that was deleted. From then on no connection may fail. It returns the address.
func Serve(t *testing.T, c kubernetes.Interface, namespace string) string {
	t.Helper()
	await(t, "pods are still terminating", func() bool {
		pods, err := c.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for _, pod := range pods.Items {
			if pod.DeletionTimestamp != nil {
				return false
			}
		}
		return true
	})
	address := Address(t, c, namespace)
	// A hundred in a row miss one dead pod of ten once in 40,000 times.
	const row = 100
	await(t, "the first version cannot be reached", func() bool {
		for range row {
			if visit(t.Context(), address) != nil {
				return false
			}
		}
		return true
	})
	return address
}

// await asks ten times a second, for two minutes.
func await(t *testing.T, otherwise string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(2 * time.Minute); !done(); {
		require.True(t, time.Now().Before(limit), otherwise)
		select {
		case <-t.Context().Done():
			require.NoError(t, t.Context().Err(), otherwise)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
