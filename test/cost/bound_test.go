package cost

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// noon is when the runs of these tests begin.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// at is so many seconds later; 0 is never.
func at(seconds float64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return noon.Add(time.Duration(seconds * float64(time.Second)))
}

// aReport is of two stages at 100 flows a second.
func aReport() Report {
	return Report{Rate: 100, Stages: []Stage{{"baseline", []Port{{300}}}, {"12.5", []Port{{400}, {450}}}}}
}

func TestLeast(t *testing.T) {
	t.Parallel()
	asked := Asked{Settle: 2 * time.Second, Drain: 5 * time.Second}
	stage := Part{"stage 12.5 %", at(10), at(60)}
	const s = time.Second
	started := func(created, ready float64) Pod { return Pod{Created: at(created), Ready: at(ready)} }
	parked := func(parked, leaving float64) Pod {
		return Pod{Created: at(1), Ready: at(2), Parked: at(parked), Leaving: at(leaving), Gone: at(leaving + 1)}
	}
	ended := func(leaving, gone float64) Pod {
		return Pod{Created: at(1), Ready: at(2), Leaving: at(leaving), Gone: at(gone)}
	}
	sampled := Bound{Sampling: 8500 * time.Millisecond, Settle: 2 * s}
	tests := []struct {
		name string
		part Part
		pods []Pod
		want Bound
	}{
		{"no pod moves", stage, nil, Bound{}},
		{"one pod", stage, []Pod{started(11, 14)}, Bound{Starts: 3 * s}},
		{"a batch takes as long as its slowest pod", stage, []Pod{started(11, 14), started(12, 17), started(12, 13)}, Bound{Starts: 5 * s}},
		{"batches one after the other", stage, []Pod{started(20, 22), started(11, 14), started(11, 13)}, Bound{Starts: 5 * s}},
		{"one that begins as another ends waited for it", stage, []Pod{started(11, 14), started(14, 16)}, Bound{Starts: 5 * s}},
		{"pods of other stages", stage, []Pod{started(9, 14), started(60, 62)}, Bound{}},
		{"a pod that was never ready", stage, []Pod{started(11, 0)}, Bound{}},
		{"parked together", stage, []Pod{parked(20, 25.2), parked(20.1, 25.2)}, Bound{Drain: 5 * s}},
		{"parked one after the other", stage, []Pod{parked(20, 25.2), parked(30, 35)}, Bound{Drain: 10 * s}},
		{"parked, and still there", stage, []Pod{parked(20, 0)}, Bound{Drain: 5 * s}},
		{"ends before the drain is over", stage, []Pod{ended(20, 22), ended(20, 23)}, Bound{Drain: 3 * s}},
		{"ends after it", stage, []Pod{ended(20, 50)}, Bound{Drain: 5 * s}},
		{"has not ended", stage, []Pod{ended(20, 0)}, Bound{}},
		{"starts, then drains", stage, []Pod{started(11, 14), parked(20, 25)}, Bound{Starts: 3 * s, Drain: 5 * s}},
		{"no stage", Part{"deploy stable", at(10), at(60)}, []Pod{started(11, 14)}, Bound{Starts: 3 * s}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := tt.want
			if tt.part.Name == stage.Name {
				want = want.plus(sampled)
			}
			require.Equal(t, want, Least(tt.part, tt.pods, aReport(), asked))
		})
	}
	require.Equal(t, Bound{Sampling: 3 * s, Settle: 2 * s}, Least(Part{"baseline", at(1), at(10)}, nil, aReport(), asked))
}

func TestBoundTotal(t *testing.T) {
	t.Parallel()
	b := Bound{1, 20, 300, 4000}
	require.Equal(t, time.Duration(4321), b.Total())
	require.Equal(t, Bound{2, 40, 600, 8000}, b.plus(b))
}

func TestReadReport(t *testing.T) {
	t.Parallel()
	r, err := ReadReport([]byte(`{"outcome":"promoted","removal":"park","rate":100,"stages":[
		{"name":"baseline","samples":300,"ports":[{"samples":300}]},{"name":"100","ports":[{"samples":7},{"samples":9},{"samples":8}]}]}`))
	require.NoError(t, err)
	require.Equal(t, "park", r.Removal)
	require.Equal(t, []int{300, 9}, r.Each())
	require.Equal(t, 24, r.stage("stage 100 %").Flows())
	require.Equal(t, "baseline", r.stage("baseline").Name)
	require.Empty(t, r.stage("stage 10 %").Name)
	require.Equal(t, 240*time.Millisecond, r.sampling(24))

	for name, text := range map[string]string{
		"rolled back": `{"outcome":"rolled-back","message":"FAIL_SHARE","rate":100,"stages":[{"name":"100"}]}`,
		"no rate":     `{"outcome":"promoted","stages":[{"name":"100"}]}`,
		"no stage":    `{"outcome":"promoted","rate":100}`,
		"no outcome":  `{"outcome":null}`,
		"no JSON":     `promoted`,
	} {
		_, err := ReadReport([]byte(text))
		require.Error(t, err, name)
	}
}

func TestSightKeepsWhatCameFirst(t *testing.T) {
	t.Parallel()
	var s Sight
	require.Empty(t, s.Pods())
	s.See(at(5), Glance{UID: "b"})
	s.See(at(1), Glance{UID: "a"})
	s.See(at(2), Glance{UID: "a", Ready: true})
	s.See(at(3), Glance{UID: "a", Ready: true, Parked: true})
	s.See(at(4), Glance{UID: "a", Parked: true, Leaving: true})
	s.See(at(6), Glance{UID: "a", Leaving: true, Gone: true})
	require.Equal(t, []Pod{{at(1), at(2), at(3), at(4), at(6)}, {Created: at(5)}}, s.Pods())
}
