package main

import (
	"cmp"
	"fmt"
	"strings"
)

// inputRows are values that no input may have, whatever the others say.
func inputRows() []badInput {
	var rows []badInput
	add := func(run string, input string, values ...string) {
		for _, value := range values {
			rows = append(rows, given(len(rows), run, input, value))
		}
	}
	const run, plan, sample = "run --manifests pair.yaml", "plan --replicas 10", "sample --address 127.0.0.1 --port 80"
	add("", "command", "deploy", "run plan", "version")
	add(run, "namespace", "Game", "a_b", "-game", "game-", "two.parts", strings.Repeat("n", 64), "größe", "../default")
	add(run, "service", "Lobby", "lobby/http", "lobby.game", strings.Repeat("s", 64), "*")
	add(run, "stable", "old nginx", "deployment/old-nginx", "old_nginx")
	add(run, "canary", "NEW", "new..nginx", strings.Repeat("c", 254))
	add(run, "steps", "0", "100,100", "10,x,100", "10 50,,5", "1e1", "10:5m:5m,100", "10:-1m,100", "10:,100", "NaN", "+10", "10.00001", "½", ",")
	add(run, "until", "-1", "101", "half", "0", "1e2")
	add(run, "replicas", "-3", "1.0", "0x10", "100001", "٣")
	add(run, "max-surge", "%", "25 %%", "-1", "1.5", "100001", "1000000%", "9223372036854775808")
	add(run, "max-unavailable", "-1%", "150%", "half", "1,5")
	add(run, "max-weight-error", "-1", "100.1", "five", "5 points")
	add(run, "probe", "ftp", "http3", "tcp udp", "-", "auto,tcp")
	add(run, "probe-from", "pod", "runner,cluster")
	add(run, "probe-image", "has blank", "-x", "${IMAGE}", strings.Repeat("i", 513))
	add(run, "address", "https://192.0.2.7", "192.0.2.7:80", "[2001:db8::1]:80", "a..b", "-host", "host name", "300.1.1.1", "1.2.3", strings.Repeat("a.", 127)+"a", "[192.0.2.7", "*.example.com")
	add(run, "stable-pattern", "(", "a{2,1}", "(?=old)", `\C`, "[z-a]")
	add(run, "canary-pattern", "*", `(?P<>x)`, `\8`)
	add(run, "share-gate", "off", "true")
	add(run, "smoke", "yes", "1", "tRuE")
	add(run, "tolerance", "0", "50.1", "-5", "5pp", "0x5")
	add(run, "confidence", "49", "100", "99.999", "high")
	add(run, "rate", "0", "-1", "100001", "50/s", "Infinity", "50%", "1_000")
	add(run, "max-probes", "0", "-1", "all", "100000001")
	add(run, "close", "close", "fin,rst")
	add(run, "max-error-rate", "100.5", "-0.1", "none", "false")
	add(run, "max-latency-increase", "10001", "-25", "2x")
	add(run, "hold-open", "-1", "10001", "many")
	for _, input := range []string{"settle", "propagation", "drain", "bake", "stage-timeout", "move-timeout", "timeout"} {
		add(run, input, "5", "-1s", "soon")
	}
	add(run, "drain", "1d", "9999999h", "infinite")
	add(run, "stage-timeout", "0s")
	add(run, "move-timeout", "0")
	add(run, "timeout", "0s", "1h 30m")
	add(run, "on-existing", "resume", "wait")
	add(run, "on-failure", "stop", "rollback,hold")
	add(run, "on-inconclusive", "pass", "hold")
	add(run, "keep-failed-pod", "2", "keep")
	add(run, "finish", "park", "adopt handover")
	add(run, "removal", "delete", "evict")
	add(run, "hpa", "ignore", "true")
	add(run, "pod-logs", "-1", "10001", "all")
	add(run, "job-summary", "on", "0")
	add(run, "comment", "true", "on failure")
	add(plan, "output", "yaml", "JSON,table")
	add(run, "images", "UPPER/case:1", "=ghcr.io/acme/lobby:1", "ghcr.io/acme/lobby@sha256:short", "old-nginx/nginx=", "a b")
	for _, input := range []string{"report-markdown", "report-json", "report-junit", "outputs-file"} {
		add(run, input, "$WORK", "reports/", "pair.yaml/report", "./.")
		add("rollback", input, "../")
	}
	add(run, "github-token", "ghs THE-SECRET", "ghs_THE-SECRET\nX-Header: 1")
	add(run, "kube-server", "http://192.0.2.1", "192.0.2.1:6443", "https://", "https://host/?token=x", "https://host:port")
	add("sample --port 80", "address", "http://127.0.0.1", "::1:80:", "")
	add("sample --address 127.0.0.1", "port", "0", "65536", "-80", "http", "80/tcp", "0x50", "")
	add(sample, "protocol", "sctp", "tcp,udp")
	add(sample, "send", `\q`, `\x1`, `\xZZ`, `end\`)
	add(sample, "expect", "(", "(?!x)", "[")
	add(sample, "expected-weight", "-1", "100.5", "half")
	add(sample, "rate", "-1", "100001", "fast")
	add(sample, "concurrency", "0", "20001", "-1")
	add(sample, "count", "0", "1e6", "100000001")
	add(sample, "max-probes", "0", "100000001")
	add(sample, "timeout", "0", "5", "-5s")
	add(sample, "seed", "-1", "18446744073709551616", "random")
	return rows
}

// given is a row for one value of one input, by one of the four ways in turn.
func given(n int, run, input, value string) badInput {
	row := badInput{run: run, input: input, env: map[string]string{}}
	command, _, _ := strings.Cut(run, " ")
	row.name = fmt.Sprintf("%s, %s: %s", cmp.Or(command, "action"), input, cmp.Or(strings.ReplaceAll(shorten(value), "\n", " / "), "nothing"))
	upper := strings.ToUpper(input)
	plain := strings.ReplaceAll(upper, "-", "_")
	ways := []string{"INPUT_" + upper, "INPUT_" + plain, "L4_CANARY_" + plain}
	if way := n % 4; way < len(ways) || value == "" || strings.ContainsAny(value, " \n") {
		row.env[ways[way%len(ways)]] = value
	} else {
		row.run += " --" + input + "=" + value
	}
	if command == "" {
		row.env = map[string]string{"INPUT_COMMAND": value}
	}
	row.value = fmt.Sprintf("%q", value)
	if len(value) > len(shorten(value)) || value == "" || input == "github-token" || strings.Contains(value, "token=") {
		row.value = ""
	}
	return row
}

// shorten is a value as the name of a row has it.
func shorten(value string) string {
	const most = 40
	return value[:min(most, len(value))]
}
