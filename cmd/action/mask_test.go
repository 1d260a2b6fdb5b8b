package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
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
