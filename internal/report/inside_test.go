package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMeasuredFromInside: a reader has to know, in the first lines, and so has a program;
// what is read back from a report says the same.
func TestMeasuredFromInside(t *testing.T) {
	t.Parallel()
	const words = "**Measured from inside (kube-proxy only).**"
	r := seedPromoted()
	require.NotContains(t, string(markdown(t, r, "1.0.0")), words)
	r.ProbeFrom, r.Inside = "cluster", true
	text := string(markdown(t, r, "1.0.0"))
	require.Contains(t, strings.Join(strings.SplitN(text, "\n", 5)[:4], "\n"), words)
	require.Contains(t, text, "| probe-from | `cluster` |")
	document := asJSON(t, r)
	require.Contains(t, string(document), "\"probeFrom\": \"cluster\",\n  \"inside\": true,")
	back, _, err := FromJSON(bytes.NewReader(document))
	require.NoError(t, err)
	require.Equal(t, "cluster", back.ProbeFrom)
	require.True(t, back.Inside)
}
