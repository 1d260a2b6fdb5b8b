package config

import "slices"

// table is the one description of every input. A row exists once what it
// promises is built.
func table() []Input {
	return slices.Concat(clusterInputs(), planInputs(), probeInputs(), timeInputs(), resultInputs(), sampleInputs())
}

// rollout scopes what a rollout needs: plan checks everything that run reads.
func rollout() []string { return []string{CommandRun, CommandPlan} }

// cluster scopes what it takes to find a rollout.
func cluster() []string { return append(looking(), CommandRollback, CommandStatus, CommandPost) }

// looking scopes what doctor needs of a rollout too.
func looking() []string { return append(rollout(), CommandDoctor) }

// moving scopes what bounds a move of pods.
func moving() []string { return append(looking(), CommandRollback, CommandPost) }

func clusterInputs() []Input {
	return []Input{
		{Name: "command", Scope: []string{Action}, Default: CommandRun,
			Help: "What the action does: `run`, `plan`, `doctor`, `rollback` or `status`"},
		{Name: "kubeconfig", Scope: cluster(), Meaning: "`$KUBECONFIG`, then `~/.kube/config`", Secret: true,
			Help: "Path of a kubeconfig, its YAML text, the same in base64, or the word `in-cluster`"},
		{Name: "kube-server", Scope: cluster(), Meaning: "the kubeconfig's",
			Help: "Address of the API server, such as `https://203.0.113.7:6443`, for a cluster without a kubeconfig"},
		{Name: "kube-ca", Scope: cluster(), Meaning: "those that the machine trusts", Secret: true, // somebody may put a key here
			Help: "Certificates of the authority that signed that of `kube-server`: PEM, or the same in base64"},
		{Name: "kube-token", Scope: cluster(), Meaning: "required with `kube-server`", Secret: true,
			Help: "Bearer token for `kube-server`, such as a service account's. As a flag it would stand in the process list"},
		{Name: "context", Scope: cluster(), Meaning: "the kubeconfig's",
			Help: "Context of the kubeconfig"},
		{Name: "namespace", Scope: cluster(), Meaning: "the manifests', then the kubeconfig's",
			Help: "Namespace of the Service and both Deployments"},
		{Name: "manifests", Scope: append(rollout(), CommandPost), Meaning: "required for `run`",
			Help: "Files, directories, kustomizations, globs or `-` (standard input), one per line"},
		{Name: "images", Scope: rollout(), Meaning: "the manifests'",
			Help: "Images to put into the manifests, one per line: `image` (wherever its repository is used), `name=image` (wherever the repository `name` is), or `deployment/container=image`"},
		{Name: "service", Scope: cluster(), Meaning: "the only LoadBalancer Service found",
			Help: "Name of the Service whose flows are split"},
		{Name: "stable", Scope: looking(), Meaning: "the Deployment that serves",
			Help: "Name of the old version's Deployment; decides only when neither or both serve"},
		{Name: "canary", Scope: looking(), Meaning: "the other one",
			Help: "Name of the new version's Deployment; decides only when neither or both serve"},
	}
}

func planInputs() []Input {
	return []Input{
		{Name: "steps", Scope: rollout(), Default: "auto",
			Help: "Target weights of the canary in percent, rising, separated by commas, with up to four decimals; `25:5m` pauses for five minutes after that stage. `auto` takes what the pods can give nearest to 10, 25, 50, then 100"},
		{Name: "until", Scope: rollout(), Default: "100",
			Help: "Weight to stop after, outcome `held`; a later run of the same release goes on"},
		{Name: "on-existing", Scope: []string{CommandRun}, Default: "auto",
			Help: "When an unfinished rollout is there: `auto` goes on with it if it is the same release and rolls it back first if not, `refuse` stops"},
		{Name: "replicas", Scope: rollout(), Meaning: "the live stable's",
			Help: "Pods that serve before the rollout"},
		{Name: "max-surge", Scope: looking(), Default: "25%",
			Help: "Pods above `replicas` at any instant: a number, or a percentage that rounds up"},
		{Name: "max-unavailable", Scope: looking(), Default: "0",
			Help: "Pods below `replicas` at any instant: a number, or a percentage that rounds down"},
		{Name: "max-weight-error", Scope: rollout(), Default: "5",
			Help: "Percentage points allowed between a weight in `steps` and what whole pods can give"},
	}
}

