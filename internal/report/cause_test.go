package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// bySticking is a run that ended because its share could not be measured.
func bySticking() *rollout.Record {
	detail := "all 120 flows were answered by one pod, and 2 were ready: the balancer keeps this client on a pod."
	r := rolledBack(rollout.ReasonInvalidSticky, detail)
	r.Stages = []rollout.StageRecord{seedBaseline(), judged(passed("50", 50, 1, 1, sampled("80/TCP", 120, 0, 50)), rollout.Invalid, rollout.ReasonInvalidSticky, detail)}
	return r
}

// longNames is a run whose every name is as long as it may be.
func longNames() *rollout.Record {
	r := byErrors()
	name := strings.Repeat("session-broker-", 5)[:63]
	r.Namespace, r.Service = strings.Repeat("europe-west-production-", 3)[:63], name
	r.Stable.Deployment, r.Canary.Deployment = name+"-blue", name+"-green"
	r.Stable.Images = []string{"europe-west4-docker.pkg.dev/acme-production/containers/" + name + ":2026.11.02-1f0c2a9b7d3e"}
	r.Canary.Images = []string{"europe-west4-docker.pkg.dev/acme-production/containers/" + name + "@sha256:" + strings.Repeat("0123456789abcdef", 4)}
	return r
}

// firstLine is what a notification shows of a report.
func firstLine(t *testing.T, record *rollout.Record) string {
	t.Helper()
	line, _, _ := strings.Cut(string(markdown(t, record, "1.0.0")), "\n")
	return strings.ReplaceAll(line, space, " ")
}

// leftAsItWas is a run whose share was wrong, with on-failure: hold.
func leftAsItWas() *rollout.Record {
	r := byShare()
	r.Outcome, r.Rollback = rollout.Stopped, nil
	return r
}

// firstVersion is a rollout to where nothing served: there is only one side.
func firstVersion() *rollout.Record {
	r := lobbyHeld()
	r.Stages, r.Canary = r.Stages[:1], rollout.Side{}
	return ended(r, rollout.Promoted, rollout.ReasonPass, 0)
}

// askedBack is what command rollback leaves: nothing had failed.
func askedBack() *rollout.Record {
	r := ended(lobby(), rollout.RolledBack, rollout.ReasonPass, 0)
	r.Message, r.Rollback = `"lobby" serves with 10 pods, as before the rollout.`, &rollout.RollbackRecord{Took: 9 * time.Second, Stable: 10}
	return r
}

// TestAskedBackIsNoFailure: a rollback that somebody wanted alarms nobody.
func TestAskedBackIsNoFailure(t *testing.T) {
	t.Parallel()
	text := string(markdown(t, askedBack(), "1.0.0"))
	require.Contains(t, text, "> [!NOTE]\n> **Nothing failed**: a rollback was asked for.\n>\n> \"lobby\" serves with 10 pods")
	require.NotContains(t, text, "gate passed")
}

