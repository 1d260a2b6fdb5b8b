package probe

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recorded is a socket on which everything has been said already.
type recorded struct {
	io.Reader
	read int
}

func (r *recorded) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.read += n
	return n, err
}
func (*recorded) Write(p []byte) (int, error)     { return len(p), nil }
func (*recorded) Close() error                    { return nil }
func (*recorded) SetDeadline(time.Time) error     { return nil }
func (*recorded) SetReadDeadline(time.Time) error { return nil }

// FuzzHold holds every preset and every upgrade to TLS with a server that says anything at
// all: each ends, reads no more than it may, and is an answer or an error that is told.
func FuzzHold(f *testing.F) {
	exchanges := presets()
	for _, name := range StartTLSNames() {
		e, err := Layers{StartTLS: StartTLS(name)}.Around(nil)
		require.NoError(f, err)
		exchanges = append(exchanges, e)
	}
	for _, seed := range []string{
		"old\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold", "HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nol\r\n0\r\nX: y\r\n\r\n",
		"$3\r\nold\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x0c\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00", "220-a\r\n220 b\r\n250 c\r\n220 d\r\n", "+OK\r\n+OK\r\n",
		"* OK\r\na OK\r\n", "S", "\x01\x00\x00\x00\x0a", "\x16\x03\x03\x00\x04\x02\x00\x00\x00", "\x15\x03\x03\x00\x02\x02\x28", harm,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, said []byte, again bool) {
		for _, e := range exchanges {
			socket := &recorded{Reader: bytes.NewReader(said)}
			if again { // and again, for ever
				if len(said) == 0 {
					return
				}
				socket.Reader = &repeating{said, 0}
			}
			c := &conversation{buffer: make([]byte, MaxAnswer)}
			c.reset(Port{Number: 1, Protocol: TCP, Exchange: e}, loopback()[0], time.Now(), time.Minute)
			require.NoError(t, c.keep(socket))
			err := e.hold(c)
			require.LessOrEqual(t, socket.read, 2*mostParsed, e.String())
			flow := Flow{}
			(&worker{run: &run{Sampler: &Sampler{options: Options{Ports: make([]Port, 1)}}}, conversation: conversation{answer: c.answer, buffer: c.buffer, received: c.received}}).judge(&flow, err)
			require.LessOrEqual(t, len(flow.Answer), MaxAnswer)
			require.Contains(t, []Class{Answered, Faulty}, flow.Class, "%s: %v", e, err)
			if err == nil && e.String() != "tls" {
				require.NotEmpty(t, flow.Answer, e.String())
			}
		}
	})
}

// repeating is a reader that says the same for ever.
type repeating struct {
	text []byte
	at   int
}

func (r *repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	return len(p), nil
}
