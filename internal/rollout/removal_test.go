package rollout_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// parking is a rollout of R=4 S=2 in one split, whose pods leave as said.
func parking(t *testing.T, how rollout.Removal) (*cluster, *rollout.Rollout, *balancer) {
	t.Helper()
	c := newCluster(4, 0)
	c.releases = how == rollout.ParkByRelease
	r, b, _ := newRollout(t, c)
	r.Plan = rollout.PlanOptions{Replicas: 4, MaxSurge: 2, Steps: []rollout.Percent{50, 100}}
	r.Removals = rollout.Removals{Stable: how, Canary: how}
	return c, r, b
}

// TestRolloutParks: pods leave the Service, drain, and only then their
// Deployment shrinks.
func TestRolloutParks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		var drained []time.Duration
		c.onScale = func(c *cluster, side probe.Version, to int) error {
			if side == probe.Stable {
				require.Equal(t, c.state.Stable.Pods-to, c.state.Stable.Parked, "only parked pods go")
				drained = append(drained, time.Since(c.parkedAt))
			}
			return nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, "park", r.Record.Removal)
		require.Equal(t, []string{
			"apply surroundings", "apply canary",
			"scale canary 2", "park stable 2", "scale stable 2",
			"scale canary 4", "park stable 2", "scale stable 0",
		}, c.calls)
		for _, d := range drained {
			require.GreaterOrEqual(t, d, r.Drain)
		}
		requireInvariants(t, c, 4, 2)
	})
}

// TestParkedPodsLiveOn: however short the drain, kube-proxy has heard of it before a
// parked pod goes.
func TestParkedPodsLiveOn(t *testing.T) {
	t.Parallel()
	for _, drain := range []time.Duration{0, time.Second, 10 * time.Second} {
		t.Run(drain.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := parking(t, rollout.Park)
				r.Drain = drain
				shrunk := 0
				c.onScale = func(c *cluster, side probe.Version, to int) error {
					if side == probe.Stable && to < c.state.Stable.Pods {
						require.Equal(t, max(drain, 3*time.Second), time.Since(c.parkedAt))
						shrunk++
					}
					return nil
				}
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
				require.Equal(t, 2, shrunk)
			})
		})
	}
}

// TestRolloutParksByRelease: the scale-down comes at once, before replacements
// serve, and the released pods go after the drain.
func TestRolloutParksByRelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.ParkByRelease)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, "park by release", r.Record.Removal)
		require.Equal(t, []string{
			"apply surroundings", "apply canary",
			"scale canary 2", "park stable 2", "scale stable 2", "discard stable",
			"scale canary 4", "park stable 2", "scale stable 0", "discard stable",
		}, c.calls)
		requireInvariants(t, c, 4, 2)
	})
}

// TestRolloutParksWhatIsKept: the Deployment's selector needs the label, but its
// ReplicaSet, which a handover gave it, does not.
func TestRolloutParksWhatIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.ParkByRelease)
		c.releases, c.state.Stable.Keeps = false, true
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, "park (stable), park by release (canary)", r.Record.Removal)
		require.Equal(t, []string{
			"apply surroundings", "apply canary",
			"scale canary 2", "park stable 2", "scale stable 2",
			"scale canary 4", "park stable 2", "scale stable 0",
		}, c.calls)
		requireInvariants(t, c, 4, 2)
	})
}

// TestParkedPodDeleted: what comes in its place is parked too, and not before it
// serves.
func TestParkedPodDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		time.AfterFunc(20*time.Second, func() { watchParked(c) })
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"park stable 2", "park stable 2", "scale stable 2"}, c.calls[3:6])
		requireInvariants(t, c, 4, 2)
	})
}

// watchParked deletes a parked pod of stable as soon as there is one.
func watchParked(c *cluster) {
	c.mu.Lock()
	parked := c.state.Stable.Parked
	c.mu.Unlock()
	if parked > 0 {
		c.replace(probe.Stable)
		return
	}
	time.AfterFunc(100*time.Millisecond, func() { watchParked(c) })
}

// TestParkedPodSurvives: an unready pod went in its place, so it is put back.
func TestParkedPodSurvives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		c.survivor = true
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Contains(t, c.calls, "unpark stable")
	})
}

// TestRollbackPutsParkedPodsBack: while stable's pods drain the canary breaks;
// they are the fastest way back.
func TestRollbackPutsParkedPodsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		time.AfterFunc(20*time.Second, func() { breakWhileParked(c) })
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
		require.Equal(t, rollout.ReasonCrashLoop, r.Record.Reason)
		require.Equal(t, []string{"scale canary 2", "park stable 2", "unpark stable", "scale canary 0"}, c.calls[2:])
		require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
	})
}

func breakWhileParked(c *cluster) {
	c.mu.Lock()
	parked := c.state.Stable.Parked
	c.mu.Unlock()
	if parked == 0 {
		time.AfterFunc(100*time.Millisecond, func() { breakWhileParked(c) })
		return
	}
	c.change(func(s *rollout.State) {
		s.Canary.Serving, s.Canary.Available = 0, 0
		s.Troubles = []rollout.Trouble{{Pod: "lobby-green-x", Side: probe.Canary, Reason: rollout.ReasonCrashLoop, Message: "crashes", Fatal: true}}
	})
}

// TestRollbackDrainsSoundCanaries: a canary that is turned down by its share
// alone serves well; its flows may end.
func TestRollbackDrainsSoundCanaries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, b := parking(t, rollout.Park)
		b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"scale stable 4", "park canary 2", "scale canary 0"}, c.calls[len(c.calls)-3:])
		requireInvariants(t, c, 4, 2)
	})
}

// TestBalancerHearsOfNewPods: where pods are the balancer's own targets, it has Settle
// to register new ones before old ones leave.
func TestBalancerHearsOfNewPods(t *testing.T) {
	t.Parallel()
	for _, targets := range []bool{false, true} {
		t.Run(fmt.Sprint(targets), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(4, 0)
				r, _, _ := newRollout(t, c)
				r.Plan.Replicas, r.PodTargets = 4, targets
				var added time.Time
				var waits []time.Duration
				c.onScale = func(_ *cluster, side probe.Version, _ int) error {
					if side == probe.Stable && !added.IsZero() {
						waits = append(waits, time.Since(added))
					}
					if side == probe.Canary {
						added = time.Now()
					}
					return nil
				}
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
				require.NotEmpty(t, waits)
				want := readyAfter
				if targets {
					want += r.Settle
				}
				require.Equal(t, want, slices.Min(waits), "the shortest is that of a batch that adds and removes")
			})
		})
	}
}
