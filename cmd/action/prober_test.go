package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

// TestSamplerNotesAHurry: the report says that samples may be copies, where they may be.
func TestSamplerNotesAHurry(t *testing.T) {
	t.Parallel()
	exchange, err := probe.Preset("tcp")
	require.NoError(t, err)
	for address, notes := range map[string]int{"192.0.2.7": 1, "127.0.0.1": 0} {
		var noted []string
		p := prober{options: probe.Options{
			Ports: []probe.Port{{Number: 80, Protocol: probe.TCP, Exchange: exchange}}, Rate: 90_000, Cursor: probe.NewCursor(1),
		}, note: func(text string) { noted = append(noted, text) }}
		_, err := p.Sampler(t.Context(), []string{address}, 1)
		require.NoError(t, err)
		require.Len(t, noted, notes, address)
		for _, note := range noted {
			require.Contains(t, note, "warning: at 90000 flows a second each source port is used again after 0s")
		}
	}
}
