package probe

import (
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAllocations: what a sample allocates, the server's part in the same process
// included. It runs alone, since it counts all that the process allocates.
func TestAllocations(t *testing.T) {
	hello := Evidence{Stable: []Heard{{Answer: []byte("old web-1\n")}}, Canary: []Heard{{Answer: []byte("new web-1\n")}}}
	classifier, err := Learn(hello)
	require.NoError(t, err)
	web := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		hear(c)
		say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nold web-1\n")(c)
	})
	web.Exchange = request{}
	for _, row := range []struct {
		port Port
		most float64 // 30 is what was promised of TCP
	}{
		{serveTCP(t, "127.0.0.1", say("old web-1\n")), 20},
		{serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) { reply("old web-1\n") }), 15},
		{web, 35},
	} {
		const flows = 2000
		sampler, err := NewSampler(Options{Ports: []Port{row.port}, Addresses: loopback(), Classifier: classifier, Count: flows})
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for f := range sampler.Flows(t.Context()) {
			require.NoError(t, f.Err)
		}
		runtime.ReadMemStats(&after)
		require.Less(t, float64(after.Mallocs-before.Mallocs)/flows, row.most, "%s over %s", row.port.Exchange, row.port.Protocol)
	}
}
