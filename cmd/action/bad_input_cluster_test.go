package main

import (
	"maps"
	"slices"
	"strings"
)

// togetherRows are inputs that are fine by themselves and contradict each other.
func togetherRows() []badInput {
	row := func(name, input, run string) badInput {
		return badInput{name: name, input: input, run: run}
	}
	env := func(name, input, run string, env map[string]string) badInput {
		return badInput{name: name, input: input, run: run, env: env}
	}
	const run, plan, sample = "run --manifests pair.yaml", "plan --replicas 10", "sample --address 127.0.0.1 --port 80"
	return []badInput{
		row("neither surge nor unavailable", "max-surge", run+" --max-surge 0%"),
		row("neither surge nor unavailable, for doctor", "max-surge", "doctor --service nginx --max-surge 0 --max-unavailable 0"),
		env("one Deployment for both roles", "canary", run, map[string]string{"INPUT_STABLE": "old-nginx", "L4_CANARY_CANARY": "old-nginx"}),
		row("a pattern for stable alone", "canary-pattern", run+" --stable-pattern old"),
		row("a pattern for the canary alone", "stable-pattern", plan+" --canary-pattern new"),
		env("one pattern for both versions", "canary-pattern", run, map[string]string{"INPUT_STABLE-PATTERN": "v", "INPUT_CANARY_PATTERN": " v "}),
		row("an image of a prober that is this process", "probe-image", run+" --probe-image registry.example/l4-canary:v1"),
		row("flows held by a prober of one window", "hold-open", run+" --probe-from cluster --probe-image a/b:v1 --hold-open 1"),
		row("more flows than a log can tell of", "rate", run+" --probe-from cluster --probe-image a/b:v1 --rate 1001"),
		row("a prober without image", "probe-image", run+" --probe-from cluster"),
		row("a metric server without queries", "prometheus-queries", run+" --prometheus-url http://prometheus.example"),
		env("a token of a metric server without server", "prometheus-url", run, map[string]string{"INPUT_PROMETHEUS-TOKEN": "THE-SECRET"}),
		row("queries without a server", "prometheus-url", run+" --prometheus-queries ./queries.yaml"),
		row("pauses longer than the run", "timeout", run+" --steps 10:30m,50:31m,100"),
		row("a bake longer than the run", "timeout", run+" --bake 2h"),
		row("drains longer than the run", "timeout", run+" --steps 10,50,100 --drain 21m"),
		row("pauses longer than can be counted", "timeout", run+" --steps 10:2500000h,50:2500000h,100 --timeout 2h"),
		row("a bake and a drain longer than can be counted", "timeout", run+" --bake 2500000h --drain 1000000h"),
		row("until before the first step", "until", plan+" --steps 50,100 --until 10"),
		row("until between two steps", "until", plan+" --steps 10,50,100 --until 25"),
		{name: "two reports in one file", input: "report-json", run: run + " --report-markdown out.txt --report-json ./out.txt", report: "out.txt"},
		{name: "a report in the file of the outputs", input: "outputs-file", run: run + " --report-junit out.txt --outputs-file $WORK/out.txt", report: "out.txt"},
		row("neither capacity nor manifests", "replicas", "plan"),
		{name: "steps that the pods cannot give", run: plan + " --max-surge 1 --steps 1,100", prints: true},
		row("exactly and at most", "max-probes", sample+" --count 10 --max-probes 20"),
		row("an expected weight of nobody", "canary-pattern", sample+" --expected-weight 20"),
		row("words of a user beside a probe", "probe", sample+" --send x --probe ./probe.yaml"),
		row("a datagram for HTTP", "protocol", sample+" --protocol udp --probe http"),
		row("a stream for datagrams", "protocol", sample+" --protocol tcp --probe udp"),
		row("one pattern for both versions, of a sample", "canary-pattern", sample+" --stable-pattern v --canary-pattern v"),
		row("a probe of another port", "probe", sample+" --probe [{port:81}]"),
		env("a probe of none", "probe", sample, map[string]string{"L4_CANARY_PROBE": "[{port: 80, preset: none}]"}),
		env("two wrong at once, by three ways", "rate", run+" --rate 0", map[string]string{"INPUT_MAX-SURGE": "x", "L4_CANARY_FINISH": "x"}),
		{name: "wrong on GitHub", input: "rate", run: run + " --rate 0", prints: true,
			env: map[string]string{"GITHUB_ACTIONS": "true", "INPUT_FINISH": "a%0A::set-output name=x::y"}},
	}
}

