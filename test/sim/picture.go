package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/org/l4-canary/internal/stats"
)

// picture is a drawing of one stage that is as it should be: how the interval
// closes around the share until it lies inside the allowed range. It is SVG without
// a background, in colours that stand out on a light and a dark page alike.
func picture(seed uint64) string {
	q := newQuestion(judgedConfidence, 80, judgedTolerance)
	c := shareCell{question: q, truth: q.test.Expected}
	d := newDrawing(c.course(chanceOf(seed, "picture", 0)), q.test)
	return d.svg()
}

// course is after how many answers how many were the canary's, to the verdict.
func (c shareCell) course(chance *rand.PCG) []int {
	limit, _ := threshold(c.truth)
	hits := []int{0}
	for n := 1; ; n++ {
		k := hits[n-1]
		if chance.Uint64() < limit {
			k++
		}
		hits = append(hits, k)
		if c.test.Decide(k, n) != stats.Continue {
			return hits
		}
	}
}

// Measures of the drawing, and its range of shares.
const (
	width, height           = 760, 330
	left, right, top, floor = 52, 20, 16, 290
	lowest, highest         = 0.5, 1.0
	from, every             = 10, 4 // answers: the first point, and the next
)

const (
	grey  = "#8b949e"
	green = "#2da44e"
	blue  = "#539bf5"
	red   = "#e5534b"
)

type drawing struct {
	hits []int
	test stats.ShareTest
	last int
}

func newDrawing(hits []int, test stats.ShareTest) drawing {
	return drawing{hits: hits, test: test, last: len(hits) - 1}
}

func (d drawing) x(n int) float64 {
	return left + float64(n)/float64(d.last)*(width-left-right)
}

func (d drawing) y(share float64) float64 {
	share = min(highest, max(lowest, share))
	return top + (highest-share)/(highest-lowest)*(floor-top)
}

// line is a line through what at returns for each n.
func (d drawing) line(at func(k, n int) float64) string {
	var points []string
	for n := from; n <= d.last; n += every {
		points = append(points, fmt.Sprintf("%.1f,%.1f", d.x(n), d.y(at(d.hits[n], n))))
	}
	points = append(points, fmt.Sprintf("%.1f,%.1f", d.x(d.last), d.y(at(d.hits[d.last], d.last))))
	return strings.Join(points, " ")
}

func (d drawing) svg() string {
	var b strings.Builder
	k := d.hits[d.last]
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="13" fill="%s" role="img">
<title>One stage: the interval closes around the observed share until it lies inside the allowed range</title>
`, width, height, grey)
	d.band(&b)
	d.axes(&b)
	curve := func(colour, style string, at func(k, n int) float64) {
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" %s points="%s"/>`+"\n", colour, style, d.line(at))
	}
	ours := `stroke-width="2"`
	curve(blue, ours, func(k, n int) float64 { return d.test.Interval(k, n).Lo })
	curve(blue, ours, func(k, n int) float64 { return d.test.Interval(k, n).Hi })
	ordinary := `stroke-dasharray="3 4"`
	curve(red, ordinary, func(k, n int) float64 { return stats.Wilson(k, n, d.test.Confidence).Lo })
	curve(red, ordinary, func(k, n int) float64 { return stats.Wilson(k, n, d.test.Confidence).Hi })
	curve(grey, `stroke-width="1.5"`, func(k, n int) float64 { return float64(k) / float64(n) })
	d.legend(&b)
	fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", d.x(d.last), d.y(float64(k)/float64(d.last)), green)
	fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="end" fill="%s">pass after %d flows</text>`+"\n",
		d.x(d.last), d.y(d.test.Band.Lo)+34, green, d.last)
	b.WriteString("</svg>\n")
	return b.String()
}

// band is the allowed range.
func (d drawing) band(b *strings.Builder) {
	high, low := d.y(d.test.Band.Hi), d.y(d.test.Band.Lo)
	fmt.Fprintf(b, `<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="%s" fill-opacity="0.2"/>`+"\n",
		left, high, width-left-right, low-high, green)
}

// axes are the share on the left and the flows below.
func (d drawing) axes(b *strings.Builder) {
	for percent := 50; percent <= 100; percent += 10 {
		y := d.y(float64(percent) / 100)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%d %%</text>`+"\n", left-8, y+4, percent)
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="%s" stroke-opacity="0.25"/>`+"\n", left, y, width-right, y, grey)
	}
	for n := 100; n <= d.last; n += 100 {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", d.x(n), floor+18, n)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">flows</text>`+"\n", width-right, floor+36)
}

// legend stands where the lines are not: in the lower right corner.
func (d drawing) legend(b *strings.Builder) {
	for i, entry := range []struct{ colour, style, text string }{
		{blue, `stroke-width="2"`, "our interval: holds at every look"},
		{red, `stroke-dasharray="3 4"`, "ordinary 95 % interval: holds at one look"},
		{grey, `stroke-width="1.5"`, "share of the answers so far"},
		{green, `stroke-width="10" stroke-opacity="0.3"`, "allowed range"},
	} {
		x, y := width-right-310, floor-68+18*i
		fmt.Fprintf(b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" %s/>`+"\n", x, y, x+28, y, entry.colour, entry.style)
		fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", x+38, y+4, entry.text)
	}
}
