package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/rollout"
)

// TestMask: the runner is told of a secret once, in clear, and nobody else is told at all.
func TestMask(t *testing.T) {
	t.Parallel()
	var out, log bytes.Buffer
	c := Command{Getenv: func(name string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[name] }, veil: &veil{}}
	c.Stdout, c.Stderr = veiled{&out, c.veil}, veiled{&log, c.veil}
	c.mask([]string{"hunter2-and-more", "hunter2-", "", "80", "hunter2-and-more"})
	c.mask([]string{"hunter2-", "80"})
	require.Equal(t, "::add-mask::hunter2-and-more\n::add-mask::hunter2-\n::add-mask::80\n", log.String())
	n, err := c.Stdout.Write([]byte("port 80 said hunter2-and-more, or hunter2-\n"))
	require.NoError(t, err)
	require.Equal(t, len("port 80 said hunter2-and-more, or hunter2-\n"), n, "a writer has written what it was given")
	require.Equal(t, "port 80 said ***, or ***\n", out.String())
}

// TestMaskElsewhere: where nobody stars a log, what we write has no secrets all the same.
func TestMaskElsewhere(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := Command{Getenv: func(string) string { return "" }, veil: &veil{}}
	c.Stderr = veiled{&log, c.veil}
	c.mask([]string{"hunter2-and-more"})
	c.tell("l4-canary: a proxy answers %q", "Authorization: Bearer hunter2-and-more")
	require.Equal(t, "l4-canary: a proxy answers \"Authorization: Bearer ***\"\n", log.String())
	require.Equal(t, "hunter2", string((*veil)(nil).hide([]byte("hunter2"))))
}

// TestTelling: words and numbers stay readable.
func TestTelling(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]bool{
		"stable": false, "propagationSeconds": false, "max-unavailable": false, "80": false, "1234567": false, "a1b2c3d": false,
		"a1b2c3d4": true, "hunter2 hunter2": true, "12345678": true, strings.Repeat("x", 24): true,
	} {
		require.Equal(t, want, telling(secret), secret)
	}
}

// TestNothingTellsASecret: what a run writes at its end, well or not, with a secret in everything
// that others had a say in.
func TestNothingTellsASecret(t *testing.T) {
	t.Parallel()
	const secret = "eyJhbGciOi-THE-TOKEN-1"
	for _, outcome := range []rollout.Outcome{rollout.Promoted, rollout.RolledBack, rollout.RollbackFailed, rollout.Interrupted, rollout.Stopped} {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			env := map[string]string{
				"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"), "GITHUB_OUTPUT": filepath.Join(dir, "output"),
			}
			var out, log bytes.Buffer
			c := Command{Getenv: func(name string) string { return env[name] }, Dir: dir, veil: &veil{}}
			c.Stdout, c.Stderr = veiled{&out, c.veil}, veiled{&log, c.veil}
			c.mask([]string{secret})
			j := c.newJournal(t.Context(), config.Faces{
				JobSummary: true, ReportMarkdown: "report.md", ReportJSON: "report.json", ReportJUnit: "report.xml", OutputsFile: "outputs.env",
			}, nil)
			var told []kube.Event
			j.tell = func(_ context.Context, event kube.Event) error { told = append(told, event); return nil }
			record := &rollout.Record{
				Outcome: outcome, Reason: rollout.ReasonDrift, Message: "a proxy said Bearer " + secret, Namespace: "game", Service: "lobby",
				Notices: []string{secret}, Troubles: []rollout.Trouble{{Pod: "lobby-1", Message: secret}},
				Rollback: &rollout.RollbackRecord{Err: secret}, Learned: []rollout.Learned{{Port: "80/TCP", Words: secret}},
				Stages: []rollout.StageRecord{{Name: "50", Verdict: rollout.Fail, Reason: rollout.ReasonDrift, Detail: secret}},
			}
			j.Judged(t.Context(), record.Stages[0])
			j.Troubled(t.Context(), record.Troubles)
			j.ended(t.Context(), record)
			j.finish(t.Context(), record, exitOfOutcome(record))
			require.Equal(t, "::add-mask::"+secret+"\n", log.String())
			require.NotContains(t, out.String(), secret)
			require.Contains(t, out.String(), "Bearer ***")
			require.Len(t, told, 2)
			require.Contains(t, told[1].Note, "Bearer ***")
			for _, name := range []string{"summary", "report.md", "report.json", "report.xml"} {
				data, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				require.NotContains(t, string(data), secret, name)
				require.Contains(t, string(data), "***", name)
			}
			for _, name := range []string{"output", "outputs.env"} {
				data, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				require.NotContains(t, string(data), secret, name)
				require.Contains(t, string(data), string(outcome), name)
			}
			var document map[string]any
			data, err := os.ReadFile(filepath.Join(dir, "report.json"))
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, &document))
		})
	}
}

// TestVeiledFails: a log that is closed is no secret.
func TestVeiledFails(t *testing.T) {
	t.Parallel()
	_, err := veiled{failingWriter{}, &veil{}}.Write([]byte("x"))
	require.EqualError(t, err, "closed")
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("closed") }

// TestSecretVariables: every name under which a secret may have come.
func TestSecretVariables(t *testing.T) {
	t.Parallel()
	names := config.SecretVariables()
	for _, name := range []string{"INPUT_KUBECONFIG", "INPUT_KUBE-TOKEN", "INPUT_KUBE_TOKEN", "L4_CANARY_KUBE_TOKEN", "INPUT_PROMETHEUS-TOKEN", "L4_CANARY_PROMETHEUS_URL"} {
		require.Contains(t, names, name)
	}
	require.NotContains(t, names, "INPUT_NAMESPACE")
	require.NotContains(t, names, "KUBECONFIG")
}

// TestProxyPasswords: as they stand in the address of a proxy, and as they are meant.
func TestProxyPasswords(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][]string{
		"http://ci:hunter2@proxy:3128": {"hunter2"}, "ci:hunter2@proxy": {"hunter2"}, "http://ci:a%40b@proxy:port": {"a%40b", "a@b"},
		"http://ci:a@b@proxy": {"a@b"}, "http://ci:a%zz@proxy": {"a%zz"}, "http://proxy:3128": {""}, "": {""},
	} {
		for _, name := range []string{"HTTPS_PROXY", "http_proxy"} {
			found := proxyPasswords(func(asked string) string { return map[string]string{name: address}[asked] })
			require.Subset(t, found, want, address)
			require.Subset(t, append(want, ""), found, address)
		}
	}
}