// commandRows are command lines that are wrong, and reports that are none.
func commandRows() []badInput {
	row := func(name, run string) badInput { return badInput{name: "command, " + name, run: run} }
	report := func(name, text string) badInput {
		return badInput{name: "report, " + name, run: "report report.json", files: map[string]string{"report.json": text}, value: "report.json"}
	}
	prober := func(name, text string) badInput {
		return badInput{name: "prober, " + name, run: "prober --plan plan.json", files: map[string]string{"plan.json": text}, prints: true}
	}
	return []badInput{
		row("unknown", "deploy"),
		row("nearly right", "rollbak"),
		row("two", "plan run"),
		row("an unknown flag", "status --services nginx"),
		row("a short flag", "status -s nginx"),
		row("a flag of another command", "rollback --steps 10"),
		row("rollback from a prober", "rollback --manifests k8s"),
		row("doctor with a rate", "doctor --rate 50"),
		row("sample with a cluster", "sample --kubeconfig x"),
		row("a flag without a value", "doctor --service"),
		row("a word behind the flags", "sample --address 127.0.0.1 --port 80 now"),
		row("report of nothing", "report"),
		row("report of two", "report a b"),
		row("report with an input", "report --output json a"),
		row("version with a word", "version 2"),
		row("rollback with a wrong drain", "rollback --drain 5"),
		row("status with a wrong output", "status --output wide"),
		row("doctor with a wrong surge", "doctor --max-surge x"),
		{name: "report, nowhere", run: "report nowhere.json", value: "nowhere.json"},
		{name: "report, a directory", run: "report ."},
		report("empty", ""),
		report("text", "promoted\n"),
		report("no JSON", `{"schemaVersion": 1,`),
		report("a list", "[]"),
		report("another version", `{"schemaVersion": 2}`),
		report("no version", `{"outcome": "promoted"}`),
		report("a wrong type", `{"schemaVersion": 1, "stages": "none"}`),
		report("a time that is none", `{"schemaVersion": 1, "startedAt": "yesterday"}`),
		report("a stage that is none", `{"schemaVersion": 1, "stages": [5]}`),
		report("two", `{"schemaVersion": 1}{"schemaVersion": 1}`),
		report("deep", strings.Repeat("[", 20_000)),
		report("no text", "\x1f\x8b\x08"),
		report("a number too large", `{"schemaVersion": 1, "replicas": 1e400}`),
		prober("empty", ""),
		prober("no plan", "hello"),
		prober("a list", "[]"),
		prober("an empty one", "{}"),
		{name: "prober, nowhere", run: "prober --plan nowhere.json", value: "nowhere.json"},
		{name: "prober, without a plan", run: "prober"},
	}
}

// clusterRows are sound inputs for a cluster in which nothing can be rolled out by them, or that
// cannot be asked.
func clusterRows() []badInput {
	var rows []badInput
	commands := map[string]string{
		"run": "run --manifests pair.yaml", "plan": "plan --manifests pair.yaml", "doctor": "doctor --service nginx",
		"rollback": "rollback --service nginx", "status": "status --service nginx",
	}
	for _, command := range slices.Sorted(maps.Keys(commands)) {
		for _, kind := range []string{"gone", "untrusted", "unauthorized", "broken", "no-cluster"} {
			rows = append(rows, badInput{name: command + ", API server " + kind, run: commands[command], server: kind, exit: ExitUnreachable})
		}
	}
	for _, command := range []string{"run", "plan", "doctor"} {
		rows = append(rows, badInput{name: command + ", API server forbidden", run: commands[command], server: "forbidden", exit: ExitUnreachable})
	}
	quoting := badInput{name: "rollback, a proxy that quotes the token", run: commands["rollback"], server: "echo"}
	contained := badInput{name: "run, loopback in a container", run: commands["run"], server: "gone", exit: ExitUnreachable, env: map[string]string{"CONTAINED": "yes"}}
	return append(append(rows, quoting, contained), serviceRows()...)
}

// serviceRows are Services and Deployments that do not go together, or not with the inputs.
func serviceRows() []badInput {
	row := func(name, before, after string) badInput {
		return badInput{name: "service, " + name, run: "run --manifests other.yaml", server: "serving",
			files: map[string]string{"other.yaml": strings.Replace(soundPair, before, after, 1)}}
	}
	named := func(name, before, after string) badInput {
		r := row(name, before, after)
		r.run += " --service nginx"
		return r
	}
	unasked := func(name, before, after string) badInput { // no cluster has to be asked to see it
		r := row(name, before, after)
		r.server = ""
		return r
	}
	input := func(name, input, more string) badInput {
		return badInput{name: "service, " + name, run: "run --manifests pair.yaml " + more, server: "serving", input: input}
	}
	alone := input("one Deployment that finishes like two", "finish", "--finish keep")
	alone.run, alone.files = "run --manifests other.yaml --finish keep", map[string]string{"other.yaml": soundService + "---\n" + soundOld}
	return []badInput{
		unasked("none of type LoadBalancer", "type: LoadBalancer", "type: NodePort"),
		named("ExternalName", "type: LoadBalancer", "type: ExternalName\n  externalName: lobby.example.com"),
		named("ClusterIP", "  type: LoadBalancer\n", ""),
		named("NodePort", "type: LoadBalancer", "type: NodePort"),
		row("no ports", "  ports:\n  - port: 80\n", ""),
		row("SCTP", "- port: 80\n", "- port: 80\n    protocol: SCTP\n"),
		row("no selector", "  selector:\n    app: nginx\n", ""),
		row("a selector of nobody", "  selector:\n    app: nginx\n", "  selector:\n    app: lobby\n"),
		row("a selector of one version", "  selector:\n    app: nginx\n", "  selector:\n    run: old-nginx\n"),
		row("a selector of another port", "- port: 80\n", "- port: 80\n    targetPort: game\n"),
		row("sticky", "  type: LoadBalancer\n", "  type: LoadBalancer\n  sessionAffinity: ClientIP\n"),
		row("pods that are not ready", "  type: LoadBalancer\n", "  type: LoadBalancer\n  publishNotReadyAddresses: true\n"),
		row("a StatefulSet for the canary", "kind: Deployment\nmetadata:\n  name: new-nginx", "kind: StatefulSet\nmetadata:\n  name: new-nginx"),
		unasked("an image that nobody filled in", "registry.example.com/new-nginx:1", "${IMAGE}"),
		unasked("an image in capitals", "registry.example.com/new-nginx:1", "registry.example.com/New:1"),
		input("of another name", "", "--service lobby"),
		input("two Deployments that finish like one", "finish", "--finish adopt"),
		input("until below the first stage", "until", "--until 5"),
		input("steps that the pods cannot give, live", "", "--max-surge 1 --steps 1,100"),
		input("a bake without surge", "", "--bake 5m --max-surge 0 --max-unavailable 1"),
		alone,
	}
}
