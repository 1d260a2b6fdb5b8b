//go:build e2e

package servers

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/metric"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/test/harness"
)

// lobby is what two pods of each version would export.
type lobby struct {
	*httptest.Server
	resets   atomic.Int64 // of each pod of the canary, since it began
	sessions atomic.Int64 // of one of them; the others hold ten
}

func newLobby(t *testing.T) *lobby {
	t.Helper()
	l := &lobby{}
	l.sessions.Store(10)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, pod := range []string{"lobby-blue-6c4f8-0a1b2", "lobby-green-77d9b-3c4d5", "lobby-green-77d9b-6e7f8"} {
			resets, sessions, memory := int64(0), int64(10), 100e6
			if strings.HasPrefix(pod, "lobby-green") {
				resets, memory = l.resets.Load(), 120e6
			}
			if strings.HasSuffix(pod, "6e7f8") {
				sessions = l.sessions.Load()
			}
			labels := fmt.Sprintf("{namespace=\"game\",pod=%q}", pod)
			_, _ = fmt.Fprintf(w, "lobby_resets_total%s %d\nlobby_sessions%s %d\nprocess_resident_memory_bytes%s %g\n",
				labels, resets, labels, sessions, labels, memory)
		}
	}))
	t.Cleanup(l.Close)
	return l
}

// The hash is bcrypt's of the password, as the server wants it.
const (
	password = "test"
	users    = "basic_auth_users:\n  ci: $2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay\n"
)

// startPrometheus runs the real server on loopback until the test ends; it scrapes the
// lobby every second. It gives the server's address without credentials.
func startPrometheus(t *testing.T, l *lobby) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	web := write(t, filepath.Join(t.TempDir(), "web.yml"), users)
	harness.Prometheus(t, nil, address, fmt.Sprintf(
		"global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: lobby\n  honor_labels: true\n  static_configs: [{targets: [%q]}]\n", l.Listener.Addr()),
		"--web.config.file="+web)
	return address
}

// meter asks a server as a user.
func meter(t *testing.T, address, password string) *metric.Client {
	t.Helper()
	server, err := metric.NewServer("http://ci:${SECRET}@"+address+"/", "", func(string) string { return password })
	require.NoError(t, err)
	m, err := metric.NewClient(server)
	require.NoError(t, err)
	return m
}

// documented are the queries of docs/metrics.md.
func documented(t *testing.T) map[string]rollout.Query {
	t.Helper()
	found := regexp.MustCompile("(?s)\n## An example\n.*?\n```yaml\n(.*?)```\n").FindStringSubmatch(read(t, "../../docs/metrics.md"))
	require.NotNil(t, found)
	queries, err := metric.Parse(found[1])
	require.NoError(t, err)
	byName := map[string]rollout.Query{}
	for _, q := range metric.Fill(queries, metric.Names{Canary: "lobby-green", Stable: "lobby-blue", Namespace: "game", Service: "lobby"}) {
		byName[q.Name] = q
	}
	return byName
}

// within waits until a query gives numbers, and the worst of them fits.
func within(t *testing.T, m *metric.Client, q rollout.Query, fits func(excess float64) bool) []rollout.Reading {
	t.Helper()
	var last []rollout.Reading
	require.Eventually(t, func() bool {
		readings, err := m.Ask(t.Context(), q.Expr)
		last = readings
		for _, r := range readings {
			if fits(q.Excess(r.Value)) {
				return err == nil
			}
		}
		return false
	}, time.Minute, 200*time.Millisecond, "query %s", q.Name)
	return last
}

// TestPrometheus: the example of the documentation, and everything that a server can say,
// in its own words.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	address := startPrometheus(t, l)
	m, queries := meter(t, address, password), documented(t)
	require.Len(t, queries, 3)
	for _, q := range queries {
		within(t, m, q, func(excess float64) bool { return excess <= 0 })
	}

	l.worsens(t, m, queries)
	wordless(t, m, address)
	readings, err := m.Ask(t.Context(), "vector(1) / 0")
	require.NoError(t, err)
	require.Positive(t, queries["resets"].Excess(readings[0].Value), "infinite is out of any bounds")

	_, err = meter(t, address, "s3cret-guess").Ask(t.Context(), "up")
	require.ErrorIs(t, err, metric.ErrUnreachable)
	require.ErrorContains(t, err, "asking http://"+address+": client error: 401")
	require.NotContains(t, err.Error(), "s3cret-guess")

	l.Close()
	require.Eventually(t, func() bool {
		readings, err := m.Ask(t.Context(), queries["sessions"].Expr)
		return err == nil && len(readings) == 0
	}, time.Minute, 200*time.Millisecond, "pods that are gone leave no data")
}

// worsens lets the canary go wrong: its queries leave their bounds.
func (l *lobby) worsens(t *testing.T, m *metric.Client, queries map[string]rollout.Query) {
	t.Helper()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				l.resets.Add(1)
			case <-stop:
				return
			}
		}
	}()
	l.sessions.Store(0)
	within(t, m, queries["resets"], func(excess float64) bool { return excess > 0 })
	worst := within(t, m, queries["sessions"], func(excess float64) bool { return excess > 0 })
	require.Contains(t, worst, rollout.Reading{Labels: `{pod="lobby-green-77d9b-6e7f8"}`, Value: 0})
	close(stop)
	<-done
}

// wordless asks what a server has no number for, or refuses.
func wordless(t *testing.T, m *metric.Client, address string) {
	t.Helper()
	for expr, want := range map[string]string{
		"nobody_knows_this":  "",
		"vector(0) / 0":      "",
		"sum(":               "asking http://" + address + ": bad_data: ",
		"lobby_sessions[1m]": "the query returns a range vector",
		"\"text\"":           "asking http://" + address + ": bad_response: ",
		"lobby_sessions * on (namespace) lobby_resets_total": "execution: found duplicate series for the match group",
	} {
		readings, err := m.Ask(t.Context(), expr)
		require.Empty(t, readings, expr)
		if want == "" {
			require.NoError(t, err, expr)
			continue
		}
		require.ErrorContains(t, err, want, expr)
		require.NotErrorIs(t, err, metric.ErrUnreachable, expr)
	}
}
