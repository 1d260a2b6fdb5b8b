package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listen is a server on loopback for as long as the test, and gives its port.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, failed := listener.Accept()
			if failed != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// greet says something, and waits until the other side has gone.
func greet(text string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, text)
		_, _ = io.Copy(io.Discard, c)
	}
}

// answer hears a request, says something, and hangs up.
func answer(text string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, text)
	}
}

// TestHostileServers: what a server that means harm says acts nowhere: each kind of server is
// counted for what it is, in a table for people and in JSON for programs.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		probe   string
		handle  func(net.Conn)
		class   string // of the errors; empty: it is an answer
		code    ExitCode
		expects string // what stderr tells
	}{
		"orders in a banner":         {"tcp", greet("old " + harm + "\n"), "", ExitOK, ""},
		"orders in a page":           {"http", answer("HTTP/1.0 200 OK\r\nX-Harm: ::pwned:: ##[pwned]\r\n\r\nold " + harm), "", ExitOK, ""},
		"orders for a status":        {"http", answer("HTTP/1.0 500 ::error::pwned \x1b[31m##[pwned]\r\n\r\n" + harm), "protocol", ExitOK, "the first protocol error: status 500 ::error::pwned ## [pwned]"},
		"orders for a status line":   {"http", answer("::pwned::" + harm), "protocol", ExitOK, "the first protocol error: reading the response: malformed HTTP"},
		"orders for a length":        {"redis", greet("-::pwned::\x1b[31m##[pwned]" + harm + "\r\n"), "protocol", ExitOK, `the first protocol error: the server answers "-::pwned::\x1b[31m## [pwned]no"`},
		"orders for TLS":             {"tls", greet("::pwned::" + harm), "protocol", ExitOK, `the server does not speak TLS: it begins with "::pwn"`},
		"silence":                    {"http", greet(""), "timeout", ExitOK, "the first timeout error"},
		"a connection that is cut":   {"http", func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }, "reset", ExitOK, "the first reset error"},
		"a connection without words": {"redis", func(net.Conn) {}, "", ExitOK, ""},
	} {
		for _, output := range []string{"table", "json"} {
			t.Run(name+"/"+output, func(t *testing.T) {
				t.Parallel()
				var stdout, stderr bytes.Buffer
				env := map[string]string{"GITHUB_ACTIONS": "true"}
				c := &Command{Stdout: &stdout, Stderr: &stderr, Getenv: func(name string) string { return env[name] }, Dir: t.TempDir()}
				code := c.Run(t.Context(), []string{
					"sample", "--address", "127.0.0.1", "--port", listen(t, row.handle), "--probe", row.probe, "--timeout", "500ms",
					"--stable-pattern", "old", "--canary-pattern", "new", "--count", "5", "--rate", "0", "--output", output,
				})
				require.Equal(t, row.code, code, "%s", stderr.String())
				require.Contains(t, stderr.String(), row.expects)
				requireHarmless(t, map[string]string{"stdout": stdout.String(), "stderr": stderr.String()})
				if output == "table" {
					require.Contains(t, stdout.String(), "samples")
					return
				}
				var said struct {
					Samples, Stable int
					Errors          map[string]int
				}
				require.NoError(t, json.Unmarshal(stdout.Bytes(), &said))
				require.Equal(t, 5, said.Samples)
				switch {
				case row.class != "":
					require.Equal(t, 5, said.Errors[row.class], "%v", said.Errors)
				case strings.HasPrefix(name, "orders"):
					require.Equal(t, 5, said.Stable)
				}
			})
		}
	}
}

// TestDoctorHearsHarm: doctor shows what the Service answers, and shows it harmlessly.
func TestDoctorHearsHarm(t *testing.T) {
	t.Parallel()
	port := listen(t, greet("old "+harm+"\n"))
	o := &oracle{apiServer: &apiServer{kind: "serving"}, says: func(o *oracle, w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			o.apiServer.ServeHTTP(w, r)
			return
		}
		text := o.answer(r)
		text = strings.ReplaceAll(text, `"ip":"192.0.2.7"`, `"ip":"127.0.0.1"`)
		text = strings.ReplaceAll(text, `"port":80`, `"port":`+port)
		if text == "" {
			status(w, http.StatusNotFound, "NotFound", harm)
			return
		}
		_, _ = io.WriteString(w, text)
	}}
	_, written := consult(t, o, []string{"doctor", "--service", "nginx", "--probe", "tcp"})
	require.Contains(t, written["stdout"], `all answers are alike: "old no`)
	require.Empty(t, o.written())
	requireHarmless(t, written)
}

