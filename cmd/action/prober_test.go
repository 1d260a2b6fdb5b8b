package main

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// TestQuietProber makes a tenth of the flows: the same schedule, ten times as long.
func TestQuietProber(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("old\n"))
			_ = c.Close()
		}
	}()
	exchange, err := probe.Preset("tcp")
	require.NoError(t, err)
	port := probe.Port{Number: uint16(listener.Addr().(*net.TCPAddr).Port), Protocol: probe.TCP, Exchange: exchange}
	loud := &prober{probe.Options{Ports: []probe.Port{port}, Rate: 5000, Cursor: probe.NewCursor(1)}}
	scheduled := func(p rollout.Prober) []time.Duration {
		flows, err := p.Sampler(t.Context(), []string{"127.0.0.1"}, 42)
		require.NoError(t, err)
		var at []time.Duration
		for flow := range flows.Flows(t.Context()) {
			if at = append(at, flow.Scheduled); len(at) == 20 {
				break
			}
		}
		return at
	}
	fast, slow := scheduled(loud), scheduled(quietProber{loud})
	for i := range fast {
		require.InDelta(t, 10*fast[i], slow[i], float64(10*time.Microsecond), "flow %d", i)
	}
}

// TestGatesFromInputs: off is no limit, and 0 % one.
func TestGatesFromInputs(t *testing.T) {
	t.Parallel()
	off := engineOptions(config.Rollout{}, 3, false)
	require.Nil(t, off.MaxErrors)
	require.Nil(t, off.MaxSlower)
	on := engineOptions(config.Rollout{
		MaxErrorRate: config.Optional[float64]{Value: 0, Set: true}, MaxSlower: config.Optional[float64]{Value: 25, Set: true},
	}, 3, false)
	require.Equal(t, rollout.Percent(0), *on.MaxErrors)
	require.Equal(t, rollout.Percent(25), *on.MaxSlower)
}
