//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

// TestSample takes samples of every kind, through flags and JSON as the bench does.
func TestSample(t *testing.T) {
	t.Parallel()
	s := served(t)
	const count = 4400 // a stage at 50 % is decided by 4,332 answers, its budget, whatever they are
	for i, k := range []kind{greeting, request, datagram} {
		job := task{kind: k, target: netip.AddrPortFrom(place(i), s.ports[k]), workers: 4, count: count, seed: 7}
		var stdout bytes.Buffer
		require.NoError(t, run(t.Context(), job.args(), nil, &stdout, nil))
		var result taken
		require.NoError(t, json.Unmarshal(stdout.Bytes(), &result))
		require.Equal(t, count, result.Samples, k)
		require.Zero(t, result.Lost)
		require.Positive(t, result.Stages)
		require.Positive(t, result.Took)
		require.Positive(t, result.CPU)
		require.Positive(t, result.Allocs)
	}
}

// TestSamplePaced: with a rate, flows begin behind their schedule, and not all at once.
func TestSamplePaced(t *testing.T) {
	t.Parallel()
	s := served(t)
	job := task{kind: greeting, target: netip.AddrPortFrom(place(9), s.ports[greeting]), rate: 500, count: 200, seed: 7}
	result, err := job.take(t.Context())
	require.NoError(t, err)
	require.Equal(t, 200, result.Samples)
	require.Positive(t, result.Lateness)
	require.Greater(t, result.Took.Seconds(), 0.2, "200 places in a schedule of 500 a second")
}

// TestSampleLost: what is not answered is an error that says why.
func TestSampleLost(t *testing.T) {
	t.Parallel()
	s := served(t)
	target := netip.AddrPortFrom(place(3), s.ports[datagram]) // nobody listens there over TCP
	_, err := task{kind: greeting, target: target, workers: 2, count: 10}.take(t.Context())
	require.ErrorContains(t, err, "a sample was lost: refused: ")
	require.EqualError(t, lost(probe.Flow{Class: probe.Answered, Answer: []byte("?")}), `a sample was lost: nobody knows whose answer "?" is`)
}

func TestSampleFlags(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	require.ErrorContains(t, run(t.Context(), []string{"sample", "-kind", "smtp"}, nil, &stdout, nil), `"smtp" is unknown`)
	require.ErrorContains(t, run(t.Context(), []string{"sample", "-target", "here"}, nil, &stdout, nil), "invalid value")
	require.Empty(t, stdout.String())
	job := task{kind: request, target: netip.MustParseAddrPort("127.0.0.9:80"), rate: 0.5, workers: 3, count: 2, seed: 1}
	require.Equal(t, "sample -kind http -target 127.0.0.9:80 -workers 3 -rate 0.5 -count 2 -seed 1", strings.Join(job.args(), " "))
}
