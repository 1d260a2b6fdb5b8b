package main

import "strings"

// probeRows are probes in YAML that nobody could hold, or that say less than they seem to.
func probeRows() []badInput {
	yaml := func(name, text string) badInput {
		return badInput{name: "probe, " + name, run: "plan --replicas 3", input: "probe", env: map[string]string{
			"INPUT_PROBE": text, "PROBE_KEY": "hunter2-hunter2", "CERTIFICATE": "no certificate", "MISSING": "",
		}, hidden: "hunter2"}
	}
	rows := []badInput{
		yaml("no YAML", "- port: 80\n  steps: ["),
		yaml("a key twice", "{port: 80, port: 81}"),
		yaml("an alias of nobody", "- port: *nobody\n"),
		yaml("a bomb of aliases", aliasBomb()),
		yaml("a list of texts", "[tcp, udp]"),
		yaml("no entry", "[]"),
		yaml("an entry of nothing", "- \n- port: 80\n"),
		yaml("a text", "'a: b'\n"),
		yaml("an unknown key", "{port: 80, prest: http}"),
		yaml("a key without a value", "- port:\n"),
		yaml("port 0", "{port: 0}"),
		yaml("port 65536", "{port: 65536}"),
		yaml("port 80.5", "{port: 80.5}"),
		yaml("port -1 as a text", `{port: "-1"}`),
		yaml("a port that is a list", "{port: [80, 81]}"),
		yaml("a port twice", "[{port: 80}, {port: 80}]"),
		yaml("a port twice, as number and text", `[{port: 80}, {port: "80"}]`),
		yaml("a port twice, with its transport", "[{port: 80, protocol: TCP}, {port: 80, protocol: tcp}]"),
		yaml("two for every other port", "[{preset: http}, {preset: tcp}]"),
		yaml("SCTP", "{port: 80, protocol: SCTP}"),
		yaml("an unknown preset", "{port: 80, preset: ftp}"),
		yaml("preset and steps", "{port: 80, preset: http, steps: [{send: x}]}"),
		yaml("none and more", "{port: 80, preset: none, rate: 5}"),
		yaml("a path for redis", "{port: 80, preset: redis, path: /}"),
		yaml("a path without slash", "{port: 80, preset: http, path: health}"),
		yaml("a path with a line break", `{port: 80, preset: http, path: "/ HTTP/1.1\r\nX: y"}`),
		yaml("a host with a line break", `{port: 80, preset: http, host: "a\r\nX: y"}`),
		yaml("goodbye without steps", "{port: 80, preset: redis, goodbye: QUIT}"),
		yaml("steps that are none", "{port: 80, steps: hello}"),
		yaml("no step", "{port: 80, steps: []}"),
		yaml("an empty step", "{port: 80, steps: [{}]}"),
		yaml("a step that is a text", "{port: 80, steps: [hello]}"),
		yaml("an unknown key of a step", "{port: 80, steps: [{sent: x}]}"),
		yaml("send that is a number", "{port: 80, steps: [{send: 5}]}"),
		yaml("an unknown escape", `{port: 80, steps: [{send: 'a\q'}]}`),
		yaml("half an escape", `{port: 80, steps: [{send: '\x4'}]}`),
		yaml("an escape of no digits", `{port: 80, steps: [{send: '\xGG'}]}`),
		yaml("a backslash at the end", `{port: 80, steps: [{send: 'a\'}]}`),
		yaml("send and sendHex", `{port: 80, steps: [{send: a, sendHex: "61"}]}`),
		yaml("hexadecimal that is none", `{port: 80, steps: [{sendHex: "6g"}]}`),
		yaml("half a byte", `{port: 80, steps: [{sendHex: "616"}]}`),
		yaml("no byte", `{port: 80, steps: [{sendHex: " "}]}`),
		yaml("hexadecimal as a number", `{port: 80, steps: [{sendHex: 61}]}`),
		yaml("expect and expectHex", `{port: 80, steps: [{send: a, expect: b, expectHex: "62"}]}`),
		yaml("an expression that is none", `{port: 80, steps: [{expect: "("}]}`),
		yaml("an expression with lookahead", `{port: 80, steps: [{expect: "(?=x)"}]}`),
		yaml("an expression too large", `{port: 80, steps: [{expect: "(a{1000}){1000}"}]}`),
		yaml("until nowhere", `{port: 80, steps: [{send: a, until: end}]}`),
		yaml("until 0 bytes", `{port: 80, steps: [{send: a, until: 0}]}`),
		yaml("until too many bytes", `{port: 80, steps: [{send: a, until: 1000000000}]}`),
		yaml("a capture of a later step", `{port: 80, steps: [{send: "${2.1}"}, {expect: "(a)"}]}`),
		yaml("a capture of step 0", `{port: 80, steps: [{expect: "(a)"}, {send: "${0.1}"}]}`),
		yaml("a capture without expect", `{port: 80, steps: [{send: a}, {send: "${1.1}"}]}`),
		yaml("a capture of no group", `{port: 80, steps: [{expect: "(a)"}, {send: "${1.2}"}]}`),
		yaml("a capture of no name", `{port: 80, steps: [{expect: "(?P<n>a)"}, {send: "${1.m}"}]}`),
		yaml("a variable that is not there", `{port: 80, steps: [{send: "${MISSING}"}]}`),
		yaml("a variable that is not closed", `{port: 80, steps: [{send: "${PROBE_KEY"}]}`),
		yaml("a variable of no name", `{port: 80, steps: [{send: "${}"}, {send: "${PROBE-KEY}"}]}`),
		yaml("a secret and a mistake", `{port: 80, steps: [{send: "${PROBE_KEY}", expect: "("}]}`),
		yaml("UDP that does not send", `{port: 53, protocol: UDP, steps: [{expect: a}]}`),
		yaml("UDP with until", `{port: 53, protocol: UDP, steps: [{send: a, until: line}]}`),
		yaml("UDP with goodbye", `{port: 53, protocol: UDP, steps: [{send: a}], goodbye: bye}`),
		yaml("TLS over UDP", "{port: 53, protocol: UDP, preset: dns, tls: {}}"),
		yaml("PROXY over UDP", "{port: 53, protocol: UDP, preset: dns, proxyProtocol: v2}"),
		yaml("TLS that is a text", "{port: 443, tls: yes please}"),
		yaml("TLS with an unknown key", "{port: 443, tls: {servername: a}}"),
		yaml("TLS 1.4", "{port: 443, tls: {minVersion: 1.4}}"),
		yaml("insecure and an authority", `{port: 443, tls: {insecure: true, ca: "-----BEGIN CERTIFICATE-----"}}`),
		yaml("insecure as a text", `{port: 443, tls: {insecure: "true"}}`),
		yaml("an authority that is none", `{port: 443, tls: {ca: "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----"}}`),
		yaml("an authority in no file", `{port: 443, tls: {ca: "$WORK/nowhere.pem"}}`),
		yaml("an authority in no file, named by a variable", `{port: 443, tls: {ca: "${PROBE_KEY}"}}`),
		yaml("a certificate without key", `{port: 443, tls: {certificate: "$WORK/pair.yaml"}}`),
		yaml("a pair that is none", `{port: 443, tls: {certificate: "$WORK/pair.yaml", key: "$WORK/pair.yaml"}}`),
		yaml("protocols that are no list", "{port: 443, tls: {alpn: h2}}"),
		yaml("STARTTLS of nobody", "{port: 25, starttls: gopher}"),
		yaml("STARTTLS of MySQL without a login", "{port: 3306, starttls: mysql}"),
		yaml("PROXY v3", "{port: 80, proxyProtocol: v3}"),
		yaml("a rate of 0", "{port: 80, rate: 0}"),
		yaml("a rate as a text", `{port: 80, rate: "5"}`),
		yaml("a time without unit", "{port: 80, timeouts: {connect: 5}}"),
		yaml("a time of 0", "{port: 80, timeouts: {total: 0s}}"),
		yaml("an unknown time", "{port: 80, timeouts: {read: 5s}}"),
		yaml("times that are none", "{port: 80, timeouts: 5s}"),
	}
	file := badInput{name: "probe, a file that is not there", run: "plan --replicas 3 --probe ./nowhere/probe.yaml", input: "probe"}
	directory := badInput{name: "probe, a directory", run: "plan --replicas 3 --probe .", input: "probe"}
	binary := badInput{name: "probe, a file that is no text", run: "plan --replicas 3 --probe ./probe.bin", input: "probe",
		files: map[string]string{"probe.bin": "\x7fELF\x02\x01\x01\x00\xff"}}
	endless := badInput{name: "probe, a file without end", run: "plan --replicas 3 --probe /dev/zero", input: "probe"}
	large := badInput{name: "probe, a large file", run: "plan --replicas 3 --probe ./probe.yaml", input: "probe",
		files: map[string]string{"probe.yaml": strings.Repeat("# a comment that never ends\n", 100_000)}}
	return append(rows, file, directory, binary, endless, large)
}