func probeInputs() []Input {
	measured := append(rollout(), CommandSample)
	asked := append(looking(), CommandSample)
	return []Input{
		{Name: "probe", Scope: asked, Default: "auto",
			Help: "How a flow asks: `tcp` (reads the banner), `udp`, `tls` (the certificate is the answer), `http`, `https`, `dns`, `redis`, `grpc`, or `auto` (by the port's protocol, appProtocol and name); or YAML, or the name of a file that holds it, with an entry for each port"},
		{Name: "probe-from", Scope: looking(), Default: "runner",
			Help: "Where flows begin: `runner`, this process, or `cluster`, a pod that a Job makes for each window. From inside a cluster kube-proxy alone is measured, and not the balancer before it"},
		{Name: "probe-image", Scope: rollout(), Meaning: "this version's",
			Help: "Image of l4-canary, of this very version, for `probe-from: cluster`"},
		{Name: "address", Scope: looking(), Meaning: "the Service's own",
			Help: "IP address or host name to sample instead of the Service's own"},
		{Name: "stable-pattern", Scope: measured, Meaning: "learned by `run`",
			Help: "Regular expression (RE2) that only answers of the stable version match"},
		{Name: "canary-pattern", Scope: measured, Meaning: "learned by `run`",
			Help: "Regular expression (RE2) that only answers of the canary match; write both or neither"},
		{Name: "share-gate", Scope: rollout(), Default: "enforce",
			Help: "Whether a stage has to show the split its pods should give: `enforce`, or `report` to measure and show it where that is possible and never judge by it. Failures, slow answers and restarts judge either way"},
		{Name: "smoke", Scope: rollout(), Default: "false",
			Help: "Whether one pod of the new version runs outside of every Service first and has to answer, before anything is touched: `true` or `false`"},
		{Name: "tolerance", Scope: measured, Default: "5",
			Help: "Percentage points around the expected weight that pass"},
		{Name: "confidence", Scope: measured, Default: "95",
			Help: "Confidence of every interval and decision, in percent"},
		{Name: "rate", Scope: rollout(), Default: "50",
			Help: "New flows per second"},
		{Name: "max-probes", Scope: rollout(), Default: "auto",
			Help: "Most flows sampled in a stage; `auto` is four times the planned sample size"},
		{Name: "close", Scope: measured, Default: "fin",
			Help: "How a TCP flow ends once its answer is read: `fin` finishes it, `rst` resets it, which frees source ports in every NAT on the way within seconds but may look like an error in the service's log, `auto` resets only where the rate would use a source port again within two minutes"},
		{Name: "max-error-rate", Scope: rollout(), Default: "off",
			Help: "Most failed flows of either version, and of all flows, in percent, or `off`"},
		{Name: "max-latency-increase", Scope: rollout(), Default: "25%",
			Help: "How much longer than 95 of 100 answers before the rollout an answer may take before it counts as slow, in percent, or `off`; below 5 ms none is slow. A stage fails when the canary has more than its share of the slow answers"},
		{Name: "prometheus-url", Scope: looking(), Meaning: "nobody is asked", Secret: true,
			Help: "Address of the Prometheus server that is asked `prometheus-queries`, such as `https://user:${PASSWORD}@prometheus.example/prefix`; `${NAME}` is an environment variable"},
		{Name: "prometheus-token", Scope: looking(), Meaning: "none", Secret: true,
			Help: "Bearer token for `prometheus-url`; `${NAME}` is an environment variable"},
		{Name: "prometheus-queries", Scope: looking(), Meaning: "none",
			Help: "Queries that fail a stage when what they give is out of bounds: YAML, or the name of a file that holds it, a list of entries with `name`, `expr`, `min` or `max` or both, and `for` (`0s`), how long it may be out of bounds. In `expr` `{{canary}}`, `{{stable}}`, `{{namespace}}` and `{{service}}` stand for names"},
		{Name: "hold-open", Scope: rollout(), Default: "0",
			Help: "Established flows that are kept talking through every move, spread over the ports; the report says how many were cut. It decides nothing"},
	}
}

func timeInputs() []Input {
	return []Input{
		{Name: "settle", Scope: rollout(), Default: "5s",
			Help: "Wait after the endpoints match the plan"},
		{Name: "propagation", Scope: rollout(), Default: "auto",
			Help: "How long the balancer may lag behind the endpoints; `auto` is 60s, or 6m where a balancer of the cloud sends flows to the pods itself"},
		{Name: "drain", Scope: moving(), Default: "auto",
			Help: "Time given to pods that leave at most; `auto` is 30s, or 5m where a balancer of the cloud sends flows to the pods itself. A parked pod stays 3s at least: only then has kube-proxy surely heard that it left"},
		{Name: "bake", Scope: rollout(), Default: "0s",
			Help: "Keep as many old pods as `max-surge` allows warm for so long after 100 %, out of the Service: a rollback in that time begins with them, within a second"},
		{Name: "stage-timeout", Scope: rollout(), Default: "5m",
			Help: "Longest sampling of one stage, from the end of propagation"},
		{Name: "move-timeout", Scope: moving(), Default: "5m",
			Help: "Longest time a move may show no progress"},
		{Name: "timeout", Scope: looking(), Default: "60m",
			Help: "Longest whole run; then the stage counts as failed. Rolling back has ten minutes of its own"},
	}
}

