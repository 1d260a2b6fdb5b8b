package probe

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPreset(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tcp", "udp", "tls", "http", "https", "dns", "redis", "grpc"} {
		e, err := Preset(name)
		require.NoError(t, err)
		require.Equal(t, name, e.String())
	}
	_, err := Preset("htp")
	require.EqualError(t, err, `probe "htp" is unknown: allowed are tcp, udp, tls, http, https, dns, redis, grpc`)
}

func TestAuto(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, appProtocol string
		protocol          Protocol
		number            uint16
		want              string
	}{
		{"", "", TCP, 80, "http"},
		{"", "", TCP, 8080, "http"},
		{"", "", TCP, 5432, "tcp"},
		{"", "", UDP, 80, "udp"},
		{"http", "", TCP, 9000, "http"},
		{"HTTP-admin", "", TCP, 9000, "http"},
		{"web", "", TCP, 9000, "http"},
		{"https", "", TCP, 8080, "https"},
		{"tls-game", "", TCP, 8080, "tls"},
		{"grpc", "", TCP, 8080, "grpc"},
		{"grpc-web", "", TCP, 9000, "http"},
		{"game", "", TCP, 7777, "tcp"},
		{"game", "http", TCP, 7777, "http"},
		{"http", "mysql", TCP, 80, "tcp"},
		{"tcp", "", TCP, 80, "tcp"},
		{"chat", "kubernetes.io/ws", TCP, 7777, "http"},
		{"chat", "kubernetes.io/h2c", TCP, 80, "grpc"},
		{"dns", "", UDP, 5353, "dns"},
		{"dns-tcp", "", TCP, 5353, "dns"},
		{"", "", UDP, 53, "dns"},
		{"", "", TCP, 53, "dns"},
		{"redis", "", TCP, 7000, "redis"},
		{"", "", TCP, 6379, "redis"},
		{"", "", TCP, 443, "https"},
		{"", "", UDP, 443, "udp"},
		{"http", "http", UDP, 80, "udp"},
	} {
		require.Equal(t, row.want, Auto(row.name, row.appProtocol, row.protocol, row.number).String(), "%+v", row)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, stable, canary, answer string
		version                      Version
		pod                          string
	}{
		{"stable", "old", "new", "the old one", Stable, ""},
		{"canary", "old", "new", "the new one", Canary, ""},
		{"neither", "old", "new", "nobody", Unknown, ""},
		{"both", "old", "new", "old and new", Unknown, ""},
		{"no answer", "old", "new", "", Unknown, ""},
		{"one pattern, matched", "", "new", "new", Canary, ""},
		{"one pattern, not matched, is not the other side", "", "new", "old", Unknown, ""},
		{"no pattern", "", "", "old", Unknown, ""},
		{"pod", `old (?P<pod>\S+)`, `new (?P<pod>\S+)`, "new web-1\n", Canary, "web-1"},
		{"pod on one side", `old`, `new (?P<pod>\S+)`, "old web-1\n", Stable, ""},
		{"optional pod that is absent", `old(?: (?P<pod>\S+))?`, "new", "old", Stable, ""},
		{"not text", `\x00old`, "new", "\xff\x00old", Stable, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, err := NewClassifier(row.stable, row.canary)
			require.NoError(t, err)
			version, pod := c.Classify([]byte(row.answer))
			require.Equal(t, row.version, version)
			require.Equal(t, row.pod, pod)
			require.Equal(t, row.name == "both", c.ambiguous([]byte(row.answer)))
		})
	}
	version, _ := (*Classifier)(nil).Classify([]byte("old"))
	require.Equal(t, Unknown, version)
	require.False(t, (*Classifier)(nil).ambiguous([]byte("old")))
	_, err := NewClassifier("(", "new")
	require.ErrorContains(t, err, "stable-pattern: ")
	_, err = NewClassifier("old", "[")
	require.ErrorContains(t, err, "canary-pattern: ")
}
