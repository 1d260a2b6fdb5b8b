package rollout_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// TestQueriesPass: each stage is asked once its flows have passed, and then passes.
func TestQueriesPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lowest := 1.0
		up := rollout.Query{Name: "up", Expr: "up", Min: &lowest}
		_, r, m := metered(t, upTo("errors", 0.5), up)
		m.answers["errors"], m.answers["up"] = always(0.1, 0.5, 0.3), always(2, 1)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		for _, stage := range r.Record.Stages {
			require.Len(t, stage.Queries, 2, stage.Name)
			require.Equal(t, rollout.Pass, stage.Verdict)
			errors, up := stage.Queries[0], stage.Queries[1]
			require.Equal(t, rollout.Pass, errors.Verdict)
			require.Equal(t, []int{1, 1}, []int{errors.Asked, errors.Answered})
			require.InDelta(t, 0.5, float64(errors.Last), 0, "the worst of the answer: on the bound is within it")
			require.Equal(t, `{pod="lobby-b"}`, errors.Labels)
			require.InDelta(t, 1, float64(up.Worst), 0)
		}
		for _, pods := range [][2]int{{4, 0}, {2, 2}, {0, 4}} {
			require.Equal(t, 1, m.times("errors", pods[0], pods[1]), pods)
		}
	})
}

// TestQueriesTurnDown has one row for every way in which a query ends a rollout.
func TestQueriesTurnDown(t *testing.T) {
	t.Parallel()
	atHalf := func(bad float64) func(moment) ([]rollout.Reading, error) {
		return func(at moment) ([]rollout.Reading, error) {
			if at.canary > 0 {
				return numbers(0.1, bad), nil
			}
			return numbers(0.1), nil
		}
	}
	lowest := 10.0
	for _, row := range []struct {
		name    string
		query   rollout.Query
		answer  func(moment) ([]rollout.Reading, error)
		message string
		asked   int
	}{
		{
			name: "above its bound, at once", query: upTo("errors", 0.5), answer: atHalf(0.75), asked: 1,
			message: `query "errors" gives 0.75 of {pod="lobby-b"}, and allowed is at most 0.5`,
		},
		{
			name: "infinite", query: upTo("errors", 0.5), answer: atHalf(math.Inf(1)), asked: 1,
			message: `query "errors" gives +Inf of {pod="lobby-b"}, and allowed is at most 0.5`,
		},
		{
			name: "below its bound for long enough", query: rollout.Query{Name: "sessions", Expr: "sessions", Min: &lowest, For: 30 * time.Second}, asked: 7,
			answer: func(at moment) ([]rollout.Reading, error) {
				if at.canary > 0 {
					return []rollout.Reading{{Value: 9}}, nil
				}
				return []rollout.Reading{{Value: 12}}, nil
			},
			message: `query "sessions" gives 9, and allowed is at least 10; it has been outside for 30s, and may be for 30s`,
		},
		{
			name: "silence does not end a violation", query: rollout.Query{Name: "sessions", Expr: "sessions", Min: &lowest, For: 30 * time.Second}, asked: 7,
			answer: func(at moment) ([]rollout.Reading, error) {
				switch {
				case at.canary == 0:
					return numbers(12), nil
				case at.nth > 1 && at.nth < 7:
					return nil, errors.New("asking http://prometheus: connection refused")
				}
				return numbers(9), nil
			},
			message: `query "sessions" gives 9 of {pod="lobby-a"}, and allowed is at least 10; it has been outside for 30s, and may be for 30s`,
		},
		{
			name: "no data", query: canaryOnly(upTo("errors", 0.5)), asked: 61,
			answer:  func(moment) ([]rollout.Reading, error) { return nil, nil },
			message: `query "errors" had no data for 5m0s (stage-timeout), so what it is to show was not measured: no data`,
		},
		{
			name: "no server", query: upTo("errors", 0.5), asked: 61,
			answer: func(at moment) ([]rollout.Reading, error) {
				if at.canary > 0 {
					return nil, errors.New("asking http://prometheus: connection refused")
				}
				return numbers(0), nil
			},
			message: `query "errors" had no data for 5m0s (stage-timeout), so what it is to show was not measured: asking http://prometheus: connection refused`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, m := metered(t, row.query)
				r.Removals = rollout.Removals{Stable: rollout.Park, Canary: rollout.Park}
				m.answers[row.query.Expr] = row.answer
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
				require.Equal(t, rollout.ReasonFailMetric, r.Record.Reason)
				require.Equal(t, row.message, r.Record.Message)
				stage := r.Record.Stages[len(r.Record.Stages)-1]
				require.Equal(t, "50", stage.Name)
				require.Equal(t, rollout.Fail, stage.Verdict)
				require.Equal(t, rollout.ReasonFailMetric, stage.Reason)
				require.Equal(t, rollout.Fail, stage.Queries[0].Verdict)
				require.Equal(t, row.asked, stage.Queries[0].Asked)
				require.Equal(t, rollout.Pass, stage.Ports[0].Verdict, "its flows passed")
				require.True(t, scaledGently(c), "flows that are in order are not cut: %s", c.calls)
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
				requireInvariants(t, c, 4, 2)
			})
		})
	}
}

