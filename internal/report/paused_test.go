package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPausedAutoscalers: the first line says so while it lasts, and who goes back by
// hand is told how to end it.
func TestPausedAutoscalers(t *testing.T) {
	t.Parallel()
	record := lobbyHeld()
	plain := string(markdown(t, record, "1.0.0"))
	record.Paused = []string{"lobby-blue", "a`\n::error::b"}
	text := string(markdown(t, record, "1.0.0"))
	before, _, _ := strings.Cut(plain, "\n")
	first, _, _ := strings.Cut(text, "\n")
	require.Equal(t, before+". Autoscaling of `lobby-blue`, `aˋ ::error::b` is paused", first)
	require.Contains(t, text, `kubectl -n game patch hpa/lobby-blue --type merge -p "$(kubectl -n game get hpa/lobby-blue -o jsonpath='{.metadata.annotations.l4-canary\.io/paused}')"`)
	require.NotContains(t, plain, "paused")
	require.NotContains(t, text, "\n::error")
}
