package spec_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/spec"
)

// source is an environment and files that a test holds in its hand.
type source struct{ env, files map[string]string }

func (s source) spec() spec.Source {
	return spec.Source{
		Getenv: func(name string) string { return s.env[name] },
		ReadFile: func(name string) ([]byte, error) {
			if data, ok := s.files[name]; ok {
				return []byte(data), nil
			}
			return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
		},
	}
}

// lobby are the ports of a Service.
func lobby() []spec.Port {
	return []spec.Port{
		{Name: "web", Number: 80, Protocol: probe.TCP}, {Name: "game", Number: 7777, Protocol: probe.UDP},
		{Name: "dns", Number: 53, Protocol: probe.UDP}, {Name: "dns-tcp", Number: 53, Protocol: probe.TCP},
		{Name: "metrics", Number: 9090, Protocol: probe.TCP},
	}
}

// asked are the ports with their probes, as "80/TCP http".
func asked(t *testing.T, text string) (got, left []string) {
	t.Helper()
	probes, err := spec.Load(text, source{}.spec())
	require.NoError(t, err)
	ports, off, err := probes.Ports(lobby())
	require.NoError(t, err)
	for _, port := range ports {
		got = append(got, fmt.Sprintf("%s %s", port, port.Exchange))
	}
	for _, port := range off {
		left = append(left, port.String())
	}
	return got, left
}

func TestPortsOfWords(t *testing.T) {
	t.Parallel()
	for word, want := range map[string][]string{
		"auto":  {"80/TCP http", "7777/UDP udp", "53/UDP dns", "53/TCP dns", "9090/TCP tcp"},
		"tcp":   {"80/TCP tcp", "7777/UDP udp", "53/UDP dns", "53/TCP tcp", "9090/TCP tcp"},
		"udp":   {"80/TCP http", "7777/UDP udp", "53/UDP udp", "53/TCP dns", "9090/TCP tcp"},
		"https": {"80/TCP https", "7777/UDP udp", "53/UDP dns", "53/TCP https", "9090/TCP https"},
		"dns":   {"80/TCP dns", "7777/UDP dns", "53/UDP dns", "53/TCP dns", "9090/TCP dns"},
	} {
		got, left := asked(t, word)
		require.Equal(t, want, got, word)
		require.Empty(t, left)
	}
	_, err := spec.Word("htp")
	require.EqualError(t, err, `probe "htp" is unknown: allowed are tcp, udp, tls, http, https, dns, redis, grpc`)
}

func TestPortsOfEntries(t *testing.T) {
	t.Parallel()
	got, left := asked(t, `
- port: web
  preset: https
- port: 53
  protocol: udp
  steps: [{send: x}]
- port: 9090
  preset: none
- port: 7777
  rate: 3
`)
	require.Equal(t, []string{"80/TCP https", "7777/UDP udp", "53/UDP custom", "53/TCP dns"}, got)
	require.Equal(t, []string{"9090/TCP (metrics)"}, left)

	got, _ = asked(t, "preset: http\nport: web")
	require.Equal(t, []string{"80/TCP http", "7777/UDP udp", "53/UDP dns", "53/TCP dns", "9090/TCP tcp"}, got, "one entry needs no list")

	got, _ = asked(t, "- {port: 53, tls: {insecure: true}}\n- {protocol: TCP, steps: [{until: line}]}")
	require.Equal(t, []string{"80/TCP custom", "7777/UDP udp", "53/UDP dns", "53/TCP tls", "9090/TCP custom"}, got,
		"an entry without a port is for those that no other names; TLS is meant for TCP; without steps its certificate is the answer")
}

func TestPortsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"port: 81": "port 81: the Service has no such port: it has 80/TCP (web), 7777/UDP (game), 53/UDP (dns), 53/TCP (dns-tcp), 9090/TCP (metrics)",
		"{port: web, protocol: UDP, preset: udp}": "port web/UDP: the Service has no such port: it has 80/TCP (web), 7777/UDP (game), 53/UDP (dns), 53/TCP (dns-tcp), 9090/TCP (metrics)",
		"{port: game, preset: http}":              "port game: what it says cannot be held over UDP",
		"{port: game, tls: {}}":                   "port game: what it says cannot be held over UDP",
		"steps: [{until: line}]":                  "port 7777/UDP (game): probe \"custom\" cannot be held over UDP\nport 53/UDP (dns): probe \"custom\" cannot be held over UDP",
		"preset: none":                            "no port is left to be measured: preset none stands for all of them",
	} {
		probes, err := spec.Load(text, source{}.spec())
		require.NoError(t, err)
		_, _, err = probes.Ports(lobby())
		require.EqualError(t, err, want, text)
	}
}

