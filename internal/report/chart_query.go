package report

import (
	"math"
	"slices"

	"github.com/org/l4-canary/internal/rollout"
)

// queryChart sets the numbers of the query that failed a stage against its bounds: a bar for
// the worst and one for the last, and level lines. A query that had no data, or numbers that
// no axis holds from 0 up, has none.
func queryChart(s rollout.StageRecord) string {
	i := slices.IndexFunc(s.Queries, turnedDown)
	if i < 0 {
		return ""
	}
	query := s.Queries[i]
	bars := []float64{float64(query.Worst), float64(query.Last)}
	chart := xychart{
		palette: []string{red}, labels: []string{"worst", "last"}, axis: "given by the query", value: "value",
		series: []series{{"bar", bars}},
		note:   "What " + codeUpTo(query.Name, 63) + " gave at " + stageName(s) + ". ",
	}
	for _, bound := range []*float64{query.Min, query.Max} {
		if bound != nil {
			chart.palette = append(chart.palette, blue)
			chart.series = append(chart.series, series{"line", level(*bound, len(bars))})
		}
	}
	top := 0.0
	for _, drawn := range chart.series {
		if !drawable(drawn.points) {
			return ""
		}
		top = max(top, slices.Max(drawn.points))
	}
	if top == 0 {
		return ""
	}
	chart.top = roundUp(top)
	chart.note += "Allowed is " + prose(query.Bounds()) + ": the line."
	return chart.String()
}

// drawable reports whether numbers can be heights above 0: two decimals of them say
// something, and an axis has room for their digits.
func drawable(heights []float64) bool {
	return !slices.ContainsFunc(heights, func(v float64) bool { return v != 0 && (math.IsNaN(v) || v < 0.05 || v >= 1e7) })
}
