package config_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
)

func TestParseSampleDefaults(t *testing.T) {
	t.Parallel()
	sample, err := config.ParseSample(load(t, "sample", leastSample()))
	require.NoError(t, err)
	require.Equal(t, config.Sample{
		Address: "192.0.2.7", Port: 80, Probe: "auto", Tolerance: 5, Confidence: 95,
		Rate: 50, Concurrency: 64, Timeout: 5 * time.Second, Close: "fin", Output: "table",
	}, sample)
}

func TestParseSampleEverything(t *testing.T) {
	t.Parallel()
	sample, err := config.ParseSample(load(t, "sample", map[string]string{
		"address": "lobby.example", "port": "7000", "protocol": "UDP", "probe": "udp",
		"send": `PING\x00\r\n`, "expect": "^PONG", "stable-pattern": "old", "canary-pattern": "new",
		"expected-weight": "0", "tolerance": "3", "confidence": "99", "rate": "0", "concurrency": "10", "count": "500",
		"timeout": "1s", "close": "auto", "seed": "18446744073709551615", "output": "json",
	}))
	require.NoError(t, err)
	require.Equal(t, config.Sample{
		Address: "lobby.example", Port: 7000, Protocol: "udp", Probe: "udp",
		Send: []byte("PING\x00\r\n"), Expect: regexp.MustCompile("^PONG"),
		StablePattern: regexp.MustCompile("old"), CanaryPattern: regexp.MustCompile("new"),
		ExpectedWeight: config.Optional[float64]{Set: true}, Tolerance: 3, Confidence: 99,
		Concurrency: 10, Count: config.Optional[int]{Value: 500, Set: true},
		Timeout: time.Second, Close: "auto", Seed: config.Optional[uint64]{Value: 1<<64 - 1, Set: true}, Output: "json",
	}, sample)
}

func TestParseSampleProtocolFollowsProbe(t *testing.T) {
	t.Parallel()
	for probe, protocols := range map[string][]string{
		"auto": {"tcp", "udp"}, "dns": {"tcp", "udp"}, "steps: []": {"tcp", "udp"}, "probes.yaml": {"tcp", "udp"},
		"udp": {"udp"}, "tcp": {"tcp"}, "http": {"tcp"}, "grpc": {"tcp"},
	} {
		sample, err := config.ParseSample(load(t, "sample", with(leastSample(), map[string]string{"probe": probe})))
		require.NoError(t, err)
		require.Empty(t, sample.Protocol, "the probe decides")
		for _, protocol := range []string{"tcp", "udp"} {
			_, err := config.ParseSample(load(t, "sample", with(leastSample(), map[string]string{"probe": probe, "protocol": protocol})))
			if slices.Contains(protocols, protocol) {
				require.NoError(t, err, "%s over %s", probe, protocol)
			} else {
				require.ErrorContains(t, err, `it contradicts input "probe", which is `+probe)
			}
		}
	}
}

func TestParseSampleProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		flags map[string]string
		want  string
	}{
		{"port", map[string]string{"port": "65536"}, `input "port": "65536" is not allowed: a whole number from 1 to 65535`},
		{"protocol", map[string]string{"protocol": "sctp"}, `input "protocol": "sctp" is not allowed: allowed are auto, tcp and udp`},
		{"two probes", map[string]string{"probe": "port: 80", "send": "x"}, `input "probe": "port: 80" is not allowed: leave it out together with send and expect, which are a probe of their own`},
		{"probe against protocol", map[string]string{"probe": "http", "protocol": "udp"}, `input "protocol": "udp" is not allowed: it contradicts input "probe", which is http`},
		{"protocol against probe", map[string]string{"probe": "udp", "protocol": "tcp"}, `input "protocol": "tcp" is not allowed: it contradicts input "probe", which is udp`},
		{"weight", map[string]string{"expected-weight": "120", "canary-pattern": "new"}, `input "expected-weight": "120" is not allowed: a percentage from 0 to 100`},
		{"weight without pattern", map[string]string{"expected-weight": "20"}, `input "canary-pattern": missing: without it no flow can be told to be the canary's, as input "expected-weight" needs`},
		{"count and budget", map[string]string{"count": "10", "max-probes": "20"}, `input "max-probes": "20" is not allowed: leave it out together with count, which is exact`},
		{"rate", map[string]string{"rate": "-1"}, `input "rate": "-1" is not allowed: flows per second, 0 (as fast as it goes) to 100000`},
		{"concurrency", map[string]string{"concurrency": "0"}, `input "concurrency": "0" is not allowed: a whole number from 1 to 20000`},
		{"seed", map[string]string{"seed": "-1"}, `input "seed": "-1" is not allowed: a whole number from 0 to 18446744073709551615`},
		{"send", map[string]string{"send": `\q`}, `input "send": "\\q" is not allowed: text in which \r, \n, \t, \0, \\ and \xHH stand for bytes, and no other backslash`},
		{"send cut off", map[string]string{"send": `\x4`}, `input "send": "\\x4" is not allowed: text in which \r, \n, \t, \0, \\ and \xHH stand for bytes, and no other backslash`},
		{"timeout", map[string]string{"timeout": "0"}, `input "timeout": "0" is not allowed: a duration above 0, such as 30s, 5m or 1h30m`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.ParseSample(load(t, "sample", with(leastSample(), tt.flags)))
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestParseSampleWithoutAnything(t *testing.T) {
	t.Parallel()
	_, err := config.ParseSample(load(t, "sample", nil))
	require.EqualError(t, err, `input "address": missing: write the IP address or host name to sample
input "port": missing: a whole number from 1 to 65535`)
}
