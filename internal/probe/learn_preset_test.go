package probe

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// speaker is a server for a preset: a pod of a version, whose answers have what is the
// pod's and the moment's in them as well.
type speaker struct {
	preset string
	serve  func(t *testing.T, a *authority, pod, version string) Port
	words  string // by which 1.8.2 and 1.9.0 are told apart
}

// moment is what no two answers of a pod have in common.
func moment(n *atomic.Int64) string { return fmt.Sprintf("%08x", 0x9e3779b1*n.Add(1)&0xffffffff) }

// page is an HTTP answer.
func page(n *atomic.Int64, pod, version string) string {
	body := fmt.Sprintf(`{"version":%q,"pod":%q,"request":%d}`, version, pod, n.Load())
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: %s\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n%s",
		time.Now().UTC().Format(http.TimeFormat), moment(n), len(body), body)
}

// identity is what Redis says of itself.
func identity(n *atomic.Int64, pod, version string) string {
	text := fmt.Sprintf("# Server\r\nredis_version:%s\r\nredis_mode:standalone\r\nrun_id:%s%s\r\nprocess_id:%d\r\nuptime_in_seconds:%d\r\n",
		version, pod, moment(n), 7+len(pod), 1000+n.Load())
	return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
}

func names(pod, version string) answerer {
	return answerer{code: dnsmessage.RCodeRefused, texts: map[string][]string{
		"version.bind.": {version + "-Debian"}, "hostname.bind.": {pod}, "id.server.": {pod},
	}}
}

// own is a certificate that no other pod has.
func own(t *testing.T, a *authority, version string) *tls.Config {
	t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{a.issue(t, "lobby-"+version)}}
}

func speakers() []speaker {
	return []speaker{
		{"tcp", func(t *testing.T, _ *authority, pod, version string) Port {
			t.Helper()
			var n atomic.Int64
			return serveTCP(t, "127.0.0.1", func(c net.Conn) { say("220 " + pod + " lobby " + version + " " + moment(&n) + "\r\n")(c) })
		}, `stable answers contain "1.8.2", canary's "1.9.0", in the banner`},
		{"udp", func(t *testing.T, _ *authority, pod, version string) Port {
			t.Helper()
			var n atomic.Int64
			return serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) { reply(moment(&n) + " lobby " + version + " " + pod) })
		}, `stable answers contain "1.8.2", canary's "1.9.0", in the banner`},
		{"tls", func(t *testing.T, a *authority, _, version string) Port {
			t.Helper()
			return serveTLS(t, own(t, a, version), func(net.Conn) {}, nil)
		}, `stable answers contain "lobby-1.8.2", canary's "lobby-1.9.0", in the answer`},
		{"http", func(t *testing.T, _ *authority, pod, version string) Port {
			t.Helper()
			var n atomic.Int64
			return serveTCP(t, "127.0.0.1", func(c net.Conn) { hear(c); say(page(&n, pod, version))(c) })
		}, `stable answers contain "1.8.2", canary's "1.9.0", in the body`},
		{"https", func(t *testing.T, a *authority, pod, version string) Port {
			t.Helper()
			var n atomic.Int64
			return serveTLS(t, own(t, a, "cert"), func(c net.Conn) { hear(c); say(page(&n, pod, version))(c) }, nil)
		}, `stable answers contain "1.8.2", canary's "1.9.0", in the body`},
		{"dns", func(t *testing.T, _ *authority, pod, version string) Port {
			t.Helper()
			return overUDP(t, names(pod, version))
		}, `stable answers contain "1.8.2-Debian", canary's "1.9.0-Debian", in the banner`},
		{"dns", func(t *testing.T, _ *authority, pod, version string) Port {
			t.Helper()
			return overTCP(t, names(pod, version))
		}, `stable answers contain "1.8.2-Debian", canary's "1.9.0-Debian", in the banner`},
		{"redis", func(t *testing.T, _ *authority, pod, version string) Port {
			t.Helper()
			var n atomic.Int64
			return serveTCP(t, "127.0.0.1", func(c net.Conn) {
				for strings.HasPrefix(hear(c), "INFO") {
					say(identity(&n, pod, version))(c)
				}
			})
		}, `stable answers contain "1.8.2", canary's "1.9.0", in the answer`},
		{"grpc", func(t *testing.T, _ *authority, pod, version string) Port {
			t.Helper()
			var n atomic.Int64
			healthy := checks("\x00\x00\x00\x00\x02\x08\x01", "0", "")
			return serveHTTP2(t, nil, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Server", "lobby/"+version)
				w.Header().Set("X-Pod", pod)
				w.Header().Set("X-Request-Id", moment(&n))
				healthy(w, r)
			})
		}, `stable answers contain "1.8.2", canary's "1.9.0", in the answer`},
	}
}

