package config_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
)

func TestParseRunDefaults(t *testing.T) {
	t.Parallel()
	run, err := config.ParseRun(load(t, "run", leastRun()))
	require.NoError(t, err)
	require.Equal(t, config.Run{
		Rollout: config.Rollout{
			Manifests: []string{"k8s/"}, Until: 100,
			MaxSurge: config.Bound{Value: 25, Percent: true}, MaxWeightError: 5,
			Probe: "auto", StablePattern: regexp.MustCompile("old"), CanaryPattern: regexp.MustCompile("new"),
			Tolerance: 5, Confidence: 95, MaxSlower: config.Optional[float64]{Value: 25, Set: true}, Rate: 50, Close: "fin", ShareGate: "enforce", ProbeFrom: "runner",
			Settle: 5 * time.Second, StageTimeout: 5 * time.Minute, MoveTimeout: 5 * time.Minute, Timeout: time.Hour,
			Finish: "auto", Removal: "auto", HPA: "refuse", OnFailure: "rollback", OnInconclusive: "fail",
		},
		Faces:      config.Faces{PodLogs: 20, JobSummary: true, Comment: "auto"},
		OnExisting: "auto",
	}, run)
}

func TestParseRunEverything(t *testing.T) {
	t.Parallel()
	run, err := config.ParseRun(load(t, "run", map[string]string{
		"kubeconfig": "ci.yaml", "context": "prod", "namespace": "game",
		"manifests": "k8s/lobby.yaml\n\n  k8s/green/*.yaml  \r\n-\n",
		"service":   "lobby", "stable": "lobby-blue", "canary": "lobby-green",
		"steps": "12.5, 25:5m,100", "replicas": "8", "max-surge": "4", "max-unavailable": "10%", "max-weight-error": "2.5%",
		"probe": "UDP", "address": "[2001:db8::7]", "stable-pattern": "^1.8 (?P<pod>.*)$", "canary-pattern": "^1.9",
		"tolerance": "2.5", "confidence": "99.9%", "rate": "0.5", "max-probes": "2000", "close": "rst", "max-error-rate": "0.1", "max-latency-increase": "40%", "hold-open": "200",
		"share-gate": "Report", "smoke": "true",
		"prometheus-url": "https://prometheus.example", "prometheus-token": "hunter2", "prometheus-queries": "k8s/queries.yaml",
		"settle": "0", "propagation": "90s", "drain": "0s", "bake": "10m", "stage-timeout": "1h", "move-timeout": "10m", "timeout": "2h30m",
		"until": "25", "on-existing": "refuse", "on-failure": "hold", "on-inconclusive": "continue", "keep-failed-pod": "true", "finish": "delete", "removal": "park", "hpa": "pause", "pod-logs": "0", "job-summary": "False",
		"comment": "On-Failure", "comment-key": " eu west ", "github-token": "ghs_s3cret",
		"report-markdown": "out/report.md", "report-json": "out/report.json", "report-junit": "out/report.xml", "outputs-file": "out/outputs.env",
	}))
	require.NoError(t, err)
	require.Equal(t, config.Run{
		Rollout: config.Rollout{
			Place:     config.Place{Kubeconfig: "ci.yaml", Context: "prod", Namespace: "game", Service: "lobby"},
			Manifests: []string{"k8s/lobby.yaml", "k8s/green/*.yaml", "-"},
			Stable:    "lobby-blue", Canary: "lobby-green",
			Steps:    []config.Step{{Weight: 12.5}, {Weight: 25, Pause: 5 * time.Minute}, {Weight: 100}},
			Replicas: config.Optional[int]{Value: 8, Set: true}, MaxSurge: config.Bound{Value: 4},
			MaxUnavailable: config.Bound{Value: 10, Percent: true}, MaxWeightError: 2.5,
			Probe: "udp", Address: "2001:db8::7",
			StablePattern: regexp.MustCompile("^1.8 (?P<pod>.*)$"), CanaryPattern: regexp.MustCompile("^1.9"),
			Tolerance: 2.5, Confidence: 99.9, Rate: 0.5, MaxProbes: config.Optional[int]{Value: 2000, Set: true}, Close: "rst",
			MaxErrorRate: config.Optional[float64]{Value: 0.1, Set: true}, MaxSlower: config.Optional[float64]{Value: 40, Set: true},
			Prometheus: config.Prometheus{URL: "https://prometheus.example", Token: "hunter2", Queries: "k8s/queries.yaml"},
			HoldOpen:   200, ShareGate: "report", Smoke: true, ProbeFrom: "runner",
			Propagation:  config.Optional[time.Duration]{Value: 90 * time.Second, Set: true},
			Drain:        config.Optional[time.Duration]{Set: true},
			Bake:         10 * time.Minute,
			StageTimeout: time.Hour, MoveTimeout: 10 * time.Minute, Timeout: 150 * time.Minute,
			Until: 25, Finish: "delete", Removal: "park", HPA: "pause", OnFailure: "hold", OnInconclusive: "continue", KeepFailedPod: true,
		},
		Faces: config.Faces{
			Comment: "on-failure", CommentKey: "eu west", GitHubToken: "ghs_s3cret",
			ReportMarkdown: "out/report.md", ReportJSON: "out/report.json", ReportJUnit: "out/report.xml", OutputsFile: "out/outputs.env",
		},
		OnExisting: "refuse",
	}, run)
}