func resultInputs() []Input {
	moved := []string{CommandRun, CommandRollback, CommandPost}
	return []Input{
		{Name: "on-failure", Scope: rollout(), Default: "rollback",
			Help: "When a stage fails: `rollback` brings the old pods back, `hold` leaves the pods as they are, without canaries that do not serve, outcome `stopped`; a later run of the same release goes on, `rollback` goes back"},
		{Name: "keep-failed-pod", Scope: append(rollout(), CommandRollback, CommandPost), Default: "false",
			Help: "Whether one failing pod of the canary stays when the others go, out of every Service and of its ReplicaSet, for you to look at and delete: `true` or `false`"},
		{Name: "on-inconclusive", Scope: rollout(), Default: "fail",
			Help: "When the samples allowed were too few to decide on a stage (INCONCLUSIVE_BUDGET): `fail` takes it for a failure, `continue` goes on"},
		{Name: "finish", Scope: rollout(), Default: "auto",
			Help: "With two Deployments, what becomes of the old one: `keep` it at zero pods (`auto`) or `delete` it. With one: `adopt` moves the pods back to it with the new template (`auto`), `handover` makes it anew around the pods that run"},
		{Name: "removal", Scope: looking(), Default: "auto",
			Help: "How pods leave: `park` takes them out of the Service first and gives their flows `drain` to end, `terminate` leaves that to the pods; `auto` parks where the Service has only TCP ports, kube-proxy and policy Cluster"},
		{Name: "hpa", Scope: rollout(), Default: "refuse",
			Help: "When a HorizontalPodAutoscaler scales either Deployment: `refuse` the rollout, or `pause` the autoscaler until it has ended"},
		{Name: "pod-logs", Scope: moved, Default: "20",
			Help: "Lines of a failing pod's log shown in the job log, and nowhere else"},
		{Name: "job-summary", Scope: moved, Default: "true",
			Help: "Whether the report becomes the job summary: `true` or `false`"},
		{Name: "comment", Scope: moved, Default: "auto",
			Help: "Whether the report becomes a comment on the pull request: `auto` where one and a token are found, `always` to be warned where not, `on-failure` when a run did not end well, or `never`"},
		{Name: "comment-key", Scope: moved, Meaning: "workflow, job, context, namespace and Service",
			Help: "What tells the comment apart from others on the pull request: runs with the same one share it"},
		{Name: "github-token", Scope: moved, ActionDefault: "${{ github.token }}", Secret: true,
			Help: "Token that writes the comment, on GitHub, Gitea and Forgejo; outside of the action `$GITHUB_TOKEN`"},
		{Name: "report-markdown", Scope: moved, Meaning: "not written",
			Help: "File for the report in Markdown"},
		{Name: "report-json", Scope: moved, Meaning: "not written",
			Help: "File for the report in JSON"},
		{Name: "report-junit", Scope: moved, Meaning: "not written",
			Help: "File for the report as JUnit XML, in which each stage is a test case"},
		{Name: "outputs-file", Scope: moved, Meaning: "not written",
			Help: "File for the outputs as KEY=value lines"},
		{Name: "output", Scope: []string{CommandPlan, CommandSample, CommandStatus}, Default: "table",
			Help: "What is printed: `table` or `json`"},
	}
}

func sampleInputs() []Input {
	sample := []string{CommandSample}
	return []Input{
		{Name: "address", Scope: sample, Meaning: "required",
			Help: "IP address or host name to sample"},
		{Name: "port", Scope: sample, Meaning: "required",
			Help: "Port to sample"},
		{Name: "protocol", Scope: sample, Default: "auto",
			Help: "`tcp`, `udp`, or `auto`: what the probe speaks, TCP where it speaks either"},
		{Name: "send", Scope: sample,
			Help: "Text to send; \\r, \\n, \\t, \\\\ and \\xHH stand for bytes"},
		{Name: "expect", Scope: sample,
			Help: "Regular expression (RE2) that an answer must match; any other answer is a protocol error"},
		{Name: "expected-weight", Scope: sample, Meaning: "no verdict",
			Help: "Share of flows that the canary should answer, in percent"},
		{Name: "rate", Scope: sample, Default: "50",
			Help: "New flows per second; 0 goes as fast as it can"},
		{Name: "concurrency", Scope: sample, Default: "64",
			Help: "Most flows open at once"},
		{Name: "count", Scope: sample, Meaning: "until decided",
			Help: "Sample exactly so many flows, without stopping early"},
		{Name: "max-probes", Scope: sample, Default: "auto",
			Help: "Most flows sampled; `auto` is four times the planned sample size"},
		{Name: "timeout", Scope: sample, Default: "5s",
			Help: "Longest time of one flow"},
		{Name: "seed", Scope: sample, Meaning: "a new one",
			Help: "Seed of the schedule: the same seed gives the same schedule"},
	}
}
