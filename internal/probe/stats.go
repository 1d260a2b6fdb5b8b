package probe

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Stats tell how well the prober itself kept to its schedule.
type Stats struct {
	Sent     int     // flows started
	NotSent  int     // slots the in-flight cap left out
	Rate     float64 // achieved starts a second; 0 before the second start
	Lateness Lateness
}

// Lateness is how long after their scheduled instants flows began; zero where
// there is no schedule, at Rate 0. Quantiles are upper bounds within an eighth.
type Lateness struct{ P50, P99, Max time.Duration }

// histogram counts durations in buckets an eighth of a power of two wide. All
// methods may be called at once.
type histogram struct {
	buckets [bucketsPerDouble * 40]atomic.Int64 // of microseconds, up to two weeks
	longest atomic.Int64
}

const bucketsPerDouble = 8

func (h *histogram) observe(d time.Duration) {
	d = max(0, d)
	h.buckets[bucket(d)].Add(1)
	for longest := h.longest.Load(); int64(d) > longest; longest = h.longest.Load() {
		if h.longest.CompareAndSwap(longest, int64(d)) {
			return
		}
	}
}

// reset forgets what was counted.
func (h *histogram) reset() {
	for i := range h.buckets {
		h.buckets[i].Store(0)
	}
	h.longest.Store(0)
}

// bucket is the index of a duration: its power of two and the three bits below.
func bucket(d time.Duration) int {
	us := uint64(d / time.Microsecond)
	if us < bucketsPerDouble {
		return int(us)
	}
	power := bits.Len64(us) - 4 // us>>power is 8..15
	return min((power+1)*bucketsPerDouble+int(us>>power)-bucketsPerDouble, bucketsPerDouble*40-1)
}

// ceiling is the first duration beyond a bucket.
func ceiling(bucket int) time.Duration {
	if bucket < bucketsPerDouble {
		return time.Duration(bucket+1) * time.Microsecond
	}
	power := bucket/bucketsPerDouble - 1
	return time.Duration((bucket%bucketsPerDouble)+bucketsPerDouble+1) << power * time.Microsecond
}

func (h *histogram) lateness() Lateness {
	longest := time.Duration(h.longest.Load())
	return Lateness{P50: min(longest, h.quantile(0.50)), P99: min(longest, h.quantile(0.99)), Max: longest}
}

// quantile is an upper bound of the q-quantile, 0 of nothing.
func (h *histogram) quantile(q float64) time.Duration {
	var total, seen int64
	for i := range h.buckets {
		total += h.buckets[i].Load()
	}
	rank := int64(math.Ceil(q * float64(total)))
	for i := range h.buckets {
		seen += h.buckets[i].Load()
		if rank > 0 && seen >= rank {
			return ceiling(i)
		}
	}
	return 0
}