// TestQueryRecovers: what was outside for less than it may be is waited for, and passes.
func TestQueryRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		query := upTo("errors", 0.5)
		query.For = 30 * time.Second
		_, r, m := metered(t, query)
		m.answers["errors"] = func(at moment) ([]rollout.Reading, error) {
			if at.canary == 2 && at.nth <= 4 {
				return numbers(0.6 + float64(at.nth)), nil
			}
			return numbers(0.1), nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		told := r.Record.Stages[1].Queries[0]
		require.Equal(t, 5, told.Asked)
		require.InDelta(t, 4.6, float64(told.Worst), 1e-9)
		require.InDelta(t, 0.1, float64(told.Last), 0)
		require.Zero(t, told.Outside)
		require.Equal(t, rollout.Pass, told.Verdict)
		after := r.Record.Stages[1].After
		require.Equal(t, "queries", after.Name, "flows went on meanwhile")
		require.Positive(t, after.Ports[0].Samples)
	})
}

// TestQueryRestless: two queries that are outside by turns never settle.
func TestQueryRestless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		odd, even := upTo("odd", 0.5), upTo("even", 0.5)
		odd.For, even.For = time.Minute, time.Minute
		_, r, m := metered(t, odd, even)
		turns := func(part int) func(moment) ([]rollout.Reading, error) {
			return func(at moment) ([]rollout.Reading, error) {
				if at.canary > 0 && at.nth%2 == part {
					return numbers(1), nil
				}
				return numbers(0), nil
			}
		}
		m.answers["odd"], m.answers["even"] = turns(1), turns(0)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.ReasonFailMetric, r.Record.Reason)
		require.Regexp(t, `^for 6m\d+s some query was outside of its bounds at any time: last query "(odd|even)" \(allowed is at most 0.5, the worst was 1\)$`, r.Record.Message)
	})
}

// TestQueryAtBaseline: what is outside, or cannot be asked, before anything was touched
// ends the run without a write.
func TestQueryAtBaseline(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answer  func(moment) ([]rollout.Reading, error)
		message string
	}{
		"outside": {always(0.9), `query "errors" gives 0.9 of {pod="lobby-a"}, and allowed is at most 0.5`},
		"silent": {
			func(moment) ([]rollout.Reading, error) { return nil, errors.New("asking http://prometheus: 503") },
			`query "errors" had no data for 5m0s (stage-timeout), so what it is to show was not measured: asking http://prometheus: 503`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, m := metered(t, upTo("errors", 0.5))
				m.answers["errors"] = row.answer
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Aborted, r.Record.Outcome)
				require.Equal(t, rollout.ReasonBaseline, r.Record.Reason)
				require.Equal(t, "the service was not in order before the rollout began (not our change): "+row.message, r.Record.Message)
				require.Equal(t, rollout.ReasonFailMetric, r.Record.Stages[0].Reason)
				require.Empty(t, c.calls, "nothing was written")
			})
		})
	}
}

