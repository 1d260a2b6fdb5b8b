package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/ci"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/rollout"
)

// listener is a journal whose Events a test reads.
func listener(fails error) (j *journal, told *[]kube.Event, log *bytes.Buffer) {
	told, log = &[]kube.Event{}, &bytes.Buffer{}
	return &journal{
		platform: ci.New(ci.Options{Getenv: func(string) string { return "" }, Stdout: log}), log: slog.New(slog.DiscardHandler),
		tell: func(_ context.Context, event kube.Event) error {
			*told = append(*told, event)
			return fails
		},
	}, told, log
}

func TestEvents(t *testing.T) {
	t.Parallel()
	j, told, _ := listener(nil)
	j.Judged(t.Context(), rollout.StageRecord{Name: "baseline", Verdict: rollout.Pass, Reason: rollout.ReasonPass, Detail: "in order"})
	j.Judged(t.Context(), rollout.StageRecord{Name: "50", Verdict: rollout.Fail, Reason: rollout.ReasonFailShare, Detail: "18 %"})
	j.ended(t.Context(), &rollout.Record{
		Outcome: rollout.RolledBack, Reason: rollout.ReasonFailShare, Message: "18 %", Canary: rollout.Side{Deployment: "green"},
	})
	require.Equal(t, []kube.Event{
		{Reason: "StagePass", Note: "baseline: PASS: in order"},
		{Reason: "StageFail", Note: "stage 50 %: FAIL_SHARE: 18 %", Warning: true},
		{Reason: "RolledBack", Note: "rollout of green: FAIL_SHARE: 18 %", Warning: true},
	}, *told)
}

// TestEventThatFails is a warning, once; where the Lease is lost it is not even that.
func TestEventThatFails(t *testing.T) {
	t.Parallel()
	for err, warned := range map[error]bool{errors.New("forbidden"): true, kube.ErrFenced: false} {
		j, told, log := listener(err)
		for range 2 {
			j.ended(t.Context(), &rollout.Record{Outcome: rollout.Promoted})
		}
		require.Len(t, *told, 1)
		require.Equal(t, warned, bytes.Contains(log.Bytes(), []byte("telling the cluster: forbidden")), log.String())
	}
}