// TestFromCluster: a pod that samples holds no flows open, and tells of so many a second.
func TestFromCluster(t *testing.T) {
	t.Parallel()
	inputs := map[string]string{
		"manifests": "k8s/", "stable-pattern": "old", "canary-pattern": "new", "probe-from": "Cluster",
		"probe-image": "registry.example:5000/org/l4-canary:v1.2.3@sha256:4be1", "rate": "1000",
	}
	run, err := config.ParseRun(load(t, "run", inputs))
	require.NoError(t, err)
	require.Equal(t, "cluster", run.ProbeFrom)
	require.Equal(t, inputs["probe-image"], run.ProbeImage)
	inputs["rate"], inputs["hold-open"], inputs["probe-image"] = "1001", "1", "two images"
	_, err = config.ParseRun(load(t, "run", inputs))
	require.EqualError(t, err, `input "probe-image": "two images" is not allowed: the name of a container image, such as registry.example/l4-canary:v1.2.3
input "rate": "1001" is not allowed: flows per second, up to 1000 with probe-from: cluster
input "hold-open": "1" is not allowed: it has to be 0 with probe-from: cluster: a pod that samples lives for one window, and held flows outlast them all`)
	inputs["probe-from"], inputs["probe-image"] = "runner", "image"
	_, err = config.ParseRun(load(t, "run", inputs))
	require.EqualError(t, err, `input "probe-image": "image" is not allowed: it goes with probe-from: cluster`)
	inputs["probe-from"] = "elsewhere"
	_, err = config.ParseRun(load(t, "run", inputs))
	require.EqualError(t, err, `input "probe-from": "elsewhere" is not allowed: allowed are runner and cluster`)

	doctor, err := config.ParseDoctor(load(t, "doctor", map[string]string{"probe-from": "cluster"}))
	require.NoError(t, err)
	require.Equal(t, "cluster", doctor.ProbeFrom)
}

// TestOff: both limits can be left out, in either case.
func TestOff(t *testing.T) {
	t.Parallel()
	run, err := config.ParseRun(load(t, "run", map[string]string{
		"manifests": "k8s/", "stable-pattern": "old", "canary-pattern": "new", "max-error-rate": "OFF", "max-latency-increase": "off",
	}))
	require.NoError(t, err)
	require.False(t, run.MaxErrorRate.Set)
	require.False(t, run.MaxSlower.Set)
}

