package report

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/org/l4-canary/internal/rollout"
)

// because is what decided, as the end of the headline's sentence: with the figure where one
// decided, in the reason's own words otherwise. It is empty where nothing needs a reason.
func (p page) because() string {
	if p.Outcome == rollout.Promoted {
		if p.allPassed() {
			return ", every stage showed the split its pods should give"
		}
		return ""
	}
	if p.Outcome == rollout.RollbackFailed && p.Rollback != nil && p.Rollback.Err != "" {
		const room = 160
		return ", because the rollback stopped: " + prose(shorten(clean(p.Rollback.Err), room))
	}
	if p.Reason == "" {
		return ""
	}
	return ", because " + p.cause()
}

// cause is the reason as a clause.
func (p page) cause() string {
	stage := p.last()
	if stage == nil || stage.Reason != p.Reason {
		return clause(p.Reason)
	}
	m, _ := deciding(*stage)
	switch p.Reason { //nolint:exhaustive // no other reason has a figure of one stage
	case rollout.ReasonFailShare:
		if m.Observed != nil && m.Expected != nil {
			return "the canary answered " + share(*m.Observed) + " of new flows where " + share(*m.Expected) + " was expected"
		}
	case rollout.ReasonFailErrors, rollout.ReasonFailCeiling:
		if lost := failed(m); lost > 0 {
			return share(rollout.Percent(100*float64(lost)/float64(m.Samples))) + " of new flows failed"
		}
	case rollout.ReasonFailMetric:
		if i := slices.IndexFunc(stage.Queries, turnedDown); i >= 0 {
			return queryClause(stage.Queries[i])
		}
	}
	return clause(p.Reason)
}

// turnedDown reports whether a query failed its stage.
func turnedDown(q rollout.QueryRecord) bool { return q.Verdict == rollout.Fail }

// queryClause says how a query failed.
func queryClause(q rollout.QueryRecord) string {
	const room = 48
	name := codeUpTo(q.Name, room)
	if q.Trouble != "" || number(q.Worst) == none {
		return "query " + name + " had no data"
	}
	return "query " + name + " gave " + number(q.Worst) + " where " + prose(q.Bounds()) + " is allowed"
}

// clause is what a reason code means, in the middle of a sentence.
func clause(reason rollout.Reason) string {
	text := words(reason)
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToLower(first)) + text[size:]
}