// TestHeadlines: the outcome and what decided it are one sentence, with the figure where a
// figure decided.
func TestHeadlines(t *testing.T) {
	t.Parallel()
	undecidedHere := byShare()
	undecidedHere.Reason = rollout.ReasonInconclusive
	undecidedHere.Stages[1].Reason = rollout.ReasonInconclusive
	for name, c := range map[string]struct {
		record *rollout.Record
		want   string
	}{
		"promoted":        {seedPromoted(), "### ✅ Promoted: `default/nginx` → `…/new-nginx`, every stage showed the split its pods should give"},
		"asked for":       {askedBack(), "### ↩️ Rolled back: `game/lobby` is back on `ghcr.io/acme/lobby:1.8.2`, as was asked"},
		"first version":   {firstVersion(), "### ✅ Live: `game/lobby` serves `ghcr.io/acme/lobby:1.8.2`, its first version"},
		"first, running":  {ended(firstVersion(), "", "", 0), "### ⏳ Running at baseline: `game/lobby` → `ghcr.io/acme/lobby:1.8.2`"},
		"without shares":  {unmeasured(), "### ✅ Promoted: `game/lobby` → `ghcr.io/acme/lobby:1.9.0`"},
		"held":            {lobbyHeld(), "### ⏸️ Held at 25 %: `game/lobby` serves `ghcr.io/acme/lobby:1.9.0` beside `ghcr.io/acme/lobby:1.8.2`"},
		"share":           {byShare(), "### ❌ Rolled back at 50 %: `default/nginx` stays on `…/old-nginx`, because the canary answered 25.1 % of new flows where 50 % was expected"},
		"errors":          {byErrors(), "### ❌ Rolled back at 25 %: `game/lobby` stays on `ghcr.io/acme/lobby:1.8.2`, because 6.1 % of new flows failed"},
		"errors in pause": {byPause(), "### ❌ Rolled back at 10 %: `game/lobby` stays on `ghcr.io/acme/lobby:1.8.2`, because 1.3 % of new flows failed"},
		"slow":            {bySlowness(), "### ❌ Rolled back at 50 %: `default/nginx` stays on `…/old-nginx`, because the canary answers too slowly"},
		"query":           {byQuery(), "### ❌ Rolled back at 10 %: `game/lobby` stays on `ghcr.io/acme/lobby:1.8.2`, because query `resets` gave 2.25 where at most 0.5 is allowed"},
		"query, no data":  {bySilence(), "### ❌ Rolled back at 10 %: `game/lobby` stays on `ghcr.io/acme/lobby:1.8.2`, because query `resets` had no data"},
		"crash":           {byCrash(), "### ❌ Rolled back at 50 %: `default/nginx` stays on `…/old-nginx`, because a container crashes again and again"},
		"invalid":         {bySticking(), "### ❌ Rolled back at 50 %: `default/nginx` stays on `…/old-nginx`, because the balancer keeps one client on one pod, so the split cannot be measured"},
		"too few":         {undecidedHere, "### ❌ Rolled back at 50 %: `default/nginx` stays on `…/old-nginx`, because the samples allowed were too few to decide"},
		"rollback failed": {rollbackFailed(), "### 🆘 Rollback failed at 50 %: `default/nginx` needs a person, because the rollback stopped: scaling deployment \"old-nginx\" to 1: forbidden"},
		"aborted":         {aborted(), "### ⛔ Aborted at baseline: `default/nginx` stays on `…/old-nginx`, because stable did not pass on its own, before the canary had any part"},
		"refused":         {refused(), "### ⛔ Refused: `default/nginx` was not changed, because the cluster is not ready for this rollout"},
		"interrupted":     {interrupted(), "### ⏹️ Interrupted at 25 %: `game/lobby` is as the run left it"},
		"stopped":         {leftAsItWas(), "### ⏹️ Stopped at 50 %: `default/nginx` is as the run left it, because the canary answered 25.1 % of new flows where 50 % was expected"},
		"long names": {longNames(), "### ❌ Rolled back at 25 %: `europe-west-production-…e-west-produ/session-broker-session-…n-broker-ses` " +
			"stays on `…/session-broker-session-broker….02-1f0c2a9b7d3e`, because 6.1 % of new flows failed"},
		"running":          {running(), "### ⏳ Running at 80 %: `default/nginx` → `…/new-nginx`"},
		"nothing of these": {ended(seed(), rollout.RolledBack, "NEW", 0), "### ❌ Rolled back: `default/nginx` stays on `…/old-nginx`, because the run did not succeed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, firstLine(t, c.record))
		})
	}
}

