package report

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// byWords is the seed's rollout without patterns.
func byWords() *rollout.Record {
	r := seedPromoted()
	r.ShareGate = "enforce"
	r.Learned = []rollout.Learned{{Port: "80/TCP", Words: `stable answers contain "1.25.5", canary's "1.27.1", in the header "Server"`}}
	return r
}

// unmeasured has a port on which nothing tells the versions apart, and shares that
// decide nothing.
func unmeasured() *rollout.Record {
	const why = "all answers of both versions are the same"
	r := lobbyPromoted()
	r.ShareGate, r.Held = "report", nil
	r.Learned = []rollout.Learned{{Port: "7777/TCP", Words: `stable answers contain "1.8.2", canary's "1.9.0", in the banner`}, {Port: "7778/UDP", Why: why}}
	for i := range r.Stages[1:] {
		m := &r.Stages[i+1].Ports[1]
		m.Unknown += m.Stable + m.Canary
		m.Stable, m.Canary, m.Observed, m.Unmeasured, m.Latency, m.Pods = 0, 0, nil, why, nil, nil
	}
	only := &r.Stages[4] // as if it were the only port
	only.Ports = only.Ports[1:]
	only.Measurement = only.Ports[0]
	return r
}

// TestGatesWithoutShare: what passed is not the share where that decides nothing.
func TestGatesWithoutShare(t *testing.T) {
	t.Parallel()
	names := func(r *rollout.Record, stage int) (names []string) {
		var b bytes.Buffer
		require.NoError(t, JSON(&b, r, "1.0.0"))
		var d reportDocument
		require.NoError(t, json.Unmarshal(b.Bytes(), &d))
		for _, gate := range d.Stages[stage].Gates {
			names = append(names, gate.Name)
		}
		return names
	}
	require.Equal(t, []string{"errors", "errors"}, names(unmeasured(), 1))
	r := unmeasured()
	r.ShareGate = "enforce"
	require.Equal(t, []string{"share", "errors"}, names(r, 1))
	require.Equal(t, []string{"share"}, names(byWords(), 1))
}
