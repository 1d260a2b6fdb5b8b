package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	// The name may hold anything, closing parentheses too.
	line := "42 (a) b) (c) S 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 987654 1000 10 0 0"
	got, err := parseStat([]byte(line))
	require.NoError(t, err)
	require.Equal(t, stat{state: 'S', start: 987654}, got)
	for _, bad := range []string{"", "42 (x) S 1", strings.Replace(line, "987654", "soon", 1)} {
		_, err := parseStat([]byte(bad))
		require.Error(t, err, bad)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (x) R 0 0 0"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parseStat(data) })
}

func TestParseMemory(t *testing.T) {
	t.Parallel()
	const rollup = "5581-7ffd ---p 00000000 00:00 0  [rollup]\nRss:                2048 kB\nPss:                1024 kB\nPss_Dirty: 7 kB\n"
	m := parseMemory(rollup)
	require.Equal(t, Memory{Resident: 2 << 20, Proportional: 1 << 20}, m)
	require.Equal(t, m, m.Plus(m).Minus(m))
	require.Zero(t, m.Minus(m.Plus(m)))
	require.Zero(t, parseMemory("nonsense"))
	require.NotZero(t, MemoryOf(os.Getpid()).Resident)
}

func TestWithin(t *testing.T) {
	t.Parallel()
	const groups = "12:pids:/l4lab-e2e/daemon\n2:cpu:/\n0::/init.scope\n"
	require.True(t, within(groups, "/l4lab-e2e"))
	require.True(t, within(groups, "/l4lab-e2e/daemon"))
	require.True(t, within("0::/l4lab-e2e\n", "/l4lab-e2e"))
	require.False(t, within(groups, "/l4lab-e2"), "another lab whose name begins alike")
	require.False(t, within(groups, "/daemon"))
}

func TestStartAndEnd(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "x.log")
	polite, err := Start("polite", log, []string{"/bin/sh", "-c", "echo one; echo two; exec sleep 60"})
	require.NoError(t, err)
	stubborn, err := Start("stubborn", log, []string{"/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"})
	require.NoError(t, err)
	require.True(t, polite.Running())
	require.True(t, stubborn.Running())
	require.Eventually(t, func() bool { return polite.Tail(1) == "two" }, 5*time.Second, 10*time.Millisecond)

	other := polite
	other.Start++
	require.False(t, other.Running(), "the same id, another process")
	End([]Record{other}, time.Second)
	require.True(t, polite.Running(), "another process is left alone")

	End([]Record{polite, stubborn}, 200*time.Millisecond)
	gone := func() bool { return !polite.Running() && !stubborn.Running() }
	require.Eventually(t, gone, 5*time.Second, 10*time.Millisecond)
}

func TestStartReportsWhatCannotBeStarted(t *testing.T) {
	t.Parallel()
	_, err := Start("ghost", filepath.Join(t.TempDir(), "x.log"), []string{"/nonexistent/program"})
	require.ErrorContains(t, err, "starting ghost")
}

func TestTailWithoutLog(t *testing.T) {
	t.Parallel()
	require.Contains(t, Record{Log: "/nonexistent/log"}.Tail(3), "no such file")
}

func TestPlaceArgs(t *testing.T) {
	t.Parallel()
	place := Place{NetNS: "/run/netns/x", MountsOf: 7, Keep: "/k", CGroup: "/g"}
	require.Equal(t, "--netns /run/netns/x --mounts-of 7 --keep /k --cgroup /g", strings.Join(place.Args(), " "))
}