func TestParseRunProblems(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, input, value, want string }{
		{"until nothing", "until", "0", `input "until": "0" is not allowed: a percentage above 0 and up to 100`},
		{"a long namespace", "namespace", strings.Repeat("n", 64), "input \"namespace\": \"" + strings.Repeat("n", 64) + "\" is not allowed: a Kubernetes name: up to 63 lower-case letters, digits and '-', with no '-' at either end"},
		{"a Deployment of two dots", "stable", "a..b", `input "stable": "a..b" is not allowed: a Kubernetes name: up to 253 lower-case letters, digits, '-' and '.', with a letter or a digit at either end`},
		{"half an address", "address", "192.0.2", `input "address": "192.0.2" is not allowed: an IP address or a host name`},
		{"half a bracket", "address", "[2001:db8::7", `input "address": "[2001:db8::7" is not allowed: an IP address or a host name
  hint: leave the port out: it is not part of the address`},
		{"falling steps", "steps", "50,20", `input "steps": "50,20" is not allowed: weights must rise and lie above 0 and up to 100`},
		{"equal steps", "steps", "50,50", `input "steps": "50,50" is not allowed: weights must rise and lie above 0 and up to 100`},
		{"zero step", "steps", "0,50", `input "steps": "0,50" is not allowed: weights must rise and lie above 0 and up to 100`},
		{"step above 100", "steps", "50,101", `input "steps": "50,101" is not allowed: weights must rise and lie above 0 and up to 100`},
		{"step with five decimals", "steps", "12.34567", `input "steps": "12.34567" is not allowed: a weight has at most four decimals`},
		{"step with a word", "steps", "ten", `input "steps": "ten" is not allowed: auto, or weights separated by commas, such as 10,25:5m,100`},
		{"negative step", "steps", "-5", `input "steps": "-5" is not allowed: auto, or weights separated by commas, such as 10,25:5m,100`},
		{"step with a bare pause", "steps", "25:5,100", `input "steps": "25:5,100" is not allowed: a pause is a duration such as 30s or 5m`},
		{"no step", "steps", ",", `input "steps": "," is not allowed: auto, or weights separated by commas, such as 10,25:5m,100`},
		{"no replicas", "replicas", "0", `input "replicas": "0" is not allowed: a whole number from 1 to 100000`},
		{"half a replica", "replicas", "1.5", `input "replicas": "1.5" is not allowed: a whole number from 1 to 100000`},
		{"negative surge", "max-surge", "-1", `input "max-surge": "-1" is not allowed: a number of pods or a percentage, such as 1 or 25%`},
		{"surge with decimals", "max-surge", "2.5%", `input "max-surge": "2.5%" is not allowed: a number of pods or a percentage, such as 1 or 25%`},
		{"all unavailable and more", "max-unavailable", "150%", `input "max-unavailable": "150%" is not allowed: a number of pods or a percentage up to 100%, such as 1 or 25%`},
		{"nothing can move", "max-surge", "0%", `input "max-surge": "0%" is not allowed: input "max-unavailable" is zero too, so no pod could ever be replaced
  hint: set max-surge to 1 or more`},
		{"weight error", "max-weight-error", "101", `input "max-weight-error": "101" is not allowed: a percentage from 0 to 100`},
		{"probe", "probe", "ftp", `input "probe": "ftp" is not allowed: allowed are auto, tcp, udp, tls, http, https, dns, redis and grpc, or YAML, or the name of a file that holds it`},
		{"address with port", "address", "192.0.2.7:80", `input "address": "192.0.2.7:80" is not allowed: an IP address or a host name
  hint: leave the port out: it is not part of the address`},
		{"address with scheme", "address", "http://lobby", `input "address": "http://lobby" is not allowed: an IP address or a host name
  hint: leave out what stands before and behind the host`},
		{"pattern", "stable-pattern", "ol(d", "input \"stable-pattern\": \"ol(d\" is not allowed: a regular expression in RE2 syntax\n  hint: missing closing ): `ol(d`"},
		{"look-ahead", "canary-pattern", "(?=new)", "input \"canary-pattern\": \"(?=new)\" is not allowed: a regular expression in RE2 syntax\n  hint: invalid or unsupported Perl syntax: `(?=`"},
		{"equal patterns", "canary-pattern", "old", `input "canary-pattern": "old" is not allowed: it must differ from input "stable-pattern"`},
		{"tolerance", "tolerance", "0", `input "tolerance": "0" is not allowed: percentage points above 0 and up to 50`},
		{"confidence", "confidence", "100", `input "confidence": "100" is not allowed: a percentage from 50 to 99.99`},
		{"confidence as a fraction", "confidence", "0.95", `input "confidence": "0.95" is not allowed: a percentage from 50 to 99.99`},
		{"rate", "rate", "0", `input "rate": "0" is not allowed: flows per second, above 0 and up to 100000`},
		{"infinite rate", "rate", "Inf", `input "rate": "Inf" is not allowed: flows per second, above 0 and up to 100000`},
		{"probes", "max-probes", "few", `input "max-probes": "few" is not allowed: auto, or a whole number from 1 to 100000000`},
		{"latency increase", "max-latency-increase", "-5%", `input "max-latency-increase": "-5%" is not allowed: off, or a percentage from 0 to 10000`},
		{"close", "close", "slam", `input "close": "slam" is not allowed: allowed are fin, rst and auto`},
		{"error rate", "max-error-rate", "on", `input "max-error-rate": "on" is not allowed: off, or a percentage from 0 to 100`},
		{"held flows", "hold-open", "10001", `input "hold-open": "10001" is not allowed: a whole number from 0 to 10000`},
		{"bare duration", "settle", "5", `input "settle": "5" is not allowed: a duration such as 30s, 5m or 1h30m
  hint: a unit is missing: write 5s for seconds or 5m for minutes`},
		{"negative duration", "drain", "-5s", `input "drain": "-5s" is not allowed: auto, or a duration such as 30s, 5m or 1h30m`},
		{"no time at all", "stage-timeout", "0s", `input "stage-timeout": "0s" is not allowed: a duration above 0, such as 30s, 5m or 1h30m`},
		{"propagation", "propagation", "soon", `input "propagation": "soon" is not allowed: auto, or a duration such as 30s, 5m or 1h30m`},
		{"finish", "finish", "swap", `input "finish": "swap" is not allowed: allowed are auto, keep, delete, adopt and handover`},
		{"log lines", "pod-logs", "all", `input "pod-logs": "all" is not allowed: a whole number from 0 to 10000`},
		{"comment", "comment", "sometimes", `input "comment": "sometimes" is not allowed: allowed are auto, always, on-failure and never`},
		{"truth", "job-summary", "yes", `input "job-summary": "yes" is not allowed: allowed are true and false`},
		{"namespace", "namespace", "Game", `input "namespace": "Game" is not allowed: a Kubernetes name: up to 63 lower-case letters, digits and '-', with no '-' at either end`},
		{"service", "service", "svc/lobby", `input "service": "svc/lobby" is not allowed: a Kubernetes name: up to 63 lower-case letters, digits and '-', with no '-' at either end`},
		{"pauses", "steps", "50:40m,100:30m", `input "timeout": "60m" is not allowed: the pauses and drains of all stages and bake alone take 1h11m0s
  hint: allow more time, or shorten the pauses in steps, drain or bake`},
		{"drains", "drain", "31m", `input "timeout": "60m" is not allowed: the pauses and drains of all stages and bake alone take 1h2m0s
  hint: allow more time, or shorten the pauses in steps, drain or bake`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.ParseRun(load(t, "run", with(leastRun(), map[string]string{tt.input: tt.value})))
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestParseRunEndings(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"on-failure":      `input "on-failure": "stop" is not allowed: allowed are rollback and hold`,
		"on-inconclusive": `input "on-inconclusive": "stop" is not allowed: allowed are fail and continue`,
		"keep-failed-pod": `input "keep-failed-pod": "stop" is not allowed: allowed are true and false`,
	} {
		_, err := config.ParseRun(load(t, "run", with(leastRun(), map[string]string{input: "stop"})))
		require.EqualError(t, err, want)
	}
}

// TestParseRunLearns: patterns come in pairs, or not at all.
func TestParseRunLearns(t *testing.T) {
	t.Parallel()
	run, err := config.ParseRun(load(t, "run", map[string]string{"manifests": "k8s/"}))
	require.NoError(t, err)
	require.Nil(t, run.StablePattern)
	require.Nil(t, run.CanaryPattern)
	for one, other := range map[string]string{"stable-pattern": "canary-pattern", "canary-pattern": "stable-pattern"} {
		_, err = config.ParseRun(load(t, "run", map[string]string{"manifests": "k8s/", one: "old"}))
		require.EqualError(t, err, `input "`+other+`": missing beside input "`+one+`": write both, or neither to have them learned from the answers`)
	}
	_, err = config.ParsePlan(load(t, "plan", map[string]string{"replicas": "3", "share-gate": "off"}))
	require.EqualError(t, err, `input "share-gate": "off" is not allowed: allowed are enforce and report`)
}

func TestParseRunReportsAllProblemsInTheTablesOrder(t *testing.T) {
	t.Parallel()
	_, err := config.ParseRun(load(t, "run", map[string]string{
		"kubeconfig": "apiVersion: v1\ntoken: hunter2", "steps": "50,20", "stable": "a", "canary": "a", "timeout": "x", "pod-logs": "-1",
	}))
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	require.Equal(t, `input "manifests": missing: name the files or directories that hold the Service and the Deployments
input "canary": "a" is not allowed: it must differ from input "stable", which is "a" too
input "steps": "50,20" is not allowed: weights must rise and lie above 0 and up to 100
input "timeout": "x" is not allowed: a duration above 0, such as 30s, 5m or 1h30m
input "pod-logs": "-1" is not allowed: a whole number from 0 to 10000`, err.Error())
	require.NotContains(t, err.Error(), "hunter2")
}

func TestProblemsCutLongValues(t *testing.T) {
	t.Parallel()
	_, err := config.ParseRun(load(t, "run", with(leastRun(), map[string]string{"finish": strings.Repeat("x", 4000)})))
	require.Less(t, len(err.Error()), 250)
}

func TestParsePlan(t *testing.T) {
	t.Parallel()
	plan, err := config.ParsePlan(load(t, "plan", with(leastPlan(), map[string]string{"steps": "10,25,50,100", "output": "json"})))
	require.NoError(t, err)
	require.True(t, plan.Offline())
	require.Equal(t, 10, plan.Replicas.Or(0))
	require.Equal(t, "json", plan.Output)

	_, err = config.ParsePlan(load(t, "plan", map[string]string{"output": "yaml"}))
	require.EqualError(t, err, `input "replicas": missing: say how many pods serve, or give manifests and a cluster
input "output": "yaml" is not allowed: allowed are table and json`)

	plan, err = config.ParsePlan(load(t, "plan", map[string]string{"manifests": "k8s/"}))
	require.NoError(t, err)
	require.False(t, plan.Offline())
}

func TestOptionalOr(t *testing.T) {
	t.Parallel()
	require.Equal(t, 7, config.Optional[int]{}.Or(7))
	require.Equal(t, 0, config.Optional[int]{Set: true}.Or(7))
}

// TestParsePost: it has the inputs of the run, of which it reads what it needs.
func TestParsePost(t *testing.T) {
	t.Parallel()
	post, err := config.ParsePost(load(t, "post", map[string]string{
		"manifests": "k8s/\nservice.yaml", "service": "lobby", "drain": "3s", "keep-failed-pod": "true",
	}))
	require.NoError(t, err)
	require.Equal(t, []string{"k8s/", "service.yaml"}, post.Manifests)
	require.Equal(t, "lobby", post.Service)
	require.Equal(t, config.Optional[time.Duration]{Value: 3 * time.Second, Set: true}, post.Drain)
	require.True(t, post.KeepFailedPod)
	_, err = config.ParsePost(load(t, "post", map[string]string{"drain": "soon"}))
	require.EqualError(t, err, `input "drain": "soon" is not allowed: auto, or a duration such as 30s, 5m or 1h30m`)
}

func TestParseRollbackAndStatus(t *testing.T) {
	t.Parallel()
	place := config.Place{Kubeconfig: "in-cluster", Namespace: "game", Service: "lobby"}
	given := map[string]string{"kubeconfig": "in-cluster", "namespace": "game", "service": "lobby"}
	rollback, err := config.ParseRollback(load(t, "rollback", with(given, map[string]string{"drain": "3s"})))
	require.NoError(t, err)
	require.Equal(t, config.Rollback{
		Place: place, Faces: config.Faces{PodLogs: 20, JobSummary: true, Comment: "auto"},
		Drain: config.Optional[time.Duration]{Set: true, Value: 3 * time.Second}, MoveTimeout: 5 * time.Minute,
	}, rollback)
	status, err := config.ParseStatus(load(t, "status", with(given, map[string]string{"output": "json"})))
	require.NoError(t, err)
	require.Equal(t, config.Status{Place: place, Output: "json"}, status)

	_, err = config.ParseRollback(load(t, "rollback", map[string]string{"drain": "soon", "pod-logs": "-1"}))
	require.ErrorContains(t, err, `input "drain": "soon"`)
	require.ErrorContains(t, err, `input "pod-logs": "-1"`)
	_, err = config.ParseStatus(load(t, "status", map[string]string{"output": "xml"}))
	require.ErrorContains(t, err, `input "output": "xml"`)
}

// TestUntilIsAStep: with steps of one's own it is one of them, or the end.
func TestUntilIsAStep(t *testing.T) {
	t.Parallel()
	for until, says := range map[string]string{
		"10": "", "50": "", "100": "", "25": `input "until": "25" is not allowed: one of the weights in input "steps", or 100`,
	} {
		_, err := config.ParsePlan(load(t, "plan", map[string]string{"replicas": "10", "steps": "10,50", "until": until}))
		if says == "" {
			require.NoError(t, err, until)
			continue
		}
		require.EqualError(t, err, says)
	}
	_, err := config.ParsePlan(load(t, "plan", map[string]string{"replicas": "10", "until": "25"}))
	require.NoError(t, err, "what auto gives is not known yet")
}

// TestWaitsBeyondCounting: sums that no duration could hold are too long, and not negative.
func TestWaitsBeyondCounting(t *testing.T) {
	t.Parallel()
	for _, given := range []map[string]string{
		{"steps": "10:2500000h,50:2500000h,100"}, {"bake": "2500000h", "drain": "1000000h"}, {"drain": "2500000h"},
	} {
		given["replicas"], given["timeout"] = "10", "2000000h"
		_, err := config.ParsePlan(load(t, "plan", given))
		require.ErrorContains(t, err, `input "timeout": "2000000h" is not allowed: the pauses and drains of all stages and bake alone take 2562047h47m16.854775807s`)
	}
}
