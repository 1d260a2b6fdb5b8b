package kube

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestInterrupted: the Lease tells a run that was told to stop from one that ended by
// itself, until somebody goes on.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		p := l.party(on("a", 1))
		lease, _ := p.must(t, Acquisition{})
		require.False(t, lease.Remembers())
		require.NoError(t, lease.Write(t.Context(), []byte("{}")))
		require.True(t, lease.Remembers())
		record, err := p.client.ReadLease(t.Context(), namespace, "lobby")
		require.NoError(t, err)
		require.True(t, record.Held)
		require.False(t, record.Cut)

		lease.Interrupted()
		require.NoError(t, lease.Release(t.Context(), true))
		record, err = p.client.ReadLease(t.Context(), namespace, "lobby")
		require.NoError(t, err)
		require.False(t, record.Held)
		require.True(t, record.Cut)

		lease, _ = p.must(t, Acquisition{})
		require.NoError(t, lease.Release(t.Context(), true))
		record, err = p.client.ReadLease(t.Context(), namespace, "lobby")
		require.NoError(t, err)
		require.False(t, record.Cut)
	})
}

func TestHolderIsTheSameStep(t *testing.T) {
	t.Parallel()
	step := Holder{Run: "7", Attempt: "1", Job: "deploy", Step: "__org_l4-canary", Token: "a", PID: 1}
	again := step
	again.Token, again.PID = "b", 9
	require.True(t, step.Same(again), "in another process")
	for _, other := range []Holder{
		{Run: "8", Attempt: "1", Job: "deploy", Step: "__org_l4-canary"}, {Run: "7", Attempt: "2", Job: "deploy", Step: "__org_l4-canary"},
		{Run: "7", Attempt: "1", Job: "test", Step: "__org_l4-canary"}, {Run: "7", Attempt: "1", Job: "deploy", Step: "__org_l4-canary_2"},
	} {
		require.False(t, step.Same(other))
	}
	require.False(t, Holder{Host: "a"}.Same(Holder{Host: "a"}), "no CI run at all")
}
