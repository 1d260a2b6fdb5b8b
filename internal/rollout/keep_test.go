package rollout_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// keeper sets a pod aside if there is one that does not serve, and notes when.
type keeper struct {
	*cluster
	because []string
	silent  bool
	err     error
}

func (k *keeper) Keep(_ context.Context, side probe.Version, because string, silent bool) (string, error) {
	if k.err != nil {
		return "", k.err
	}
	k.because, k.silent = append(k.because, because), silent
	name := ""
	k.change(func(s *rollout.State) {
		if p := pick(s, side); p.Available < p.Pods {
			name = string(side) + "-x" // its ReplicaSet makes another one at once
			k.calls = append(k.calls, "keep "+name)
		}
	})
	return name, nil
}

func neverServes(c *cluster) {
	c.ready = func(side probe.Version, _ int) bool { return side == probe.Stable }
}

// TestKeep: the pod is set aside before anything takes it away.
func TestKeep(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name  string
		hold  bool
		kept  bool
		err   error
		calls []string
	}{
		{"rollback", false, true, nil, []string{"scale canary 2", "keep canary-x", "scale canary 0"}},
		{"hold", true, true, nil, []string{"scale canary 2", "keep canary-x", "scale canary 0"}},
		{"the way back matters more", false, false, errors.New("forbidden"), []string{"scale canary 2", "scale canary 0"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := parking(t, rollout.Park)
				neverServes(c)
				k := &keeper{cluster: c, err: row.err}
				r.KeepFailed, r.Keeper, r.Stay = true, k, row.hold
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.ReasonDeadline, r.Record.Reason)
				require.Equal(t, row.calls, c.calls[2:])
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
				if !row.kept {
					require.Empty(t, r.Record.KeptPod)
					return
				}
				require.Equal(t, "canary-x", r.Record.KeptPod)
				require.Contains(t, k.because[0], "DEADLINE: no progress for 5m0s")
				require.True(t, k.silent)
			})
		})
	}
}

// TestKeepNoneThatServes: canaries that are turned down by their share serve.
func TestKeepNoneThatServes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, b := parking(t, rollout.Park)
		k := &keeper{cluster: c}
		r.KeepFailed, r.Keeper = true, k
		b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome)
		require.Empty(t, r.Record.KeptPod)
		require.Len(t, k.because, 1)
		require.False(t, k.silent, "a pod that has only begun is no failing one")
	})
}

// TestKeepWhileAdopting: the new version is in stable's Deployment then.
func TestKeepWhileAdopting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := single(t, rollout.Adopt)
		r.KeepFailed, r.Keeper = true, &keeper{cluster: c}
		c.onApply = func(part rollout.Part) {
			switch part {
			case rollout.StableDeployment:
				c.ready = func(side probe.Version, _ int) bool { return side == probe.Canary }
			case rollout.OriginalStable:
				c.ready = nil
			case rollout.Surroundings, rollout.CanaryDeployment, rollout.AutoscalerManifests:
			}
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
		require.Equal(t, "stable-x", r.Record.KeptPod)
		require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
		requireInvariants(t, c, 4, 2)
	})
}
