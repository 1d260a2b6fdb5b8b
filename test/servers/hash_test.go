//go:build e2e

package servers

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSourceHash: a balancer that chooses by the client's address shows one client one
// version for ever. That is no share, and no verdict is made of it.
func TestSourceHash(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	hash := strings.Replace(rules, "numgen random mod 4", "jhash ip saddr mod 4", 1)
	require.NotEqual(t, rules, hash)
	command(t, "flush ruleset\n"+hash, "ip", "netns", "exec", n.server, "nft", "-f", "-")
	for _, b := range backends(t) {
		config := write(t, filepath.Join(b.dir, "nginx.conf"), fmt.Sprintf(`daemon off; user root; pid nginx.pid; error_log stderr; worker_processes 1;
events {}
http { access_log off; server { listen %s:80; add_header X-Version %s; location / { return 200; } } }
`, b.address, b.name))
		n.start(t, b.dir, "nginx", "-p", b.dir, "-c", config)
	}
	n.listens(t, "t", at("80")...)
	binary, err := filepath.Abs(program)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "ip", "netns", "exec", n.client, binary, "sample", "--address", service, "--port", "80",
		"--probe", "http", "--stable-pattern", "X-Version: old", "--canary-pattern", "X-Version: new",
		"--expected-weight", fmt.Sprint(share), "--rate", "100", "--output", "json").Output()
	ended, failed := errors.AsType[*exec.ExitError](err)
	require.True(t, failed, "%v: %s", err, out)
	require.Equal(t, 1, ended.ExitCode(), string(ended.Stderr))
	var said struct {
		Samples         int
		Verdict, Reason string
	}
	require.NoError(t, json.Unmarshal(out, &said))
	require.Equal(t, "invalid", said.Verdict)
	require.Equal(t, "INVALID_STICKY", said.Reason)
	t.Logf("source hash: %s (%s) after %d samples", said.Verdict, said.Reason, said.Samples)
}
