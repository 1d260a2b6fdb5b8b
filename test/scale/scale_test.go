//go:build e2e

// Package scale carries rollouts of many pods out: on a real API server, with its
// controllers and its scheduler, and with pods that only a simulator speaks for.
package scale

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/test/harness"
	"github.com/org/l4-canary/test/page"
)

var (
	update = flag.Bool("update", false, "write the tables into docs/scale.md")
	sizes  = flag.String("sizes", "10,100,1000", "pods a side, rising")
)

// megabytes is what the program may take at most, whatever the size.
const megabytes = 150

// TestScale: a rollout of a thousand pods asks the API server for no more than one of ten
// does, but for what it must say to each pod that it parks, and takes little memory.
func TestScale(t *testing.T) {
	l := harness.NewLab(t, "scale", "scale")
	simulate(t, l)
	var rows []measured
	for i, text := range strings.Split(*sizes, ",") {
		size, err := strconv.Atoi(text)
		require.NoError(t, err)
		t.Run(text, func(t *testing.T) {
			if i > 0 { // its pods would be in the way
				remove(t, l, namespaceOf(rows[i-1].size))
			}
			rows = append(rows, carry(t, l, size))
		})
		require.False(t, t.Failed())
	}
	text := tables(rows)
	t.Log("\n" + text)
	hold(t, rows)
	if *update && !t.Failed() {
		require.NoError(t, page.Update(filepath.Join(harness.Root(t), "docs/scale.md"), map[string]string{"measured": text}))
	}
}

// measured is what was seen of one size.
type measured struct {
	size                int
	alone               time.Duration // that a Deployment of that size takes by itself
	plan, run, rollback process
	stages              []stage
}

// stage is what a report says of one.
type stage struct {
	Name                                       string
	Stable, Canary, Samples                    int
	MoveSeconds, DrainSeconds, SamplingSeconds float64
	Errors                                     map[string]int
	Verdict                                    string
}

// carry has one size planned, rolled out and rolled back.
func carry(t *testing.T, l *harness.Lab, size int) measured {
	t.Helper()
	m, namespace := measured{size: size}, namespaceOf(size)
	kubectl := func(args ...string) { l.Do(t, append([]string{"kubectl", "--", "-n", namespace}, args...)...) }
	kubectl("create", "namespace", namespace)
	b := balance(t, l, namespace)
	manifests := render(t, size, b.port)
	began := time.Now()
	kubectl("apply", "-f", filepath.Join(manifests, "lobby-blue.yaml"), "-f", filepath.Join(manifests, "service.yaml"))
	serve(t, l, b, namespace, size)
	m.alone = time.Since(began)
	common := []string{"--namespace", namespace, "--service", "lobby"}
	inputs := append([]string{
		"--manifests", manifests, "--address", "127.0.0.1", "--stable-pattern", `^1\.8\.2 `, "--canary-pattern", `^1\.9\.0 `,
		"--steps", "10,25,50,100", "--max-surge", "100%", "--rate", "400", "--max-probes", "20000", "--settle", "1s",
	}, common...)
	m.plan = launch(t, l, append([]string{"plan"}, inputs...)...)

	b.reset()
	m.run = launch(t, l, append([]string{"run", "--drain", "3s"}, inputs...)...)
	require.Equal(t, "promoted", m.run.report.Outcome)
	m.stages = m.run.report.Stages
	for _, s := range m.stages {
		for kind, count := range s.Errors {
			require.Zero(t, count, "stage %s, %s", s.Name, kind)
		}
	}
	require.Equal(t, "park", m.run.report.Removal)
	m.rollback = launch(t, l, append([]string{"rollback", "--drain", "3s"}, common...)...)
	require.Equal(t, "rolled-back", m.rollback.report.Outcome)

	serve(t, l, b, namespace, size)
	seen, unserved := b.extremes()
	require.GreaterOrEqual(t, seen.leastReady, size, "ready in the Service, at every instant")
	require.LessOrEqual(t, seen.mostPods, 2*size, "pods, at every instant")
	require.Zero(t, unserved)
	require.Equal(t, []string{"lobby-blue"}, b.deployments(), "after the rollback")
	return m
}

// namespaceOf is where the pods of a size are.
func namespaceOf(size int) string { return fmt.Sprintf("scale-%d", size) }

// render writes the manifests.
func render(t *testing.T, pods, port int) string {
	t.Helper()
	dir := t.TempDir()
	templates, err := template.ParseGlob(filepath.Join(harness.Root(t), "test/scale/testdata/*.yaml"))
	require.NoError(t, err)
	for _, one := range templates.Templates() {
		file, err := os.Create(filepath.Join(dir, one.Name()))
		require.NoError(t, err)
		require.NoError(t, one.Execute(file, struct{ Pods, Port int }{pods, port}))
		require.NoError(t, file.Close())
	}
	return dir
}

// serve waits until all pods of the first version are available, and in the Service.
func serve(t *testing.T, l *harness.Lab, b *balancer, namespace string, size int) {
	t.Helper()
	require.Eventually(t, func() bool {
		d, err := l.AppsV1().Deployments(namespace).Get(t.Context(), "lobby-blue", metav1.GetOptions{})
		require.NoError(t, err)
		return int(d.Status.AvailableReplicas) == size && d.Status.ObservedGeneration == d.Generation && b.ready() == size
	}, 5*time.Minute, 200*time.Millisecond, "the first version does not serve")
}

// remove takes a namespace away, and waits until it is gone.
func remove(t *testing.T, l *harness.Lab, namespace string) {
	t.Helper()
	require.NoError(t, l.CoreV1().Namespaces().Delete(t.Context(), namespace, metav1.DeleteOptions{}))
	require.Eventually(t, func() bool {
		_, err := l.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, 5*time.Minute, 200*time.Millisecond, "the namespace does not go")
}

// hold requires what the page promises.
func hold(t *testing.T, rows []measured) {
	t.Helper()
	least, most := rows[0], rows[len(rows)-1]
	for _, m := range rows {
		for what, p := range m.processes() {
			require.Less(t, p.memory, int64(megabytes<<20), "%d pods, %s", m.size, what)
		}
		parked, _ := m.rollback.parking()
		require.Equal(t, m.size, parked, "pods parked at once in the rollback, each with one request")
	}
	for what, p := range most.processes() {
		// A write that meets another controller's is made again, a Lease is renewed every
		// ten seconds, and the API server ends watches that fall behind.
		const again = 2
		few := least.processes()[what].kinds()
		for kind, asked := range p.kinds() {
			if kind != park && !strings.HasSuffix(kind, " leases") && !strings.HasPrefix(kind, "watch ") {
				require.LessOrEqual(t, asked.Calls, again*few[kind].Calls+1, "%s: %s", what, kind)
			}
		}
	}
}

// processes are what ran, by what it did.
func (m measured) processes() map[string]process {
	return map[string]process{"plan": m.plan, "run": m.run, "rollback": m.rollback}
}

// moved is the time that a stage's pods took to come and go, drain left out.
func (s stage) moved() time.Duration {
	return time.Duration((s.MoveSeconds - s.DrainSeconds) * float64(time.Second))
}

// stageOf finds a stage by its name.
func (m measured) stageOf(name string) stage {
	i := slices.IndexFunc(m.stages, func(s stage) bool { return s.Name == name })
	if i < 0 {
		return stage{}
	}
	return m.stages[i]
}
