package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// TestQuietProber makes a tenth of the flows, as the prober is when they are made.
func TestQuietProber(t *testing.T) {
	t.Parallel()
	exchange, err := probe.Preset("tcp")
	require.NoError(t, err)
	loud := &prober{probe.Options{Rate: 50, Cursor: probe.NewCursor(1)}}
	quiet := quietProber{loud}
	loud.options.Ports = []probe.Port{{Number: 80, Protocol: probe.TCP, Exchange: exchange}}
	slower := quiet.slower()
	require.InDelta(t, 5, slower.options.Rate, 1e-12)
	require.Same(t, loud.options.Cursor, slower.options.Cursor, "no source port comes again too soon")
	require.Equal(t, loud.options.Ports, slower.options.Ports)
	require.InDelta(t, 50, loud.options.Rate, 1e-12)

	flows, err := quiet.Sampler(t.Context(), rollout.Aim{Addresses: []string{"127.0.0.1"}, Seed: 42})
	require.NoError(t, err)
	require.Zero(t, flows.Stats().Sent)
	_, err = quiet.Sampler(t.Context(), rollout.Aim{Addresses: []string{"0.0.0.0"}, Seed: 42})
	require.ErrorContains(t, err, "is not that of a host")
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
	require.InDelta(t, 0, float64(*on.MaxErrors), 0)
	require.InDelta(t, 25, float64(*on.MaxSlower), 0)
}

var _ rollout.Prober = quietProber{}
