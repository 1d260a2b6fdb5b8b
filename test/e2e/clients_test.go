//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/org/l4-canary/test/harness"
)

// use opens a hundred new connections a second to the lobby, and holds some that
// echo. Those begin before it returns.
func (l *lab) use(t *testing.T, namespace string, held int) *harness.Clients {
	t.Helper()
	return harness.Use(t, harness.Address(t, l, namespace), 10*time.Millisecond, held)
}
