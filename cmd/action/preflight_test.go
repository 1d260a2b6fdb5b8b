package main

import (
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/rollout"
)

// TestExplainLoopback: in a container, 127.0.0.1 is nobody else.
func TestExplainLoopback(t *testing.T) {
	t.Parallel()
	refused := &url.Error{Op: "Get", URL: "https://127.0.0.1:6443/version", Err: syscall.ECONNREFUSED}
	for name, row := range map[string]struct {
		contained bool
		server    string
		hinted    bool
	}{
		"in a container":         {true, "https://127.0.0.1:6443", true},
		"by name":                {true, "https://localhost:6443", true},
		"on the runner":          {false, "https://127.0.0.1:6443", false},
		"a cluster that is away": {true, "https://192.0.2.7:6443", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &prepared{connection: connection{Connection: &kube.Connection{Config: &rest.Config{Host: row.server}}}}
			err := (&Command{Contained: row.contained}).explain(t.Context(), p, refused)
			require.ErrorIs(t, err, refused)
			require.Equal(t, ExitUnreachable, exitOf(err))
			if row.hinted {
				require.EqualError(t, err, refused.Error()+"\n  hint: "+row.server+" is this container itself, and not the runner: "+
					"use the host action, or run the binary on the runner, or use an address of the cluster that containers reach")
				return
			}
			require.Equal(t, refused, err)
		})
	}
}

// TestReachesStable: the report finds what the preflight says by these words.
func TestReachesStable(t *testing.T) {
	t.Parallel()
	set, _, err := manifest.Read([]string{"-"}, nil, strings.NewReader("{apiVersion: v1, kind: Service, metadata: {name: lobby}, spec: {}}"))
	require.NoError(t, err)
	facts := preflight.Facts{Service: set.Objects[0], Changes: []preflight.Change{{Kind: "Service", Name: "lobby", Fields: []string{"spec.type"}}}}
	require.Contains(t, facts.Reach().Error(), rollout.ReachesStable)
}

// TestFirst: what cannot be undone comes before all other notices, and once.
func TestFirst(t *testing.T) {
	t.Parallel()
	p := &prepared{record: &rollout.Record{Notices: []string{"a", "reaches stable", "b"}}}
	p.first(preflight.Findings{{Level: preflight.Notice, Message: "reaches stable"}})
	require.Equal(t, []string{"reaches stable", "a", "b"}, p.record.Notices)
}
