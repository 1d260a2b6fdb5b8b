//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// served is a server for a test.
func served(t *testing.T) *server {
	t.Helper()
	s, err := newServer(t.Context())
	require.NoError(t, err)
	t.Cleanup(s.close)
	return s
}

// dial connects to a run's address.
func dial(t *testing.T, network string, s *server, k kind, run int) net.Conn {
	t.Helper()
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), network, netip.AddrPortFrom(place(run), s.ports[k]).String())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestServer: all three answer as either version, on the first address and the last.
func TestServer(t *testing.T) {
	t.Parallel()
	s := served(t)
	for _, run := range []int{0, places - 1} {
		seen := map[string]int{}
		for range 40 {
			greeted, err := io.ReadAll(dial(t, "tcp", s, greeting, run))
			require.NoError(t, err)
			seen["tcp "+string(greeted)]++

			asking := dial(t, "udp", s, datagram, run)
			_, err = asking.Write([]byte("?"))
			require.NoError(t, err)
			answer := make([]byte, 100)
			n, err := asking.Read(answer)
			require.NoError(t, err)
			seen["udp "+string(answer[:n])]++

			c := dial(t, "tcp", s, request, run)
			_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			require.NoError(t, err)
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.True(t, response.Close, "each request has a connection of its own")
			seen["http "+string(body)]++
		}
		require.Len(t, seen, 6, "%v", seen)
		for _, word := range words {
			for _, k := range []kind{greeting, datagram, request} {
				require.Positive(t, seen[string(k)+" "+word])
			}
		}
	}
	require.Equal(t, place(0), place(places), "they come round")
}

// TestServerClosesFirst: a client that closes as soon as it has its answer leaves nothing
// in TIME_WAIT on its own side.
func TestServerClosesFirst(t *testing.T) {
	t.Parallel()
	s := served(t)
	const flows = 200
	for i := range flows {
		k := []kind{greeting, request}[i%2]
		c := dial(t, "tcp", s, k, 5)
		heard := bufio.NewReader(c)
		if k == request {
			_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			require.NoError(t, err)
			for line := ""; line != "\r\n"; {
				line, err = heard.ReadString('\n')
				require.NoError(t, err)
			}
		}
		_, err := io.CopyN(io.Discard, heard, int64(len(words[0])))
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	here, there := 0, 0
	for _, k := range []kind{greeting, request} {
		local, remote := waiting(t, s.ports[k], place(5))
		here, there = here+remote, there+local
	}
	require.Zero(t, here, "of the client")
	require.Positive(t, there, "of the server")
}

// waiting counts sockets in TIME_WAIT by which end of them a port of an address is.
func waiting(t *testing.T, port uint16, address netip.Addr) (local, remote int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	require.NoError(t, err)
	four := address.As4()
	end := fmt.Sprintf("%02X%02X%02X%02X:%04X", four[3], four[2], four[1], four[0], port)
	for line := range strings.Lines(string(table)) {
		const timeWait = "06"
		fields := strings.Fields(line)
		if fields[3] != timeWait {
			continue
		}
		if fields[1] == end {
			local++
		}
		if fields[2] == end {
			remote++
		}
	}
	return local, remote
}
