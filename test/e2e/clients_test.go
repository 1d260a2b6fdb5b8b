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

// clients use a Service all the time, as its users would.
type clients struct{ *harness.Clients }

// use opens a hundred new connections a second to the Service's first TCP port,
// and holds some that echo a line five times a second. The connections begin
// before it returns.
func (l *lab) use(t *testing.T, namespace string, held int) *clients {
	t.Helper()
	service, err := l.CoreV1().Services(namespace).Get(t.Context(), "lobby", metav1.GetOptions{})
	require.NoError(t, err)
	address := net.JoinHostPort(service.Status.LoadBalancer.Ingress[0].IP, fmt.Sprint(service.Spec.Ports[0].Port))
	return &clients{harness.Use(t, address, 10*time.Millisecond, held)}
}

// requireNoneLost ends the clients: no new connection failed.
func (c *clients) requireNoneLost(t *testing.T) {
	t.Helper()
	c.RequireNoneLost(t)
}