// TestQueryOfPodsThatAreNotThere: a query need not have data where it names pods that
// there are none of, and must have some where there are.
func TestQueryOfPodsThatAreNotThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		both := canaryOnly(upTo("ratio", 1.5))
		both.NamesStable = true
		_, r, m := metered(t, both)
		m.answers["ratio"] = func(at moment) ([]rollout.Reading, error) {
			if at.stable > 0 && at.canary > 0 {
				return numbers(1.1), nil
			}
			return nil, nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		for i, answered := range []int{0, 1, 0} {
			require.Equal(t, answered, r.Record.Stages[i].Queries[0].Answered, r.Record.Stages[i].Name)
			require.Equal(t, rollout.Pass, r.Record.Stages[i].Queries[0].Verdict)
		}
		require.Equal(t, "no data", r.Record.Stages[2].Queries[0].Trouble)
		require.False(t, r.Record.Stages[2].Queries[0].Last.Known())
	})
}

// TestQueryWithoutServerIsNoExcuse: that a server cannot be asked is never as it should be.
func TestQueryWithoutServerIsNoExcuse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, r, m := metered(t, canaryOnly(upTo("errors", 0.5)))
		m.answers["errors"] = func(moment) ([]rollout.Reading, error) { return nil, errors.New("connection refused") }
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.ReasonBaseline, r.Record.Reason)
	})
}

// TestQueryWhilePodsChange: the pods are watched while queries are waited for.
func TestQueryWhilePodsChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, m := metered(t, canaryOnly(upTo("errors", 0.5)))
		m.answers["errors"] = func(at moment) ([]rollout.Reading, error) {
			if at.canary == 2 && at.nth == 3 {
				c.change(func(s *rollout.State) { s.Canary.Restarts++ })
			}
			return nil, nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.ReasonFailRestarts, r.Record.Reason, r.Record.Message)
		require.Equal(t, rollout.Verdict(""), r.Record.Stages[1].Queries[0].Verdict, "it was still open")
	})
}

// TestQueryCancelled: a stage whose queries are still open has no verdict when the run is
// told to stop.
func TestQueryCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, r, m := metered(t, upTo("errors", 0.5))
		m.answers["errors"] = func(at moment) ([]rollout.Reading, error) {
			if at.canary == 0 {
				return numbers(0), nil
			}
			if at.nth == 5 {
				cancel()
			}
			return nil, errors.New("503")
		}
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome)
		stage := r.Record.Stages[1]
		require.Empty(t, stage.Verdict)
		require.Empty(t, stage.Reason)
		require.Empty(t, stage.Queries[0].Verdict)
	})
}

// TestQueryOfAFirstVersion: with one version there is one stage, and it is asked.
func TestQueryOfAFirstVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, m := metered(t, upTo("errors", 0.5), canaryOnly(upTo("canary", 1)))
		c.change(func(s *rollout.State) { s.Stable = rollout.Pods{} })
		r.Mode = rollout.Bootstrap
		m.answers["canary"] = func(moment) ([]rollout.Reading, error) { return nil, nil }
		m.answers["errors"] = func(at moment) ([]rollout.Reading, error) {
			if at.nth < 4 { // its pods were not looked at yet
				return nil, nil
			}
			return numbers(0), nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, 4, r.Record.Stages[0].Queries[0].Asked)
	})
}

// TestExcess: the further out, the larger; within it is not positive.
func TestExcess(t *testing.T) {
	t.Parallel()
	low, high := 1.0, 2.0
	for _, row := range []struct {
		min, max     *float64
		value, want  float64
		bounds       string
		namesOutside bool
	}{
		{nil, &high, 3, 1, "at most 2", true}, {nil, &high, 2, 0, "at most 2", false}, {nil, &high, -100, -102, "at most 2", false},
		{&low, nil, 0, 1, "at least 1", true}, {&low, nil, 100, -99, "at least 1", false},
		{&low, &high, 0.5, 0.5, "1 to 2", true}, {&low, &high, 4, 2, "1 to 2", true}, {&low, &high, 1.25, -0.25, "1 to 2", false},
		{&low, &low, 1, 0, "1 to 1", false}, {nil, &high, math.Inf(1), math.Inf(1), "at most 2", true}, {&low, nil, math.Inf(-1), math.Inf(1), "at least 1", true},
	} {
		q := rollout.Query{Min: row.min, Max: row.max}
		got := q.Excess(row.value)
		if !math.IsInf(row.want, 0) {
			require.InDelta(t, row.want, got, 1e-12, row)
		}
		require.Equal(t, row.namesOutside, got > 0, row)
		require.Equal(t, row.bounds, q.Bounds())
	}
	require.Equal(t, "anything", rollout.Query{}.Bounds())
}
