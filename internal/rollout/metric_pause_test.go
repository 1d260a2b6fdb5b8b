package rollout_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// TestQueryInPause: it is asked every few seconds, and fails a stage that has passed.
func TestQueryInPause(t *testing.T) {
	t.Parallel()
	for name, quiet := range map[string]bool{"flows go on": true, "without flows": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, m := metered(t, upTo("errors", 0.5))
				if !quiet {
					r.Quiet = nil
				}
				r.Pauses = map[rollout.Percent]time.Duration{50: 10 * time.Minute}
				m.answers["errors"] = func(at moment) ([]rollout.Reading, error) {
					if at.canary == 2 && at.nth == 40 {
						return numbers(0.7), nil
					}
					return numbers(0.1), nil
				}
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
				require.Equal(t, rollout.ReasonFailMetric, r.Record.Reason)
				require.Equal(t, `in the pause after its verdict, query "errors" gives 0.7 of {pod="lobby-a"}, and allowed is at most 0.5`, r.Record.Message)
				stage := r.Record.Stages[1]
				require.Equal(t, 40, stage.Queries[0].Asked)
				require.Equal(t, rollout.Fail, stage.Queries[0].Verdict)
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
			})
		})
	}
}

// TestQueryAtTheEndOfAPause: what is outside when the pause ends is decided before the
// next move; that a server is silent then is not.
func TestQueryAtTheEndOfAPause(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		late   func() ([]rollout.Reading, error)
		reason rollout.Reason
		asked  int
	}{
		"outside": {func() ([]rollout.Reading, error) { return numbers(0.9), nil }, rollout.ReasonFailMetric, 23},
		"silent":  {func() ([]rollout.Reading, error) { return nil, errors.New("503") }, rollout.ReasonPass, 13},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				query := upTo("errors", 0.5)
				query.For = time.Minute
				_, r, m := metered(t, query)
				r.Pauses = map[rollout.Percent]time.Duration{50: 62 * time.Second} // no multiple of what lies between two questions
				m.answers["errors"] = func(at moment) ([]rollout.Reading, error) {
					if at.canary == 2 && at.nth > 10 {
						return row.late()
					}
					return numbers(0.1), nil
				}
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, row.reason, r.Record.Reason, r.Record.Message)
				require.Equal(t, row.asked, r.Record.Stages[1].Queries[0].Asked)
			})
		})
	}
}

// TestQueryInBake: in bake too, also of a run that only bakes.
func TestQueryInBake(t *testing.T) {
	t.Parallel()
	for name, resumes := range map[string]bool{"in one run": false, "resumed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r := baking(t)
				m := &meter{t: t, cluster: c, answers: map[string]func(moment) ([]rollout.Reading, error){}}
				r.Queries, r.Meter = []rollout.Query{upTo("errors", 0.5)}, m
				began := time.Now()
				m.answers["errors"] = func(at moment) ([]rollout.Reading, error) {
					if at.canary == 4 && time.Since(began) > 5*time.Minute {
						return numbers(0.6), nil
					}
					return numbers(0), nil
				}
				if resumes {
					c.change(func(s *rollout.State) {
						s.Stable, s.Canary = pods(2), pods(4)
						s.Stable.Parked, s.Stable.Serving = 2, 0
					})
					r.Memory = memoryAt(rollout.PhaseBaking, 100, rollout.Pair, rollout.Keep)
				}
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
				require.Equal(t, `in the bake after its verdict, query "errors" gives 0.6 of {pod="lobby-a"}, and allowed is at most 0.5`, r.Record.Message)
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
				require.Contains(t, c.calls, "unpark stable")
			})
		})
	}
}
