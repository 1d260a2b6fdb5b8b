package main

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// made is a bench with one question and one kind of balancer, and counts by hand.
func made() bench {
	b := bench{sizes: size{1000, 200}, seed: 7}
	for _, c := range shareCells(newQuestion(95, 10, 5)) {
		b.shared = append(b.shared, shareRow{shareCell: c})
	}
	b.reckon()
	for i := range b.shared {
		r := &b.shared[i]
		r.sum = newSum()
		r.total = 1000
		r.verdicts = map[rollout.Verdict]int{rollout.Pass: 10 * i, rollout.Fail: i, rollout.Inconclusive: 1000 - 11*i}
		r.naive = map[stats.Decision]int{stats.Pass: 100 + i}
		r.flows = map[int]int{400 + i: 600, 1500: 400}
	}
	r := judgedRow{judgedCell: newJudgedCell(kinds()[6], 25), sum: newSum()}
	for range 150 {
		r.add(ending{verdict: rollout.Invalid, reason: rollout.ReasonInvalidSticky, flows: 30})
	}
	for range 50 {
		r.add(ending{verdict: rollout.Pass, reason: rollout.ReasonPass, flows: 1001})
	}
	b.judged = []judgedRow{r}
	return b
}

// TestTables are the tables of that bench, word by word. Rows are -2, -1, -0.5, 0,
// 0.5, 1 and 2 tolerances off, so that row i has 10·i passes of 1000.
func TestTables(t *testing.T) {
	t.Parallel()
	b := made()
	for _, table := range []struct{ got, want string }{
		{b.glance(), `
| expected | half decided by | nine of ten by | right share fails | right share stays open | share on the edge passes | the same, ordinary interval | share twice off fails |
|:--|--:|--:|--:|--:|--:|--:|--:|
| 10 ± 5 % | 403, 9 s | 1,500, 30 s | 0.3 % | 96.7 % | 5 % | 10.5 % | 0.6 % |

1,000 simulated stages per figure, seed 7.
`},
		{b.right(), `
| confidence | expected | planned | pass | fail | inconclusive | flows, mean | mean, no reserve | half by | nine of ten by | in turns |
|:--|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| 95 % | 10 ± 5 % | 390 | 3 % (99.9 %) | 0.3 % (0.001 %) | 96.7 % (0.096 %) | 842 (498) | 487 | 403 (437) | 1,500 (753) | 413 |
`},
		{b.wrong(), `
| confidence | expected | half below: pass | half above: pass | lower edge: pass | upper edge: pass | Wilson, lower edge: pass | Wilson, upper edge: pass | twice off: fail | flows for that |
|:--|:--|--:|--:|--:|--:|--:|--:|--:|--:|
| 95 % | 10 ± 5 % | 2 % (89.03 %) | 4 % (52.93 %) | 1 % (0.638 %) | 5 % (1.03 %) | 10.1 % (18.01 %) | 10.5 % (15.03 %) | 0.6 % (98.95 %) | 844 (500) |

Watched for 10 planned sizes instead of 4, the interval of Wilson passes 18.53 to 21.68 % of the shares on an edge.
`},
		{b.cells(), `
| confidence | expected | true share | pass | fail | inconclusive | flows, mean | nine of ten by | Wilson: pass | Wilson: fail |
|:--|:--|:--|--:|--:|--:|--:|--:|--:|--:|
| 95 % | 10 ± 5 % | 0 % | 0 (0) | 0 (100 %) | 100 % (0) | 840 (121) | 1,500 (121) | 10 % (0) | 0 (100 %) |
| 95 % | 10 ± 5 % | 5 % | 1 % (0.638 %) | 0.1 % (1.73 %) | 98.9 % (97.63 %) | 841 (1,535) | 1,500 (1,560) | 10.1 % (18.01 %) | 0 (15.17 %) |
| 95 % | 10 ± 5 % | 7.5 % | 2 % (89.03 %) | 0.2 % (0.016 %) | 97.8 % (10.95 %) | 841 (815) | 1,500 (1,560) | 10.2 % (98.86 %) | 0 (0.658 %) |
| 95 % | 10 ± 5 % | 10 % | 3 % (99.9 %) | 0.3 % (0.001 %) | 96.7 % (0.096 %) | 842 (498) | 1,500 (753) | 10.3 % (99.25 %) | 0 (0.751 %) |
| 95 % | 10 ± 5 % | 12.5 % | 4 % (52.93 %) | 0.4 % (0.021 %) | 95.6 % (47.05 %) | 842 (1,187) | 1,500 (1,560) | 10.4 % (87.93 %) | 0 (3.97 %) |
| 95 % | 10 ± 5 % | 15 % | 5 % (1.03 %) | 0.5 % (1.15 %) | 94.5 % (97.82 %) | 843 (1,538) | 1,500 (1,560) | 10.5 % (15.03 %) | 0 (23.69 %) |
| 95 % | 10 ± 5 % | 20 % | 6 % (< 0.001 %) | 0.6 % (98.95 %) | 93.4 % (1.05 %) | 844 (500) | 1,500 (965) | 10.6 % (0.075 %) | 0 (99.91 %) |
`},
		{b.judgements(), `
| balancer | share | expected | pass | fail | inconclusive | invalid | flows, mean | nine of ten by |
|:--|--:|--:|--:|--:|--:|--:|--:|--:|
| hash of the client | 25 % | 25 % | 25 % | 0 | 0 | 75 % | 273 | 1,001 |
`},
	} {
		require.Equal(t, strings.TrimPrefix(table.want, "\n"), table.got)
	}
	require.Contains(t, b.balancers(), "| hash of the client | – | – | `INVALID_STICKY` 75 % | – | – | – |\n")
	require.Contains(t, b.balancers(), "200 simulated stages per figure, tolerance 5, confidence 95 %.\n")
}

