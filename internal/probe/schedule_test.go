package probe

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func slots(seed uint64, rate float64, ports, addresses, n int) []slot {
	s := newSchedule(seed, PortRates(rate, make([]Port, ports)), addresses)
	var all []slot
	for range n {
		all = append(all, s.next())
	}
	return all
}

func TestScheduleFollowsFromItsSeed(t *testing.T) {
	t.Parallel()
	first := slots(7, 50, 3, 2, 1000)
	require.Equal(t, first, slots(7, 50, 3, 2, 1000))
	require.NotEqual(t, first, slots(8, 50, 3, 2, 1000))
	// The instants of the very first slots are pinned: a printed seed has to
	// mean the same in every release.
	require.Equal(t, []slot{{at: 17640710, port: 1}, {at: 20481601}, {at: 42991818}, {at: 54553024, port: 1}}, slots(1, 50, 2, 1, 4))
}

func TestScheduleIsEvenAndPoisson(t *testing.T) {
	t.Parallel()
	const ports, addresses, rate, n = 3, 4, 200.0, 12 * 2000
	counts := map[[2]int]int{}
	perPort := map[int]int{}
	var gaps, squares float64
	var before time.Duration
	for i, s := range slots(3, rate, ports, addresses, n) {
		counts[[2]int{s.port, s.address}]++
		perPort[s.port]++
		gap := (s.at - before).Seconds()
		before = s.at
		gaps += gap
		squares += gap * gap
		if (i+1)%ports == 0 {
			for port := range ports {
				require.Equal(t, (i+1)/ports, perPort[port], "after %d slots", i+1)
			}
		}
	}
	for pair, got := range counts {
		require.Equal(t, n/ports/addresses, got, "%v", pair)
	}
	mean := gaps / n
	require.InEpsilon(t, 1/rate, mean, 0.03)
	require.InEpsilon(t, 2*mean*mean, squares/n, 0.06, "exponential gaps have a second moment of twice the squared mean")
}

func TestScheduleWithoutRateIsDueAtOnce(t *testing.T) {
	t.Parallel()
	for _, s := range slots(1, 0, 2, 2, 10) {
		require.Zero(t, s.at)
	}
}

// TestPaceKeepsTheRate lets ten minutes pass.
func TestPaceKeepsTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		s := newSchedule(1, []float64{50}, 1)
		begin, launched := time.Now(), 0
		pace(ctx, func() (slot, bool) { return s.next(), true }, func(s slot) {
			require.Equal(t, s.at, time.Since(begin), "each slot at its instant")
			launched++
		})
		require.Equal(t, 10*time.Minute, time.Since(begin))
		require.InEpsilon(t, 50*600, launched, 0.02)
	})
}

// TestPaceNeverBursts stalls the prober for five seconds, in which 250 flows
// would have been due.
func TestPaceNeverBursts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := newSchedule(1, []float64{50}, 1)
		begin := time.Now()
		var starts []time.Duration
		pace(ctx, func() (slot, bool) { return s.next(), true }, func(slot) {
			starts = append(starts, time.Since(begin))
			if len(starts) == 100 {
				stall := time.NewTimer(5 * time.Second)
				<-stall.C
			}
		})
		resumed := starts[100]
		require.Greater(t, resumed, starts[99]+4*time.Second)
		after := 0
		for _, at := range starts[100:] {
			if at <= resumed+time.Second {
				after++
			}
		}
		require.Less(t, after, 80, "in the second after the stall at a rate of 50")
		require.InEpsilon(t, 55*50, len(starts), 0.06, "what was missed is not made up for")
	})
}

// TestPaceMakesUpForSmallDelays shows that timers which wake late do not lower
// the rate.
func TestPaceMakesUpForSmallDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		s := newSchedule(1, []float64{500}, 1)
		launched := 0
		pace(ctx, func() (slot, bool) { return s.next(), true }, func(slot) {
			launched++
			delay := time.NewTimer(time.Millisecond)
			<-delay.C
		})
		require.InEpsilon(t, 500*30, launched, 0.03)
	})
}