func TestOnly(t *testing.T) {
	t.Parallel()
	const shared = "[{port: 53, preset: dns, protocol: UDP, rate: 2, timeouts: {total: 1s}}, {port: 22, steps: [{until: line}]}, {port: 9, preset: none}]"
	for _, row := range []struct {
		text string
		port spec.Port
		want string
		err  string
	}{
		{"auto", spec.Port{Number: 80}, "80/TCP http", ""},
		{"udp", spec.Port{Number: 80}, "80/UDP udp", ""},
		{"dns", spec.Port{Number: 53}, "53/TCP dns", ""},
		{"dns", spec.Port{Number: 53, Protocol: probe.UDP}, "53/UDP dns", ""},
		{shared, spec.Port{Number: 53}, "53/UDP dns", ""},
		{shared, spec.Port{Number: 22}, "22/TCP custom", ""},
		{shared, spec.Port{Number: 80}, "", "there is no entry for port 80/TCP"},
		{shared, spec.Port{Number: 9}, "", "port 9/TCP: preset none leaves nothing to measure"},
		{"tls: {}", spec.Port{Number: 5000}, "5000/TCP tls", ""},
		{"steps: [{until: line}]", spec.Port{Number: 5000, Protocol: probe.UDP}, "", `port 5000/UDP: probe "custom" cannot be held over UDP`},
	} {
		probes, err := spec.Load(row.text, source{}.spec())
		require.NoError(t, err)
		got, err := probes.Only(row.port)
		if row.err != "" {
			require.EqualError(t, err, row.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, row.want, fmt.Sprintf("%s %s", got, got.Exchange))
		if got.Number == 53 && row.text == shared {
			require.InDelta(t, 2, got.Rate, 0)
			require.Equal(t, probe.Timeouts{Total: time.Second}, got.Timeouts)
		}
	}
}

func TestLoadFiles(t *testing.T) {
	t.Parallel()
	files := source{files: map[string]string{"probes.yaml": "- {port: 1, preset: tcp}", "k8s/p": "port: [1]"}}
	_, err := spec.Load("probes.yaml", files.spec())
	require.NoError(t, err)
	_, err = spec.Load("k8s/p", files.spec())
	require.EqualError(t, err, "entry 1: port: it has to be a number from 1 to 65535, or the name of a port")
	_, err = spec.Load("./nothing.yaml", files.spec())
	require.EqualError(t, err, "reading the probe's file: open ./nothing.yaml: file does not exist")
	require.ErrorIs(t, err, os.ErrNotExist)
	for text, yaml := range map[string]bool{
		"probes.yaml": false, "./a/b.yml": false, "- port: 1": true, "{port: 1}": true, "port: 1": true, "a\nb": true, "steps:": true,
	} {
		require.Equal(t, yaml, spec.IsYAML(text), text)
	}
}

func TestParseProblems(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(`
- port: 70000
- port: 80
  sned: x
  steps: [{send: '\q'}]
- port: web
  preset: ftp
  rate: 0
  timeouts: {connect: 5, wait: 1s}
- protocol: sctp
  preset: http
  path: version
  host: "a b"
- port: 5432
  steps: []
- port: 1
  preset: none
  tls: {}
- port: 2
  preset: http
  steps: [{}]
- port: 3
  steps: [{expect: '(', until: sometime}, {send: x, sendHex: '0'}, {expectHex: zz, expect: a}, 7]
- port: 4
  protocol: UDP
  steps: [{until: 3}]
  starttls: ftp
  proxyProtocol: v2
- port: 5
  preset: redis
  goodbye: QUIT
  path: /
  tls: {certificate: x, minVersion: 2, insecure: maybe, alpn: h2, sni: [1]}
- port: 6
  steps: [{send: '${1.0}'}, {expect: 'a(b)(?P<c>d)'}, {send: '${2.3} ${2.x} ${2.c} ${2.2} ${1.0} ${UNSET} ${'}]
- port: 2
  preset:
- 7
`), "\n")
	_, err := spec.Parse(strings.Join(lines, "\n"), source{}.spec())
	require.EqualError(t, err, strings.TrimSpace(`
port 70000: port: it has to be a number from 1 to 65535, or the name of a port
port 80: key "sned" is unknown: allowed are port, protocol, preset, steps, goodbye, path, host, tls, starttls, proxyProtocol, timeouts and rate
port 80: steps[0].send: at byte 0 of "\\q": unknown escape "\\q": allowed are \r \n \t \0 \\ \xHH
port "web": preset: allowed are auto, none, tcp, udp, tls, http, https, dns, redis and grpc
port "web": timeouts: key "wait" is unknown: allowed are connect, tls, firstByte and total
port "web": timeouts.connect: it has to be a duration above 0, such as 500ms or 2s
port "web": rate: it has to be a number above 0 and up to 100000
entry 4: protocol: allowed are TCP and UDP
entry 4: path: it has to begin with / and to hold no white space
entry 4: host: it has to hold no white space
port 5432: steps: it holds no step
port 1: tls: with preset none nothing is asked, so that it means nothing
port 2: preset: it goes with a preset, and steps stand for themselves
port 2: steps[0]: it says nothing: write send or sendHex, expect or expectHex, or until
port 3: steps[0].expect: it has to be a regular expression in RE2 syntax: missing closing ): `+"`(`"+`
port 3: steps[0].until: allowed are line, close, quiet, and a number of bytes up to 65536
port 3: steps[1].sendHex: it stands in the place of send: leave one of them out
port 3: steps[1].sendHex: it has to be bytes in hexadecimal, such as "00 00 00 08 04 d2 16 2f"
port 3: steps[2].expectHex: it stands in the place of expect: leave one of them out
port 3: steps[2].expectHex: it has to be bytes in hexadecimal, such as "00 00 00 08 04 d2 16 2f"
port 3: steps[3]: it has to be a mapping, with the keys send, sendHex, expect, expectHex and until
port 4: starttls: allowed are imap, mysql, pop3, postgres and smtp
port 4: steps: over UDP the first step has to send
port 4: steps: over UDP an answer ends where its datagram does: leave until out
port 4: starttls: UDP knows no such thing
port 4: proxyProtocol: UDP knows no such thing
port 5: tls.sni: it has to be a text: put it in quotes
port 5: tls.alpn: it has to be a list of texts
port 5: tls.insecure: allowed are true and false
port 5: tls.minVersion: allowed are 1.0, 1.1, 1.2 and 1.3
port 5: tls: certificate and key go together
port 5: goodbye: it goes with steps: presets have their own
port 5: path: it goes with preset http or https
port 6: steps[0].send: ${1.0} is no step before this one: there are 0
port 6: steps[2].send: ${2.3}: the expect of step 2 has no such group
port 6: steps[2].send: ${2.x}: the expect of step 2 has no such group
port 6: steps[2].send: ${1.0}: step 1 has no expect that could capture anything
port 6: steps[2].send: the environment variable UNSET is empty or not there
port 6: steps[2].send: after ${ allowed are the name of an environment variable, or a step and a group of its expect as in ${1.name}, and then }; $${ stands for ${ itself
port 2: key "preset" has no value
port 2: there is another entry for it
entry 13: it has to be a mapping, with the keys port, protocol, preset, steps, goodbye, path, host, tls, starttls, proxyProtocol, timeouts and rate
`))
}

