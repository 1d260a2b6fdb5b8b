package probe

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// The benchmarks run the whole sampler against a server in the same process, so
// half of what they show is the server's.
func BenchmarkTCP(b *testing.B) { benchmark(b, serveTCP(b, "127.0.0.1", say("old web-1\n"))) }

func BenchmarkUDP(b *testing.B) {
	benchmark(b, serveUDP(b, "127.0.0.1", func(_ []byte, reply func(string)) { reply("old web-1\n") }))
}

func BenchmarkHTTP(b *testing.B) {
	port := serveTCP(b, "127.0.0.1", func(c net.Conn) {
		hear(c)
		say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nold web-1\n")(c)
	})
	port.Exchange = request{}
	benchmark(b, port)
}

func benchmark(b *testing.B, port Port) {
	b.Helper()
	b.ReportAllocs()
	classifier, err := NewClassifier("old", "new")
	require.NoError(b, err)
	for _, workers := range []int{1, 16} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			sampler, err := NewSampler(Options{
				Ports: []Port{port}, Addresses: loopback(), Classifier: classifier, Concurrency: workers, Count: b.N,
			})
			require.NoError(b, err)
			failed := 0
			for f := range sampler.Flows(b.Context()) {
				if f.Version != Stable {
					failed++
				}
			}
			require.Zero(b, failed)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "flows/s")
		})
	}
}
