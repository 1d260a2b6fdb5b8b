//go:build e2e

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/cluster"
)

const (
	flows    = 600
	soon     = 30 * time.Second
	interval = 200 * time.Millisecond
)

// lab is a lab of the compiled program.
type lab struct {
	binary string
	name   string
}

// TestLab makes labs as a user would, uses all that they promise, and takes them
// away. Not parallel: it compares the machine before and after.
func TestLab(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("the native lab needs root (try sudo)")
	}
	binary := filepath.Join(t.TempDir(), "lab")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	tests := []struct {
		name string
		args []string
	}{
		{"e2e-one", nil},
		{"e2e-two", []string{"--nodes", "2", "--proxy-mode", "iptables", "--dual-stack"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := lab{binary: binary, name: tt.name}
			before := machine(t)
			up := append([]string{"up"}, tt.args...)
			t.Cleanup(func() { _ = l.command(context.WithoutCancel(t.Context()), "down").Run() })
			l.run(t, up...)
			require.Contains(t, l.run(t, up...), "is up already")
			t.Run("status", l.status)
			t.Run("split", l.split)
			t.Run("trouble", l.trouble)
			t.Run("logs and port-forward", l.reach)
			t.Run("restricted", l.restricted)
			t.Run("restart", l.restart)
			t.Run("unplug", l.unplug)
			t.Run("neighbour", neighbour)
			l.run(t, "down")
			require.Contains(t, l.run(t, "down"), "there is no lab")
			require.Empty(t, added(t, before, machine(t)), "left on the machine")
		})
	}
}

func (l lab) status(t *testing.T) {
	status := l.read(t)
	require.True(t, status.Running)
	require.FileExists(t, status.AuditLog)
	t.Logf("%d MiB resident, %d MiB with shared pages counted once", status.RSS>>20, status.PSS>>20)
	if len(status.Nodes) == 1 {
		require.Less(t, status.RSS, int64(1536<<20), "one node takes under 1.5 GiB")
	}
	for _, path := range []string{status.Kubeconfig, status.Restricted} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

// split asks every address of the Service over TCP and UDP and expects 4 of 5
// answers from the new version, within 10 points: 6 standard deviations.
func (l lab) split(t *testing.T) {
	l.kubectl(t, "apply", "-f", "testdata/e2e/split.yaml")
	for _, name := range []string{"old", "new"} {
		l.kubectl(t, "rollout", "status", "deployment/"+name, "--timeout=60s")
	}
	families := 1
	if len(l.read(t).Pools) == 2 {
		families = 2
	}
	var addresses []string
	require.Eventually(t, func() bool {
		addresses = strings.Fields(l.kubectl(t, "get", "service", "web", "-o", "jsonpath={.status.loadBalancer.ingress[*].ip}"))
		return len(addresses) == families
	}, soon, interval)
	for _, address := range addresses {
		for _, network := range []string{"tcp", "udp"} {
			target := net.JoinHostPort(address, "7000")
			awaitPods(t, network, target, 5)
			count := map[string]int{}
			for range flows {
				version, _, err := ask(t.Context(), network, target, 0)
				require.NoError(t, err)
				count[version]++
			}
			t.Logf("%s %s: %v", network, target, count)
			require.Equal(t, flows, count["new"]+count["old"])
			require.InDelta(t, 0.8, float64(count["new"])/flows, 0.1)
		}
	}
}

// awaitPods waits until so many pods have answered. A pod that is available may
// not be in kube-proxy's rules yet: it gathers changes for a second.
//
// Whoever asks too early leaves a trace: the node remembers for two minutes where it sent
// the request, and sends what comes later from the same port after it. So this asks from
// ports below those that the kernel gives to clients.
func awaitPods(t *testing.T, network, target string, want int) {
	t.Helper()
	seen := map[string]bool{}
	port := 20000
	require.Eventually(t, func() bool {
		port++
		if _, pod, err := ask(t.Context(), network, target, port); err == nil {
			seen[pod] = true
		}
		return len(seen) == want
	}, soon, interval/10, "pods that answer on %s %s: %v", network, target, seen)
}

// ask makes one flow, from a port or if that is 0 from any, and returns the two words of
// the answer.
func ask(ctx context.Context, network, address string, port int) (version, pod string, err error) {
	dialer := net.Dialer{Timeout: 3 * time.Second, LocalAddr: &net.TCPAddr{Port: port}}
	if network == "udp" {
		dialer.LocalAddr = &net.UDPAddr{Port: port}
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return "", "", err
	}
	defer conn.Close()
	if err = conn.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		return "", "", err
	}
	if _, err = conn.Write([]byte("x\n")); err != nil {
		return "", "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	version, pod, _ = strings.Cut(strings.TrimSpace(line), " ")
	return version, pod, err
}

func (l lab) trouble(t *testing.T) {
	l.kubectl(t, "apply", "-f", "testdata/e2e/trouble.yaml")
	const state = "jsonpath={.status.containerStatuses[0].state}{.status.containerStatuses[0].lastState}"
	for pod, reason := range map[string]string{"greedy": "OOMKilled", "missing": "ErrImagePull", "denied": "ErrImagePull"} {
		require.Eventually(t, func() bool {
			words := l.kubectl(t, "get", "pod", pod, "-o", state)
			return strings.Contains(words, reason) || reason == "ErrImagePull" && strings.Contains(words, "ImagePullBackOff")
		}, soon, interval, "%s: %s", pod, reason)
	}
	l.kubectl(t, "delete", "--now", "-f", "testdata/e2e/trouble.yaml")
}

// reach goes to pods through the API server.
func (l lab) reach(t *testing.T) {
	require.Contains(t, l.kubectl(t, "logs", "deployment/old"), "version=old")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	forward := l.command(ctx, "kubectl", "--", "port-forward", "deployment/old", ":80")
	forward.Cancel = func() error { return forward.Process.Signal(os.Interrupt) }
	stdout, err := forward.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, forward.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	address := strings.Fields(line)[2] // Forwarding from 127.0.0.1:PORT -> 80
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "old\n", string(body))
	cancel()
	_ = forward.Wait()
}

