package report

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// asked is a query that one answer was within the bounds of, at a stage that passed.
func asked(name string, limit, value float64) rollout.QueryRecord {
	return rollout.QueryRecord{
		Query: rollout.Query{
			Name: name, Max: &limit, For: 30 * time.Second,
			Expr: `sum(rate(lobby_resets_total{namespace="game", pod=~"lobby-green-[a-z0-9]+-[a-z0-9]+"}[1m]))`,
		},
		Asked: 1, Answered: 1, Last: rollout.Figure(value), Worst: rollout.Figure(value), Labels: "{}", Verdict: rollout.Pass,
	}
}

// noNumber is a query that has had no data.
func noNumber(q rollout.QueryRecord, verdict rollout.Verdict, trouble string) rollout.QueryRecord {
	q.Answered, q.Last, q.Worst, q.Labels = 0, rollout.Figure(math.NaN()), rollout.Figure(math.NaN()), ""
	q.Verdict, q.Trouble = verdict, trouble
	return q
}

// withQueries are the first stages of lobby, the last of which a query turned down.
func withQueries(detail string, last ...rollout.QueryRecord) *rollout.Record {
	r := ended(lobby(), rollout.RolledBack, rollout.ReasonFailMetric, 121*time.Second)
	r.Message, r.Rollback = detail, &rollout.RollbackRecord{Took: 12400 * time.Millisecond, Stable: 10}
	r.Stages, r.NotReached = lobbyStages()[:2], []rollout.Percent{25, 50, 100}
	lowest := 10.0
	sessions := asked("sessions", 5000, 812)
	sessions.Min, sessions.For = &lowest, 0
	r.Stages[0].Queries = []rollout.QueryRecord{noNumber(asked("resets", 0.5, 0), rollout.Pass, "no data"), sessions}
	stage := &r.Stages[1]
	stage.Queries = append(last, sessions)
	stage.After = &rollout.AfterRecord{Name: "queries", Took: 31 * time.Second}
	for _, port := range stage.Ports {
		port.Verdict, port.Reason = "", ""
		stage.After.Ports = append(stage.After.Ports, port)
	}
	stage.Verdict, stage.Reason, stage.Detail = rollout.Fail, rollout.ReasonFailMetric, detail
	return r
}

// byQuery is a run that was turned down by a number.
func byQuery() *rollout.Record {
	q := asked("resets", 0.5, 0.75)
	q.Asked, q.Answered, q.Worst, q.Labels, q.Outside = 8, 7, 2.25, `{pod="lobby-green-77d9b-1003"}`, 30*time.Second
	q.Verdict = rollout.Fail
	return withQueries(`query "resets" gives 0.75 of {pod="lobby-green-77d9b-1003"}, and allowed is at most 0.5; it has been outside for 30s, and may be for 30s`, q)
}

// bySilence is one that was turned down because a number could not be had.
func bySilence() *rollout.Record {
	const trouble = `asking https://prometheus.example: server error: 503 <html>`
	q := noNumber(asked("resets", 0.5, 0), rollout.Fail, trouble)
	q.Asked = 61
	return withQueries(`query "resets" had no data for 5m0s (stage-timeout), so what it is to show was not measured: `+trouble, q)
}

// evilQueries are what a server might say.
func evilQueries() []rollout.QueryRecord {
	q := asked(evil, math.MaxFloat64, math.Inf(1))
	q.Expr, q.Labels, q.Verdict = evil, evil, "fail|\n"
	worse := noNumber(q, rollout.Fail, evil)
	return []rollout.QueryRecord{q, worse, {Query: rollout.Query{Name: "|"}, Last: rollout.Figure(math.Inf(-1)), Labels: "`|`"}}
}

// TestQueryThatDecidedIsShown: in the box on top, and in a table that is not folded away.
func TestQueryThatDecidedIsShown(t *testing.T) {
	t.Parallel()
	page := string(markdown(t, byQuery(), "1.0.0"))
	require.Contains(t, page, "**A query is out of its bounds, or had no data** (`FAIL_METRIC`, `resets`, asked 8 times).")
	require.Contains(t, page, "\n\n**What was asked of Prometheus**\n\n")
	require.NotContains(t, page, "<b>What was asked")
	require.Contains(t, page, "| `resets` | **fail** | 2.25 | at most 0.5, or outside for less than 30\u00a0s | 0.75 | `{pod=\"lobby-green-77d9b-1003\"}` | 8, 7 with data |")
	require.Contains(t, page, "| `sessions` | pass | 812 | 10 to 5000 | 812 | – | 1 |")
	require.Contains(t, page, "no pods to tell of")
	require.Contains(t, page, "and while queries were waited for")

	silent := string(markdown(t, bySilence(), "1.0.0"))
	require.Contains(t, silent, "| **no data** | – | at most 0.5, or outside for less than 30\u00a0s | – | `asking https://prometheus.example: server error: 503 <html>` | 61, 0 with data |")

	fine := byQuery()
	fine.Outcome, fine.Reason, fine.Stages = rollout.Held, rollout.ReasonPass, fine.Stages[:1]
	require.Contains(t, string(markdown(t, fine, "1.0.0")), "<b>What was asked of Prometheus</b>")
}

// TestQueriesInTheDocument: figures, and the gate they make.
func TestQueriesInTheDocument(t *testing.T) {
	t.Parallel()
	var document struct {
		Stages []struct {
			Gates   []map[string]any
			Queries []map[string]any
		}
	}
	require.NoError(t, json.Unmarshal(asJSON(t, byQuery()), &document))
	require.Contains(t, document.Stages[0].Gates, map[string]any{"name": "metrics", "port": nil, "verdict": "pass", "reason": "PASS"})
	require.Equal(t, map[string]any{"name": "metrics", "port": nil, "verdict": "fail", "reason": "FAIL_METRIC"}, document.Stages[1].Gates[2])
	require.Len(t, document.Stages[1].Gates, 3, "one a port, and that of the queries")
	require.Equal(t, map[string]any{
		"name": "resets", "expr": `sum(rate(lobby_resets_total{namespace="game", pod=~"lobby-green-[a-z0-9]+-[a-z0-9]+"}[1m]))`,
		"min": nil, "max": 0.5, "forSeconds": 30.0, "asked": 8.0, "answered": 7.0, "last": 0.75, "worst": 2.25,
		"labels": `{pod="lobby-green-77d9b-1003"}`, "outsideSeconds": 30.0, "trouble": nil, "verdict": "fail",
	}, document.Stages[1].Queries[0])
	require.Nil(t, document.Stages[0].Queries[0]["last"])

	open := byQuery()
	open.Stages[1].Queries[0].Verdict = ""
	require.Nil(t, queryGate(open.Stages[1]), "an open query makes no gate")
	require.Nil(t, queryGate(rollout.StageRecord{}))
}

// TestInfiniteNumbers: JSON has none, and a report shows them all the same.
func TestInfiniteNumbers(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{math.Inf(1): "∞", math.Inf(-1): "−∞", 0.1: "0.1", -1.5e9: "-1.5e+09", 123456789: "1.23457e+08"} {
		require.Equal(t, want, number(figureOf(known(rollout.Figure(value)))))
	}
	require.Equal(t, none, number(figureOf(known(rollout.Figure(math.NaN())))))
}
