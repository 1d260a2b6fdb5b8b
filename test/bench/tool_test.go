//go:build linux

package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/executable"
)

const (
	wrkSays = `Running 2s test @ http://127.0.0.60:39537/
  2 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.93ms   13.08ms 107.58ms   90.00%
    Req/Sec     6.32k     4.65k   13.95k    60.00%
  25292 requests in 2.04s, 2.27MB read
Requests/sec:  12399.96
Transfer/sec:      1.11MB
`
	wrkFails = `  25292 requests in 2.04s, 2.27MB read
  Socket errors: connect 1, read 20, write 0, timeout 300
  Non-2xx or 3xx responses: 4000
Requests/sec:  12399.96
`
	abSays = `Concurrency Level:      16
Time taken for tests:   2.000 seconds
Complete requests:      24361
Failed requests:        0
Total transferred:      2289934 bytes
Requests per second:    12180.29 [#/sec] (mean)
Time per request:       1.314 [ms] (mean)
`
	abFails = `Complete requests:      24361
Failed requests:        12
   (Connect: 0, Receive: 0, Length: 12, Exceptions: 0)
Non-2xx responses:      30
Requests per second:    12180.29 [#/sec] (mean)
`
	fortioSays  = `{"ActualQPS": 7744.31, "NumThreads": 16, "DurationHistogram": {"Count": 15492}, "RetCodes": {"200": 15492}}`
	fortioFails = `{"ActualQPS": 7744.31, "DurationHistogram": {"Count": 15492}, "RetCodes": {"200": 15400, "503": 90, "-1": 2}}`
)

// TestRead reads what the tools say, and what they say of failures.
func TestRead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		read func(string) (outcome, error)
		says string
		want outcome
	}{
		{"wrk", readWrk, wrkSays, outcome{Requests: 25292, Rate: 12399.96}},
		{"wrk with failures", readWrk, wrkFails, outcome{Requests: 25292, Failed: 4321, Rate: 12399.96}},
		{"ab", readAB, abSays, outcome{Requests: 24361, Rate: 12180.29}},
		{"ab with failures", readAB, abFails, outcome{Requests: 24361, Failed: 42, Rate: 12180.29}},
		{"fortio", readFortio, fortioSays, outcome{Requests: 15492, Rate: 7744.31}},
		{"fortio with failures", readFortio, fortioFails, outcome{Requests: 15492, Failed: 92, Rate: 7744.31}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := row.read(row.says)
			require.NoError(t, err)
			require.Equal(t, row.want, got)
			_, err = row.read("unable to connect\n")
			require.Error(t, err, "what is not there is no zero")
		})
	}
	_, err := readFortio(`{"RetCodes": {}}`)
	require.ErrorContains(t, err, "no request was made")
}

// script is a tool that says this, with a status.
func script(t *testing.T, says, status string) tool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tool")
	require.NoError(t, executable.Write(path, "#!/bin/sh\ncat <<'EOF'\n"+says+"\nEOF\necho why >&2\nexit "+status+"\n"))
	return tool{name: "ab", program: path, args: abArgs, read: readAB, version: []string{"-V"}}
}

// TestAsk runs a tool; one that fails, or whose requests fail, is an error.
func TestAsk(t *testing.T) {
	t.Parallel()
	got, err := script(t, abSays, "0").ask(t.Context(), 16, 2, "http://127.0.0.1/")
	require.NoError(t, err)
	require.Equal(t, 24361, got.Requests)
	require.Positive(t, got.CPU)
	_, err = script(t, abFails, "0").ask(t.Context(), 16, 2, "http://127.0.0.1/")
	require.EqualError(t, err, "ab: 42 of 24361 requests failed")
	_, err = script(t, abSays, "3").ask(t.Context(), 16, 2, "http://127.0.0.1/")
	require.EqualError(t, err, "ab: exit status 3: why")
	_, err = script(t, "nothing", "0").ask(t.Context(), 16, 2, "http://127.0.0.1/")
	require.ErrorContains(t, err, "what ab says")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"ab 2.3"}, programs(t.Context(), []tool{script(t, "This is ApacheBench, Version 2.3 <$Revision$>", "0")}))
	require.Equal(t, []string{"ab 4.1.0-3+b2"}, programs(t.Context(), []tool{script(t, "wrk debian/4.1.0-3+b2 [epoll]", "1")}))
	require.Equal(t, []string{"ab"}, programs(t.Context(), []tool{script(t, "it does not say", "0")}))
}

// TestArgs: all tools are asked for the same.
func TestArgs(t *testing.T) {
	t.Parallel()
	const url = "http://127.0.0.7:80/"
	require.Equal(t, []string{
		"--threads", "1", "--connections", "1", "--duration", "2s", "--header", "User-Agent: l4-canary", "--header", "Accept: */*",
		"--header", "Connection: close", url,
	}, wrkArgs(1, 2, url))
	require.Equal(t, []string{"-q", "-c", "16", "-t", "2", "-n", "100000000", url}, abArgs(16, 2, url))
	require.Equal(t, []string{"load", "-quiet", "-qps", "0", "-c", "16", "-t", "2s", "-keepalive=false", "-json", "-", url}, fortioArgs(16, 2, url))
}