// pods are two of stable that are asked, one that only the balancer knows, and one of the
// canary that is asked, and one that is not.
type pods struct {
	exchange Exchange
	ports    map[string]Port // by name
	versions map[string]string
}

func newPods(t *testing.T, s speaker, stable, canary string) pods {
	t.Helper()
	a := newAuthority(t)
	p := pods{preset(t, s.preset), map[string]Port{}, map[string]string{
		"lobby-7d9f-aaaaa": stable, "lobby-7d9f-bbbbb": stable, "lobby-7d9f-ccccc": stable, "lobby-5c6b-ddddd": canary, "lobby-5c6b-eeeee": canary,
	}}
	for name, version := range p.versions {
		port := s.serve(t, a, name, version)
		port.Exchange = p.exchange
		p.ports[name] = port
	}
	return p
}

// ask asks a pod directly, eight times.
func (p pods) ask(t *testing.T, name string) []Heard {
	t.Helper()
	var all []Heard
	for range 8 {
		answer, err := Ask(t.Context(), connect(t, strings.ToLower(string(p.ports[name].Protocol)), p.ports[name]), p.ports[name], loopback()[0], 10*time.Second)
		require.NoError(t, err)
		all = append(all, Heard{Pod: name, Answer: answer})
	}
	return all
}

// evidence is what a run hears: stable through the balancer, and pods of both versions.
func (p pods) evidence(t *testing.T) Evidence {
	t.Helper()
	var e Evidence
	for _, name := range []string{"lobby-7d9f-aaaaa", "lobby-7d9f-bbbbb", "lobby-7d9f-ccccc"} {
		for _, f := range sample(t, Options{Ports: []Port{p.ports[name]}, Count: 10}) {
			require.Equal(t, Answered, f.Class, "%v", f.Err)
			e.Stable = append(e.Stable, Heard{Answer: f.Answer})
		}
	}
	for _, name := range []string{"lobby-7d9f-aaaaa", "lobby-7d9f-bbbbb"} {
		e.Stable = append(e.Stable, p.ask(t, name)...)
	}
	e.Canary = p.ask(t, "lobby-5c6b-ddddd")
	return e
}

// requireKnown samples every pod, and each flow has to be known as its version's.
func (p pods) requireKnown(t *testing.T, classifier *Classifier) {
	t.Helper()
	for name, version := range p.versions {
		want := map[string]Version{"1.8.2": Stable, "1.9.0": Canary}[version]
		for _, f := range sample(t, Options{Ports: []Port{p.ports[name]}, Count: 5, Classifier: classifier}) {
			require.Equal(t, Answered, f.Class, "%v", f.Err)
			require.Equal(t, want, f.Version, "%s: %q", name, f.Answer)
		}
	}
}

// TestLearnThroughPresets: what tells two versions apart is found in the answers of real
// servers to every preset, with pods' names, ids and times in them, and knows pods that
// nobody has asked. Servers of one version cannot be told apart.
func TestLearnThroughPresets(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i, s := range speakers() {
		seen[s.preset] = true
		t.Run(fmt.Sprintf("%s %d", s.preset, i), func(t *testing.T) {
			t.Parallel()
			p := newPods(t, s, "1.8.2", "1.9.0")
			classifier, err := Learn(p.evidence(t))
			require.NoError(t, err)
			require.Equal(t, s.words, classifier.String())
			p.requireKnown(t, classifier)

			_, err = Learn(newPods(t, s, "1.8.2", "1.8.2").evidence(t))
			alike, ok := errors.AsType[*AlikeError](err)
			require.True(t, ok, "%v", err)
			require.NotEmpty(t, alike.Why)
		})
	}
	for _, name := range PresetNames() {
		require.True(t, seen[name], "preset %q has no server here", name)
	}
}

// TestLearnRenewedCertificate has certificates that differ in nothing but numbers, and are
// shared by the pods of a version. With one pod on each side such a number may be that
// pod's own; that two of stable show the same makes it a version's.
func TestLearnRenewedCertificate(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	shared := map[string]*tls.Config{"1.8.2": own(t, a, "x"), "1.9.0": own(t, a, "x")}
	p := newPods(t, speaker{"tls", func(t *testing.T, _ *authority, _, version string) Port {
		t.Helper()
		return serveTLS(t, shared[version], func(net.Conn) {}, nil)
	}, ""}, "1.8.2", "1.9.0")
	_, err := Learn(Evidence{Stable: p.ask(t, "lobby-7d9f-aaaaa"), Canary: p.ask(t, "lobby-5c6b-ddddd")})
	alike, ok := errors.AsType[*AlikeError](err)
	require.True(t, ok, "%v", err)
	require.NotNil(t, alike.Doubt)

	classifier, err := Learn(p.evidence(t))
	require.NoError(t, err)
	p.requireKnown(t, classifier)
}
