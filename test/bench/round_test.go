//go:build linux

package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPlay plays turns, with the server and the sampler in processes of their own.
func TestPlay(t *testing.T) {
	t.Parallel()
	p, err := newPlayer(t.Context(), options{seconds: 1, seed: 3})
	require.NoError(t, err)
	defer p.stop()
	for _, k := range []kind{greeting, datagram, request} {
		f, sampleErr := p.sample(t.Context(), turn{kind: k, workers: 4}, 800)
		require.NoError(t, sampleErr)
		require.Equal(t, 800, f.samples)
		require.Positive(t, f.rate)
		require.Positive(t, f.cpu)
		require.Positive(t, f.allocs)
	}
	paced, err := p.play(t.Context(), turn{kind: greeting, rate: 50}, nil)
	require.NoError(t, err)
	require.Equal(t, 50*paceFactor, paced.samples)
	require.Positive(t, paced.lateness)

	said := script(t, abSays, "0")
	f, err := p.play(t.Context(), turn{kind: request, workers: 16, tool: &said}, nil)
	require.NoError(t, err)
	require.Equal(t, 24361, f.samples)
	require.Positive(t, f.cpu)
	require.Less(t, f.cpu, time.Millisecond)
	require.Equal(t, 5, p.runs, "each had an address of its own")

	p.ports[greeting] = p.ports[datagram] // where nobody speaks TCP
	_, err = p.sample(t.Context(), turn{kind: greeting, workers: 4}, 10)
	require.ErrorContains(t, err, "exit status 1")
}

// TestCount: a run of the sampler takes as long as those of the others, but has a source
// port for each flow.
func TestCount(t *testing.T) {
	t.Parallel()
	p := player{options: options{seconds: 2}}
	require.Equal(t, 8000, p.count(turn{workers: 16}, []figures{{rate: 1}, {rate: 4000}}))
	require.Equal(t, mostPorts, p.count(turn{workers: 16}, []figures{{rate: 50000}}))
	require.Equal(t, 1, p.count(turn{workers: 16}, []figures{{rate: 0.1}}))
	require.Equal(t, 400, p.count(turn{rate: 50}, nil))
	require.Equal(t, 10000, p.count(turn{rate: 5000}, nil))
}

// TestServerEnds: the server goes with whoever started it.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	require.NoError(t, err)
	server := exec.CommandContext(t.Context(), program, "serve")
	stdin, err := server.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	require.NoError(t, stdin.Close())
	require.NoError(t, server.Wait())
}
