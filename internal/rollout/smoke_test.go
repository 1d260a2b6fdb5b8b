package rollout_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

func TestSmokeTeaches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, back, j := newLearner(t, 10, versions)
		r.Smoke = true
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"smoke", "baseline", "10", "25", "50", "100"}, j.stages)
		require.Equal(t, words, r.Record.Learned[0].Words)
		require.Len(t, back.asked, 4, "the smoke pod and three of stable; no canary later")
		require.Contains(t, back.asked, smokePod+" 80/TCP as 192.0.2.7")
		require.Equal(t, 1, back.snuffed)
		require.Contains(t, r.Record.Notices[0], "asked one pod of the new version first")
	})
}

// TestSmokeLeavesDoubt: one pod of each version answers with what could be its own; the
// first stage asks more.
func TestSmokeLeavesDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, back, _ := newLearner(t, 1, func(_ int, side probe.Version) string {
			return map[probe.Version]string{probe.Stable: "8f3a9c\n", probe.Canary: "771bc0\n"}[side]
		})
		r.Smoke = true
		r.Plan = rollout.PlanOptions{Replicas: 1, MaxSurge: 4, Steps: []rollout.Percent{75, 100}, MaxWeightError: 5}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Contains(t, back.asked, "canary-2 80/TCP as 192.0.2.7")
		require.Equal(t, `stable answers contain "8f3a9c", canary's "771bc0", in the banner`, r.Record.Learned[0].Words)
	})
}

// TestSmokeAsksWithPatternsToo: it has to answer.
func TestSmokeAsksWithPatternsToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, _, _ := newRollout(t, c)
		back := &backend{cluster: c, says: versions}
		r.Smoke, r.Asker, r.Smoker = true, back, back
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{smokePod + " 80/TCP as 192.0.2.7"}, back.asked)
	})
}

// TestSmokeFails has a row for each way. Nothing of the Service is touched, and the pod
// is gone in the end.
func TestSmokeFails(t *testing.T) {
	t.Parallel()
	crash := &rollout.Trouble{Pod: smokePod, Side: probe.Canary, Reason: rollout.ReasonCrashLoop, Message: "exits with 1", Fatal: true}
	unready := func(trouble *rollout.Trouble) func(*rollout.SmokePod) {
		return func(p *rollout.SmokePod) { p.Ready, p.Trouble = false, trouble }
	}
	for _, row := range []struct {
		name    string
		change  func(*rollout.Rollout, *backend)
		reason  rollout.Reason
		message string
		trouble bool
	}{
		{"it crashes", func(_ *rollout.Rollout, b *backend) { b.onSmoke = unready(crash) }, rollout.ReasonCrashLoop,
			"the smoke pod fails, and nothing was changed: pod " + smokePod + " of lobby-green (canary) does not serve: exits with 1", true},
		{"its image does not come", func(_ *rollout.Rollout, b *backend) {
			b.onSmoke = unready(&rollout.Trouble{Pod: smokePod, Side: probe.Canary, Reason: rollout.ReasonImage, Message: "back-off"})
		}, rollout.ReasonImage, "for 3m0s now", true},
		{"it is never ready", func(_ *rollout.Rollout, b *backend) { b.onSmoke = unready(nil) }, rollout.ReasonDeadline,
			"was not ready within 5m0s (move-timeout), and nothing was changed: it is not ready", true},
		{"it does not answer", func(_ *rollout.Rollout, b *backend) {
			b.fail = func(pod string, _ int) error {
				if pod == smokePod {
					return errAway
				}
				return nil
			}
		}, rollout.ReasonFailErrors, "the smoke pod fails on 80/TCP, and nothing was changed: connection refused", true},
		{"there is no room", func(_ *rollout.Rollout, b *backend) {
			b.noRoom = &rollout.Setback{Reason: rollout.ReasonQuota, Message: "exceeded quota"}
		}, rollout.ReasonQuota, "exceeded quota", false},
		{"it answers as stable does", func(_ *rollout.Rollout, b *backend) { b.says = alike }, rollout.ReasonInvalidClassifier,
			"all answers of both versions are the same", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, back, j := newLearner(t, 10, versions)
				r.Smoke = true
				row.change(r, back)
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Aborted, r.Record.Outcome)
				require.Equal(t, row.reason, r.Record.Reason)
				require.Contains(t, r.Record.Message, row.message)
				require.Equal(t, row.trouble, len(j.troubled) == 1, "its log is shown")
				require.Empty(t, back.cluster.calls)
				require.Empty(t, back.cluster.state.Smoke)
				require.Equal(t, 1, back.snuffed)
			})
		})
	}
}

// TestSmokeIsNotToBlame for a pod of stable that does not answer, however few questions a
// slow port allows.
func TestSmokeIsNotToBlame(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 0.2} {
		synctest.Test(t, func(t *testing.T) {
			r, back, _ := newLearner(t, 10, versions)
			r.Smoke, r.Ports[0].Rate = true, rate
			back.fail = func(pod string, _ int) error {
				if pod == "stable-1" {
					return errAway
				}
				return nil
			}
			require.NoError(t, r.Run(t.Context()))
			require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		})
	}
}

// TestSmokeCannotAsk: where stable's pods do not answer either, it is the way.
func TestSmokeCannotAsk(t *testing.T) {
	t.Parallel()
	for _, ports := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			r, back, _ := newLearner(t, 10, versions)
			r.Smoke, r.Ports = true, []probe.Port{{Number: 80, Protocol: probe.UDP}, {Number: 81, Protocol: probe.TCP}}[:ports]
			back.fail = func(_ string, port int) error {
				if port == 0 {
					return errAway
				}
				return nil
			}
			require.NoError(t, r.Run(t.Context()))
			if ports == 1 {
				require.Equal(t, rollout.Refused, r.Record.Outcome)
				require.Equal(t, rollout.ReasonUnreachable, r.Record.Reason)
				require.Equal(t, "no pod can be asked directly from here: connection refused", r.Record.Message)
				require.Empty(t, back.cluster.calls)
				return
			}
			require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
			require.Contains(t, r.Record.Notices[0], "could not ask the smoke pod on 80/UDP, nor a pod of stable: connection refused")
			require.Equal(t, "connection refused", r.Record.Learned[0].Why)
			require.Equal(t, words, r.Record.Learned[1].Words)
		})
	}
}

// TestSmokeIsCancelled: the pod goes all the same.
func TestSmokeIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, back, _ := newLearner(t, 10, versions)
		r.Smoke = true
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome)
		require.Empty(t, back.cluster.state.Smoke)
		require.Empty(t, back.cluster.calls)
	})
}

// TestSmokeOfAKilledRunIsRemoved by the next run, and by a rollback, that know nothing of it.
func TestSmokeOfAKilledRunIsRemoved(t *testing.T) {
	t.Parallel()
	for _, restores := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r, back, _ := newLearner(t, 10, versions)
			back.cluster.change(func(s *rollout.State) {
				s.Smoke = []rollout.SmokePod{{Pod: smokePod, Trouble: &rollout.Trouble{Pod: smokePod, Fatal: true, Reason: rollout.ReasonCrashLoop}}}
			})
			if restores {
				r.Memory = &rollout.Memory{Mode: rollout.Pair, Phase: rollout.PhaseStages, Replicas: 10}
				require.NoError(t, r.Restore(t.Context()))
				require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
			} else {
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
			}
			require.Equal(t, 1, back.snuffed)
			require.Empty(t, back.cluster.state.Smoke)
		})
	}
}
