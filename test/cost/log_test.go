package cost

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// say writes to a log after some seconds.
func say(t *testing.T, l *Log, after time.Duration, text string) {
	t.Helper()
	time.Sleep(after)
	n, err := l.Write([]byte(text))
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

func TestPartsHaveNoGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l Log
		began := time.Now()
		at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
		say(t, &l, time.Second, "00:00:01 cluster found\n== base")
		say(t, &l, time.Second, "line\n00:00:02 scaling x=\"== no heading\"\n")
		say(t, &l, 3*time.Second, "== stage 50 %\n00:00:05 finished")
		time.Sleep(2 * time.Second)
		require.Equal(t, []Part{
			{Preparation, began, at(2)}, {"baseline", at(2), at(5)}, {"stage 50 %", at(5), at(7)},
		}, l.Parts(began, time.Now()), "a heading came when its line ended")
		require.Equal(t, "00:00:01 cluster found\n== baseline\n00:00:02 scaling x=\"== no heading\"\n== stage 50 %\n00:00:05 finished", l.String())
	})
}

func TestPartsWithoutHeadings(t *testing.T) {
	t.Parallel()
	var l Log
	began := time.Now()
	require.Equal(t, []Part{{Preparation, began, began.Add(time.Second)}}, l.Parts(began, began.Add(time.Second)))
}

func TestPartHas(t *testing.T) {
	t.Parallel()
	began := time.Now()
	part := Part{Began: began, Ended: began.Add(time.Second)}
	require.True(t, part.has(began))
	require.False(t, part.has(began.Add(time.Second)), "that is the next one's")
	require.False(t, part.has(began.Add(-1)))
	require.False(t, part.has(time.Time{}), "it never happened")
	require.Equal(t, time.Second, part.Took())
}