// aliasBomb is a document of a kilobyte that stands for 10^9 words.
func aliasBomb() string {
	bomb := "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
	for letter := 'b'; letter <= 'i'; letter++ {
		before := "*" + string(letter-1)
		bomb += string(letter) + ": &" + string(letter) + " [" + strings.TrimSuffix(strings.Repeat(before+", ", 10), ", ") + "]\n"
	}
	return bomb
}

// queryRows are queries, and addresses of who is asked, that mean nothing.
func queryRows() []badInput {
	ask := func(name, text string) badInput {
		return badInput{name: "queries, " + name, run: "plan --replicas 3 --prometheus-url http://prometheus.example:9090", input: "prometheus-queries",
			env: map[string]string{"INPUT_PROMETHEUS-QUERIES": text}}
	}
	address := func(name, url, token string) badInput {
		return badInput{name: "prometheus, " + name, run: "plan --replicas 3", input: "prometheus-url", hidden: "hunter2", env: map[string]string{
			"INPUT_PROMETHEUS-URL": url, "INPUT_PROMETHEUS-TOKEN": token, "PASSWORD": "hunter2", "ADDRESS": "prometheus.example:port",
			"INPUT_PROMETHEUS-QUERIES": "[{name: errors, expr: up, max: 1}]",
		}}
	}
	rows := []badInput{
		ask("no YAML", "- name: [\n"),
		ask("a key twice", "[{name: a, expr: up, max: 1, max: 2}]"),
		ask("a bomb of aliases", aliasBomb()),
		ask("a mapping", "{name: errors, expr: up, max: 1}"),
		ask("none", "[]"),
		ask("texts", "[up]"),
		ask("without a name", "[{expr: up, max: 1}]"),
		ask("a name of two lines", `[{name: "a\nb", expr: up, max: 1}]`),
		ask("a name with an escape of a terminal", `[{name: "a\e[31m", expr: up, max: 1}]`),
		ask("a name too long", "[{name: "+strings.Repeat("n", 64)+", expr: up, max: 1}]"),
		ask("a name that is a number", "[{name: 5, expr: up, max: 1}]"),
		ask("a name twice", "[{name: a, expr: up, max: 1}, {name: a, expr: up, min: 1}]"),
		ask("without an expression", "[{name: a, max: 1}]"),
		ask("an expression that is a number", "[{name: a, expr: 5, max: 1}]"),
		ask("an expression too long", "[{name: a, expr: "+strings.Repeat("x", 10_001)+", max: 1}]"),
		ask("an unknown placeholder", "[{name: a, expr: 'up{job=\"{{pod}}\"}', max: 1}]"),
		ask("half a placeholder", "[{name: a, expr: 'up{job=\"{{canary\"}', max: 1}]"),
		ask("without bounds", "[{name: a, expr: up}]"),
		ask("bounds that cross", "[{name: a, expr: up, min: 2, max: 1}]"),
		ask("a bound as a text", `[{name: a, expr: up, max: "1"}]`),
		ask("a bound without end", "[{name: a, expr: up, max: .inf}]"),
		ask("a bound that is no number", "[{name: a, expr: up, max: .nan}]"),
		ask("a bound of nothing", "[{name: a, expr: up, max: }]"),
		ask("a time without unit", "[{name: a, expr: up, max: 1, for: 30}]"),
		ask("a time below 0", "[{name: a, expr: up, max: 1, for: -30s}]"),
		ask("an unknown key", "[{name: a, query: up, max: 1}]"),
		ask("too many", "["+strings.Repeat("{name: a, expr: up, max: 1}, ", 51)+"]"),
		ask("a file that is not there", "./nowhere.yaml"),
		ask("a file without end", "/dev/zero"),
		address("no address", "prometheus.example", ""),
		address("a file", "file:///etc/passwd", ""),
		address("a query in it", "http://prometheus.example/?user=hunter2", ""),
		address("a port that is none", "http://ci:hunter2@prometheus.example:port", ""),
		address("a port that is none, of a variable", "http://ci:hunter2@${ADDRESS}", ""),
		address("a variable that is not there", "http://ci:${NOWHERE}@prometheus.example", ""),
		address("a variable that is not closed", "http://ci:${PASSWORD@prometheus.example", ""),
		address("a user and a token", "http://ci:hunter2@prometheus.example", "hunter2"),
		address("a token of two lines", "http://prometheus.example", "a\nhunter2"),
		address("a token of no variable", "http://prometheus.example", "${NOWHERE}"),
	}
	rows[len(rows)-2].input, rows[len(rows)-1].input = "prometheus-token", "prometheus-token"
	return rows
}
