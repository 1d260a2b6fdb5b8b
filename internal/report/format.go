package report

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// space is U+00A0: a figure stays with its unit in a narrow cell.
const space = "\u00a0"

// none is what a cell shows where there is nothing to show.
const none = "–"

// weight is a share in percent with as many decimals as matter: 50, 27.3, 0.04
// near the ends, where 0 and 100 would be claims.
func weight(p rollout.Percent) string {
	v := float64(p)
	switch {
	case v > 0 && v < 0.005:
		return "<0.01"
	case v < 100 && v > 99.995:
		return ">99.99"
	case v > 0 && v < 1, v > 99 && v < 100:
		return trim(v, 2)
	}
	return trim(v, 1)
}

// trim is v with at most so many decimals.
func trim(v float64, decimals int) string {
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// share is a weight with its unit.
func share(p rollout.Percent) string { return weight(p) + space + "%" }

// spread is an interval in percent, without the unit. A line may break behind a
// dash, in spite of the space, if nothing joins them.
func spread(i stats.Interval) string {
	return weight(rollout.Percent(100*i.Lo)) + space + none + joiner + space + weight(rollout.Percent(100*i.Hi))
}

// stageName is a stage as its rows and the headline call it.
func stageName(s rollout.StageRecord) string {
	if v, err := strconv.ParseFloat(s.Name, 64); err == nil && v > 0 && v <= 100 {
		return target(rollout.Percent(v))
	}
	return prose(shorten(s.Name, 40))
}

// target is a weight that someone asked for: all its decimals, up to four.
func target(p rollout.Percent) string { return trim(float64(p), 4) + space + "%" }

// count is a number with a comma at every third digit.
func count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// plural is a count of things: "1 flow", "2 flows".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return count(n) + " " + thing + "s"
}

// sentence is text of the engine as a sentence of its own: it begins in upper
// case and ends with a full stop.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	text = strings.TrimSuffix(string(unicode.ToUpper(first))+text[size:], ".") + "."
	return prose(text)
}

// atMost is a propagation: the balancer had followed when the window that was
// judged began, and may have long before.
func atMost(d time.Duration) string { return "≤" + space + timing(d) }

// timing is a duration as people say it.
func timing(d time.Duration) string {
	switch {
	case d > 0 && d < 100*time.Millisecond:
		return trim(float64(d.Microseconds())/1000, 0) + space + "ms"
	case d < 10*time.Second:
		return trim(d.Seconds(), 1) + space + "s"
	case d < time.Minute:
		return trim(d.Seconds(), 0) + space + "s"
	case d < time.Hour:
		d = d.Round(time.Second)
		return join(int(d.Minutes()), "min", int(d.Seconds())%60, "s")
	}
	d = d.Round(time.Minute)
	return join(int(d.Hours()), "h", int(d.Minutes())%60, "min")
}

// join is a time in two units, the second left out if there is none of it.
func join(a int, unitA string, b int, unitB string) string {
	text := strconv.Itoa(a) + space + unitA
	if b > 0 {
		text += " " + strconv.Itoa(b) + space + unitB
	}
	return text
}

// millis is a latency in milliseconds, three figures of it.
func millis(d time.Duration) string {
	v := float64(d) / float64(time.Millisecond)
	switch {
	case v < 0.01:
		return trim(v, 3)
	case v < 1:
		return trim(v, 2)
	case v < 100:
		return trim(v, 1)
	}
	return trim(v, 0)
}
