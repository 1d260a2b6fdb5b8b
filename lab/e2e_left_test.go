//go:build e2e

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/native"
)

// neighbour makes a network namespace beside the lab's, with a tool that would mount
// /run/netns onto itself: the lab could not take its own away then.
func neighbour(t *testing.T) {
	const name = "l4lab-neighbour"
	for _, do := range []string{"add", "delete"} {
		out, err := exec.CommandContext(t.Context(), "ip", "netns", do, name).CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// machine lists all that a lab could leave behind.
func machine(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, command := range []string{
		"ip netns", "ip -brief link", "ip -brief address", "ip rule", "ip -6 rule", "ip route show table all",
		"ip -6 route show table all", "nft list ruleset", "iptables-save", "cat /proc/mounts",
		"cat /proc/sys/net/ipv4/fib_multipath_hash_policy", "find /sys/fs/cgroup -type d -name *l4lab*",
		"find /run /var/lib /var/log /etc/cni /opt -maxdepth 2 ( -path *cni* -o -path *containerd* -o -path *kube* -o -path *l4-canary* -o -path *pods* )",
	} {
		words := strings.Fields(command)
		out, _ := exec.CommandContext(t.Context(), words[0], words[1:]...).Output() // what is not there lists nothing
		for line := range strings.Lines(string(out)) {
			all = append(all, command+": "+line)
		}
	}
	processes, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, p := range processes {
		argv, _ := os.ReadFile(filepath.Join("/proc", p.Name(), "cmdline")) // it may just have ended
		words := strings.ReplaceAll(string(argv), "\x00", " ")
		if strings.Contains(words, "l4lab") || strings.Contains(words, "l4-canary-lab") {
			all = append(all, "process: "+p.Name()+" "+words+"\n")
		}
	}
	return all
}

// added lists what is in after and not in before, and not another lab's: labs
// may come and go side by side.
func added(t *testing.T, before, after []string) []string {
	t.Helper()
	entries, err := os.ReadDir(native.DefaultStateRoot)
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	var marks []string
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(native.DefaultStateRoot, entry.Name(), "lab.json"))
		require.NoError(t, err)
		var state native.State
		require.NoError(t, json.Unmarshal(data, &state))
		marks = append(marks, "l4lab-"+entry.Name(), fmt.Sprintf("l4lab%d-", state.Index),
			filepath.Join(native.DefaultStateRoot, entry.Name()), native.DefaultStateRoot+"\n", " /run/netns ")
	}
	return slices.DeleteFunc(after, func(line string) bool {
		another := func(mark string) bool { return strings.Contains(line, mark) }
		return slices.Contains(before, line) || slices.ContainsFunc(marks, another)
	})
}
