package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/inside"
	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/spec"
)

// TestCheckImage: a build that is no release has no image, and says so with everything
// else that is wrong.
func TestCheckImage(t *testing.T) {
	t.Parallel()
	require.Equal(t, "dev", version, "the tests are no release")
	inside := config.Rollout{ProbeFrom: fromCluster}
	require.NoError(t, checkImage(config.Rollout{ProbeFrom: "runner"}, nil))
	require.NoError(t, checkImage(config.Rollout{ProbeFrom: fromCluster, ProbeImage: "mine"}, nil))
	require.ErrorContains(t, checkImage(inside, nil), `input "probe-image": missing: this l4-canary is no release`)

	other := config.Problems{{Input: "rate", Allowed: "less"}}
	both := checkImage(inside, other)
	require.ErrorContains(t, both, `input "rate"`)
	require.ErrorContains(t, both, `input "probe-image"`)
	same := config.Problems{{Input: "probe-image", Allowed: "an image"}}
	require.Equal(t, same, checkImage(inside, same), "once is enough")
	failed := errors.New("no such file")
	require.Equal(t, failed, checkImage(inside, failed))
}

// TestPlanOfAWindow: everything that a pod is to do comes from the inputs, and the rate
// of the quiet one is a tenth.
func TestPlanOfAWindow(t *testing.T) {
	t.Parallel()
	c := &Command{Getenv: func(name string) string { return map[string]string{"PASSWORD": "hunter2"}[name] }, Stderr: io.Discard}
	text := `{port: 6379, steps: [{send: "AUTH ${PASSWORD}", expect: OK}]}`
	p := &prepared{service: serviceOf(6379), record: &rollout.Record{}, image: "mine"}
	var err error
	p.probes, p.spec, err = c.probesOf(text)
	require.NoError(t, err)
	require.NoError(t, p.choosePorts())
	p.options.MoveTimeout = time.Minute
	require.NoError(t, p.newProber(config.Rollout{Rate: 50, Close: "rst"}))
	loud, quiet := p.inside(nil, nil, 1), p.inside(nil, nil, rollout.QuietPart)
	require.InDelta(t, 50, loud.plan.Rate, 1e-12)
	require.InDelta(t, 5, quiet.plan.Rate, 1e-12)
	require.Equal(t, inside.Spec{Text: text, Env: map[string]string{"PASSWORD": "hunter2"}, Files: map[string][]byte{}}, loud.plan.Spec)
	require.Equal(t, []string{"6379/TCP"}, loud.plan.Asked)
	require.Len(t, loud.plan.Available, 1)
	require.Equal(t, probe.RST, loud.plan.Close)
	require.Equal(t, "mine", loud.image)
	require.Equal(t, time.Minute, loud.startIn)
}

// ownLog is a prober that is this process.
type ownLog struct {
	out    *bytes.Buffer
	cancel context.CancelFunc
	why    error
}

func (l ownLog) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(l.out.String())), nil
}
func (l ownLog) Over(context.Context) error { return l.why }
func (l ownLog) Close(context.Context)      { l.cancel() }

// enough is what a process has written until somebody ends it, who waits for so many lines,
// and to hear a second time how it goes.
type enough struct {
	bytes.Buffer
	lines int
	told  int
	end   context.CancelFunc
}

// Write implements io.Writer.
func (e *enough) Write(p []byte) (int, error) {
	e.lines -= bytes.Count(p, []byte("\n"))
	if bytes.HasPrefix(p, []byte("s ")) {
		e.told++
	}
	if e.lines <= 0 && e.told > 1 {
		e.end()
	}
	return e.Buffer.Write(p)
}

// TestProberCommand is what a pod runs: it reads the plan and nothing else, and what it
// prints is what the other end understands.
func TestProberCommand(t *testing.T) {
	t.Parallel()
	port := greeter(t, "220 old\n", "220 new\n")
	plan := inside.Plan{
		Spec: inside.Spec{Text: "tcp"}, Available: []spec.Port{{Number: uint16(port), Protocol: probe.TCP}}, Asked: []string{fmt.Sprintf("%d/TCP", port)},
		Addresses: []string{"127.0.0.1"}, Rate: 1000, Seed: 1, Stable: "old", Canary: "new",
	}
	data, err := plan.Encode()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "plan.json")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, errs := enough{lines: 200, end: cancel}, bytes.Buffer{}
	c := &Command{Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }, Dir: t.TempDir()}
	require.Equal(t, ExitOK, c.Run(ctx, []string{"prober", "--plan", file}), errs.String())
	require.Empty(t, errs.String())

	stream, err := inside.Follow(ownLog{&out.Buffer, cancel, errors.New("it is over")}, &plan)
	require.NoError(t, err)
	flows, seen := insideFlows{stream}, 0
	for f := range flows.Flows(t.Context()) {
		require.Contains(t, []probe.Version{probe.Stable, probe.Canary}, f.Version)
		seen++
	}
	require.Greater(t, seen, 100)
	setback, ok := errors.AsType[*rollout.Setback](flows.Err())
	require.True(t, ok)
	require.True(t, setback.Prober)
	require.Equal(t, rollout.ReasonInvalidLocal, setback.Reason)
	require.Equal(t, "the prober in the cluster failed: it is over", setback.Message)
	require.Positive(t, flows.Stats().Sent)

	out.Reset()
	require.Equal(t, ExitUsage, c.Run(t.Context(), []string{"prober", "--plan", "nowhere.json"}))
	require.Empty(t, out.String(), "so that nobody takes it for a prober")
	require.Contains(t, errs.String(), "nowhere.json")
	help := &Command{Stdout: &out, Stderr: io.Discard, Getenv: func(string) string { return "" }}
	require.Equal(t, ExitOK, help.Run(t.Context(), []string{"--help"}))
	require.NotContains(t, out.String(), "prober", "it is not for people")
}

// TestInsideFlows: what the cluster says of its pod stays as it is.
func TestInsideFlows(t *testing.T) {
	t.Parallel()
	why := &rollout.Setback{Reason: rollout.ReasonInvalidLocal, Prober: true, Message: "evicted"}
	plan := inside.Plan{}
	_, err := plan.Encode()
	require.NoError(t, err)
	stream, err := inside.Follow(ownLog{&bytes.Buffer{}, func() {}, why}, &plan)
	require.NoError(t, err)
	flows := insideFlows{stream}
	require.NoError(t, flows.Err())
	for range flows.Flows(t.Context()) {
		t.Error("there is none")
	}
	require.Equal(t, why, flows.Err())
}

// TestSurroundings: outside of a pod nothing is looked for where pods have it.
func TestSurroundings(t *testing.T) {
	t.Parallel()
	c := &Command{Getenv: func(string) string { return "" }}
	here := c.surroundings()
	require.Empty(t, here.APIServer)
	require.Nil(t, here.Authority)
	for _, address := range here.Addresses {
		require.False(t, address.IsLoopback())
	}
	c.Getenv = func(name string) string { return map[string]string{"KUBERNETES_SERVICE_HOST": "10.96.0.1"}[name] }
	require.Equal(t, "10.96.0.1", c.surroundings().APIServer)
}
