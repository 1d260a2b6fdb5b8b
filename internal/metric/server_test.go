package metric_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/metric"
)

// environment has what the tests look up.
func environment(name string) string {
	return map[string]string{
		"USER": "ci", "PASSWORD": "p@ss/w:rd%", "TOKEN": "eyJ0b2tlbg", "WHOLE": "https://ci:s%40fe@prometheus.example/prefix/", "HOST": "prometheus.example",
		"LINES": "a\nb",
	}[name]
}

func TestNewServer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		address, token, want string
		secrets              []string
	}{
		{address: "http://127.0.0.1:9090", want: "http://127.0.0.1:9090"},
		{address: "http://[2001:db8::7]:9090/", want: "http://[2001:db8::7]:9090"},
		{address: "https://ci:s%40fe@prometheus.example/prefix", want: "https://prometheus.example/prefix", secrets: []string{"s@fe"}},
		{address: "https://${USER}:${PASSWORD}@${HOST}:8443/", want: "https://prometheus.example:8443", secrets: []string{"prometheus.example", "p@ss/w:rd%", "ci"}},
		{address: "${WHOLE}", want: "https://prometheus.example/prefix", secrets: []string{environment("WHOLE"), "s@fe"}},
		{address: "http://prometheus:9090", token: "${TOKEN}", want: "http://prometheus:9090", secrets: []string{"eyJ0b2tlbg"}},
		{address: "http://prometheus:9090", token: "literal", want: "http://prometheus:9090", secrets: []string{"literal"}},
	} {
		server, err := metric.NewServer(row.address, row.token, environment)
		require.NoError(t, err, row.address)
		require.Equal(t, row.want, server.String())
		require.Equal(t, row.secrets, server.Secrets, row.address)
	}
}

// TestNewServerProblems: no message holds what may be secret.
func TestNewServerProblems(t *testing.T) {
	t.Parallel()
	const allowed = "it has to be an address such as http://prometheus.monitoring:9090 or https://user:${PASSWORD}@prometheus.example/prefix, without a query"
	for _, row := range []struct{ address, token, want string }{
		{address: "prometheus:9090", want: allowed},
		{address: "ftp://u:hunter2@prometheus", want: allowed},
		{address: "http://", want: allowed},
		{address: "http://u:hunter2@/x", want: allowed},
		{address: "http://u:hunter2@host:port", want: allowed},
		{address: "http://u:hunter2@host/\x7f", want: allowed},
		{address: "http://u:hunter2@host/?query=up", want: allowed},
		{address: "http://u:hunter2@host/#graph", want: allowed},
		{address: "http://u:${MISSING}@host", want: "the environment variable MISSING is empty or not there"},
		{address: "http://u:${MISS ING}@host", want: "after ${ allowed are the name of an environment variable and then }"},
		{address: "http://host", token: "${hunter2", want: `input "prometheus-token": after ${ allowed are the name of an environment variable and then }`},
		{address: "http://u:hunter2@host", token: "t", want: `it holds a user while input "prometheus-token" is given: leave one of them out`},
		{address: "http://host", token: "${LINES}", want: `input "prometheus-token": it has to stand on one line`},
	} {
		_, err := metric.NewServer(row.address, row.token, environment)
		require.EqualError(t, err, row.want, row.address)
	}
}

func FuzzNewServer(f *testing.F) {
	for _, seed := range []string{"http://a:b@c/d", "${WHOLE}", "https://${USER}:${PASSWORD}@h", "http://@", "://", "http://a@b@c", "http://${", "http://[::1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		server, err := metric.NewServer(address, "", environment)
		if err != nil {
			return
		}
		require.True(t, strings.HasPrefix(server.String(), "http"))
		authority, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(server.String(), "https://"), "http://"), "/")
		require.NotContains(t, authority, "@", "credentials are kept apart")
		_, err = metric.NewClient(server)
		require.NoError(t, err)
	})
}
