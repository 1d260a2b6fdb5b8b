package kube

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCut(t *testing.T) {
	t.Parallel()
	require.Equal(t, "as it is", cut("as it is", 8))
	require.Equal(t, "als…", cut("also so", 6))
	require.Equal(t, "a…", cut("aüüüü", 5), "no character is cut in two")
}

// TestTell: an Event belongs to the Service, and fits.
func TestTell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, service(), deployment("old", 2), deployment("new", 0))
		w.now(t)
		require.NoError(t, w.cluster.Tell(t.Context(), Event{Reason: "StageFail", Note: strings.Repeat("ü", 600), Warning: true}))
		list, err := w.typed.EventsV1().Events(namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
		event := list.Items[0]
		require.Equal(t, "Service", event.Regarding.Kind)
		require.Equal(t, "lobby", event.Regarding.Name)
		require.Equal(t, "Warning", event.Type)
		require.LessOrEqual(t, len(event.Note), maxNote)
	})
}
