package main

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/spec"
)

// greeter greets whoever connects, in turns, and gives its port.
func greeter(t *testing.T, greetings ...string) int64 {
	t.Helper()
	var listening net.ListenConfig
	listener, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			conn, failed := listener.Accept()
			if failed != nil {
				return
			}
			_, _ = io.WriteString(conn, greetings[n%len(greetings)]) // whoever has gone is told nothing
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return int64(listener.Addr().(*net.TCPAddr).Port)
}

// serviceOf is a Service with these ports.
func serviceOf(ports ...int64) manifest.Object {
	var list []any
	for _, port := range ports {
		list = append(list, map[string]any{"port": port, "protocol": "TCP"})
	}
	return manifest.Object{Unstructured: &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "lobby"},
		"spec": map[string]any{"ports": list},
	}}}
}

// TestTheWorstPortDecides goes from YAML to the verdict: two ports with probes of their
// own, of which one answers as half of it should and the other as all canary.
func TestTheWorstPortDecides(t *testing.T) {
	t.Parallel()
	even := greeter(t, "old\n", "new\n", "new\n", "old\n")
	for name, row := range map[string]struct {
		other   []string
		verdict rollout.Verdict
		reason  rollout.Reason
	}{
		"both are even":           {[]string{"220 new", "220 old", "220 old", "220 new"}, rollout.Pass, rollout.ReasonPass},
		"one answers by itself":   {[]string{"220 new", "220 new", "220 new", "220 new", "220 old"}, rollout.Fail, rollout.ReasonFailShare},
		"one breaks its protocol": {[]string{"500 new", "500 old"}, rollout.Fail, rollout.ReasonFailErrors},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other, unasked := greeter(t, row.other...), greeter(t, "neither\n")
			c := &Command{Getenv: func(string) string { return "" }, Stderr: io.Discard}
			text := fmt.Sprintf("- {port: %d, steps: [{expect: '^220 (old|new)'}]}\n- {port: %d, preset: none}", other, unasked)
			require.NoError(t, c.checkProbe(text, nil))
			p := &prepared{service: serviceOf(even, other, unasked), record: &rollout.Record{}}
			var err error
			p.probes, err = c.probes(text)
			require.NoError(t, err)
			require.NoError(t, p.choosePorts())
			require.Equal(t, []string{fmt.Sprintf("port %d/TCP is not measured: its probe is none", unasked)}, p.record.Notices)
			options := config.Rollout{Rate: 4000, StablePattern: regexp.MustCompile("old"), CanaryPattern: regexp.MustCompile("new")}
			require.NoError(t, p.newProber(options))
			sampler, err := p.prober.Sampler(t.Context(), rollout.Aim{Addresses: []string{"127.0.0.1"}, Seed: 1})
			require.NoError(t, err)
			half := rollout.Percent(50)
			judge := rollout.NewJudge(rollout.JudgeOptions{Ports: p.options.Ports, Expected: &half, Tolerance: 10, Confidence: 95})
			require.NoError(t, rollout.Sample(t.Context(), sampler.Flows(t.Context()), judge))
			verdict, reason, detail, port := judge.Verdict()
			require.Equal(t, row.verdict, verdict, detail)
			require.Equal(t, row.reason, reason, detail)
			if verdict != rollout.Pass {
				require.Equal(t, other, int64(p.options.Ports[port].Number))
			}
		})
	}
}

// TestProbeWords: what input "probe" takes for a word is one, and nothing else is.
func TestProbeWords(t *testing.T) {
	t.Parallel()
	require.Equal(t, append([]string{"auto"}, probe.PresetNames()...), config.ProbeWords())
	for _, word := range config.ProbeWords() {
		require.True(t, spec.IsWord(word))
	}
}

// TestAnswersWithoutSecrets: a server may repeat what it was told.
func TestAnswersWithoutSecrets(t *testing.T) {
	t.Parallel()
	p := &prepared{probes: spec.Probes{Secrets: []string{"hunter2"}}}
	require.Equal(t, "unknown command AUTH ***", p.withoutSecrets([]byte("unknown command AUTH hunter2")))
}

// TestSamplerNotesAHurry: the report says that samples may be copies, where they may be.
func TestSamplerNotesAHurry(t *testing.T) {
	t.Parallel()
	exchange, err := probe.Preset("tcp")
	require.NoError(t, err)
	for address, notes := range map[string]int{"192.0.2.7": 1, "127.0.0.1": 0} {
		var noted []string
		p := prober{options: probe.Options{
			Ports: []probe.Port{{Number: 80, Protocol: probe.TCP, Exchange: exchange}}, Rate: 90_000, Cursor: probe.NewCursor(1),
			Warn: func(text string) { noted = append(noted, text) },
		}}
		_, err := p.Sampler(t.Context(), rollout.Aim{Addresses: []string{address}, Seed: 1})
		require.NoError(t, err)
		require.Len(t, noted, notes, address)
		for _, note := range noted {
			require.Contains(t, note, "at 90000 flows a second each source port is used again after 0s")
		}
	}
}

// TestListenTo: doctor takes three seconds, whatever a port allows.
func TestListenTo(t *testing.T) {
	t.Parallel()
	require.Equal(t, 90, listenTo([]probe.Port{{}, {}}))
	require.Equal(t, 46, listenTo([]probe.Port{{}, {Rate: 0.5}}))
	require.Equal(t, 1, listenTo([]probe.Port{{Rate: 0.1}}))
}
