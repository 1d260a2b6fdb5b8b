//go:build e2e

// Package harness is what the tests on real clusters share: a lab for the length
// of a test, the programs of the checkout, and clients that use a Service all the
// time. It runs the lab's command line and never imports the lab.
package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Root is the checkout: tests run in their own folder, two below it.
func Root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	return dir
}

// Command is a program of the checkout, run in its root.
func Command(ctx context.Context, root, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(root, name), args...)
	cmd.Dir = root
	return cmd
}

// Lab is one cluster, up for the length of one test.
type Lab struct {
	Name       string
	Kubeconfig string
	AuditLog   string // path of the API server's audit log
	Config     *rest.Config
	kubernetes.Interface
}

// NewLab brings a cluster up and takes it down with the test. Its client calls
// itself userAgent.
func NewLab(t *testing.T, name, userAgent string, args ...string) *Lab {
	t.Helper()
	l := &Lab{Name: name}
	root := Root(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
		defer cancel()
		out, err := Command(ctx, root, "bin/lab", "down", "--name", name).CombinedOutput()
		if err != nil {
			t.Errorf("lab down: %v\n%s", err, out)
		}
	})
	t.Log(l.Do(t, append([]string{"up"}, args...)...))
	l.Kubeconfig = strings.TrimSpace(l.Do(t, "kubeconfig"))
	var status struct {
		AuditLog string `json:"auditLog"`
	}
	require.NoError(t, json.Unmarshal([]byte(l.Do(t, "status", "--output", "json")), &status))
	l.AuditLog = status.AuditLog
	var err error
	l.Config, err = clientcmd.BuildConfigFromFlags("", l.Kubeconfig)
	require.NoError(t, err)
	l.Config.UserAgent = userAgent
	l.Config.QPS = -1 // tests share one client, and none shall wait for another
	l.Interface, err = kubernetes.NewForConfig(l.Config)
	require.NoError(t, err)
	return l
}

// Do runs the lab's command line and returns what it prints.
func (l *Lab) Do(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := Command(t.Context(), Root(t), "bin/lab", append([]string{args[0], "--name", l.Name}, args[1:]...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "lab %v: %s%s", args, stdout.String(), stderr.String())
	return stdout.String()
}
