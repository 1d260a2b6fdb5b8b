package rollout

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// figures is the sentence about the share.
func (p *portJudge) figures() string {
	t := p.tally
	if p.blind != "" {
		return fmt.Sprintf("%d flows on %s, whose share is not measured: %s%s", t.samples(), p.port, p.blind, p.failures())
	}
	if t.attributed() == 0 {
		return fmt.Sprintf("none of %d flows on %s told its version%s", t.samples(), p.port, p.failures())
	}
	interval := p.scattered().Interval(t.canary, t.attributed())
	text := fmt.Sprintf("observed %s %% of %d flows on %s, always-valid %s %% interval %s %%",
		tenths(float64(t.canary)/float64(t.attributed())), t.attributed(), p.port, tenths(p.options.Confidence.Fraction()), span(interval))
	switch {
	case p.free:
		text += ", which decides nothing (share-gate)"
	case p.options.Expected != nil:
		text += ", allowed " + p.allowed()
	}
	return text
}

// allowed words the band.
func (p *portJudge) allowed() string {
	switch p.test.Expected {
	case 0:
		return "0 %"
	case 1:
		return "100 %"
	}
	return span(p.test.Band) + " %"
}

// openDetail says why the share is still open.
func (p *portJudge) openDetail() string {
	t := p.tally
	text := p.figures()
	if t.attributed() > 0 {
		text += fmt.Sprintf("; about %d more answers would decide", p.scattered().Remaining(t.canary, t.attributed()))
	}
	return text
}

func (p *portJudge) stickyDetail() string {
	var seen []string
	for _, address := range slices.SortedFunc(maps.Keys(p.tally.places), netip.Addr.Compare) {
		s, version := p.tally.places[address].heard, probe.Stable
		if s.canary > 0 {
			version = probe.Canary
		}
		if n := s.stable + s.canary; n > 0 {
			seen = append(seen, fmt.Sprintf("all %d answers from %s are the %s's", n, address, version))
		}
	}
	text := fmt.Sprintf("%s on %s, although %s %% is expected of the canary: the balancer sends one client to one side"+
		" (session affinity, source hash) or does not know the other side", strings.Join(seen, ", "), p.port, tenths(p.test.Expected))
	if p.tally.canary > 0 && p.tally.stable == 0 {
		text += ", or it prefers pods with few connections (least connections)"
	}
	return text
}

func (p *portJudge) baselineDetail(finding string) string {
	t := p.tally
	return fmt.Sprintf("%s: of %d flows on %s stable answered %d and the canary %d, %d were not recognised%s",
		finding, t.samples(), p.port, t.stable, t.canary, t.unknown, p.failures())
}

// failures lists the failures by class, as an addition to a sentence.
func (p *portJudge) failures() string {
	t := p.tally
	if t.failed() == 0 {
		return ""
	}
	var kinds []string
	for _, class := range []probe.Class{probe.Refused, probe.Reset, probe.Timeout, probe.Faulty} {
		if n := t.errors[class]; n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, class))
		}
	}
	return fmt.Sprintf(", %d failed (%s)", t.failed(), strings.Join(kinds, ", "))
}

func (p *portJudge) failedDetail(limit float64) string {
	g := &p.gates
	if p.tally.answered() == 0 {
		return fmt.Sprintf("no flow on %s was answered%s", p.port, p.failures())
	}
	return fmt.Sprintf("%d of %d flows on %s failed (%s %%), more than the %s %% that are allowed",
		g.failed, g.flows, p.port, tenths(ratio(g.failed, g.flows)), tenths(limit))
}

func (p *portJudge) ceilingDetail(side probe.Version, e stats.Evidence) string {
	failed, flows := p.gates.of(side)
	return fmt.Sprintf("%d of %d flows on %s that the %s took failed (%s %%), more than the %s %% that either version may (max-error-rate)",
		failed, flows, p.port, side, tenths(e.Observed), tenths(e.Bound))
}

func (p *portJudge) attributedDetail(e stats.Evidence) string {
	g := &p.gates
	return fmt.Sprintf("the canary answered %s %% of %d flows on %s but has %d of %d failures (%s %%, at most %s %% would be its share)",
		tenths(ratio(g.probesNew, g.probes)), g.probes, p.port, g.failedNew, g.failures, tenths(e.Observed), tenths(e.Bound))
}

func (p *portJudge) riseDetail(e stats.Evidence) string {
	g := &p.gates
	return fmt.Sprintf("%d of %d flows on %s failed (%s %%), more than the %s %% that the baseline allows%s",
		g.failed, g.flows, p.port, tenths(e.Observed), tenths(e.Bound), p.implied())
}

// implied says which failure rate of the canary would explain the failures.
func (p *portJudge) implied() string {
	rate := p.gates.baseline.ImpliedNewRate(p.gates.failed, p.gates.flows)
	if math.IsNaN(rate) {
		return ""
	}
	return fmt.Sprintf("; the canary would be failing %s %% of its flows", tenths(rate))
}

// unknownDetail says which way the patterns are wrong, where the answers tell.
func (p *portJudge) unknownDetail() string {
	t := p.tally
	switch t.both {
	case 0:
		return fmt.Sprintf("%d of %d answers on %s tell neither version, more than 1 %%", t.unknown, t.answered(), p.port)
	case t.unknown:
		return fmt.Sprintf("%d of %d answers on %s match both patterns, more than 1 %%: each must match the answers of its own version alone",
			t.unknown, t.answered(), p.port)
	}
	return fmt.Sprintf("%d of %d answers on %s match both patterns, and %d match neither, more than 1 %% together: each must match the answers of its own version alone",
		t.both, t.answered(), p.port, t.unknown-t.both)
}

func (p *portJudge) localDetail() string {
	local := p.tally.errors[probe.Local]
	return fmt.Sprintf("this machine itself failed %d of %d flows to %s, more than 1 %%", local, p.tally.samples()+local, p.port)
}

func (p *portJudge) overloadDetail() string {
	t := p.tally
	return fmt.Sprintf("%d of %d flows to %s were left out because too many were waiting for an answer, more than 1 %%",
		t.notSent, t.samples()+t.errors[probe.Local]+t.notSent, p.port)
}

func ratio(k, n int) float64 { return float64(k) / float64(n) }

// tenths is a fraction in percent, with one decimal if it needs one.
func tenths(fraction float64) string {
	return strconv.FormatFloat(math.Round(fraction*1000)/10, 'f', -1, 64)
}

// trimmed is a number with one decimal if it needs one.
func trimmed(v float64) string { return tenths(v / 100) }

// span is an interval in percent, without the sign.
func span(i stats.Interval) string { return tenths(i.Lo) + "–" + tenths(i.Hi) }
