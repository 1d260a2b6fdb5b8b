package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

// free are options in which the share decides nothing.
func free(change func(*JudgeOptions)) JudgeOptions {
	o := options(50)
	o.ReportShare = true
	change(&o)
	return o
}

func unseen(int) probe.Flow { return answer(probe.Unknown) }

// TestFreeShare has ports whose share decides nothing: they pass when they have had
// their flows.
func TestFreeShare(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		options JudgeOptions
		law     law
		verdict Verdict
		reason  Reason
		flows   int
		detail  string
	}{
		{"blind", free(func(o *JudgeOptions) { o.Blind = []string{"alike"} }), unseen, Pass, ReasonPass, 300, "300 flows on 80/TCP, whose share is not measured: alike"},
		{"blind, and a balancer that lags", free(func(o *JudgeOptions) { o.Blind, o.Enough = []string{"alike"}, 1000 }), unseen, Pass, ReasonPass, 1000, ""},
		{"blind, with a limit", free(func(o *JudgeOptions) { o.Blind, o.Enough, o.MaxProbes = []string{"alike"}, 1000, 50 }), unseen, Pass, ReasonPass, 50, ""},
		{"a wrong share", free(func(*JudgeOptions) {}), turns(1, 10), Pass, ReasonPass, 1083, "which decides nothing (share-gate)"},
		{"one side alone", free(func(*JudgeOptions) {}), always(answer(probe.Stable)), Pass, ReasonPass, 1083, "observed 0 %"},
		{"unknown answers", free(func(*JudgeOptions) {}), every(2, unseen, turns(1, 2)), Pass, ReasonPass, 1083, ""},
		{"under enforce, blind all the same", free(func(o *JudgeOptions) { o.ReportShare, o.Blind = false, []string{"alike"} }), unseen, Pass, ReasonPass, 300, ""},
		{"failures", free(func(o *JudgeOptions) { o.Blind, o.Baseline = []string{"alike"}, &Baseline{Ports: []Failures{{0, 300}}} }),
			every(5, always(failure(probe.Reset, probe.None)), unseen), Fail, ReasonFailErrors, 0, "failed"},
		{"failures of this machine", free(func(o *JudgeOptions) { o.Blind = []string{"alike"} }),
			every(5, always(failure(probe.Local, probe.None)), unseen), Invalid, ReasonInvalidLocal, 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			j := NewJudge(row.options)
			flows := 0
			for done := false; !done; flows++ {
				require.Less(t, flows, 5000)
				done = j.Add(row.law(flows))
			}
			verdict, reason, detail, _ := j.Verdict()
			require.Equal(t, row.verdict, verdict, detail)
			require.Equal(t, row.reason, reason)
			require.Contains(t, detail, row.detail)
			if row.flows > 0 {
				require.Equal(t, row.flows, flows)
			}
		})
	}
}

// TestFreeShareExpires: what is too little to pass is inconclusive, and nothing at all
// is a failure.
func TestFreeShareExpires(t *testing.T) {
	t.Parallel()
	o := free(func(o *JudgeOptions) { o.Blind = []string{"alike"} })
	j := NewJudge(o)
	for range 100 {
		j.Add(unseen(0))
	}
	j.Expire()
	verdict, reason, detail, _ := j.Verdict()
	require.Equal(t, []any{Inconclusive, ReasonInconclusive}, []any{verdict, reason})
	require.Contains(t, detail, "200 more flows were wanted")
	require.Nil(t, j.Measurements()[0].Evidence.Share.Remaining, "no answers are missing that would tell")
	require.Equal(t, "alike", j.Measurements()[0].Unmeasured)
	require.False(t, j.Between(0), "there is no share that could be on its way")

	j = NewJudge(o)
	j.Expire()
	verdict, reason, _, _ = j.Verdict()
	require.Equal(t, []any{Fail, ReasonFailErrors}, []any{verdict, reason})
}

// TestBaselineIsNotFree: before the rollout everything is stable's.
func TestBaselineIsNotFree(t *testing.T) {
	t.Parallel()
	o := free(func(o *JudgeOptions) { o.Blind = []string{""} })
	*o.Expected, o.Baseline = 0, nil
	j := NewJudge(o)
	for i := range 300 {
		require.Equal(t, i == 299, j.Add(answer(probe.Stable)), i)
	}
	require.False(t, j.ports[0].free)
}

// TestFreeShareIsWatched: in a pause too nobody has to know the answers of a port that
// has no share, and its failures count all the same.
func TestFreeShareIsWatched(t *testing.T) {
	t.Parallel()
	o := free(func(o *JudgeOptions) { o.Blind, o.Baseline = []string{"alike"}, &Baseline{Ports: []Failures{{0, 300}}} })
	j := NewJudge(o)
	feed(j, 1000, unseen)
	w := j.Watch()
	require.Equal(t, 1000, feed(w, 1000, unseen))
	verdict, reason, detail, _ := w.Verdict()
	require.Equal(t, []any{Verdict(""), Reason("")}, []any{verdict, reason}, detail)
	require.Less(t, feed(w, 1000, every(2, always(failure(probe.Reset, probe.None)), unseen)), 1000)
	verdict, reason, detail, _ = w.Verdict()
	require.Equal(t, []any{Fail, ReasonFailErrors}, []any{verdict, reason}, detail)
}

// TestFreeShareBeginsAgain: another window takes as many flows as the first; nothing is
// decided by the share that would have to be held to more.
func TestFreeShareBeginsAgain(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*JudgeOptions){func(*JudgeOptions) {}, func(o *JudgeOptions) { o.Blind = []string{"alike"} }} {
		j := NewJudge(free(change))
		first := feed(j, 5000, turns(1, 10))
		j.Restart()
		require.Equal(t, first, feed(j, 5000, turns(1, 10)))
	}
}
