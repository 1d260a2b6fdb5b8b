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
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

// lab is one cluster, up for the length of one test.
type lab struct {
	name       string
	kubeconfig string
	audit      string // path of the API server's audit log
	kubernetes.Interface
}

// newLab brings a cluster up and takes it down with the test.
func newLab(t *testing.T, name string, args ...string) *lab {
	t.Helper()
	l := harness.NewLab(t, name, "e2e", args...)
	return &lab{name: name, kubeconfig: l.Kubeconfig, audit: l.AuditLog, Interface: l.Interface}
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

// namespace makes one for the test; it goes with the cluster.
func (l *lab) namespace(t *testing.T, name string) {
	t.Helper()
	l.kubectl(t, "create", "namespace", name)
}

// wait blocks until every pod of the Deployment is available.
func (l *lab) wait(t *testing.T, namespace, deployment string) {
	t.Helper()
	l.kubectl(t, "-n", namespace, "rollout", "status", "deployment/"+deployment, "--timeout=120s")
}

// replicas are the two Deployments' spec.replicas, -1 where there is none.
func (l *lab) replicas(t *testing.T, namespace, deployment string) int {
	t.Helper()
	d, err := l.AppsV1().Deployments(namespace).Get(t.Context(), deployment, metav1.GetOptions{})
	if err != nil {
		return -1
	}
	return int(*d.Spec.Replicas)
}

// command is a program of the checkout, run in its root.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return harness.Command(ctx, root, name, args...)
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
	Mode                     string
	Stages                   []stage
	HeldFlows                *heldFlows
	Troubles                 []struct{ Pod, Reason, Message string }
	Rollback                 *struct{ Stable, Canary int }
	FinishedAt               time.Time
	PausedAutoscalers        []string
	Notices                  []string
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
	Interval           *[2]float64
	Verdict, Reason    string
	Detail             string
	Ports              []struct{ Port, Verdict string }
}

// run runs "l4-canary run" with the lab's kubeconfig and reads its report.
func (l *lab) run(t *testing.T, args ...string) result {
	t.Helper()
	return l.start(t, args...).wait(t)
}

// running is a program that has been started.
type running struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	report         string
	began          time.Time
}

func (l *lab) start(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{report: filepath.Join(t.TempDir(), "report.json"), began: time.Now()}
	args = append([]string{"run", "--kubeconfig", l.kubeconfig, "--report-json", r.report}, args...)
	r.cmd = command(t.Context(), "bin/l4-canary", args...)
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	require.NoError(t, r.cmd.Start())
	return r
}

func (r *running) wait(t *testing.T) result {
	t.Helper()
	err := r.cmd.Wait()
	res := result{exit: r.cmd.ProcessState.ExitCode(), stdout: r.stdout.String(), stderr: r.stderr.String(), took: time.Since(r.began)}
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		require.NoError(t, err)
	}
	data, err := os.ReadFile(r.report)
	if err == nil {
		require.NoError(t, json.Unmarshal(data, &res.report))
	}
	t.Logf("exit %d after %s\n%s%s", res.exit, res.took.Round(time.Millisecond), res.stdout, res.stderr)
	return res
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