// TestPictureIsDrawing reads the picture as XML: every line begins and ends within
// the axes, and the course is one that the test decides, at its end and not before.
func TestPictureIsDrawing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		decoder := xml.NewDecoder(strings.NewReader(picture(seed)))
		lines := 0
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			element, ok := token.(xml.StartElement)
			if !ok || element.Name.Local != "polyline" {
				continue
			}
			lines++
			for _, attribute := range element.Attr {
				if attribute.Name.Local == "points" {
					within(t, attribute.Value)
				}
			}
		}
		require.Equal(t, 5, lines, "two intervals and the share")
	}
}

var point = regexp.MustCompile(`^([\d.]+),([\d.]+)$`)

// within checks that points go from left to right inside the axes.
func within(t *testing.T, points string) {
	t.Helper()
	before := 0.0
	for text := range strings.FieldsSeq(points) {
		found := point.FindStringSubmatch(text)
		require.NotNil(t, found, text)
		x, err := strconv.ParseFloat(found[1], 64)
		require.NoError(t, err)
		y, err := strconv.ParseFloat(found[2], 64)
		require.NoError(t, err)
		require.GreaterOrEqual(t, x, before)
		require.True(t, x >= left && x <= width-right && y >= top && y <= floor, text)
		before = x
	}
	require.InDelta(t, width-right, before, 0.1, "lines go on to the verdict")
}

func TestCourseOfThePicture(t *testing.T) {
	t.Parallel()
	c := shareCell{question: newQuestion(95, 80, 5), truth: 0.8}
	hits := c.course(chanceOf(3, "picture", 0))
	for n := 1; n < len(hits); n++ {
		require.Contains(t, []int{0, 1}, hits[n]-hits[n-1])
		require.Equal(t, n == len(hits)-1, c.test.Decide(hits[n], n) != stats.Continue, "%d", n)
	}
	d := newDrawing(hits, c.test)
	require.InDelta(t, left, d.x(0), 1e-9)
	require.InDelta(t, width-right, d.x(len(hits)-1), 1e-9)
	require.InDelta(t, top, d.y(1), 1e-9)
	require.InDelta(t, floor, d.y(0.5), 1e-9)
	require.InDelta(t, floor, d.y(0.1), 1e-9, "what is below the scale lies on its edge")
}
