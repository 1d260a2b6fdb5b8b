package probe

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// serveHTTP2 is the standard library's server, over TLS if there is a config.
func serveHTTP2(t *testing.T, config *tls.Config, handler http.HandlerFunc) Port {
	t.Helper()
	var listening net.ListenConfig
	listener, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := Port{Number: portOf(t, listener.Addr()), Protocol: TCP, Exchange: health{}}
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	protocols.SetHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols, TLSConfig: config, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if config != nil {
			_ = server.ServeTLS(listener, "", "") // until it is closed
			return
		}
		_ = server.Serve(listener) // until it is closed
	}()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-done
	})
	return port
}

// checks answers a health check like a gRPC server.
func checks(message, status, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "\x00\x00\x00\x00\x00" || r.URL.Path != healthPath || r.Header.Get("Te") != "trailers" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("X-Version", "old")
		w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
		_, _ = io.WriteString(w, message)
		w.Header().Set("Grpc-Status", status)
		w.Header().Set("Grpc-Message", text)
	}
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		handler http.HandlerFunc
		class   Class
		answer  string
		err     string
	}{
		{"serving", checks("\x00\x00\x00\x00\x02\x08\x01", "0", ""), Answered, "\nserving-status: SERVING\n", ""},
		{"not serving", checks("\x00\x00\x00\x00\x02\x08\x02", "0", ""), Faulty, "\nserving-status: NOT_SERVING\n", "the server says that it is NOT_SERVING"},
		{"unknown is the default", checks("\x00\x00\x00\x00\x00", "0", ""), Faulty, "\nserving-status: UNKNOWN\n", "UNKNOWN"},
		{"a later status", checks("\x00\x00\x00\x00\x02\x08\x09", "0", ""), Faulty, "\nserving-status: 9\n", "9"},
		{"no health service", checks("", "12", "unknown service"), Answered, "grpc-status: 12\n", ""},
		{"failing", checks("", "14", "no%20way"), Faulty, "grpc-status: 14\n", "grpc-status 14: no%20way"},
		{"another HTTP/2 server", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Version", "old")
			w.WriteHeader(http.StatusNotFound)
		}, Answered, ":status: 404\n", ""},
		{"a failing one", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Version", "old")
			w.WriteHeader(http.StatusBadGateway)
		}, Faulty, ":status: 502\n", "status 502"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			port := serveHTTP2(t, nil, row.handler)
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 4}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				require.Equal(t, Stable, f.Version)
				require.Contains(t, string(f.Answer), "x-version: old\n")
				require.Contains(t, string(f.Answer), row.answer)
				if row.err != "" {
					require.ErrorContains(t, f.Err, row.err)
				}
			}
		})
	}
}

func TestGRPCOverTLS(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, "x")}}
	port := serveHTTP2(t, config, checks("\x00\x00\x00\x00\x02\x08\x01", "0", ""))
	var err error
	port.Exchange, err = Layers{TLS: &TLS{Insecure: true}}.Around(health{})
	require.NoError(t, err)
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2}) {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
		require.Contains(t, string(f.Answer), "serving-status: SERVING\n")
	}
}

// TestGRPCFrames plays servers frame by frame that no library would.
func TestGRPCFrames(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		serve func(*http2.Framer, io.Writer) error
		err   string
	}{
		{"goes away", func(f *http2.Framer, _ io.Writer) error { return f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) }, "the server goes away: ENHANCE_YOUR_CALM"},
		{"refuses the stream", func(f *http2.Framer, _ io.Writer) error { return f.WriteRSTStream(1, http2.ErrCodeRefusedStream) }, "the server ends the call: REFUSED_STREAM"},
		{"is not HTTP/2", func(_ *http2.Framer, w io.Writer) error {
			_, err := io.WriteString(w, "HTTP/1.1 400 Bad Request\r\n\r\n"+strings.Repeat("x", 100))
			return err
		}, "reading the response"},
		{"pings, pings and pings", func(f *http2.Framer, _ io.Writer) error {
			for range mostFrames + 1 {
				_ = f.WritePing(false, [8]byte{}) // until the other side has had enough
			}
			return nil
		}, "no response within 1000 frames"},
		{"hangs up", func(*http2.Framer, io.Writer) error { return nil }, "EOF"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
				preface := make([]byte, len(http2.ClientPreface))
				if _, err := io.ReadFull(c, preface); err != nil {
					return
				}
				f := http2.NewFramer(c, c)
				for range 3 { // settings, headers, data
					if _, err := f.ReadFrame(); err != nil {
						return
					}
				}
				if row.serve(f, c) == nil {
					_ = c.(*net.TCPConn).CloseWrite()
					hush(c)
				}
			})
			port.Exchange = health{}
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2}) {
				require.Equal(t, Faulty, f.Class, "%v", f.Err)
				require.ErrorContains(t, f.Err, row.err)
			}
		})
	}
}

// FuzzReply reads responses, however broken, frame by frame: it ends, without a panic,
// and what it shows of them is text on lines of their own.
func FuzzReply(f *testing.F) {
	var frames bytes.Buffer
	framer := http2.NewFramer(&frames, nil)
	require.NoError(f, framer.WriteSettings())
	require.NoError(f, framer.WritePing(false, [8]byte{1}))
	require.NoError(f, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: []byte{0x88}}))
	require.NoError(f, framer.WriteData(1, true, []byte("\x00\x00\x00\x00\x02\x08\x01")))
	f.Add(frames.Bytes())
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	f.Fuzz(func(t *testing.T, heard []byte) {
		framer := http2.NewFramer(io.Discard, bytes.NewReader(heard))
		framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		framer.MaxHeaderListSize = MaxAnswer
		framer.SetMaxReadFrameSize(mostFrame)
		var r reply
		for !r.ended {
			frame, err := framer.ReadFrame()
			if err == nil {
				err = r.take(framer, frame)
			}
			if err != nil {
				break
			}
		}
		if err := r.judge(); err == nil {
			require.Len(t, r.fields[":status"], 3)
		}
		require.LessOrEqual(t, len(r.body), 2*MaxAnswer)
		require.LessOrEqual(t, r.text.Len(), 5*MaxAnswer)
		require.NotContains(t, r.text.String(), "\r")
	})
}
