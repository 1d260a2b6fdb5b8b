package main

import "strings"

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
		row("two reports in one file", "report-json", run+" --report-markdown out.txt --report-json ./out.txt"),
		row("a report in the file of the outputs", "outputs-file", run+" --report-junit out.txt --outputs-file $WORK/out.txt"),
		row("a report that is a directory", "report-junit", run+" --report-junit $WORK"),
		row("a report that ends like a directory", "report-markdown", run+" --report-markdown reports/"),
		row("a report below a file", "report-json", run+" --report-json pair.yaml/report.json"),
		row("outputs below a file", "outputs-file", run+" --outputs-file pair.yaml/outputs"),
		row("neither capacity nor manifests", "replicas", "plan"),
		row("steps nearer than the pods", "", plan+" --max-surge 1 --steps 1,100"),
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
		return badInput{name: "prober, " + name, run: "prober --plan plan.json", files: map[string]string{"plan.json": text}, value: "plan.json"}
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
		report("an unknown field", `{"schemaVersion": 1, "hello": 1}`),
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

// clusterRows are sound inputs for a cluster in which nothing can be rolled out by them.
func clusterRows() []badInput {
	return nil
}
