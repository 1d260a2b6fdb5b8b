package report

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// heard is a port whose three pods gave answers.
func heard(port string, answers ...string) Heard {
	h := Heard{Port: port, Images: []string{"registry.example:5000/lobby:1.8.2"}, Pods: 3, Failed: 1}
	for _, answer := range answers {
		h.Add(answer, []string{"lobby-a", "lobby-b", "lobby-c"})
	}
	return h
}

func TestDoctorText(t *testing.T) {
	t.Parallel()
	var distinct []string
	for i := range 9 {
		distinct = append(distinct, fmt.Sprintf("it is %d o'clock", i))
	}
	d := Diagnosis{
		Namespace: "game", Service: "lobby", Version: "v1.34.4", Mode: "single",
		Stable: rollout.Side{Deployment: "lobby", Images: []string{"registry.example:5000/lobby:1.8.2"}},
		Canary: rollout.Side{Deployment: "lobby-canary"}, Addresses: []string{"192.0.2.7", "2001:db8::7"},
		Plan: rollout.PlanOptions{Replicas: 3, MaxSurge: 1}, Drain: 30 * time.Second,
		Removals: rollout.Removals{Stable: rollout.ParkByRelease, Canary: rollout.Park},
		Reasons:  []string{"because"}, Findings: []string{"warning: no preStop\n  hint: add one"}, Denied: []string{"patch pods"},
		Ports: []Heard{
			heard("7000/TCP", "1.8.2 lobby-a\n", "1.8.2 lobby-b\n"), heard("7001/TCP", slices.Repeat([]string{"lobby-a"}, 20)...), heard("7002/TCP", distinct...),
			heard("7003/TCP"), heard("7004/TCP", "::error::\x1b[31mred", "b", "b", "b"),
		},
		Role: "kind: Role\n",
	}
	var b bytes.Buffer
	require.NoError(t, DoctorText(&b, d))
	golden(t, "doctor.txt", b.Bytes())
	d.Findings, d.Ports, d.Plan.Replicas, d.Denied, d.Addresses, d.Stable.Images = nil, nil, 10, nil, nil, nil
	d.Removals = rollout.Removals{Stable: rollout.Terminate, Canary: rollout.Terminate}
	d.Plan.MaxSurge = 3
	b.Reset()
	require.NoError(t, DoctorText(&b, d))
	golden(t, "doctor-ten.txt", b.Bytes())
}

func TestRepository(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]string{
		"nginx": "nginx", "nginx:1.29": "nginx", "registry.example:5000/nginx": "registry.example:5000/nginx",
		"registry.example:5000/nginx:1@sha256:abc": "registry.example:5000/nginx", "nginx@sha256:abc": "nginx",
	} {
		require.Equal(t, want, repository(image), image)
	}
}

// TestSpread: one client and many pods.
func TestSpread(t *testing.T) {
	t.Parallel()
	for want, h := range map[string]Heard{
		"there is one":                     {Pods: 1, Answers: 90},
		"the answers do not name their":    {Pods: 3, Answers: 90},
		"too few answers":                  {Pods: 3, Answers: 5, pods: map[string]int{"a": 5}},
		"one client always reaches":        {Pods: 3, Answers: 90, pods: map[string]int{"a": 90}},
		"a client does not stick to a pod": {Pods: 3, Answers: 90, pods: map[string]int{"a": 80, "b": 10}},
	} {
		require.Contains(t, h.spread(), want)
	}
}

func TestTag(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]string{
		"nginx": "", "nginx:1.29": "1.29", "registry.example:5000/nginx": "", "registry.example:5000/nginx:1@sha256:abc": "1", "nginx@sha256:abc": "",
	} {
		require.Equal(t, want, tag(image), image)
	}
}
