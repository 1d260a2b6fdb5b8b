package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the repository, seen from this package.
const root = "../.."

// part is a generated part of the page, as it is in the repository.
func part(t *testing.T, marker string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "verdict.md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "<!-- "+marker+" -->\n")
	require.True(t, found, "marker %s is missing", marker)
	text, _, found := strings.Cut(rest, "<!-- /"+marker+" -->")
	require.True(t, found, "marker /%s is missing", marker)
	return text
}

// rowsOf are the cells of the one table in a text, without its head.
func rowsOf(t *testing.T, text string) [][]string {
	t.Helper()
	var rows [][]string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
			require.NotEmpty(t, cells[i], line)
		}
		if len(rows) > 0 {
			require.Len(t, cells, len(rows[0]), line)
		}
		rows = append(rows, cells)
	}
	require.Greater(t, len(rows), 2)
	require.Regexp(t, `^(:--|--:)$`, rows[1][0], "the second line of a table")
	return rows[2:]
}

// stagesOf is how many stages a part says a figure is of, and with which seed if it
// says so.
func stagesOf(t *testing.T, text string) (stages int, seed uint64) {
	t.Helper()
	found := regexp.MustCompile(`([\d,]+) simulated stages per figure(?:, seed (\d+))?`).FindStringSubmatch(text)
	require.NotNil(t, found)
	stages, err := strconv.Atoi(strings.ReplaceAll(found[1], ",", ""))
	require.NoError(t, err)
	seed, _ = strconv.ParseUint(found[2], 10, 64)
	return stages, seed
}

// TestPageIsWhole: the tables of the page have a row for everything that is
// simulated, and as many stages behind each figure as the command plays unasked.
func TestPageIsWhole(t *testing.T) {
	t.Parallel()
	var asked, byDefault, truths, titles, judged []string
	for _, q := range questions() {
		asked = append(asked, q.confidence()+" "+q.asked())
		for _, c := range shareCells(q) {
			truths = append(truths, q.confidence()+" "+q.asked()+" "+number(100*c.truth)+" %")
		}
		if q.byDefault() {
			byDefault = append(byDefault, q.asked())
		}
	}
	for _, k := range kinds() {
		titles = append(titles, k.title)
	}
	for _, c := range judgedCells() {
		judged = append(judged, c.title+" "+number(float64(c.share))+" %")
	}
	require.Len(t, byDefault, len(shares()))
	for marker, want := range map[string]struct {
		columns int // that name the row
		names   []string
	}{
		"simulated at a glance": {1, byDefault},
		"simulated right":       {2, asked},
		"simulated wrong":       {2, asked},
		"simulated shares":      {3, truths},
		"simulated balancers":   {1, titles},
		"simulated judgements":  {2, judged},
	} {
		var got []string
		for _, row := range rowsOf(t, part(t, marker)) {
			got = append(got, strings.Join(row[:want.columns], " "))
		}
		require.Equal(t, want.names, got, marker)
	}
	defaults, err := parse(nil, io.Discard)
	require.NoError(t, err)
	for marker, want := range map[string]int{"simulated at a glance": defaults.sizes.shared, "simulated balancers": defaults.sizes.judged} {
		stages, _ := stagesOf(t, part(t, marker))
		require.Equal(t, want, stages, marker)
	}
}

var pair = regexp.MustCompile(`^(\S+)(?: %)? \((\S+)(?: %)?\)$`)

// figures are what was simulated and, in brackets, what is exact.
func figures(t *testing.T, cell string) (simulated float64, exact string) {
	t.Helper()
	found := pair.FindStringSubmatch(cell)
	require.NotNil(t, found, cell)
	simulated, err := strconv.ParseFloat(strings.ReplaceAll(found[1], ",", ""), 64)
	require.NoError(t, err, cell)
	return simulated, found[2]
}

// TestPageIsExact works out some rows again: the exact figures are those of the
// page, and what was simulated goes with them.
func TestPageIsExact(t *testing.T) {
	t.Parallel()
	stages, _ := stagesOf(t, part(t, "simulated at a glance"))
	right, wrong := rowsOf(t, part(t, "simulated right")), rowsOf(t, part(t, "simulated wrong"))
	checked := 0
	for i, q := range questions() {
		if q.test.MaxSize > 3000 || q.test.Expected == 1 {
			continue
		}
		checked++
		q.prepare()
		agrees := func(cell string, exact float64) {
			t.Helper()
			simulated, printed := figures(t, cell)
			require.Equal(t, strings.TrimSuffix(percent(exact), " %"), printed, "%s: %s", q, cell)
			seen := around(int(simulated*float64(stages)/100+0.5), stages)
			require.True(t, seen.Lo-rounding <= exact && exact <= seen.Hi+rounding, "%s: %s and %v", q, cell, seen)
		}
		centre := q.ours.follow(q.test.Expected, q.test.MaxSize)
		agrees(right[i][3], centre.pass)
		mean, exact := figures(t, right[i][6])
		require.Equal(t, count(centre.mean), exact)
		require.InEpsilon(t, centre.mean, mean, 0.02)
		require.Equal(t, count(q.whole.follow(q.test.Expected, q.test.MaxSize).mean), right[i][7])
		require.Equal(t, beside(right[i][8][:strings.Index(right[i][8], " ")], count(float64(centre.quantile(0.5)))), right[i][8])
		agrees(wrong[i][4], q.ours.follow(q.test.Band.Lo, q.test.MaxSize).pass)
		agrees(wrong[i][5], q.ours.follow(q.test.Band.Hi, q.test.MaxSize).pass)
		agrees(wrong[i][7], q.peeked.follow(q.test.Band.Hi, q.test.MaxSize).pass)
	}
	require.Equal(t, 3, checked)
}

// TestPicture: the picture beside the page is the one that the seed gives.
func TestPicture(t *testing.T) {
	t.Parallel()
	_, seed := stagesOf(t, part(t, "simulated at a glance"))
	drawn, err := os.ReadFile(filepath.Join(root, "docs", "images", "verdict.svg"))
	require.NoError(t, err)
	require.Equal(t, picture(seed), string(drawn), "out of date: make sim SIM_FLAGS=-update")
	require.Contains(t, string(drawn), "pass after")
	require.NotContains(t, string(drawn), "NaN")
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for fraction, want := range map[float64]string{
		0: "0", 1e-9: "< 0.001 %", 0.0000123: "0.001 %", 0.00934: "0.934 %", 0.0134: "1.34 %", 0.5: "50 %", 0.99915: "99.92 %", 1: "100 %",
	} {
		require.Equal(t, want, percent(fraction))
	}
	require.Equal(t, "1.5 %", share(3, 200))
	require.Equal(t, "487", count(487.4))
	require.Equal(t, "1,348", count(1347.6))
	require.Equal(t, "25,236", count(25236))
	require.Equal(t, "2.5", number(2.5))
	require.Equal(t, "28.5714", number(100*2.0/7))
	require.Equal(t, "427, 9 s", inTime(427))
}