func TestParseOther(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         `it holds no entry: write a list with an entry for each port, such as "- port: 6379"`,
		"[]":                       `it holds no entry: write a list with an entry for each port, such as "- port: 6379"`,
		"a: b: c":                  "it is not YAML: mapping values are not allowed in this context",
		"port: 1\nport: 2":         "it is not YAML: ",
		"hello\n":                  "entry 1: it has to be a mapping",
		"starttls: mysql":          "entry 1: starttls: mysql needs steps that log in: the server blocks clients that hang up before",
		"[{}, {port: 1}, {}]":      "entry 3: there is another entry for it",
		`[{port: 1}, {port: "1"}]`: `port "1": there is another entry for it`,
		"{port: '0'}":              `port "0": port: it has to be a number`,
		"{port: 1.5}":              `port 1.5: port: it has to be a number`,
		"{port: 1, tls: no}":       "port 1: tls: it has to be a mapping, with the keys sni, alpn, ca, insecure, certificate, key and minVersion",
	} {
		_, err := spec.Parse(text, source{}.spec())
		require.ErrorContains(t, err, want, text)
	}
}

// FuzzParse: whatever is written, there are probes or problems, and no secret is in the
// problems.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "port: 1", "- {port: a, preset: http, path: /x}", "steps: [{send: '${SECRET}${1.0}', expect: a}]", "steps: [{sendHex: 00, until: 3}]",
		"tls: {ca: '${SECRET}', key: '${SECRET}', certificate: x}", "{port: '${SECRET}', starttls: '${SECRET}'}", "steps: [{send: '$${a', expectHex: ff}]",
		"goodbye: '${SECRET}\\q'", "host: '${SECRET} '\npreset: http", "timeouts: {connect: 1s}", "- - -", "? {a: b}\n: c",
	} {
		f.Add(seed)
	}
	const secret = "hunter2hunter2"
	s := source{env: map[string]string{"SECRET": secret}}.spec()
	f.Fuzz(func(t *testing.T, text string) {
		probes, err := spec.Parse(text, s)
		if err != nil {
			if !strings.Contains(text, "hunter2") {
				require.NotContains(t, err.Error(), secret)
			}
			require.NotEmpty(t, err.Error())
			return
		}
		_, _, err = probes.Ports(lobby())
		if err != nil && !strings.Contains(text, "hunter2") {
			require.NotContains(t, err.Error(), secret)
		}
	})
}

// TestDocumentation: every block of YAML in the guide is one that the program takes.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	certificate, _ := pair(t)
	s := source{env: map[string]string{"LOBBY_TOKEN": "x"}, files: map[string]string{"certs/ca.pem": certificate}}
	guide, err := os.ReadFile("../../docs/probes.md")
	require.NoError(t, err)
	blocks := 0
	for i, part := range strings.Split(string(guide), "```yaml\n") {
		text, _, _ := strings.Cut(part, "```")
		if i == 0 || strings.Contains(text, "uses:") {
			continue
		}
		_, err := spec.Parse(text, s.spec())
		require.NoError(t, err, text)
		blocks++
	}
	require.GreaterOrEqual(t, blocks, 9)
}
