package cost

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	values := []float64{3, 1, 2}
	require.Equal(t, Spread{1, 2, 3}, SpreadOf(values))
	require.Equal(t, []float64{3, 1, 2}, values, "the rounds stay in their order")
	require.Equal(t, Spread{1, 2.5, 9}, SpreadOf([]float64{9, 2, 1, 3}))
	require.Equal(t, Spread{4, 4, 4}, SpreadOf([]float64{4}))
	require.Equal(t, []string{"2.0 s", "1.0 s", "3.0 s"}, SpreadOf(values).cells(secondsOf), "the median leads")
}

func TestFormats(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1.3 s", secondsOf(1.26))
	require.Equal(t, "0.0 s", secondsOf(-0.04))
	require.Equal(t, "-0.1 s", secondsOf(-0.06))
	require.Equal(t, "1.10", ratio(1.1))
	require.Equal(t, "41 MiB", mebibytes(41.4*(1<<20)))
	require.Equal(t, "1.5 KiB", kibibytes(1536))
}

func TestReadUsed(t *testing.T) {
	t.Parallel()
	memory, cpu, err := readUsed("52000 1.25 0.30\n")
	require.NoError(t, err)
	require.Equal(t, 52000<<10, memory)
	require.Equal(t, 1550*time.Millisecond, cpu)
	for _, text := range []string{"", "52000 1.25\n", "Command exited with non-zero status 1\n52000 1.25 0.30\n"} {
		_, _, err = readUsed(text)
		require.Error(t, err, text)
	}
}
