//go:build e2e

package harness

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
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

// Serve waits until what was done by hand in a namespace has come through: to the status
// of its Deployments, and to the users of its Service. kube-proxy lags behind the
// EndpointSlices, for a pod that has come as for one that was deleted. From then on no
// connection may fail. It returns the address.
//
// Whoever asks too early leaves a trace: the node remembers for two minutes where it sent
// the request, and sends what comes later from the same port after it. So this asks from
// ports that clients do not get.
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
	await(t, "a Deployment has not all its pods", func() bool {
		deployments, err := c.AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for _, d := range deployments.Items {
			if d.Status.ObservedGeneration < d.Generation || d.Status.AvailableReplicas != *d.Spec.Replicas {
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
			if knock(t.Context(), address) != nil {
				return false
			}
		}
		return true
	})
	return address
}

// doors counts the ports that knock has used.
var doors atomic.Int32

// knock makes one connection from a port below those that the kernel gives to clients,
// and reads the greeting.
func knock(ctx context.Context, address string) error {
	const first, count = 20000, 10000
	dialer := net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{Port: first + int(doors.Add(1))%count}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return greeted(conn)
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
