package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// environ makes a getenv of name and value pairs.
func environ(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestParseConfigDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := ParseConfig(environ(map[string]string{"HOSTNAME": "web-1"}))
	require.NoError(t, err)
	require.Equal(t, Config{
		Version:    "dev",
		Pod:        "web-1",
		HTTPAddr:   ":80",
		TCPAddrs:   []string{":7000"},
		UDPAddrs:   []string{":7000", ":80"},
		HealthAddr: ":8081",
	}, cfg)
}

func TestParseConfigReadsEverything(t *testing.T) {
	t.Parallel()
	cfg, err := ParseConfig(environ(map[string]string{
		"VERSION": "new", "HOSTNAME": "web-1",
		"HTTP_ADDR": "127.0.0.1:8080", "TCP_ADDR": ":1,:2", "UDP_ADDR": "off", "HEALTH_ADDR": "[::1]:9",
		"DELAY": "250ms", "ERROR_SHARE": "0.25", "OTHER_SHARE": "0.5", "OTHER_VERSION": "old", "SEED": "7",
		"REFUSE": "true", "NEVER_READY": "true", "CRASH_AFTER": "5s", "ALLOCATE_MIB": "64",
		"IGNORE_SIGTERM": "true", "DRAIN_DELAY": "3s",
	}))
	require.NoError(t, err)
	require.Equal(t, Config{
		Version: "new", Pod: "web-1",
		HTTPAddr: "127.0.0.1:8080", TCPAddrs: []string{":1", ":2"}, HealthAddr: "[::1]:9",
		Delay: 250 * time.Millisecond, ErrorShare: 0.25, OtherShare: 0.5, OtherVersion: "old", Seed: 7,
		Refuse: true, NeverReady: true, CrashAfter: 5 * time.Second, AllocateMiB: 64,
		IgnoreSIGTERM: true, DrainDelay: 3 * time.Second,
	}, cfg)
}

func TestParseConfigRejects(t *testing.T) {
	t.Parallel()
	const (
		address = "host:port or :port with a port from 0 to 65535, several separated by commas, or off"
		share   = "a share from 0 to 1, such as 0.5"
		count   = "a whole number of zero or more"
	)
	for _, tc := range []struct{ name, value, allowed string }{
		{"VERSION", "two words", "one word"},
		{"HOSTNAME", "a\nb", "one word"},
		{"HTTP_ADDR", "80", address},
		{"HTTP_ADDR", ":1,:2", "one host:port or off"},
		{"TCP_ADDR", ":70000", address},
		{"UDP_ADDR", ":1,,:2", address},
		{"HEALTH_ADDR", ":http", address},
		{"DELAY", "fast", "a duration of zero or more, such as 250ms or 2s"},
		{"DELAY", "-1s", "a duration of zero or more, such as 250ms or 2s"},
		{"DRAIN_DELAY", "5", "a duration of zero or more, such as 250ms or 2s"},
		{"CRASH_AFTER", "0s", "a duration above zero, such as 1ms or 30s"},
		{"ERROR_SHARE", "1.1", share},
		{"ERROR_SHARE", "NaN", share},
		{"OTHER_SHARE", "half", share},
		{"OTHER_SHARE", "-0.1", share},
		{"SEED", "-1", count},
		{"ALLOCATE_MIB", "1.5", count},
		{"ALLOCATE_MIB", "9999999999", count},
		{"REFUSE", "yes", "true or false"},
		{"NEVER_READY", "1", "true or false"},
		{"IGNORE_SIGTERM", "TRUE", "true or false"},
	} {
		t.Run(tc.name+"="+tc.value, func(t *testing.T) {
			t.Parallel()
			_, err := ParseConfig(environ(map[string]string{tc.name: tc.value}))
			require.ErrorContains(t, err, tc.name+"=")
			require.ErrorContains(t, err, ": allowed is "+tc.allowed)
		})
	}
}

func TestParseConfigTellsEveryErrorAtOnce(t *testing.T) {
	t.Parallel()
	_, err := ParseConfig(environ(map[string]string{
		"DELAY": "fast", "REFUSE": "no", "ERROR_SHARE": "0.6", "OTHER_SHARE": "0.6",
	}))
	require.EqualError(t, err, `DELAY="fast": allowed is a duration of zero or more, such as 250ms or 2s
REFUSE="no": allowed is true or false
OTHER_VERSION="": allowed is one word, because OTHER_SHARE is set
OTHER_SHARE="0.6": allowed is at most 1 together with ERROR_SHARE`)
}
