//go:build e2e

// Package e2e runs the compiled program against real clusters of its own, made
// by the lab's command line. Nothing is skipped: what cannot run here fails.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/org/l4-canary/test/harness"
)

// root is the checkout: tests run in their own folder.
var root = func() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}()

// soon is how long anything may take that must come, on a machine with two cores.
const soon = 3 * time.Minute

// lab is one cluster, up for the length of one test.
type lab struct {
	name       string
	kubeconfig string
	audit      string // path of the API server's audit log
	watchers   *watchers
	kubernetes.Interface
}

// newLab brings a cluster up and takes it down with the test.
func newLab(t *testing.T, name string, args ...string) *lab {
	t.Helper()
	l := harness.NewLab(t, name, "e2e", args...)
	return &lab{
		name: name, kubeconfig: l.Kubeconfig, audit: l.AuditLog, Interface: l.Interface,
		watchers: &watchers{of: map[string]*watcher{}},
	}
}

// lab runs the lab's command line and returns what it prints.
func (l *lab) lab(t *testing.T, args ...string) string {
	t.Helper()
	return (&harness.Lab{Name: l.name}).Do(t, args...)
}

// kubectl runs kubectl as the lab's admin.
func (l *lab) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return l.lab(t, append([]string{"kubectl", "--"}, args...)...)
}

// wait blocks until every pod of the Deployment is available.
func (l *lab) wait(t *testing.T, namespace, deployment string) {
	t.Helper()
	l.kubectl(t, "-n", namespace, "rollout", "status", "deployment/"+deployment, "--timeout=120s")
}

// serve blocks until the Deployment, applied by hand, serves the users of the Service.
func (l *lab) serve(t *testing.T, namespace, deployment string) {
	t.Helper()
	l.wait(t, namespace, deployment)
	harness.Serve(t, l, namespace)
}

// replicas are a Deployment's spec.replicas, -1 where there is no such Deployment.
func (l *lab) replicas(t *testing.T, namespace, deployment string) int {
	t.Helper()
	d, err := l.AppsV1().Deployments(namespace).Get(t.Context(), deployment, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return -1
	}
	require.NoError(t, err)
	return int(*d.Spec.Replicas)
}

// command is the program, run in the root of the checkout.
func command(ctx context.Context, args ...string) *exec.Cmd {
	return harness.Command(ctx, root, "bin/l4-canary", args...)
}

// result is one run of the program.
type result struct {
	exit           int
	stdout, stderr string
	report         report
	took           time.Duration
}

// report is what the tests read of the JSON report.
type report struct {
	Outcome, Reason, Message string
	Mode, Release, Namespace string
	Replicas, MaxSurge       int
	Removal                  string
	Notices                  []string
	Stages                   []stage
	HeldFlows                *heldFlows
	Troubles                 []struct{ Pod, Reason, Message string }
	Rollback                 *struct{ Stable, Canary int }
	FinishedAt               time.Time
	PausedAutoscalers        []string
	ShareGate                string
	ProbeFrom                string
	Inside                   bool
	Learned                  []struct{ Port, By, Why string }
}

// heldFlows are those of --hold-open.
type heldFlows struct {
	Asked, Open int
	Ports       []struct {
		Port                 string
		Open, Watched, Named int
	}
	Stages []struct {
		Stage                     string
		Open, Outlived, Cut, Left int
	}
	Ends []struct {
		Stage, Port, How string
		Pod              string
		Cut              bool
		Flows            int
		AfterSeconds     *float64
	}
}

type stage struct {
	Name               string
	Target             float64
	Stable, Canary     int
	Planned            float64
	Samples            int
	Expected, Observed *float64
	NotMeasured        string
	Interval           *[2]float64
	Verdict, Reason    string
	Detail             string
	PropagationSeconds *float64
	Ports              []struct{ Port, Verdict string }
	Queries            []asked
}

// asked is a query at a stage.
type asked struct {
	Name, Labels, Verdict string
	Asked, Answered       int
	Last, Worst           *float64
	OutsideSeconds        *float64
}

// run runs "l4-canary run" with the lab's kubeconfig and reads its report.
func (l *lab) run(t *testing.T, args ...string) result {
	t.Helper()
	return l.start(t, args...).wait(t)
}

// running is a program that has been started.
type running struct {
	lab            *lab
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	report         string
	began          time.Time
}

func (l *lab) start(t *testing.T, args ...string) *running {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.json")
	args = append([]string{"run", "--kubeconfig", l.kubeconfig, "--report-json", report}, args...)
	return l.begin(t, report, command(t.Context(), args...))
}

// begin starts a command that writes a report.
func (l *lab) begin(t *testing.T, report string, cmd *exec.Cmd) *running {
	t.Helper()
	r := &running{lab: l, cmd: cmd, report: report, began: time.Now()}
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	require.NoError(t, r.cmd.Start())
	return r
}

// kill ends a program without a word.
func (r *running) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, r.cmd.Process.Kill())
	require.Error(t, r.cmd.Wait())
	r.lab.learn(readReport(t, r.report))
}

func (r *running) wait(t *testing.T) result {
	t.Helper()
	err := r.cmd.Wait()
	res := result{exit: r.cmd.ProcessState.ExitCode(), stdout: r.stdout.String(), stderr: r.stderr.String(), took: time.Since(r.began)}
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		require.NoError(t, err)
	}
	res.report = readReport(t, r.report)
	r.lab.learn(res.report)
	t.Logf("exit %d after %s\n%s%s", res.exit, res.took.Round(time.Millisecond), res.stdout, res.stderr)
	return res
}

// passed reports whether a stage has, as far as the report can be read: it is being
// written all the time.
func (r *running) passed(name string) bool {
	var now report
	data, err := os.ReadFile(r.report)
	return err == nil && json.Unmarshal(data, &now) == nil &&
		slices.ContainsFunc(now.Stages, func(s stage) bool { return s.Name == name && s.Verdict == "pass" })
}

// table is the report's stages for the test's log.
func (r report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s\n", r.Outcome, r.Reason, r.Message)
	for _, s := range r.Stages {
		fmt.Fprintf(&b, "  %-8s %2d+%-2d planned %6.2f", s.Name, s.Stable, s.Canary, s.Planned)
		if s.Observed != nil && s.Interval != nil && s.Expected != nil {
			fmt.Fprintf(&b, " expected %6.2f observed %6.2f [%.2f, %.2f] of %d", *s.Expected, *s.Observed, s.Interval[0], s.Interval[1], s.Samples)
		}
		fmt.Fprintf(&b, " %s %s\n", s.Verdict, s.Reason)
	}
	return b.String()
}
