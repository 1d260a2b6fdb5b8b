package probe

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInOnePiece: what came in one piece is read as net/http reads it, and what leaves a doubt is
// left to net/http.
func TestInOnePiece(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]head{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold":                                            {200, "200 OK", false},
		"HTTP/1.1 200 OK\r\ncontent-length:3\r\nConnection: close\r\n\r\nold":                        {200, "200 OK", true},
		"HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nX-Version: 1.9.0\r\nContent-Length: 0\r\n\r\n": {200, "200 OK", false},
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3 \r\n\r\noldHTTP/1.1 200 OK\r\n":       {503, "503 Service Unavailable", false},
		"HTTP/1.1 404\r\nContent-Length: 000003\r\nServer: \r\n\r\nold":                              {404, "404", false},
	} {
		h, size, ok := inOnePiece([]byte(answer))
		require.True(t, ok, answer)
		require.Equal(t, want, h, answer)
		requireAsNetHTTP(t, []byte(answer), h, size)
	}
	for _, answer := range []string{
		"", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nold\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTrailer: X\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nConnection: upgrade, close\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.1 200 OK\r\nX: \x1b[31m\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.1 200 OK\nContent-Length: 3\n\nold",
		"HTTP/1.1 200 Gr\xfc\xdf\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nold", "HTTP/1.1 20\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nold", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nold", "HTTP/1.1 +20 OK\r\nContent-Length: 3\r\n\r\nold",
		"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", "ICY 200 OK\r\nContent-Length: 3\r\n\r\nold",
	} {
		_, _, ok := inOnePiece([]byte(answer))
		require.False(t, ok, "%q", answer)
	}
}

// requireAsNetHTTP asks net/http the same.
func requireAsNetHTTP(t *testing.T, answer []byte, h head, size int) {
	t.Helper()
	reader := bufio.NewReaderSize(bytes.NewReader(answer), len(answer)+16)
	response, err := readFinal(reader)
	require.NoError(t, err, "%q", answer)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err, "%q", answer)
	require.NoError(t, response.Body.Close())
	require.Equal(t, head{response.StatusCode, response.Status, response.Close}, h, "%q", answer)
	require.Equal(t, len(answer)-reader.Buffered(), size, "%q", answer)
	require.Equal(t, string(body), string(answer[size-len(body):size]))
}

// FuzzInOnePiece: there is no answer that is read in another way than net/http reads it.
func FuzzInOnePiece(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nold"))
	f.Add([]byte("HTTP/1.1 500 \r\nX-Y: z: z\r\nContent-Length: 1\r\n\r\nab"))
	f.Add([]byte("HTTP/1.1 206\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if h, size, ok := inOnePiece(answer); ok {
			requireAsNetHTTP(t, answer, h, size)
		}
	})
}

// TestInPieces: an answer is the same however it arrives.
func TestInPieces(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 200 OK\r\nX-Version: 1.9.0\r\nContent-Length: 12\r\nConnection: close\r\n\r\nold web-1 ok"
	for _, piece := range []int{len(answer), len(answer) - 1, 90, 20, 1} {
		t.Run(fmt.Sprint(piece), func(t *testing.T) {
			t.Parallel()
			c := conversation{buffer: make([]byte, MaxAnswer), over: struct {
				io.Reader
				io.Writer
			}{inPieces{strings.NewReader(answer), piece}, io.Discard}}
			require.NoError(t, request{host: "lobby"}.hold(&c))
			require.Equal(t, answer, string(c.answer))
		})
	}
}

// inPieces reads a few bytes at a time.
type inPieces struct {
	io.Reader
	size int
}

func (p inPieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.size)]) }
