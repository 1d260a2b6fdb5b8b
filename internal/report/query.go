package report

import (
	"math"
	"time"

	"github.com/org/l4-canary/internal/rollout"
)

// queryDocument is what asking one query at a stage told.
type queryDocument struct {
	Name           string          `json:"name"`
	Expr           string          `json:"expr"`
	Min            *float64        `json:"min"`
	Max            *float64        `json:"max"`
	ForSeconds     *float64        `json:"forSeconds"`
	Asked          int             `json:"asked"`
	Answered       int             `json:"answered"` // of asked, with data
	Last           *rollout.Figure `json:"last"`     // the worst number of the last answer with data
	Labels         string          `json:"labels"`   // of last
	Worst          *rollout.Figure `json:"worst"`
	OutsideSeconds *float64        `json:"outsideSeconds"`
	Trouble        *string         `json:"trouble"`
	Verdict        *string         `json:"verdict"`
}

func newQuery(q rollout.QueryRecord) queryDocument {
	return queryDocument{
		Name: q.Name, Expr: q.Expr, Min: finite(q.Min), Max: finite(q.Max), ForSeconds: figure(q.For.Seconds(), thousandth),
		Asked: q.Asked, Answered: q.Answered, Last: known(q.Last), Labels: q.Labels, Worst: known(q.Worst),
		OutsideSeconds: figure(q.Outside.Seconds(), thousandth), Trouble: optional(q.Trouble), Verdict: optional(string(q.Verdict)),
	}
}

// finite is a bound, nil if it is none.
func finite(bound *float64) *float64 {
	if bound == nil || math.IsNaN(*bound) || math.IsInf(*bound, 0) {
		return nil
	}
	return bound
}

// known is a number, nil if there is none. JSON has no infinite ones: those become the
// largest of their sign.
func known(f rollout.Figure) *rollout.Figure {
	switch v := float64(f); {
	case math.IsNaN(v):
		return nil
	case math.IsInf(v, 0):
		f = rollout.Figure(math.Copysign(infinite, v))
	}
	return &f
}

// infinite is what stands for it: six digits that read back as they are.
const infinite = 1e308

func (d queryDocument) record() rollout.QueryRecord {
	return rollout.QueryRecord{
		Query: rollout.Query{Name: d.Name, Expr: d.Expr, Min: d.Min, Max: d.Max, For: duration(d.ForSeconds, time.Second)},
		Asked: d.Asked, Answered: d.Answered, Last: figureOf(d.Last), Labels: d.Labels, Worst: figureOf(d.Worst),
		Outside: duration(d.OutsideSeconds, time.Second), Trouble: value(d.Trouble), Verdict: rollout.Verdict(value(d.Verdict)),
	}
}

func figureOf(f *rollout.Figure) rollout.Figure {
	if f == nil {
		return rollout.Figure(math.NaN())
	}
	return *f
}

// queryGate is the judgement of a stage's queries; nil while it is open, and without any.
func queryGate(s rollout.StageRecord) *gateDocument {
	if len(s.Queries) == 0 {
		return nil
	}
	gate := &gateDocument{Name: gateOf(rollout.ReasonFailMetric), Verdict: rollout.Pass, Reason: rollout.ReasonPass}
	for _, q := range s.Queries {
		switch q.Verdict {
		case rollout.Fail:
			gate.Verdict, gate.Reason = rollout.Fail, rollout.ReasonFailMetric
			return gate
		case rollout.Pass, rollout.Inconclusive, rollout.Invalid:
		default:
			gate.Verdict = ""
		}
	}
	if gate.Verdict == "" {
		return nil
	}
	return gate
}

// queriesThatDecided are shown to everybody, where other pages' stand aside.
func (p page) queriesThatDecided() string {
	if body := p.queries(); body != "" && p.byQuery() {
		return "**What was asked of Prometheus**\n\n" + body
	}
	return ""
}

// queriesAside are folded away.
func (p page) queriesAside() string {
	if p.byQuery() {
		return ""
	}
	return details("What was asked of Prometheus", p.queries())
}

// byQuery reports whether a query turned the last stage down.
func (p page) byQuery() bool {
	stage := p.last()
	return stage != nil && stage.Reason == rollout.ReasonFailMetric
}

// failedQueries name those that turned a stage down, and how often they were asked.
func failedQueries(s rollout.StageRecord) []string {
	var parts []string
	for _, q := range s.Queries {
		if q.Verdict == rollout.Fail {
			parts = append(parts, codeUpTo(q.Name, 63), "asked "+plural(q.Asked, "time"))
		}
	}
	return parts
}

// queries are what was asked at every stage.
func (p page) queries() string {
	t, rows := newTable("Stage:", "Query", "Verdict", "Worst:", "Allowed", "Last:", "Of", "Asked:"), 0
	for _, s := range p.Stages {
		for _, q := range s.Queries {
			if rows++; rows <= mostRows {
				t.row(queryRow(s, q)...)
			}
		}
	}
	if rows == 0 {
		return ""
	}
	return t.String() + more(rows-mostRows, "row")
}

// queryRow is one query at one stage.
func queryRow(s rollout.StageRecord, q rollout.QueryRecord) []string {
	allowed := prose(q.Bounds())
	if q.For > 0 {
		allowed += ", or outside for less than " + timing(q.For)
	}
	of := none
	switch {
	case q.Trouble != "":
		of = codeUpTo(q.Trouble, 160)
	case q.Labels != "" && q.Labels != "{}":
		of = codeUpTo(q.Labels, 160)
	}
	asked := count(q.Asked)
	if q.Answered < q.Asked {
		asked += ", " + count(q.Answered) + " with data"
	}
	return []string{stageName(s), codeUpTo(q.Name, 63), queryVerdict(q), number(q.Worst), allowed, number(q.Last), of, asked}
}

// number is a value as it is compared, if there is one.
func number(f rollout.Figure) string {
	switch v := float64(f); {
	case math.IsNaN(v):
		return none
	case v >= infinite:
		return "∞"
	case v <= -infinite:
		return "−∞"
	}
	return rollout.Decimal(float64(f))
}

func queryVerdict(q rollout.QueryRecord) string {
	switch {
	case q.Verdict == rollout.Pass && q.Answered == 0:
		return "no pods to tell of"
	case q.Verdict == rollout.Pass:
		return "pass"
	case q.Verdict == rollout.Fail && q.Trouble != "":
		return "**no data**"
	case q.Verdict == rollout.Fail:
		return "**fail**"
	case q.Verdict == "":
		return "open"
	}
	return codeUpTo(string(q.Verdict), 40)
}