// TestEveryReasonHasWords: none that a run can end with is shown as one that nobody knows.
func TestEveryReasonHasWords(t *testing.T) {
	t.Parallel()
	source, err := parser.ParseFile(token.NewFileSet(), "../rollout/record.go", nil, 0)
	require.NoError(t, err)
	var codes []string
	ast.Inspect(source, func(n ast.Node) bool {
		value, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := value.Type.(*ast.Ident); ok && kind.Name == "Reason" {
			code, err := strconv.Unquote(value.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			codes = append(codes, code)
		}
		return false
	})
	require.Len(t, codes, len(reasonWords))
	for _, code := range codes {
		require.Contains(t, reasonWords, rollout.Reason(code))
	}
}

// TestEveryReasonIsAClause: none begins in upper case in the middle of a sentence.
func TestEveryReasonIsAClause(t *testing.T) {
	t.Parallel()
	for reason := range reasonWords {
		require.Regexp(t, `^[a-z]`, clause(reason), reason)
	}
}

// TestChartOfWhatDecided: each cause has a chart of its own figures, and none has one where
// no figure decided.
func TestChartOfWhatDecided(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		record *rollout.Record
		want   string
	}{
		"promoted": {seedPromoted(), "bar [0, 50, 80, 100]\n  line [0, 49.46, 80.23, 100]"},
		"share":    {byShare(), "bar [19.06, 25.06, 31.69]\n  line [45, 45, 45]\n  line [50, 50, 50]\n  line [55, 55, 55]"},
		"stopped":  {leftAsItWas(), "bar [19.06, 25.06, 31.69]\n"},
		"errors":   {byErrors(), "bar [0, 0, 6.14]\n  line [0, 0, 0]"},
		"slow":     {bySlowness(), "bar [2.3, 42]\n  line [10, 10]"},
		"query":    {byQuery(), `x-axis "given by the query" ["worst", "last"]` + "\n" + `  y-axis "value" 0 --> 5` + "\n  bar [2.25, 0.75]\n  line [0.5, 0.5]"},
	} {
		require.Contains(t, string(markdown(t, c.record, "1.0.0")), c.want, name)
	}
	for name, record := range map[string]*rollout.Record{
		"crash": byCrash(), "no data": bySilence(), "sticky": bySticking(), "refused": refused(), "aborted": aborted(),
	} {
		require.NotContains(t, string(markdown(t, record, "1.0.0")), "mermaid", name)
	}
}

// TestQueriesThatNoAxisHolds: a chart is a decoration, and none is better than a wrong one.
func TestQueriesThatNoAxisHolds(t *testing.T) {
	t.Parallel()
	for _, v := range []float64{math.Inf(1), -1, 0.0004, 2e9, math.NaN()} {
		r := byQuery()
		r.Stages[1].Queries[0].Worst = rollout.Figure(v)
		require.NotContains(t, string(markdown(t, r, "1.0.0")), "mermaid", "%v", v)
	}
	r := byQuery()
	q := &r.Stages[1].Queries[0]
	*q.Max, q.Worst, q.Last = 0, 0, 0
	require.NotContains(t, string(markdown(t, r, "1.0.0")), "mermaid", "nothing to be seen")
}

// TestTableBeginsWithWhatTellsMost: a telephone shows three columns.
func TestTableBeginsWithWhatTellsMost(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(string(markdown(t, byErrors(), "1.0.0")), space, " ")
	require.Contains(t, text, "| Stage | Pods<br>planned | Observed<br>95 % interval |")
	require.Contains(t, text, "| ❌ 25 %<br>**fail** | 8 + 3<br>27.3 % | **26.8 %**  22.4 –"+joiner+" 31.5<br>27.3 % expected | 961 | **41** reset<br>**18** timeout |")
	require.Contains(t, text, "| ⬜ 50 %, 100 % |  | not reached |")
	require.Contains(t, text, "Figures are of `7777/TCP`; all ports are below.")

	mixed := byErrors()
	mixed.Stages[1].Measurement = mixed.Stages[1].Ports[1]
	text = string(markdown(t, mixed, "1.0.0"))
	require.Contains(t, text, "| 449<br>`7778/UDP` |")
	require.Contains(t, text, "Figures are of the port that decided")
}
