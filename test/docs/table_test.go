//go:build e2e

package docs

// table is every block of commands in the documentation. Commands within a sentence are
// held against the program and the Makefile by TestDocs.
func table() []group {
	return []group{
		{"without a cluster", true, bare, []entry{
			{Key{"README.md", "l4-canary plan --replicas 10 --steps 10,25,50,100"}, prints(0)},
			{Key{"README.md", "l4-canary plan --replicas 1 --steps 10,100"}, prints(2)},
			{Key{"docs/weights.md", "l4-canary plan --replicas 3"}, prints(0)},
			{Key{"docs/weights.md", "l4-canary plan --replicas 3 --steps 10,100"}, prints(2)},
			{Key{"docs/weights.md", "l4-canary plan --replicas 1 --max-surge 4 --steps 50,80,100"}, prints(0)},
		}},
		{"any endpoint", true, network, []entry{
			{Key{"README.md", `l4-canary sample --address 127.0.0.1 --port 17000 --stable-pattern '^old' --canary-pattern '^new' \`}, sampled},
			{Key{"docs/probes.md", `l4-canary sample --address 192.0.2.7 --port 6379 --probe redis --stable-pattern 'redis_version:7\.0' --canary-pattern 'redis_version:7\.2'`}, probed},
		}},
		{"of GitHub", true, bare, []entry{
			{Key{"SECURITY.md", `gh attestation verify oci://ghcr.io/org/l4-canary:1 --repo org/l4-canary \`}, released},
		}},
		{"targets of make", true, targets, []entry{
			{Key{"CONTRIBUTING.md", "make        # check: gofmt, vet, lint, all tests"}, foreseen},
			{Key{"docs/speed.md", "make bench                        # the tables on stdout, in about five minutes"}, foreseen},
			{Key{"docs/speed.md", "make bench-start                          # beside Node.js, which other actions are made of"}, foreseen},
			{Key{"docs/reliability.md", "make soak                                         # the tables on stdout"}, foreseen},
			{Key{"docs/hostile.md", "make fuzz                          # the table below on stdout, in ten minutes"}, foreseen},
			{Key{"docs/cost.md", "make bench-rollout                        # the tables at the end of the log, in about a quarter of an hour"}, foreseen},
		}},
		{"gosec", true, linter, []entry{
			{Key{"docs/security.md", "golangci-lint run --enable-only gosec --tests=false ./cmd/... ./internal/..."}, explained},
		}},
		{"from an account to a rollback", false, user, []entry{
			{Key{"docs/auth.md", "kubectl apply -f rbac.yaml"}, account},
			{Key{"README.md", "kubectl apply -f examples/rbac.yaml"}, account},
			{Key{"README.md", "l4-canary doctor --namespace game --service lobby"}, examined},
			{Key{"README.md", "l4-canary status --namespace game --service lobby"}, takenBack},
		}},
		{"held connections", false, pair, []entry{
			{Key{"docs/connections.md", `l4-canary run --manifests k8s/ --stable-pattern '^1\.8\.2 (?P<pod>\S+)' --canary-pattern '^1\.9\.0 (?P<pod>\S+)' \`}, kept},
		}},
		{"a paused autoscaler", false, scaled, []entry{
			{Key{"README.md", `kubectl patch hpa lobby --type merge -p "$(kubectl get hpa lobby -o jsonpath='{.metadata.annotations.l4-canary\.io/paused}')"`}, unpaused},
		}},
		{"k3s", false, server, []entry{
			{Key{"docs/auth.md", `sed 's/127\.0\.0\.1/k3s.example.com/' /etc/rancher/k3s/k3s.yaml | base64 -w0 | gh secret set KUBECONFIG`}, reached},
		}},
		{"the lab", false, labs, []entry{
			{Key{"docs/lab.md", "bin/lab up                                              # one node, nftables"}, listed},
		}},
		{"the demo", false, demo, []entry{
			{Key{"docs/demo.md", `l4-canary run \`}, demonstrated},
			{Key{"README.md", "make demo   # a real cluster on this machine, the seed's rollout on it, its report"}, demonstrated},
		}},
	}
}