func TestPaceEndsWithItsList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		left := 10
		s := newSchedule(1, []float64{50}, 1)
		pace(t.Context(), func() (slot, bool) {
			left--
			return s.next(), left >= 0
		}, func(slot) {})
		require.Equal(t, -1, left)
	})
}

func TestCursorSweeps(t *testing.T) {
	t.Parallel()
	c := newCursor(5, 40000, 40009)
	first := c.take()
	seen := map[uint16]bool{first: true}
	for range 9 {
		seen[c.take()] = true
	}
	require.Len(t, seen, 10, "every port before any again")
	require.Equal(t, first, c.take())
	require.Equal(t, first, newCursor(5, 40000, 40009).take(), "the beginning follows from the seed")
	require.Equal(t, 200*time.Millisecond, c.Reuse(50))
}

func TestPortRange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]uint32{
		"32768\t60999\n": {32768, 60999},
		"1024 65535":     {1024, 65535},
		"":               {32768, 60999},
		"nonsense":       {32768, 60999},
		"5 4":            {32768, 60999},
		"0 70000":        {32768, 60999},
	} {
		low, high := portRange(text)
		require.Equal(t, want, [2]uint32{low, high}, "%q", text)
	}
}

func TestReorder(t *testing.T) {
	t.Parallel()
	var r reorder
	_, ok := r.pop()
	require.False(t, ok)
	var got []int
	for block := range 50 { // each block of 100 arrives backwards
		for i := 99; i >= 0; i-- {
			r.put(Flow{Index: block*100 + i, Class: Answered})
			for f, ok := r.pop(); ok; f, ok = r.pop() {
				got = append(got, f.Index)
			}
		}
	}
	require.Len(t, got, 5000)
	require.IsIncreasing(t, got)
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var h histogram
	require.Zero(t, h.lateness())
	for i := range 1000 {
		h.observe(time.Duration(i+1) * time.Millisecond)
	}
	late := h.lateness()
	require.Equal(t, time.Second, late.Max)
	require.InEpsilon(t, 500*time.Millisecond, late.P50, 0.13)
	require.InEpsilon(t, 990*time.Millisecond, late.P99, 0.13)
	for d := time.Duration(1); d < 24*time.Hour; d = d*5/4 + 1 {
		require.Greater(t, ceiling(bucket(d)), d-time.Microsecond)
		require.LessOrEqual(t, ceiling(bucket(d)), d+d/8+time.Microsecond)
	}
	h.observe(-time.Second)
	h.observe(1 << 62)
}

func TestPortRates(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		rate   float64
		limits []float64
		want   []float64
	}{
		{50, []float64{0, 0}, []float64{25, 25}},
		{50, []float64{0, 2}, []float64{25, 2}},
		{50, []float64{40}, []float64{40}},
		{5, []float64{40}, []float64{5}},
		{0, []float64{0, 0}, []float64{0, 0}},
		{0, []float64{0, 2}, []float64{2, 2}},
	} {
		var ports []Port
		for _, limit := range row.limits {
			ports = append(ports, Port{Rate: limit})
		}
		require.Equal(t, row.want, PortRates(row.rate, ports), "%+v", row)
	}
}

// TestScheduleOfUnequalPorts counts the slots of each port, and how even its gaps are.
func TestScheduleOfUnequalPorts(t *testing.T) {
	t.Parallel()
	rates := []float64{45, 5}
	s := newSchedule(5, rates, 1)
	const n = 50_000
	counts, before, squares := []float64{0, 0}, []float64{0, 0}, []float64{0, 0}
	for range n {
		slot := s.next()
		at := slot.at.Seconds()
		squares[slot.port] += (at - before[slot.port]) * (at - before[slot.port])
		counts[slot.port]++
		before[slot.port] = at
	}
	for port, rate := range rates {
		require.InEpsilon(t, rate, counts[port]/s.now.Seconds(), 0.05)
		require.InEpsilon(t, 2/rate/rate, squares[port]/counts[port], 0.1, "each port is a Poisson process of its own")
	}
}