// TestStatusOfAStranger: a Lease says who holds it in the words of whoever wrote it.
func TestStatusOfAStranger(t *testing.T) {
	t.Parallel()
	annotations, err := json.Marshal(map[string]string{
		"l4-canary.io/holder": mustJSON(t, map[string]string{"run": "7", "url": harm, "job": harm}),
		"l4-canary.io/state": mustJSON(t, map[string]any{
			"schemaVersion": 1, "mode": harm, "stable": harm, "canary": harm, "replicas": 10, "phase": harm, "objects": map[string]any{}, "release": harm,
		}),
	})
	require.NoError(t, err)
	lease := `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"l4-canary-nginx","annotations":` + string(annotations) + `},"spec":{"holderIdentity":"x"}}`
	for _, output := range []string{"table", "json"} {
		o := &oracle{apiServer: &apiServer{kind: "serving"}, says: func(o *oracle, w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/leases/l4-canary-nginx") {
				_, _ = io.WriteString(w, lease)
				return
			}
			o.apiServer.ServeHTTP(w, r)
		}}
		code, written := consult(t, o, []string{"status", "--service", "nginx", "--output", output})
		require.Equal(t, ExitOK, code, written["stderr"])
		require.Contains(t, written["stdout"], "pwned")
		requireHarmless(t, written)
		if output == "json" {
			var said struct{ Holder, Mode string }
			require.NoError(t, json.Unmarshal([]byte(written["stdout"]), &said))
			require.Equal(t, harm, said.Mode)
			require.Equal(t, harm+", job "+harm, said.Holder)
		}
	}
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}

// TestStrangerAtTheAddress: where another program answers over TLS, nothing is sent to it.
func TestStrangerAtTheAddress(t *testing.T) {
	t.Parallel()
	asked := 0
	stranger := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	stranger.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	stranger.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	stranger.StartTLS()
	defer stranger.Close()
	var stdout, stderr bytes.Buffer
	c := &Command{Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" }, Dir: t.TempDir()}
	code := c.Run(t.Context(), []string{"status", "--service", "nginx", "--kube-server", stranger.URL, "--kube-token", secretToken})
	require.Equal(t, ExitUnreachable, code, stderr.String())
	require.Contains(t, stderr.String(), "certificate signed by unknown authority")
	require.Zero(t, asked)
	requireHarmless(t, map[string]string{"stdout": stdout.String(), "stderr": stderr.String()})
}

// FuzzLog: a record of the log is one line that begins with the time, whatever its values say.
func FuzzLog(f *testing.F) {
	for _, seed := range []string{"", "a b", "::error::x", "\n::x::", harm, "a=b", `"`, "\xff", "\u2028"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		var b bytes.Buffer
		log := newLogger(&b, slog.LevelInfo).With("one", one)
		log.LogAttrs(t.Context(), slog.LevelWarn, "a pod does not serve", slog.String("other", other))
		line := b.String()
		require.Regexp(t, `^\d\d:\d\d:\d\d warn: a pod does not serve one=`, line)
		require.Equal(t, len(line)-1, strings.IndexAny(line, "\n\r\v\f\u0085\u2028\u2029\x1b"), "%q", line)
		require.NotContains(t, line, "##[")
	})
}

// FuzzVeil: no secret that tells something is left in a text.
func FuzzVeil(f *testing.F) {
	f.Add("hunter2hunter2", "a hunter2hunter2 b", "hunter2h")
	f.Add("aaaaaaaaa", "aaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaa")
	f.Add("***12345", "x***12345", "12345***")
	f.Fuzz(func(t *testing.T, secret, text, other string) {
		v := &veil{}
		v.add(secret)
		v.add(other)
		hidden := string(v.hide([]byte(text)))
		for _, each := range []string{secret, other} {
			if telling(each) && !strings.Contains(each, "*") {
				require.NotContains(t, hidden, each)
			}
		}
	})
}