func (l lab) restricted(t *testing.T) {
	status := l.read(t)
	as := func(args ...string) (string, error) {
		args = append([]string{"kubectl", "--", "--kubeconfig", status.Restricted}, args...)
		out, err := l.command(t.Context(), args...).CombinedOutput()
		return string(out), err
	}
	out, err := as("scale", "deployment/new", "--replicas=3")
	require.NoError(t, err, out)
	for _, forbidden := range [][]string{
		{"get", "secrets"}, {"get", "nodes"}, {"get", "pods", "--namespace", "kube-system"},
		{"create", "configmap", "x"}, {"delete", "namespace", "default"},
	} {
		out, err = as(forbidden...)
		require.Error(t, err, forbidden)
		require.Contains(t, strings.ToLower(out), "forbidden", forbidden)
	}
	audit, err := os.ReadFile(status.AuditLog)
	require.NoError(t, err)
	scaled := slices.ContainsFunc(strings.Split(string(audit), "\n"), func(line string) bool {
		return strings.Contains(line, `"username":"restricted"`) && strings.Contains(line, `"verb":"patch"`) &&
			strings.Contains(line, "/deployments/new/scale") && strings.Contains(line, `"stage":"ResponseComplete"`)
	})
	require.True(t, scaled, "the audit log tells who scaled")
}

// restart: what was restarted is another process, and works.
func (l lab) restart(t *testing.T) {
	ids := func() map[string]int {
		all := map[string]int{}
		for _, p := range l.read(t).Processes {
			all[p.Name] = p.PID
		}
		return all
	}
	before := ids()
	restarted := []string{"kubelet-1", "kube-proxy-1", "kube-apiserver", "kube-scheduler", "kube-controller-manager"}
	l.run(t, append([]string{"restart"}, restarted...)...)
	after := ids()
	for name, id := range before {
		if name != "pods" {
			require.Equal(t, slices.Contains(restarted, name), id != after[name], name)
		}
	}
	require.Eventually(t, func() bool { return l.read(t).Running }, soon, interval)
	l.kubectl(t, "rollout", "restart", "deployment/old")
	l.kubectl(t, "rollout", "status", "deployment/old", "--timeout=60s")
}

// unplug: nobody reaches the second node until it is plugged in again, and all flows take
// the way through the first.
func (l lab) unplug(t *testing.T) {
	nodes := l.read(t).Nodes
	if len(nodes) < 2 {
		out, err := l.command(t.Context(), "unplug").CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "has one node")
		return
	}
	// The API server asks, from the first node: where the machine's own way out leads,
	// something may take any connection.
	reached := func(node cluster.Node) error {
		return l.command(t.Context(), "kubectl", "--", "get", "--raw", "/api/v1/nodes/"+node.Name+"/proxy/healthz", "--request-timeout=5s").Run()
	}
	require.NoError(t, reached(nodes[1]))
	l.run(t, "unplug")
	require.Error(t, reached(nodes[1]))
	require.NoError(t, reached(nodes[0]))
	address := l.kubectl(t, "get", "service", "web", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
	for port := range 40 { // every second one took the link that is dead now
		route := strings.Fields("ip route get " + address + " ipproto tcp dport 7000 sport " + strconv.Itoa(21000+port))
		out, err := exec.CommandContext(t.Context(), route[0], route[1:]...).Output()
		require.NoError(t, err)
		require.Contains(t, string(out), " via "+nodes[0].Address+" ")
	}
	l.run(t, "plug")
	require.Eventually(t, func() bool { return reached(nodes[1]) == nil }, soon, interval)
	require.Eventually(t, func() bool { return l.read(t).Running }, soon, interval)
}

func (l lab) command(ctx context.Context, args ...string) *exec.Cmd {
	at := slices.Index(args, "--")
	if at < 0 {
		at = len(args)
	}
	return exec.CommandContext(ctx, l.binary, slices.Insert(slices.Clone(args), at, "--name", l.name, "--provider", "native")...)
}

func (l lab) run(t *testing.T, args ...string) string {
	t.Helper()
	started := time.Now()
	out, err := l.command(t.Context(), args...).CombinedOutput()
	require.NoError(t, err, "%s\n%s", strings.Join(args, " "), out)
	if !slices.Contains(args, "kubectl") {
		t.Logf("lab %s: %s", strings.Join(args, " "), time.Since(started).Round(time.Millisecond))
	}
	return string(out)
}

func (l lab) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return l.run(t, append([]string{"kubectl", "--"}, args...)...)
}

func (l lab) read(t *testing.T) cluster.Status {
	t.Helper()
	out, err := l.command(t.Context(), "status", "--output", "json").Output()
	require.NoError(t, err)
	var status cluster.Status
	require.NoError(t, json.Unmarshal(out, &status))
	return status
}
