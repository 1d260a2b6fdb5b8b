//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/test/harness"
)

// address is the lobby's, with its first port.
func (l *lab) address(t *testing.T, namespace string) string {
	t.Helper()
	service, err := l.CoreV1().Services(namespace).Get(t.Context(), "lobby", metav1.GetOptions{})
	require.NoError(t, err)
	return net.JoinHostPort(service.Status.LoadBalancer.Ingress[0].IP, fmt.Sprint(service.Spec.Ports[0].Port))
}

// use opens a hundred new connections a second to the lobby, and holds some that
// echo. Those begin before it returns.
func (l *lab) use(t *testing.T, namespace string, held int) *harness.Clients {
	t.Helper()
	return harness.Use(t, l.address(t, namespace), 10*time.Millisecond, held)
}
