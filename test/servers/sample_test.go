//go:build e2e

package servers

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is the compiled program.
const program = "../../bin/l4-canary"

// result is what "sample --output json" says.
type result struct {
	Samples, Stable, Canary, Unknown, NotSent int

	Errors   map[string]int
	Interval [2]float64
	Rate     float64
}

func (r result) failed() int {
	sum := 0
	for _, n := range r.Errors {
		sum += n
	}
	return sum
}

// asked is how a service is sampled.
type asked struct {
	port     string
	protocol string // empty: what the probe says
	probe    string
	stable   string
	canary   string
	rate     int // 0: 50, which a recipe's own rate goes before
	count    int // 0: 1000
	close    string
}

// sample runs the program in the prober's namespace. It must not touch the result.
func (n network) sample(t *testing.T, a asked) (result, string) {
	t.Helper()
	if a.rate == 0 {
		a.rate = 50
	}
	if a.count == 0 {
		a.count = 1000
	}
	if a.close == "" {
		a.close = "fin"
	}
	if a.protocol == "" {
		a.protocol = "auto"
	}
	binary, err := filepath.Abs(program)
	require.NoError(t, err)
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), "ip", "netns", "exec", n.client, binary, "sample",
		"--address", service, "--port", a.port, "--protocol", a.protocol, "--probe", a.probe,
		"--stable-pattern", a.stable, "--canary-pattern", a.canary, "--close", a.close,
		"--rate", strconv.Itoa(a.rate), "--count", strconv.Itoa(a.count), "--confidence", "99.99", "--output", "json")
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var r result
	require.NoError(t, json.Unmarshal(stdout, &r))
	return r, stderr.String()
}

// requireSplit: every flow was answered by a version that is known, none was left out,
// and the split is that of the balancer: one sample in ten thousand may miss it.
func (n network) requireSplit(t *testing.T, a asked) {
	t.Helper()
	r, said := n.sample(t, a)
	t.Logf("%s on port %s: %d flows at %.1f/s, %d stable, %d canary, %d unknown, failed %v, share from %.1f to %.1f %%",
		a.probe, a.port, r.Samples, r.Rate, r.Stable, r.Canary, r.Unknown, r.Errors, r.Interval[0], r.Interval[1])
	require.Zero(t, r.failed(), "%v: %s", r.Errors, said)
	require.Zero(t, r.Unknown)
	require.Zero(t, r.NotSent)
	if a.count == 0 {
		a.count = 1000
	}
	require.Equal(t, a.count, r.Samples)
	require.Positive(t, r.Stable)
	require.Positive(t, r.Canary)
	require.LessOrEqual(t, r.Interval[0], float64(share))
	require.GreaterOrEqual(t, r.Interval[1], float64(share))
}

// recipe is a recipe of the documentation, as a file.
func recipe(t *testing.T, name string) string {
	t.Helper()
	find := regexp.MustCompile("(?s)\n### " + regexp.QuoteMeta(name) + "\n[^#]*?\n```yaml\n(.*?)```\n")
	found := find.FindStringSubmatch(read(t, "../../docs/probes.md"))
	require.NotNil(t, found, "docs/probes.md has no recipe %q", name)
	return write(t, filepath.Join(t.TempDir(), "probes.yaml"), found[1])
}
